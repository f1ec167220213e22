// Messages of a channel or a thread: author, blocks, files, the thread below them, and what can be done with each.

import { block, ctx, mrkdwn } from "./blocks.js";
import { body } from "./discord.js";
import { $, api, clock, el, icon, many, menu, millis, reconcile, size, toast } from "./dom.js";
import { confirmed } from "./modal.js";

const ROLES = { susan: "support", arne: "approver", priya: "approver", omar: "in no group", fred: "other company" };
/** The people one can be, by id, in the order in which they are shown. */
export const order = () => Object.keys(ROLES).map(called).filter(Boolean);
export const role = (id) => ROLES[person(id).name] ?? "";
/** The id behind a name. */
export const called = (name) => [...ctx.people.values()].find((p) => p.name === name)?.id;
export const person = (id) => ctx.people.get(id) ?? { id, name: id, real_name: id };

/** The platform itself speaks. */
const PLATFORM = "platform";
const NAMES = { slack: "Slack", discord: "Discord" };

export function avatar(id, small) {
  const at = id === PLATFORM ? 6 : id === ctx.bot ? 5 : Math.max(0, order().indexOf(id));
  return el("span", { class: `avatar av${at} ${small ? "small" : ""}`, "aria-hidden": "true" }, id === PLATFORM ? NAMES[ctx.platform][0] : person(id).real_name[0]);
}

/** What is drawn in each box: message `ts` to its shape and node. */
const drawn = new Map();
export const forget = () => drawn.clear();

function message(m, view) {
  const use = async (component, value) => {
    const target = { as: view.me, channel: m.channel, ts: m.ts, action_id: component.custom_id };
    const answer = await api("POST", value === undefined ? "/clicks" : "/choices", value === undefined ? target : { ...target, value });
    if (answer.shown) toast(answer.shown);
  };
  const act = async (item, blockId, value) => {
    if (item.url) window.open(item.url, "_blank", "noopener");
    if (!(await confirmed(item.confirm))) return;
    const target = { as: view.me, channel: m.channel, ts: m.ts, action_id: `${blockId}/${item.action_id}` };
    const answer = await api("POST", value === undefined ? "/clicks" : "/choices", value === undefined ? target : { ...target, value });
    if (answer.shown) toast(answer.shown);
  };
  act.search = (item, blockId, words) => api("POST", "/choices", { as: view.me, channel: m.channel, ts: m.ts, action_id: `${blockId}/${item.action_id}`, query: words }, true);
  const itself = m.by_slack || m.by_client;
  const author = itself ? PLATFORM : m.user;
  const name = itself ? NAMES[ctx.platform] : person(m.user).real_name;
  const words = ctx.platform === "discord" ? body(m, use) : m.blocks?.length ? m.blocks.map((b) => block(b, act)) : mrkdwn(m.text ?? "");
  const content = el("div", { class: "content" },
    m.only_for ? el("p", { class: "only-note" }, "Only you can see this") : null,
    el("div", { class: "head" }, el("b", {}, name), m.bot_id ? el("span", { class: "app-tag" }, "app") : null, el("time", { datetime: new Date(millis(m.ts)).toISOString() }, clock(m.ts)), m.edited || m.edited_timestamp ? el("small", {}, "edited") : null),
    el("div", { class: "blocks" }, words),
    (m.files ?? []).map(fileCard));
  if (view.openThread && m.reply_count) {
    content.append(el("button", { type: "button", class: "replies", onclick: () => view.openThread(m.ts) }, (m.reply_users ?? []).slice(0, 3).map((u) => avatar(u, true)),
      el("b", {}, many(m.reply_count, "reply", "replies")), el("small", {}, `last at ${clock(m.latest_reply)}`)));
  }
  return el("article", { class: `msg ${m.only_for ? "only" : ""}`, "data-ts": m.ts, "aria-label": `${name}, ${clock(m.ts)}` }, avatar(author), content, m.only_for ? null : tools(m, view));
}

