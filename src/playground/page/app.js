// The page: who I am, which channel and thread I read, what I type. Everything goes through /play/v1, and everything
// that is shown comes from there, so a reload or a lost connection changes nothing.

import { block, ctx } from "./blocks.js";
import { composer, done, shortcutMenu, tour } from "./composer.js";
import { $, api, el, icon, menu, roving } from "./dom.js";
import { avatar, called, draw, forget, order, person, role } from "./messages.js";
import { confirmed, showForm } from "./modal.js";
import { drawStrip, drawWorld, loadWorld, worldLine } from "./world.js";

const wide = () => innerWidth > 1080;
const state = {
  me: sessionStorage.me ?? "",
  /** A channel id, or `app`: Muster's own page with its two tabs. */
  channel: sessionStorage.channel ?? "",
  tab: sessionStorage.tab ?? "home",
  thread: sessionStorage.thread || null,
  pane: sessionStorage.pane ?? (wide() ? "world" : ""),
  /** The last `ts` that each person has seen in each channel. */
  read: new Map(JSON.parse(sessionStorage.read ?? "[]")),
  /** Who asked for something and where: the thread that answers opens by itself, once. */
  asked: null,
  organisation: false,
};

function keep() {
  for (const name of ["me", "channel", "tab", "pane"]) sessionStorage[name] = state[name];
  sessionStorage.thread = state.thread ?? "";
  sessionStorage.read = JSON.stringify([...state.read]);
}

const dm = () => [...ctx.channels.values()].find((c) => c.im === state.me);
const isForeign = () => person(state.me).team !== ctx.team;
/** The id of the channel that is read and typed into. */
const here = () => (state.channel === "app" ? dm()?.id : state.channel);
/** At Discord an app has no page of its own. */
const atHome = () => state.channel === "app" && state.tab === "home" && ctx.platform === "slack";
const channelCalled = (name) => [...ctx.channels.values()].find((c) => c.name === name)?.id;
const unread = (channel, who) => Boolean(channel?.latest) && (state.read.get(`${who} ${channel.id}`) ?? "0") < channel.latest;

/* The left side and the bar */

async function loadWorkspace() {
  const info = await api("GET", "/workspace", undefined, true);
  if (!info.people) return false;
  ctx.people = new Map(info.people.map((p) => [p.id, p]));
  ctx.groups = new Map(info.groups.map((g) => [g.id, g]));
  ctx.channels = new Map(info.channels.map((c) => [c.id, c]));
  ctx.shortcuts = info.shortcuts;
  ctx.emoji = info.emoji;
  ctx.connections = info.connections;
  [ctx.platform, ctx.bot, ctx.team] = [info.platform, info.bot, info.team];
  document.documentElement.dataset.platform = info.platform;
  if (info.platform === "discord") $("brand-kind").textContent = "playground server";
  // An address may name people and channels by their names.
  state.me = called(state.me) ?? state.me;
  state.channel = channelCalled(state.channel) ?? (state.channel || channelCalled("ops"));
  state.organisation = info.organisation;
  const known = ctx.channels.get(state.channel);
  if (!ctx.people.has(state.me)) state.me = called("susan");
  if (state.channel === "app" ? isForeign() : !known?.members.includes(state.me)) {
    state.channel = info.channels.find((c) => !c.im && c.members.includes(state.me))?.id ?? channelCalled("ops");
    state.thread = null;
  }
  return true;
}

const cache = new Map();
/** Draws into `box` only if `key` is new. */
function once(box, key, make) {
  if (cache.get(box) === key) return;
  cache.set(box, key);
  const held = document.activeElement?.closest?.(`#${box.id}`) ? document.activeElement.dataset.id : null;
  box.replaceChildren(...make().filter(Boolean));
  if (held) box.querySelector(`[data-id="${CSS.escape(held)}"]`)?.focus();
}

