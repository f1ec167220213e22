// The simulated organisation: accounts, regions and nodes with their state, faults to switch on and off, and what was
// really sent and run, by the simulator's own log. So one sees cause and effect.

import { $, api, clock, el, many, reconcile } from "./dom.js";

const FAULTS = [
  { fault: "throttle", label: "AWS throttles every account", note: "one call a second each" },
  { fault: "slow-region", label: "us-east-1 answers slowly", note: "3 s for every call", region: "us-east-1" },
  { fault: "expired-credentials", label: "The next session expires", note: "once, in the middle" },
  { fault: "script-fails", label: "The next script fails", note: "it runs, and ends with an error: watch a canary" },
  { fault: "lost-answer", label: "The next answer to a send is lost", note: "sent and run, but Muster never hears of it" },
  { fault: "secret-in-output", label: "The next output holds a password", note: "watch what reaches the chat" },
];

let seen = null;
let drawnKey = "";

/** Fetches all of it. `false` if there is no organisation beside this workspace. */
export async function loadWorld() {
  const [accounts, nodes, faults, sends, executions, calls] = await Promise.all(
    ["accounts", "nodes", "faults", "sends", "executions", "calls"].map((what) => api("GET", `/organisation/${what}`, undefined, true)));
  if (!accounts.accounts || !nodes.nodes || !executions.executions) return false;
  seen = { accounts: accounts.accounts, nodes: nodes.nodes, faults: faults.faults ?? [], sends: sends.sends ?? [], executions: executions.executions, calls: calls.calls ?? {} };
  return true;
}

/** A line for the button in the bar: what is happening there now. */
export function worldLine() {
  if (!seen) return { text: "Organisation", busy: false };
  const running = seen.executions.filter((e) => !e.ended_at).length;
  return { text: running ? `${running} running` : seen.sends.length ? `${seen.executions.length} ran` : "Organisation", busy: running > 0 };
}

const active = (spec) => seen.faults.some((f) => f.fault === spec.fault && f.left !== 0 && ["account", "region", "node"].every((k) => !spec[k] || f[k] === spec[k]));

async function plant(spec, clear) {
  const answer = await api("POST", "/organisation/faults", clear ? { ...spec, clear: true } : spec);
  if (!answer.error && await loadWorld()) drawWorld(true);
}

function toggle(spec, label, note) {
  const on = active(spec);
  return el("button", { type: "button", role: "switch", "aria-checked": String(on), class: "switch", "data-key": `${spec.fault} ${spec.account ?? ""}`, onclick: () => plant(spec, on) },
    el("span", { class: "knob", "aria-hidden": "true" }), el("span", {}, label, note ? el("small", {}, note) : null));
}

/** The last thing that happened on each node. */
function lastRuns() {
  const last = new Map();
  for (const e of seen.executions) last.set(`${e.account} ${e.region} ${e.node}`, e);
  return last;
}

/** The sign of a node: its state, and what the last run did there. */
function signs(n, run) {
  const state = n.state === "terminated" ? "gone" : !n.managed ? "unmanaged" : !n.online ? "off" : n.condition.failed ? "failed" : n.condition.var_used >= 90 ? "full" : "up";
  return { state, ran: !run ? "" : !run.ended_at ? "running" : run.exit === 0 ? "ran" : "broke" };
}

function nodeButton(n, run) {
  const { state, ran } = signs(n, run);
  const words = { gone: "terminated", unmanaged: "not managed by Systems Manager", off: "offline", failed: `${n.condition.unit} has failed`, full: `/var ${n.condition.var_used} % full`, up: "online" }[state];
  const said = { "": "", running: ", running now", ran: ", last run succeeded", broke: `, last run ended with ${run?.exit}` }[ran];
  const spec = { fault: "offline-node", account: n.account, region: n.region, node: n.node };
  const can = n.managed && state !== "gone";
  const name = n.name || n.node;
  return el("button", { type: "button", class: `node ${state} ${ran}`, disabled: !can, "data-key": n.node, title: `${name}: ${words}${said}`, "aria-label": `${name}: ${words}${said}.${can ? (n.online ? " Take it offline" : " Bring it back") : ""}`,
    onclick: () => plant(spec, !n.online) }, el("span", { "aria-hidden": "true" }, ran === "ran" ? "✓" : ran === "broke" ? "✕" : ""));
}

function account(a, last) {
  const nodes = seen.nodes.filter((n) => n.account === a.id);
  const regions = [...new Set(nodes.map((n) => n.region))];
  const spec = { fault: "deny-account", account: a.name };
  const denied = active(spec);
  return el("section", { class: `account ${denied ? "denied" : ""}`, "aria-label": a.name },
    el("header", {}, el("div", {}, el("h4", {}, a.name), el("small", {}, a.id, a.labels?.env ? ` · ${a.labels.env}` : a.configured ? "" : " · known to Organizations only")), toggle(spec, "refuses Muster")),
    regions.map((r) => el("div", { class: "region" }, el("span", {}, r),
      el("div", { class: "nodes" }, nodes.filter((n) => n.region === r).map((n) => nodeButton(n, last.get(`${n.account} ${n.region} ${n.node}`)))))));
}

