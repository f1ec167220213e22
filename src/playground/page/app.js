// The page: who I am, which channel and thread I read, what I type. Everything goes through /play/v1.

import { block, ctx, el, mrkdwn } from "./blocks.js";
import { confirmed, showForm } from "./modal.js";

const $ = (id) => document.getElementById(id);
const HINTS = [
  ["/runbook run disk-usage on env=staging", "read only: runs at once"],
  ["/runbook run restart-service service=nginx on env=prod tag:service=web", "a change in production: asks for approval"],
  ["/runbook list", "what you may run"],
  ["/runbook help", "everything it understands"],
];
const ROLES = { U0SUSAN: "support", U0ARNE: "approver", U0PRIYA: "approver", U0OMAR: "no groups", U0FOREIGN: "other org" };
const ORDER = ["U0SUSAN", "U0ARNE", "U0PRIYA", "U0OMAR", "U0FOREIGN"];

const state = { me: sessionStorage.me ?? "U0SUSAN", channel: sessionStorage.channel ?? "C0OPS", thread: null, seen: new Map(), drawn: new Map(), read: new Map(), history: [], at: 0, followed: new Set() };
let workspace = null;

async function api(method, path, body) {
  try {
    const answer = await fetch("/play/v1" + path, { method, headers: body ? { "content-type": "application/json" } : {}, body: body ? JSON.stringify(body) : undefined });
    const json = await answer.json();
    if (!answer.ok) toast(json.error ?? `the playground answered ${answer.status}`);
    return json;
  } catch {
    toast("The playground does not answer. Is it still running?");
    return {};
  }
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

const person = (id) => ctx.people.get(id) ?? { id, name: id, real_name: id };
const avatar = (id, small) => {
  const at = id === "slack" ? 6 : id === "U0BOT" ? 5 : Math.max(0, ORDER.indexOf(id));
  return el("span", { class: `avatar av${at} ${small ? "small" : ""}`, "aria-hidden": "true" }, id === "slack" ? "S" : person(id).real_name[0]);
};
const clock = (ts) => new Date(Number(ts) * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

/* Side */

async function loadWorkspace() {
  const info = await api("GET", "/workspace");
  if (!info.people) return;
  workspace = info;
  ctx.people = new Map(info.people.map((p) => [p.id, p]));
  ctx.groups = new Map(info.groups.map((g) => [g.id, g]));
  ctx.channels = new Map(info.channels.map((c) => [c.id, c]));
  ctx.emoji = info.emoji;
  const mine = info.channels.filter((c) => c.members.includes(state.me));
  if (!mine.some((c) => c.id === state.channel)) { state.channel = mine[0]?.id; state.thread = null; }
  const item = (c, label) => el("li", {}, el("button", { "aria-current": String(c.id === state.channel), class: unread(c.id) ? "new" : "", onclick: () => go(c.id) },
    label, c.shared ? el("span", { class: "tag" }, "shared") : null));
  $("channels").replaceChildren(...mine.filter((c) => !c.im).map((c) => item(c, "# " + c.name)));
  const dms = mine.filter((c) => c.im);
  $("dms").replaceChildren(...(dms.length ? dms.map((c) => item(c, "Muster")) : [el("li", { class: "none" }, "none yet")]));
  $("people").replaceChildren(...ORDER.map((id) => el("li", {}, el("button", { "aria-current": String(id === state.me), onclick: () => become(id) },
    avatar(id, true), person(id).name, el("span", { class: "role" }, ROLES[id])))));
  $("link-state").textContent = info.connections ? `Muster is connected (${info.connections} socket${info.connections > 1 ? "s" : ""})` : "Muster is not connected";
  $("link-state").classList.toggle("up", info.connections > 0);
  $("me").replaceChildren(avatar(state.me, true), person(state.me).name);
  $("me").setAttribute("aria-label", `You are ${person(state.me).real_name}. Switch person`);
  const channel = ctx.channels.get(state.channel);
  $("channel-name").textContent = channel?.im ? "Muster" : "#" + (channel?.name ?? "");
  $("channel-about").textContent = channel?.im ? "Direct message" : channel?.purpose ?? "";
  $("composer").placeholder = channel?.im ? "Message Muster" : `Message #${channel?.name ?? ""} as ${person(state.me).real_name}`;
}

const unread = (id) => (state.read.get(`${state.me} ${id}`) ?? "0") < (state.seen.get(`${state.me} ${id}`) ?? "0");

function go(id) {
  state.channel = id;
  state.thread = null;
  sessionStorage.channel = id;
  $("app").classList.remove("menu-open");
  $("menu").setAttribute("aria-expanded", "false");
  refresh(true);
}

function become(id) {
  state.me = id;
  sessionStorage.me = id;
  state.drawn.clear();
  $("app").classList.remove("menu-open");
  refresh(true);
}

/* Messages */

function message(m, inThread) {
  const act = async (item, blockId, value) => {
    if (item.url) window.open(item.url, "_blank", "noopener");
    if (!(await confirmed(item.confirm))) return;
    const target = { as: state.me, channel: m.channel, ts: m.ts, action_id: item.action_id };
    const answer = await api("POST", value === undefined ? "/clicks" : "/choices", value === undefined ? target : { ...target, value });
    if (answer.shown) toast(answer.shown);
  };
  const author = m.by_slack ? "slack" : m.user;
  const only = m.only_for ? el("div", { class: "only-note" }, "Only visible to you") : null;
  const content = el("div", { class: "content" }, only,
    el("div", { class: "head" }, el("b", {}, m.by_slack ? "Slack" : person(m.user).real_name), m.bot_id ? el("span", { class: "app-tag" }, "APP") : null, el("time", {}, clock(m.ts))),
    el("div", { class: "blocks" }, m.blocks?.length ? m.blocks.map((b) => block(b, act)) : mrkdwn(m.text ?? "")),
    (m.files ?? []).map(fileCard));
  if (!inThread && m.reply_count) {
    content.append(el("button", { class: "replies", onclick: () => openThread(m.ts) }, (m.reply_users ?? []).slice(0, 3).map((u) => avatar(u, true)),
      `${m.reply_count} ${m.reply_count === 1 ? "reply" : "replies"}`, el("small", {}, `last at ${clock(m.latest_reply)}`)));
  } else if (!inThread && !m.only_for) {
    content.append(el("button", { class: "replies", onclick: () => openThread(m.ts) }, el("small", {}, "Reply in thread")));
  }
  return el("article", { class: `msg ${m.only_for ? "only" : ""}`, "data-ts": m.ts }, avatar(author), content);
}

function fileCard(f) {
  const kind = (f.filetype ?? "txt").slice(0, 4).toUpperCase();
  return el("button", { class: "file", onclick: () => openFile(f) }, el("span", { class: "sheet" }, kind),
    el("span", {}, el("b", {}, f.title || f.name), el("small", {}, `${f.name}, ${size(f.size)}`)));
}

const size = (n) => (n < 1000 ? `${n} bytes` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

async function openFile(f) {
  const text = await (await fetch(`/play/v1/files/${encodeURIComponent(f.id)}`)).text();
  const box = $("file");
  box.replaceChildren(el("header", {}, el("h2", {}, f.title || f.name), el("button", { class: "icon", "aria-label": "Close", onclick: () => box.close() }, "✕")), el("pre", { tabindex: "0" }, text));
  box.showModal();
}

/** Replaces only what changed, so that focus and selection survive live edits. */
function draw(box, key, messages, inThread, empty) {
  const before = state.drawn.get(key) ?? new Map();
  const first = !state.drawn.has(key);
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const now = new Map();
  const nodes = [];
  let day = "";
  messages.forEach((m, index) => {
    const shape = JSON.stringify([m.revision, m.reply_count, m.latest_reply, m.text, m.blocks, m.files, m.only_for]);
    const old = before.get(m.ts);
    const node = old?.shape === shape ? old.node : message(m, inThread);
    if (!first && !old) node.classList.add("fresh");
    now.set(m.ts, { shape, node });
    const date = new Date(Number(m.ts) * 1000).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    if (!inThread && date !== day) { nodes.push(el("div", { class: "day" }, date)); day = date; }
    nodes.push(node);
    if (inThread && index === 0 && messages.length > 1) nodes.push(el("div", { class: "thread-rule" }, `${messages.length - 1} ${messages.length === 2 ? "reply" : "replies"}`));
  });
  state.drawn.set(key, now);
  const held = document.activeElement?.closest?.(".msg");
  const heldAction = document.activeElement?.dataset?.action;
  box.replaceChildren(...(nodes.length ? nodes : [el("div", { class: "empty" }, ...empty)]));
  if (held && heldAction && box.contains(document.querySelector(`[data-ts="${held.dataset.ts}"]`))) {
    box.querySelector(`[data-ts="${held.dataset.ts}"] [data-action="${CSS.escape(heldAction)}"]`)?.focus();
  }
  if (first || atEnd) box.scrollTop = box.scrollHeight;
}

function openThread(ts) {
  state.thread = ts;
  refresh(true).then(() => $("thread-composer").focus());
}

function closeThread() {
  state.thread = null;
  refresh(true).then(() => $("composer").focus());
}

async function loadChannel() {
  if (!state.channel) return;
  const seen = await api("GET", `/channels/${state.channel}?as=${state.me}`);
  if (!seen.messages) return;
  const channel = ctx.channels.get(state.channel);
  const empty = state.channel === "C0RANDOM"
    ? [el("b", {}, "Muster is not in this channel"), "See what it says when it is asked here."]
    : [el("b", {}, channel?.im ? "Nothing yet" : `This is #${channel?.name}`), "Type a slash command below, or click one of the examples. Then switch to an approver at the left."];
  draw($("messages"), `${state.me} ${state.channel}`, seen.messages, false, empty);
  const last = seen.messages.at(-1);
  if (last) state.read.set(`${state.me} ${state.channel}`, [last.ts, last.latest_reply ?? "0"].sort().at(-1));
  // The thread that answers what I just asked opens by itself, once.
  const mine = state.await && seen.messages.find((m) => m.bot_id && !m.only_for && m.ts > state.await.ts && state.await.channel === state.channel);
  if (mine && !state.thread && !state.followed.has(mine.ts) && mine.reply_count && window.innerWidth > 1080) {
    state.followed.add(mine.ts);
    state.thread = mine.ts;
  }
}

async function loadThread() {
  const show = Boolean(state.thread);
  const box = $("messages");
  // The column changes its width with the thread; whoever read the end goes on reading the end.
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  $("thread").hidden = !show;
  $("app").classList.toggle("with-thread", show);
  if (atEnd) box.scrollTop = box.scrollHeight;
  if (!show) return;
  const seen = await api("GET", `/threads/${state.channel}/${state.thread}?as=${state.me}`);
  if (!seen.messages) { state.thread = null; return; }
  $("thread-about").textContent = $("channel-name").textContent;
  draw($("thread-messages"), `${state.me} ${state.channel} ${state.thread}`, seen.messages, true, [""]);
}

/** Other channels: what is new there, for the dots at the left. */
async function loadNews() {
  for (const c of workspace?.channels ?? []) {
    if (!c.members.includes(state.me)) continue;
    const seen = c.id === state.channel ? null : await api("GET", `/channels/${c.id}?as=${state.me}`);
    const last = seen?.messages?.at(-1);
    if (last) state.seen.set(`${state.me} ${c.id}`, last.ts);
  }
}

let busy = null;
let again = false;

/** One refresh at a time; calls meanwhile cause one more. */
function refresh() {
  if (busy) { again = true; return busy; }
  busy = (async () => {
    do {
      again = false;
      await loadWorkspace();
      await loadChannel();
      await loadThread();
      await showForm(state.me, api);
      await loadNews();
    } while (again);
    busy = null;
  })();
  return busy;
}

/* Typing */

async function send(box, thread) {
  const text = box.value.trim();
  if (!text) return;
  state.history.push(text);
  state.at = state.history.length;
  box.value = "";
  grow(box);
  const answer = await api("POST", "/commands", { as: state.me, channel: state.channel, text, ...(thread ? { thread } : {}) });
  if (answer.error) { box.value = text; grow(box); return; }
  if (!thread) state.await = { ts: answer.ts, channel: state.channel };
  refresh();
}

function grow(box) {
  box.style.height = "auto";
  if (box.scrollHeight) box.style.height = Math.min(box.scrollHeight, 160) + "px";
  box.form.querySelector(".send").disabled = !box.value.trim();
}

function composer(form, box, thread) {
  form.addEventListener("submit", (event) => { event.preventDefault(); send(box, thread()); });
  box.addEventListener("input", () => grow(box));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(box, thread()); }
    if (event.key === "ArrowUp" && !box.value && state.history.length) { state.at = Math.max(0, state.at - 1); box.value = state.history[state.at] ?? ""; grow(box); event.preventDefault(); }
    if (event.key === "Escape" && thread()) closeThread();
  });
  grow(box);
}

