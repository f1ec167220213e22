// The open form of the person who looks: fields, errors from Slack and from the app, submit and close. And the
// questions "are you sure?".

import { block } from "./blocks.js";
import { $, api, el, icon } from "./dom.js";
import { control, stateOf } from "./fields.js";

const dialog = $("modal");
/** What is drawn: person, view and revision. */
let shown = "";
/** Typed and picked but not submitted, by block id: {value, state}. Kept per view, so that a redraw loses nothing. */
let drafts = { view: "", fields: new Map() };
/** Who had the focus before the form came. */
let before = null;

/** Draws the person's open form, or closes the dialog if there is none. */
export async function showForm(me) {
  const open = await api("GET", `/forms?as=${me}`, undefined, true);
  if (!open.view) {
    if (open.error) return;
    shown = "";
    if (dialog.open) { dialog.close(); before?.isConnected && before.focus(); }
    return;
  }
  const key = `${me} ${open.view.id} ${open.revision}`;
  if (key === shown && dialog.open) return;
  const same = shown.startsWith(`${me} ${open.view.id} `);
  const held = same ? document.activeElement?.dataset?.field : null;
  if (drafts.view !== open.view.id) drafts = { view: open.view.id, fields: new Map() };
  shown = key;
  draw(me, open);
  if (!dialog.open) { before = document.activeElement; dialog.showModal(); }
  const wrong = dialog.querySelector(".wrong input, .wrong textarea, .wrong select");
  const again = held && dialog.querySelector(`[data-field="${CSS.escape(held)}"]`);
  const first = dialog.querySelector(".inner input, .inner textarea, .inner select, .inner button") ?? dialog.querySelector("footer button");
  const goal = wrong ?? again ?? (same ? null : first);
  if (!goal) return;
  goal.dataset.quiet = "yes";
  goal.focus();
}

function draw(me, { view, errors }) {
  const close = () => api("POST", "/forms", { as: me, view: view.id, close: true });
  const values = () => Object.fromEntries([...drafts.fields].filter(([id]) => view.blocks.some((b) => b.block_id === id && b.type === "input")).map(([id, d]) => [id, d.value]));
  const submit = async (event) => {
    event.preventDefault();
    const button = dialog.querySelector("[type=submit]");
    if (!button || button.disabled) return;
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    await api("POST", "/forms", { as: me, view: view.id, values: values() });
    button.disabled = false;
    button.removeAttribute("aria-busy");
  };
  const tell = (blockId, item, value) => api("POST", value === undefined ? "/clicks" : "/choices", { as: me, view: view.id, action_id: `${blockId}/${item.action_id}`, value });
  const act = async (item, blockId, value) => { if (await confirmed(item.confirm)) tell(blockId, item, value); };
  act.search = (item, blockId, words) => api("POST", "/choices", { as: me, view: view.id, action_id: `${blockId}/${item.action_id}`, query: words }, true);
  act.state = (item, blockId) => view.state?.values?.[blockId]?.[item.action_id];
  const body = view.blocks.map((item) => (item.type === "input" ? field(item, view, errors, tell, act.search) : block(item, act)));
  const stacked = Boolean(view.previous_view_id);
  dialog.replaceChildren(el("form", { class: "sheet-form", onsubmit: submit, novalidate: true },
    el("header", {}, stacked ? el("button", { type: "button", class: "icon", "aria-label": "Back", onclick: close }, icon("back")) : null,
      el("h2", { id: "modal-title" }, view.title?.text ?? ""), el("button", { type: "button", class: "icon", "aria-label": "Close", onclick: close }, icon("close"))),
    el("div", { class: "inner" }, errors[""] ? el("p", { class: "form-error", role: "alert" }, errors[""]) : null, body),
    el("footer", {},
      el("button", { type: "button", class: "btn", onclick: close }, view.close?.text ?? "Cancel"),
      view.submit ? el("button", { type: "submit", class: "btn solid" }, view.submit.text) : null)));
  dialog.setAttribute("aria-labelledby", "modal-title");
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
}

function field(item, view, errors, tell, search) {
  const input = item.element;
  const id = `in-${item.block_id}`;
  const error = errors[item.block_id];
  const draft = drafts.fields.get(item.block_id);
  const group = input.type === "checkboxes" || input.type === "radio_buttons";
  const label = [item.label.text, item.optional ? el("span", { class: "opt" }, " (optional)") : null];
  const control_ = control(input, {
    id, label: group ? item.label.text : null, invalid: Boolean(error),
    describedby: [error ? `${id}-error` : null, item.hint ? `${id}-hint` : null].filter(Boolean).join(" ") || null,
    value: draft?.state ?? view.state?.values?.[item.block_id]?.[input.action_id],
    search: (words) => search(input, item.block_id, words),
    change: (value, done, options) => {
      drafts.fields.set(item.block_id, { value, state: stateOf(input, value, options) });
      const words = ["plain_text_input", "number_input", "email_text_input", "url_text_input"].includes(input.type);
      if (item.dispatch_action && done && (!words || value !== (view.state?.values?.[item.block_id]?.[input.action_id]?.value ?? ""))) tell(item.block_id, input, value);
    },
  });
  return el("div", { class: `field ${error ? "wrong" : ""}` },
    group ? el("div", { class: "label" }, ...label) : el("label", { for: id }, ...label),
    control_,
    error ? el("p", { class: "error", id: `${id}-error`, role: "alert" }, error) : null,
    item.hint ? el("p", { class: "hint", id: `${id}-hint` }, item.hint.text) : null);
}

/** Slack's "are you sure?"; resolves to true if the person confirms. */
export function confirmed(question) {
  if (!question?.title) return Promise.resolve(true);
  const box = $("confirm");
  const from = document.activeElement;
  return new Promise((resolve) => {
    const done = (answer) => { box.close(); from?.isConnected && from.focus(); resolve(answer); };
    const danger = question.style === "danger";
    box.replaceChildren(
      el("header", {}, el("h2", { id: "confirm-title" }, question.title.text)),
      el("div", { class: "inner" }, el("p", { id: "confirm-text" }, question.text?.text ?? "")),
      el("footer", {},
        el("button", { type: "button", class: "btn", autofocus: danger, onclick: () => done(false) }, question.deny?.text ?? "Cancel"),
        el("button", { type: "button", class: `btn solid ${danger ? "danger" : ""}`, autofocus: !danger, onclick: () => done(true) }, question.confirm?.text ?? "Yes")));
    box.setAttribute("aria-labelledby", "confirm-title");
    box.setAttribute("aria-describedby", "confirm-text");
    box.oncancel = (event) => { event.preventDefault(); done(false); };
    box.showModal();
  });
}