/** The little bar at a message: reply, and the shortcuts of the app. */
function tools(m, view) {
  const uses = ctx.shortcuts.filter((s) => s.type === "message");
  const use = async (s) => {
    const answer = await api("POST", "/shortcuts", { as: view.me, callback_id: s.callback_id, channel: m.channel, ts: m.ts });
    if (answer.shown) toast(answer.shown);
  };
  return el("div", { class: "tools" },
    view.openThread ? el("button", { type: "button", class: "icon", "aria-label": "Reply in thread", title: "Reply in thread", onclick: () => view.openThread(m.ts) }, icon("reply")) : null,
    uses.length && view.mayUse ? el("button", { type: "button", class: "icon", "aria-label": "More actions", title: "More actions", "aria-haspopup": "menu", "aria-expanded": "false",
      onclick: (event) => menu(event.currentTarget, uses.map((s) => ({ label: s.name, note: "Muster", act: () => use(s) })), "Actions on this message") }, icon("more")) : null);
}

function fileCard(f) {
  // Discord tells neither kind nor title.
  const kind = (f.filetype ?? f.name.split(".").pop()).slice(0, 4).toUpperCase();
  const preview = el("pre", { class: "preview", "aria-hidden": "true" });
  const card = el("button", { type: "button", class: "file", onclick: () => openFile(f) },
    el("span", { class: "file-head" }, el("span", { class: "sheet" }, kind), el("span", {}, el("b", {}, f.title || f.name), el("small", {}, f.title && f.title !== f.name ? `${f.name}, ${size(f.size)}` : size(f.size)))), preview);
  readFile(f).then((text) => { preview.textContent = text.split("\n").slice(0, 5).join("\n"); }).catch(() => preview.remove());
  return card;
}

const read = new Map();
function readFile(f) {
  if (!read.has(f.id)) {
    read.set(f.id, fetch(`/play/v1/files/${encodeURIComponent(f.id)}`).then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error("gone")))));
  }
  return read.get(f.id);
}

async function openFile(f) {
  const box = $("file");
  const from = document.activeElement;
  const text = await readFile(f).catch(() => "The file cannot be read any more.");
  const close = () => { box.close(); from?.focus(); };
  box.replaceChildren(
    el("header", {}, el("h2", { id: "file-title" }, f.title || f.name), el("a", { class: "btn", href: `/play/v1/files/${encodeURIComponent(f.id)}`, download: f.name }, "Download"),
      el("button", { type: "button", class: "icon", "aria-label": "Close", autofocus: true, onclick: close }, icon("close"))),
    el("pre", { tabindex: "0", "aria-label": f.name }, text));
  box.setAttribute("aria-labelledby", "file-title");
  box.oncancel = (event) => { event.preventDefault(); close(); };
  box.showModal();
}

/** Draws the messages into `box`; replaces only what changed, so that focus and selection survive live edits. */
export function draw(box, key, messages, view, empty) {
  const before = drawn.get(box)?.key === key ? drawn.get(box).now : null;
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 90;
  const now = new Map();
  const nodes = [];
  const held = document.activeElement?.closest?.(".msg")?.dataset.ts;
  const action = document.activeElement?.dataset?.action;
  let day = "";
  messages.forEach((m, index) => {
    const shape = JSON.stringify([m.revision, m.reply_count, m.latest_reply, m.text, m.blocks, m.content, m.flags, m.files, m.only_for]);
    const old = before?.get(m.ts);
    const node = old?.shape === shape ? old.node : message(m, view);
    if (before && !old) node.classList.add("fresh");
    now.set(m.ts, { shape, node });
    const date = new Date(millis(m.ts)).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    if (view.openThread && date !== day) { nodes.push(before?.get(date)?.node ?? el("div", { class: "day" }, el("span", {}, date))); now.set(date, { node: nodes.at(-1) }); day = date; }
    nodes.push(node);
    // What only one person sees is no reply, here as in the count below the message in the channel.
    if (!view.openThread && index === 0 && messages.length > 1) nodes.push(el("div", { class: "thread-rule" }, many(messages.filter((r) => !r.only_for).length - 1, "reply", "replies")));
  });
  drawn.set(box, { key, now });
  reconcile(box, nodes.length ? nodes : [el("div", { class: "empty" }, ...empty)]);
  if (held && document.activeElement === document.body) {
    const again = box.querySelector(`[data-ts="${held}"]`);
    (again?.querySelector(`[data-action="${CSS.escape(action ?? "")}"]`) ?? again?.querySelector("button"))?.focus();
  }
  if (!before || atEnd) box.scrollTop = box.scrollHeight;
}