$("hints").append(el("span", {}, "Try"), ...HINTS.map(([text, why]) => el("button", { type: "button", title: why, onclick: () => { $("composer").value = text; grow($("composer")); $("composer").focus(); } }, text)));
$("menu").addEventListener("click", () => { const open = $("app").classList.toggle("menu-open"); $("menu").setAttribute("aria-expanded", String(open)); });
$("main").addEventListener("click", (event) => { if (!event.target.closest("#menu")) $("app").classList.remove("menu-open"); });
$("me").addEventListener("click", () => become(ORDER[(ORDER.indexOf(state.me) + 1) % 2 === 0 ? 0 : 1]));
$("thread-close").addEventListener("click", closeThread);
composer($("composer-form"), $("composer"), () => null);
composer($("thread-form"), $("thread-composer"), () => state.thread);
document.addEventListener("keydown", (event) => {
  if (event.altKey && /^[1-5]$/.test(event.key)) { event.preventDefault(); become(ORDER[Number(event.key) - 1]); }
  if (event.key === "/" && !event.target.closest("input, textarea, select, dialog")) { event.preventDefault(); $("composer").focus(); }
});

const params = new URLSearchParams(location.hash.slice(1));
if (params.get("as")) state.me = params.get("as");
if (params.get("channel")) state.channel = params.get("channel");
if (params.get("thread")) state.thread = params.get("thread");
refresh(true).then(() => { if (!state.thread && window.innerWidth > 720) $("composer").focus(); });
new EventSource("/play/v1/events").onmessage = () => refresh();
