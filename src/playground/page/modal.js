// The open form of the person who looks: fields, errors from Slack and from the app, submit and close.

import { block, el } from "./blocks.js";

const dialog = document.getElementById("modal");
let shown = "";

/** Draws the person's open form, or closes the dialog if there is none. Typed words survive a redraw. */
export async function showForm(me, api) {
  const open = await api("GET", `/forms?as=${me}`);
  if (!open.view) {
    shown = "";
    if (dialog.open) dialog.close();
    return;
  }
  const key = `${me} ${open.view.id} ${open.revision}`;
  if (key === shown && dialog.open) return;
  const sameForm = shown.startsWith(`${me} ${open.view.id} `);
  const typed = sameForm ? readForm() : {};
  shown = key;
  draw(me, open, typed, api);
  if (!dialog.open) dialog.showModal();
  const first = dialog.querySelector(".wrong input, .wrong textarea, .wrong select") ?? (sameForm ? null : dialog.querySelector("input, textarea, select"));
  first?.focus();
}

function draw(me, { view, errors }, typed, api) {
  const close = async () => { await api("POST", "/forms", { as: me, view: view.id, close: true }); };
  const submit = async (event) => {
    event.preventDefault();
    const button = dialog.querySelector("[type=submit]");
    if (button) button.disabled = true;
    await api("POST", "/forms", { as: me, view: view.id, values: readForm() });
    if (button) button.disabled = false;
  };
  const act = (item, _, value) => api("POST", value === undefined ? "/clicks" : "/choices", { as: me, view: view.id, action_id: item.action_id, value });
  const body = view.blocks.map((item) => (item.type === "input" ? field(item, view, errors, typed, act) : block(item, act)));
  const form = el("form", { onsubmit: submit, novalidate: true },
    el("header", {}, el("h2", { id: "modal-title" }, view.title?.text ?? ""), el("button", { type: "button", class: "icon", "aria-label": "Close", onclick: close }, "✕")),
    el("div", { class: "inner blocks" }, errors[""] ? el("p", { class: "form-error", role: "alert" }, errors[""]) : null, body),
    el("footer", {},
      el("button", { type: "button", class: "btn", onclick: close }, view.close?.text ?? "Cancel"),
      view.submit ? el("button", { type: "submit", class: "btn solid" }, view.submit.text) : null));
  form.style.display = "contents";
  dialog.replaceChildren(form);
  dialog.setAttribute("aria-labelledby", "modal-title");
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
}

function field(item, view, errors, typed, act) {
  const input = item.element;
  const id = `in-${item.block_id}`;
  const error = errors[item.block_id];
  const state = view.state?.values?.[item.block_id]?.[input.action_id];
  const now = typed[item.block_id] ?? state?.value ?? state?.selected_option?.value ?? input.initial_value ?? input.initial_option?.value ?? "";
  const common = { id, name: item.block_id, "data-block": item.block_id, "aria-invalid": error ? "true" : null, "aria-describedby": error ? `${id}-error` : null, placeholder: input.placeholder?.text };
  const dispatch = item.dispatch_action ? (event) => act(input, item.block_id, event.target.value) : null;
  const options = input.options ?? (input.option_groups ?? []).flatMap((g) => g.options);
  let control;
  if (input.type === "plain_text_input" && input.multiline) {
    control = el("textarea", common);
    control.value = now;
  } else if (input.type === "static_select") {
    control = el("select", { ...common, onchange: dispatch }, el("option", { value: "" }, input.placeholder?.text ?? "Choose"),
      options.map((o) => el("option", { value: o.value, selected: o.value === now }, o.text.text)));
  } else if (input.type === "radio_buttons" || input.type === "checkboxes") {
    const kind = input.type === "checkboxes" ? "checkbox" : "radio";
    const on = new Set([].concat(typed[item.block_id] ?? state?.selected_options?.map((o) => o.value) ?? (input.initial_options ?? []).map((o) => o.value)).concat(now || []));
    control = el("div", {}, options.map((o) => el("label", { class: "choice" },
      el("input", { type: kind, name: item.block_id, "data-block": item.block_id, value: o.value, checked: on.has(o.value), onchange: dispatch }), o.text.text)));
  } else {
    const kinds = { number_input: "text", datepicker: "date", timepicker: "time", email_text_input: "email", url_text_input: "url" };
    control = el("input", { ...common, type: kinds[input.type] ?? "text", inputmode: input.type === "number_input" ? "decimal" : null });
    control.value = now;
  }
  return el("div", { class: `field ${error ? "wrong" : ""}` },
    el("label", { for: id }, item.label.text, item.optional ? el("span", { class: "opt" }, " (optional)") : null),
    control,
    item.hint ? el("p", { class: "hint" }, item.hint.text) : null,
    error ? el("p", { class: "error", id: `${id}-error`, role: "alert" }, error) : null);
}

function readForm() {
  const values = {};
  for (const input of dialog.querySelectorAll("[data-block]")) {
    const name = input.dataset.block;
    if (input.type === "checkbox") { values[name] ??= []; if (input.checked) values[name].push(input.value); }
    else if (input.type === "radio") { if (input.checked) values[name] = input.value; }
    else if (input.tagName !== "SELECT" || input.value) values[name] = input.value;
  }
  return values;
}

/** Slack's "are you sure?"; resolves to true if the person confirms. */
export function confirmed(question) {
  if (!question?.title) return Promise.resolve(true);
  const box = document.getElementById("confirm");
  return new Promise((resolve) => {
    const done = (answer) => { box.close(); resolve(answer); };
    box.replaceChildren(
      el("header", {}, el("h2", {}, question.title.text)),
      el("div", { class: "inner" }, el("p", {}, question.text?.text ?? "")),
      el("footer", {},
        el("button", { type: "button", class: "btn", onclick: () => done(false) }, question.deny?.text ?? "Cancel"),
        el("button", { type: "button", class: `btn ${question.style === "danger" ? "danger solid" : "solid"}`, autofocus: true, onclick: () => done(true) }, question.confirm?.text ?? "Yes")));
    box.oncancel = () => resolve(false);
    box.showModal();
  });
}