function drawSide() {
  const mine = [...ctx.channels.values()].filter((c) => !c.im && c.members.includes(state.me));
  const item = (id, label, fresh, tag) => el("li", {}, el("button", { type: "button", "data-id": id, "aria-current": id === state.channel ? "page" : null, class: fresh ? "new" : "", onclick: () => go(id) },
    label, tag ? el("span", { class: "tag" }, tag) : null, fresh ? el("span", { class: "dot" }, el("span", { class: "sr" }, "unread")) : null));
  once($("channels"), JSON.stringify([state.me, state.channel, mine.map((c) => [c.id, unread(c, state.me)])]), () => mine.map((c) => item(c.id, `# ${c.name}`, c.id !== state.channel && unread(c, state.me), c.shared ? (ctx.platform === "slack" ? "shared" : "other server") : null)));
  $("app-part").hidden = isForeign();
  once($("apps"), JSON.stringify([state.me, state.channel, unread(dm(), state.me)]), () => [item("app", el("span", { class: "app-name" }, avatar(ctx.bot, true), "Muster"), !(state.channel === "app" && !atHome()) && unread(dm(), state.me))]);
  const waits = (id) => id !== state.me && [...ctx.channels.values()].some((c) => c.im === id && unread(c, id));
  once($("people"), JSON.stringify([state.me, order().map(waits)]), () => order().map((id) => el("button", { type: "button", role: "radio", "data-id": id, title: person(id).real_name, "aria-checked": String(id === state.me), tabindex: id === state.me ? "0" : "-1", onclick: () => become(id) },
    avatar(id, true), el("span", {}, person(id).real_name.split(" ")[0]), waits(id) ? el("span", { class: "badge" }, "1", el("span", { class: "sr" }, " new message")) : null, el("span", { class: "role" }, role(id)))));
  $("link-state").textContent = ctx.connections ? "Muster is connected" : "Muster is not connected";
  $("link-state").classList.toggle("up", ctx.connections > 0);
  $("app").dataset.me = order().indexOf(state.me);
  const others = order().some(waits);
  once($("me"), JSON.stringify([state.me, others]), () => [avatar(state.me, true), el("span", {}, person(state.me).name), others ? el("span", { class: "dot" }) : null]);
  $("me").setAttribute("aria-label", `You are ${person(state.me).real_name}, ${role(state.me)}. Switch person`);
  const channel = ctx.channels.get(state.channel);
  const app = state.channel === "app";
  $("channel-name").textContent = app ? "Muster" : `#${channel?.name ?? ""}`;
  $("channel-about").textContent = app ? "" : channel?.purpose ?? "";
  $("app-tabs").hidden = !app || ctx.platform !== "slack";
  tabs($("app-tabs"), { "tab-home": state.tab === "home", "tab-messages": state.tab !== "home" });
  $("home").hidden = !atHome();
  $("messages").hidden = atHome();
  $("composer-form").hidden = atHome();
  $("composer").placeholder = `Message ${app ? "Muster" : `#${channel?.name ?? ""}`} as ${person(state.me).real_name}`;
  $("shortcuts").hidden = isForeign();
  document.title = `${app ? "Muster" : `#${channel?.name ?? ""}`} as ${person(state.me).name} · Muster playground`;
}

function tabs(list, chosen) {
  for (const [id, on] of Object.entries(chosen)) {
    $(id).setAttribute("aria-selected", String(on));
    $(id).setAttribute("tabindex", on ? "0" : "-1");
  }
}

function go(id) {
  state.channel = id;
  state.thread = null;
  if (state.pane === "thread") state.pane = state.organisation && wide() ? "world" : "";
  showMenu(false);
  if (atHome()) api("POST", "/home", { as: state.me });
  refresh().then(() => { if (wide() && !atHome()) $("composer").focus(); });
}

function become(id) {
  const from = document.activeElement?.closest?.("#people");
  state.me = id;
  if (id === called("arne")) done("approve");
  if (state.asked?.who !== id) state.asked = null;
  showMenu(false);
  forget();
  if (atHome() && !isForeign()) api("POST", "/home", { as: id });
  refresh().then(() => { if (from) $("people").querySelector("[aria-checked=true]")?.focus(); });
}

function showMenu(open) {
  $("app").classList.toggle("menu-open", open);
  $("menu").setAttribute("aria-expanded", String(open));
  if (open) $("side").querySelector("button").focus();
}

/* The middle */

const view = () => ({ me: state.me, mayUse: !isForeign(), openThread });

