// Typing: the box, what it suggests, what was typed before, and the short guided tour above it.

import { ctx } from "./blocks.js";
import { $, api, el, icon, menu, toast } from "./dom.js";
import { called } from "./messages.js";

const EXAMPLES = [
  ["/runbook list", "what you may run"],
  ["/runbook run disk-usage on env=staging", "reads only, runs at once"],
  ["/runbook run restart-service service=nginx on env=prod tag:service=web", "a change in production, asks for approval"],
  ["/runbook plan disk-usage on accounts=acme-*", "what it would do, without doing it"],
  ["/runbook show restart-service", "the script, its inputs and limits"],
  ["/runbook why restart-service service=nginx on env=prod", "what the policy says, and why"],
  ["/runbook targets env=prod tag:service=web", "the machines that a selector means"],
  ["/runbook accounts", "the accounts it can reach"],
  ["/runbook approvals", "what waits for a yes"],
  ["/runbook status", "the latest runs"],
  ["/runbook help", "everything it understands"],
];
/** The tour: what to do, and how it is noticed that it was done. */
const STEPS = [
  { id: "list", label: "See what you may run", say: "/runbook list" },
  { id: "read", label: "Look at disks in staging", say: "/runbook run disk-usage on env=staging" },
  { id: "change", label: "Ask for a restart in production", say: "/runbook run restart-service service=nginx on env=prod tag:service=web" },
  { id: "approve", label: "Become Arne and approve", be: "arne" },
  { id: "break", label: "Break something and run again", world: true },
];

const history = JSON.parse(sessionStorage.history ?? "[]");
let at = history.length;
const did = new Set(JSON.parse(sessionStorage.tour ?? "[]"));

export const done = (id) => { if (!did.has(id)) { did.add(id); sessionStorage.tour = JSON.stringify([...did]); } };

/** host: {me, channel, become, openWorld, sent, redraw}. */
export function tour(host) {
  const box = $("try");
  const over = sessionStorage.tourOver || STEPS.every((s) => did.has(s.id));
  box.hidden = Boolean(over) || !host.inOps();
  if (box.hidden) { box.replaceChildren(); return; }
  const last = STEPS.findLastIndex((s) => did.has(s.id));
  const next = STEPS.slice(last + 1).find((s) => !did.has(s.id)) ?? STEPS.find((s) => !did.has(s.id));
  const act = (s) => {
    if (s.say) { if (host.me() !== called("susan")) host.become(called("susan")); fill($("composer"), s.say); $("composer").focus(); }
    else if (s.be) { done(s.id); host.become(called(s.be)); }
    else { done(s.id); host.openWorld(); }
    tour(host);
  };
  const key = JSON.stringify([[...did], next?.id]);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(el("span", { class: "try-title" }, "Try this"),
    el("ol", {}, STEPS.map((s, n) => el("li", {}, el("button", { type: "button", title: s.label, class: did.has(s.id) ? "done" : s === next ? "next" : "", onclick: () => act(s) },
      el("span", { class: "step", "aria-hidden": "true" }, did.has(s.id) ? "✓" : String(n + 1)), el("span", { class: "label" }, s.label), el("span", { class: "sr" }, s === next ? "" : s.label, did.has(s.id) ? " (done)" : ""))))),
    el("button", { type: "button", class: "icon", "aria-label": "Hide the tour", title: "Hide", onclick: () => { sessionStorage.tourOver = "yes"; tour(host); $("composer").focus(); } }, icon("close")));
}

export function fill(box, text) {
  box.value = text;
  grow(box);
}

function grow(box) {
  box.style.height = "auto";
  if (box.scrollHeight) box.style.height = `${Math.min(box.scrollHeight, 168)}px`;
  box.form.querySelector(".send").disabled = !box.value.trim();
}

async function send(host, box, thread) {
  const text = box.value.trim();
  if (!text) return;
  history.push(text);
  sessionStorage.history = JSON.stringify(history.slice(-40));
  at = history.length;
  fill(box, "");
  const answer = await api("POST", "/commands", { as: host.me(), channel: host.channel(), text, ...(thread ? { thread } : {}) });
  if (answer.error) { toast(answer.error); fill(box, text); return; }
  const step = STEPS.find((s) => s.say && s.say.split(" ").slice(0, 3).join(" ") === text.split(" ").slice(0, 3).join(" "));
  if (step) done(step.id);
  host.sent(answer, thread);
}

