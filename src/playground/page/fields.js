// Every kind of field that Slack has, for forms, for messages and for the App Home.
//
// control(element, {id, value, label, invalid, describedby, change, search, enter}) gives a node. `value` is Slack's
// state of the field; change(value, done) hears what the person chose, as the control interface takes it.

import { ctx } from "./blocks.js";
import { el, icon } from "./dom.js";

const optionsOf = (item) => item.options ?? (item.option_groups ?? []).flatMap((g) => g.options.map((o) => ({ ...o, group: g.label.text })));
const option = (text, value, note) => ({ text: { text }, value, description: note ? { text: note } : undefined });
const people = () => [...ctx.people.values()].filter((p) => !p.bot).map((p) => option(p.real_name, p.id, "@" + p.name));
const channels = () => [...ctx.channels.values()].filter((c) => !c.im).map((c) => option("#" + c.name, c.id, c.purpose));

/** What a field holds, as options to show. */
function chosen(item, value) {
  const named = (id) => [...people(), ...channels()].find((o) => o.value === id) ?? option(id, id);
  if (value?.selected_options) return value.selected_options;
  if (value?.selected_users) return value.selected_users.map(named);
  const one = value?.selected_option ?? null;
  const id = value?.selected_user ?? value?.selected_conversation ?? value?.selected_channel;
  return one ? [one] : id ? [named(id)] : [];
}

export function control(item, opts) {
  const common = { id: opts.id, "aria-label": opts.label, "aria-invalid": opts.invalid ? "true" : null, "aria-describedby": opts.describedby, "data-field": opts.id, "data-action": item.action_id };
  const local = (options) => ({ options: (typed) => Promise.resolve({ options: options.filter((o) => `${o.text.text} ${o.value}`.toLowerCase().includes(typed.toLowerCase())) }), least: 0 });
  switch (item.type) {
    case "checkboxes": case "radio_buttons": return choices(item, opts);
    case "static_select": return optionsOf(item).length > 7 ? picker(item, opts, common, local(optionsOf(item))) : native(item, opts, common);
    case "overflow": return native(item, opts, common);
    case "multi_static_select": return picker(item, opts, common, local(optionsOf(item)));
    case "users_select": case "multi_users_select": return picker(item, opts, common, local(people()));
    case "conversations_select": case "channels_select": return picker(item, opts, common, local(channels()));
    case "external_select": case "multi_external_select": return picker(item, opts, common, { options: opts.search, least: item.min_query_length ?? 3 });
    default: return typed(item, opts, common);
  }
}

/** Words, numbers and dates. */
function typed(item, opts, common) {
  const kinds = { datepicker: "date", timepicker: "time", email_text_input: "email", url_text_input: "url" };
  const now = opts.value?.value ?? opts.value?.selected_date ?? opts.value?.selected_time ?? "";
  const props = { ...common, placeholder: item.placeholder?.text, maxlength: item.max_length, autocomplete: "off" };
  const node = item.multiline ? el("textarea", { ...props, rows: 3 })
    : el("input", { ...props, type: kinds[item.type] ?? "text", inputmode: item.type === "number_input" ? (item.is_decimal_allowed ? "decimal" : "numeric") : null, spellcheck: "false" });
  node.value = now;
  node.addEventListener("input", () => opts.change(node.value, false));
  node.addEventListener("change", () => opts.change(node.value, true));
  if (!item.max_length || item.max_length > 200) return node;
  const left = el("small", { class: "left", "aria-hidden": "true" });
  const count = () => { left.textContent = `${node.value.length} of ${item.max_length}`; };
  node.addEventListener("input", count);
  count();
  return el("div", { class: "counted" }, node, left);
}

function native(item, opts, common) {
  const now = chosen(item, opts.value)[0]?.value ?? "";
  const make = (o) => el("option", { value: o.value, selected: o.value === now }, o.text.text);
  const body = item.option_groups ? item.option_groups.map((g) => el("optgroup", { label: g.label.text }, g.options.map(make))) : item.options.map(make);
  return el("select", { ...common, onchange: (event) => { opts.change(event.target.value, true); if (item.type === "overflow") event.target.value = ""; } },
    el("option", { value: "" }, item.placeholder?.text ?? (item.type === "overflow" ? "More…" : "Choose")), body);
}

function choices(item, opts) {
  const many = item.type === "checkboxes";
  const on = new Set(chosen(item, opts.value).map((o) => o.value));
  const box = el("div", { class: "choices", role: many ? "group" : "radiogroup", "aria-label": opts.label, "aria-describedby": opts.describedby, "data-field": opts.id });
  const read = () => [...box.querySelectorAll("input:checked")].map((i) => i.value);
  box.append(...item.options.map((o) => el("label", { class: "choice" },
    el("input", { type: many ? "checkbox" : "radio", name: opts.id, value: o.value, checked: on.has(o.value), onchange: () => opts.change(many ? read() : read()[0], true) }),
    el("span", {}, o.text.text, o.description ? el("small", {}, o.description.text) : null))));
  return box;
}