async function loadChannel() {
  if (atHome()) return loadHome();
  const id = here();
  const box = $("messages");
  if (!id) { draw(box, "none", [], view(), [el("b", {}, "Nothing yet"), "Muster writes here when something waits for you."]); return; }
  const seen = await api("GET", `/channels/${id}?as=${state.me}`, undefined, true);
  if (!seen.messages || id !== here()) return;
  const channel = ctx.channels.get(id);
  const words = id === channelCalled("random") ? [el("b", {}, "Muster is not in this channel"), "See what it says when it is asked here."]
    : channel?.im ? [el("b", {}, "Nothing yet"), "Muster writes here when something waits for you."]
      : [el("b", {}, `This is #${channel?.name}`), "Type a slash command below, or follow the steps above the box. You may be any of the five people at the left; what Muster does, it does to a simulated organisation."];
  draw(box, `${state.me} ${id}`, seen.messages, view(), words);
  if (channel?.latest && !document.hidden) state.read.set(`${state.me} ${id}`, channel.latest);
  const asked = state.asked;
  const answer = asked && asked.channel === id && asked.who === state.me && seen.messages.find((m) => m.bot_id && !m.only_for && m.ts > asked.ts && m.reply_count);
  if (answer && wide()) { state.asked = null; state.thread = answer.ts; state.pane = "thread"; }
}

async function loadHome() {
  const shown = await api("GET", `/home?as=${state.me}`, undefined, true);
  if (!atHome()) return;
  const act = async (item, blockId, value) => {
    if (!(await confirmed(item.confirm))) return;
    const body = { as: state.me, view: shown.view.id, action_id: `${blockId}/${item.action_id}` };
    await api("POST", value === undefined ? "/clicks" : "/choices", value === undefined ? body : { ...body, value });
  };
  act.search = (item, blockId, words) => api("POST", "/choices", { as: state.me, view: shown.view.id, action_id: `${blockId}/${item.action_id}`, query: words }, true);
  act.state = (item, blockId) => shown.view.state?.values?.[blockId]?.[item.action_id];
  once($("home"), JSON.stringify([state.me, shown.view?.id, shown.revision]), () => [el("div", { class: "blocks" }, shown.view ? shown.view.blocks.map((b) => block(b, act))
    : el("div", { class: "empty" }, el("b", {}, "No home page yet"), "Muster was told that you are here. What it shows to you stands here."))]);
}

/* The right side */

function openThread(ts) {
  state.thread = ts;
  state.pane = "thread";
  refresh().then(() => $("thread-composer").focus());
}

function showPane(name) {
  state.pane = name;
  refresh();
}

function closePane() {
  const held = document.activeElement?.closest?.("#pane");
  if (state.pane === "thread") state.thread = null;
  state.pane = "";
  refresh().then(() => { if (held || document.activeElement === document.body) (wide() ? $("composer") : $("messages")).focus(); });
}

async function loadPane() {
  if (state.organisation) state.organisation = await loadWorld();
  if (state.pane === "thread" && !state.thread) state.pane = "";
  if (state.pane === "world" && !state.organisation) state.pane = "";
  const box = $("messages");
  // The column changes its width with the pane; whoever read the end goes on reading the end.
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 90;
  $("pane").hidden = !state.pane;
  $("app").classList.toggle("with-pane", Boolean(state.pane));
  $("thread").hidden = state.pane !== "thread";
  $("world").hidden = state.pane !== "world";
  $("tab-thread").hidden = !state.thread;
  $("tab-world").hidden = !state.organisation;
  tabs($("pane"), { "tab-thread": state.pane === "thread", "tab-world": state.pane === "world" });
  if (atEnd) box.scrollTop = box.scrollHeight;
  const line = worldLine();
  $("world-open").hidden = !state.organisation;
  once($("world-open"), JSON.stringify([line, state.pane]), () => [icon("world"), el("span", {}, line.text), line.busy ? el("span", { class: "dot busy" }) : null]);
  $("world-open").setAttribute("aria-label", `Organisation: ${line.text}`);
  $("world-open").setAttribute("aria-expanded", String(state.pane === "world"));
  drawWorld();
  drawStrip($("strip"), () => showPane("world"));
  if (state.pane !== "thread") return;
  const seen = await api("GET", `/threads/${here()}/${state.thread}?as=${state.me}`, undefined, true);
  if (!seen.messages) { state.thread = null; state.pane = ""; $("pane").hidden = true; $("app").classList.remove("with-pane"); return; }
  draw($("thread-messages"), `${state.me} ${here()} ${state.thread}`, seen.messages, { ...view(), openThread: null }, [""]);
}

/* One refresh at a time; calls meanwhile cause one more */

let busy = null;
let again = false;