function sent(s) {
  const name = seen.accounts.find((a) => a.id === s.account)?.name ?? s.account;
  const runs = seen.executions.filter((e) => e.command_id === s.command_id);
  const going = runs.filter((e) => !e.ended_at).length;
  const good = runs.filter((e) => e.ended_at && e.exit === 0).length;
  const bad = runs.filter((e) => e.ended_at && e.exit !== 0).length;
  const waiting = Math.max(0, s.nodes.length - runs.length);
  const part = (n, word, kind) => (n ? el("span", { class: `count ${kind}` }, `${n} ${word}`) : null);
  return el("li", { "data-key": s.command_id }, el("div", {}, el("b", {}, name), el("small", {}, `${s.region} · ${many(s.nodes.length, "node")} · ${clock(s.received_at)}`)),
    el("div", { class: "counts" }, part(good, "ran", "good"), part(bad, "failed", "bad"), part(going, "running", "busy"), part(waiting, "not started", ""), s.answered ? null : el("span", { class: "count bad" }, "answer lost")));
}

function calls() {
  const rows = Object.entries(seen.calls).filter(([, c]) => c.total).sort((a, b) => b[1].total - a[1].total);
  if (!rows.length) return el("p", { class: "none" }, "No call to AWS yet.");
  return el("div", { class: "table-wrap" }, el("table", {}, el("thead", {}, el("tr", {}, ["Call", "all", "refused", "throttled"].map((t, n) => el("th", { scope: "col", class: n ? "right" : null }, t)))),
    el("tbody", {}, rows.map(([name, c]) => el("tr", {}, el("td", {}, name), [c.total, c.refused - c.throttled, c.throttled].map((n, at) => el("td", { class: `right ${at && n ? "bad" : ""}` }, n ? String(n) : "–")))))));
}

const legend = () => el("ul", { class: "legend", "aria-label": "Signs" }, [["up", "online"], ["off", "offline"], ["failed", "service failed"], ["full", "disk full"], ["unmanaged", "not managed"], ["up running", "running"], ["up ran", "ran", "✓"]].map(([kind, text, sign]) =>
  el("li", {}, el("span", { class: `node ${kind}`, "aria-hidden": "true" }, sign ?? ""), text)));

/** A strip under the thread: every node as a dot, so that one sees the organisation while reading. */
export function drawStrip(box, open) {
  box.hidden = !seen;
  if (!seen) return;
  const last = lastRuns();
  const rows = seen.accounts.map((a) => ({ name: a.name, denied: active({ fault: "deny-account", account: a.name }), dots: seen.nodes.filter((n) => n.account === a.id).map((n) => signs(n, last.get(`${n.account} ${n.region} ${n.node}`))) }));
  const key = JSON.stringify(rows);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(el("button", { type: "button", onclick: open, "aria-label": "Show the organisation" }, rows.map((r) => el("span", { class: `strip-account ${r.denied ? "denied" : ""}` }, el("span", {}, r.name), el("span", { class: "strip-dots" }, r.dots.map((d) => el("span", { class: `node ${d.state} ${d.ran}` })))))));
}

/** Draws the panel. Focus stays where it was. */
export function drawWorld(force = false) {
  const box = $("world");
  if (!seen || box.hidden) return;
  const key = JSON.stringify(seen);
  if (key === drawnKey && !force && box.childNodes.length) return;
  drawnKey = key;
  const held = document.activeElement?.closest?.("#world") ? document.activeElement.dataset.key : null;
  const top = box.scrollTop;
  const last = lastRuns();
  const on = seen.nodes.filter((n) => n.managed && n.online && n.state !== "terminated").length;
  reconcile(box, [
    el("p", { class: "lead" }, `${many(seen.accounts.length, "account")}, ${on} of ${many(seen.nodes.length, "node")} online. Click a node to take it offline or bring it back; then run something and see what Muster says.`),
    el("section", { "aria-labelledby": "w-nodes" }, el("h3", { id: "w-nodes" }, "Accounts and nodes"), legend(), seen.accounts.map((a) => account(a, last))),
    el("section", { "aria-labelledby": "w-sends" }, el("h3", { id: "w-sends" }, "What was sent where"), el("p", { class: "none" }, "By the simulator's own log, not by Muster's word."),
      seen.sends.length ? el("ol", { class: "sends" }, seen.sends.slice(-12).reverse().map(sent)) : el("p", { class: "none" }, "Nothing yet.")),
    el("section", { "aria-labelledby": "w-faults" }, el("h3", { id: "w-faults" }, "What goes wrong"), FAULTS.map(({ label, note, ...spec }) => toggle(spec, label, note))),
    el("section", { "aria-labelledby": "w-calls" }, el("h3", { id: "w-calls" }, "Calls to AWS"), calls()),
  ]);
  box.scrollTop = top;
  if (held) box.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
}