let lists = 0;

/** A field to type into with a list of what fits: one choice, or several as chips. */
function picker(item, opts, common, source) {
  const several = item.type.startsWith("multi_");
  let picked = chosen(item, opts.value);
  let shown = [];
  let at = -1;
  let asked = 0;
  let waiting;
  const list = el("ul", { class: "options", role: "listbox", id: `options-${(lists += 1)}`, hidden: true, "aria-label": opts.label });
  const input = el("input", { ...common, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list", placeholder: item.placeholder?.text ?? (several ? "Add…" : "Type to search") });
  const chips = el("span", { class: "chips" });
  const state = el("p", { class: "options-state", role: "status", hidden: true });
  const box = el("div", { class: `picker ${several ? "several" : ""}` }, several ? chips : null, input, several ? null : icon("down"), list, state);
  const values = () => (several ? picked.map((o) => o.value) : picked[0]?.value ?? "");

  const mark = () => {
    if (several) {
      chips.replaceChildren(...picked.map((o) => el("button", { type: "button", class: "chip", "aria-label": `Remove ${o.text.text}`, onclick: () => { picked = picked.filter((p) => p !== o); mark(); opts.change(values(), true, picked); input.focus(); } }, o.text.text, icon("close"))));
      input.value = "";
    } else {
      input.value = picked[0]?.text.text ?? "";
    }
  };
  const close = () => { list.hidden = true; state.hidden = true; at = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const move = (to) => {
    at = to;
    [...list.children].forEach((row, n) => row.setAttribute("aria-selected", String(n === at)));
    if (list.children[at]) { input.setAttribute("aria-activedescendant", list.children[at].id); list.children[at].scrollIntoView({ block: "nearest" }); }
  };
  const pick = (o) => {
    picked = several ? [...picked.filter((p) => p.value !== o.value), o] : [o];
    mark();
    close();
    opts.change(values(), true, picked);
  };
  const say = (text) => { state.textContent = text; state.hidden = !text; };
  const open = (answer) => {
    const had = new Set(several ? picked.map((o) => o.value) : []);
    shown = (answer.options ?? []).filter((o) => !had.has(o.value));
    list.replaceChildren(...shown.map((o, n) => el("li", { role: "option", id: `${list.id}-${n}`, "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); pick(o); } },
      el("span", {}, o.text.text), o.description ? el("small", {}, o.description.text) : o.group ? el("small", {}, o.group) : null)));
    list.hidden = shown.length === 0;
    input.setAttribute("aria-expanded", String(shown.length > 0));
    say(answer.error ?? (shown.length ? "" : "Nothing fits. Try other words."));
    if (shown.length) move(0);
  };
  const ask = async (words) => {
    const number = (asked += 1);
    if (words.length < source.least) { list.hidden = true; say(`Type at least ${source.least} ${source.least === 1 ? "character" : "characters"}`); return; }
    const answer = await source.options(words);
    if (number === asked && document.activeElement === input) open(answer);
  };
  input.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => ask(input.value.trim()), 120); });
  input.addEventListener("focus", () => {
    input.select();
    // Focus that the page gives by itself opens nothing.
    if (input.dataset.quiet) delete input.dataset.quiet;
    else ask("");
  });
  input.addEventListener("click", () => { if (list.hidden) ask(""); });
  input.addEventListener("blur", () => {
    asked += 1;
    clearTimeout(waiting);
    if (!several && input.value === "" && picked.length) { picked = []; opts.change("", true, picked); }
    mark();
    close();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) ask(input.value.trim());
      else move((at + (event.key === "ArrowDown" ? 1 : -1) + shown.length) % shown.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!list.hidden && shown[at]) pick(shown[at]);
    } else if (event.key === "Escape" && !(list.hidden && state.hidden)) {
      // The list closes, the form stays.
      event.preventDefault();
      event.stopPropagation();
      mark();
      close();
    } else if (event.key === "Backspace" && several && !input.value && picked.length) {
      picked = picked.slice(0, -1);
      mark();
      opts.change(values(), true, picked);
    }
  });
  mark();
  return box;
}

/** The state that a field would report if it held this value; for redrawing what the app has not heard of yet. */
export function stateOf(item, value, options) {
  if (options) return item.type.startsWith("multi_") ? { selected_options: options } : { selected_option: options[0] ?? null };
  const own = optionsOf(item);
  switch (item.type) {
    case "checkboxes": return { selected_options: own.filter((o) => value.includes(o.value)) };
    case "radio_buttons": case "static_select": return { selected_option: own.find((o) => o.value === value) ?? null };
    default: return { value };
  }
}