function refresh() {
  if (busy) { again = true; return busy; }
  busy = (async () => {
    do {
      again = false;
      if (!(await loadWorkspace())) break;
      drawSide();
      await loadChannel();
      await loadPane();
      await showForm(state.me);
      drawSide();
      tour(host);
      keep();
    } while (again);
  })().finally(() => { busy = null; });
  return busy;
}

/* News, and what to do when they stop */

let retry;
function listen() {
  const news = new EventSource("/play/v1/events");
  const offline = (text) => { $("offline").textContent = text; $("offline").hidden = !text; };
  news.onopen = () => { offline(""); refresh(); };
  news.onmessage = () => refresh();
  news.addEventListener("organisation", () => refresh());
  news.onerror = () => {
    offline("The connection to the playground is lost. Trying again… If it was restarted, open the address that it printed.");
    // The browser tries again by itself after a break, but not after a refusal.
    if (news.readyState === EventSource.CLOSED) { clearTimeout(retry); retry = setTimeout(listen, 2000); }
  };
}

/* Wiring */

const host = {
  me: () => state.me, channel: here, become, inOps: () => state.channel === channelCalled("ops"),
  openWorld: () => showPane("world"),
  sent: (answer, thread) => { if (!thread) state.asked = { ts: answer.ts, channel: here(), who: state.me }; refresh(); },
};

const THEMES = ["auto", "light", "dark"];
function theme(name) {
  localStorage.theme = name;
  document.documentElement.dataset.theme = name;
  $("theme").replaceChildren(icon(name === "dark" ? "moon" : "sun"), ...(name === "auto" ? [el("small", { "aria-hidden": "true" }, "A")] : []));
  const says = { auto: "as the system", light: "light", dark: "dark" }[name];
  $("theme").setAttribute("aria-label", `Colours: ${says}. Change`);
  $("theme").title = `Colours: ${says}`;
}
theme(THEMES.includes(localStorage.theme) ? localStorage.theme : "auto");
$("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(localStorage.theme) + 1) % 3]));

$("menu").append(icon("menu"));
$("pane-close").append(icon("close"));
$("pane-back").append(icon("back"));
$("menu").addEventListener("click", () => showMenu(!$("app").classList.contains("menu-open")));
$("main").addEventListener("click", (event) => { if (!event.target.closest("#menu")) showMenu(false); });
$("me").addEventListener("click", () => menu($("me"), order().map((id) => ({ label: person(id).real_name, note: role(id), before: avatar(id, true), checked: id === state.me, act: () => become(id) })), "You are"));
$("pane-close").addEventListener("click", closePane);
$("pane-back").addEventListener("click", closePane);
$("world-open").addEventListener("click", () => (state.pane === "world" ? closePane() : (done("break"), showPane("world"))));
$("tab-thread").addEventListener("click", () => showPane("thread"));
$("tab-world").addEventListener("click", () => showPane("world"));
$("tab-home").addEventListener("click", () => { state.tab = "home"; api("POST", "/home", { as: state.me }); refresh(); });
$("tab-messages").addEventListener("click", () => { state.tab = "messages"; refresh(); });
for (const list of document.querySelectorAll("[role=tablist]")) roving(list, "[role=tab]:not([hidden])");
roving($("people"), "[role=radio]");
roving($("channels"), "button");
composer(host, $("composer-form"), $("composer"), () => null, $("suggestions"));
composer(host, $("thread-form"), $("thread-composer"), () => state.thread, null);
shortcutMenu(host);
document.addEventListener("keydown", (event) => {
  if (event.altKey && /^[1-5]$/.test(event.key)) { event.preventDefault(); become(order()[Number(event.key) - 1]); }
  if (event.key === "/" && !event.target.closest("input, textarea, select, dialog")) { event.preventDefault(); $("composer").focus(); }
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]")) {
    if ($("app").classList.contains("menu-open")) { showMenu(false); $("menu").focus(); }
    else if (event.target.closest("#pane") && state.pane) closePane();
  }
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
addEventListener("hashchange", () => location.reload());

const asked = new URLSearchParams(location.hash.slice(1));
for (const name of ["channel", "thread", "pane"]) if (asked.get(name)) state[name] = asked.get(name);
if (asked.get("as")) state.me = asked.get("as");
if (state.thread && asked.get("thread")) state.pane = "thread";
refresh().then(() => {
  if (atHome()) api("POST", "/home", { as: state.me });
  if (!state.pane && wide() && !atHome()) $("composer").focus();
});
listen();