/** Wires one box. `suggest` is its list of suggestions, if it has one. */
export function composer(host, form, box, thread, suggest) {
  form.querySelector(".send").append(icon("send"));
  let chosen = -1;
  const hide = () => { if (suggest) { suggest.hidden = true; chosen = -1; box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); } };
  const take = (text) => { fill(box, text); hide(); box.focus(); };
  let asked = 0;
  let waiting;
  /** At Discord the app itself suggests while a command is typed. */
  const ask = async (typed) => {
    const number = (asked += 1);
    const answer = await api("POST", "/suggestions", { as: host.me(), channel: host.channel(), text: typed }, true);
    if (number !== asked || box.value !== typed || document.activeElement !== box) return;
    const rows = (answer.options ?? []).slice(0, 10).map((o) => [`${answer.before}${o.value}`, o.text.text === o.value ? answer.option : o.text.text]);
    if (rows.length) list(rows);
  };
  const look = () => {
    if (!suggest) return;
    clearTimeout(waiting);
    if (ctx.platform === "discord" && /^\/\S+ \S+ /.test(box.value)) { const typed = box.value; waiting = setTimeout(() => ask(typed), 150); }
    const typed = box.value.trimStart().toLowerCase();
    list(typed.startsWith("/") && !typed.includes("\n") ? EXAMPLES.filter(([text]) => text.startsWith(typed) && text !== typed.trimEnd()).slice(0, 7) : []);
  };
  const list = (fit) => {
    suggest.replaceChildren(...fit.map(([text, why], n) => el("li", { role: "option", id: `s-${n}`, "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); take(text); } }, el("code", {}, text), el("small", {}, why))));
    suggest.hidden = fit.length === 0;
    chosen = -1;
    box.setAttribute("aria-expanded", String(fit.length > 0));
    box.removeAttribute("aria-activedescendant");
  };
  const move = (step) => {
    const rows = [...suggest.children];
    chosen = (chosen + step + rows.length + (chosen < 0 && step < 0 ? 1 : 0)) % rows.length;
    rows.forEach((row, n) => row.setAttribute("aria-selected", String(n === chosen)));
    box.setAttribute("aria-activedescendant", rows[chosen].id);
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); hide(); send(host, box, thread()); });
  box.addEventListener("input", () => { grow(box); look(); });
  box.addEventListener("blur", hide);
  box.addEventListener("keydown", (event) => {
    const listed = suggest && !suggest.hidden;
    if (listed && (event.key === "ArrowDown" || event.key === "ArrowUp")) { event.preventDefault(); move(event.key === "ArrowDown" ? 1 : -1); return; }
    if (listed && event.key === "Tab" && !event.shiftKey) { event.preventDefault(); take(suggest.children[Math.max(0, chosen)].querySelector("code").textContent); return; }
    if (listed && event.key === "Enter" && chosen >= 0) { event.preventDefault(); take(suggest.children[chosen].querySelector("code").textContent); return; }
    if (listed && event.key === "Escape") { event.preventDefault(); event.stopPropagation(); hide(); return; }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); hide(); send(host, box, thread()); }
    if (event.key === "ArrowUp" && !box.value && history.length) { event.preventDefault(); at = Math.max(0, at - 1); fill(box, history[at] ?? ""); }
  });
  grow(box);
}

/** The app's shortcuts that belong to no message, and the examples. */
export function shortcutMenu(host) {
  const button = $("shortcuts");
  button.append(icon("bolt"));
  button.addEventListener("click", () => {
    const uses = ctx.shortcuts.filter((s) => s.type === "global").map((s) => ({ label: s.name, note: "Muster", act: async () => {
      const answer = await api("POST", "/shortcuts", { as: host.me(), callback_id: s.callback_id });
      if (answer.shown) toast(answer.shown);
    } }));
    const examples = EXAMPLES.slice(0, 5).map(([text, why]) => ({ label: text, note: why, act: () => { fill($("composer"), text); $("composer").focus(); } }));
    menu(button, [...uses, ...examples], "Shortcuts and examples");
  });
}
