// Draws Discord's messages: its Markdown, embeds with their colour bar, buttons and menus. Everything becomes nodes and
// text nodes; no string is ever parsed as HTML.

import { ctx } from "./blocks.js";
import { code, el } from "./dom.js";
import { control } from "./fields.js";

const ROW = 1, BUTTON = 2, LINK = 5;
const LOADING = 1 << 7;
const STYLES = { 1: "blue", 2: "grey", 3: "green", 4: "red", 5: "grey" };

/** The words, embeds, buttons and menus of a message. act(component, value) is called when a person uses one. */
export function body(m, act) {
  if (m.flags & LOADING) return [el("p", { class: "thinking" }, "Muster is thinking…")];
  return [...markdown(m.content ?? ""), ...(m.embeds ?? []).map(embed),
    ...(m.components ?? []).filter((c) => c.type === ROW).map((row) => el("div", { class: "actions" }, row.components.map((c) => component(c, act))))];
}

function embed(e) {
  const box = el("div", { class: "embed" },
    e.author ? el("div", { class: "embed-author" }, e.author.name) : null,
    e.title ? el("h3", {}, link(e.url, inline(e.title))) : null,
    e.description ? el("div", { class: "embed-words" }, markdown(e.description)) : null,
    e.fields?.length ? el("div", { class: "fields" }, e.fields.map((f) => el("div", { class: f.inline ? "" : "whole" }, el("b", {}, inline(f.name)), el("div", {}, markdown(f.value))))) : null,
    e.footer ? el("div", { class: "embed-footer" }, e.footer.text) : null);
  // The bar takes its colour from the message; a style attribute would be refused by the page's own policy.
  if (e.color) box.style.borderLeftColor = `#${e.color.toString(16).padStart(6, "0")}`;
  return box;
}

function component(c, act) {
  if (c.type !== BUTTON) {
    const option = (o) => ({ text: { text: o.label }, value: o.value, description: o.description ? { text: o.description } : undefined });
    const several = (c.max_values ?? 1) > 1;
    const item = { type: several ? "multi_static_select" : "static_select", action_id: c.custom_id, options: (c.options ?? []).map(option), placeholder: { text: c.placeholder ?? "Choose" } };
    return control(item, { id: c.custom_id, label: c.placeholder ?? "Choose", value: {}, change: (value, done) => done && value.length && act(c, value) });
  }
  const words = [c.emoji?.name ? `${c.emoji.name} ` : "", c.label ?? ""];
  if (c.style === LINK) return /^https?:\/\//i.test(c.url) ? el("a", { class: "btn d-grey", href: c.url, target: "_blank", rel: "noopener noreferrer" }, ...words, el("span", { "aria-hidden": "true" }, "↗")) : el("span", {}, ...words);
  return el("button", { type: "button", class: `btn d-${STYLES[c.style] ?? "grey"}`, disabled: Boolean(c.disabled), "data-action": c.custom_id, onclick: () => act(c) }, ...words);
}

/* Markdown: fences, then lines, then what stands in a line */

export function markdown(text) {
  const out = [];
  text.split("```").forEach((part, index) => {
    if (index % 2) {
      const inside = /^[a-zA-Z0-9+_-]*\n/.test(part) ? part.slice(part.indexOf("\n") + 1) : part;
      out.push(code(inside.replace(/^\n+|\n+$/g, "")));
      return;
    }
    const body = part.replace(/^\n+|\n+$/g, "");
    if (body) out.push(...lines(body));
  });
  return out;
}

function lines(text) {
  const out = [];
  let box = null;
  const plain = () => { if (!box) { box = el("div"); out.push(box); } else box.append(el("br")); return box; };
  for (const line of text.split("\n")) {
    const head = /^#{1,3} (.*)/.exec(line);
    const small = /^-# (.*)/.exec(line);
    const quote = /^>{1,3} (.*)/.exec(line);
    const item = /^(\s*)[-*] (.*)/.exec(line);
    if (!head && !small && !quote) { plain().append(...inline(item ? `${item[1]}• ${item[2]}` : line)); continue; }
    box = null;
    if (head) out.push(el("h3", {}, inline(head[1])));
    else if (small) out.push(el("small", { class: "fine" }, inline(small[1])));
    else out.push(el("blockquote", {}, inline(quote[1])));
  }
  return out;
}

const HIDDEN = 0xe000;
const hide = (text) => text.replace(/\\([!-/:-@[-`{-~])/g, (all, c) => String.fromCharCode(HIDDEN + c.charCodeAt(0)));
const show = (text) => text.replace(/[\ue000-\ue07f]/g, (c) => String.fromCharCode(c.charCodeAt(0) - HIDDEN));

function inline(text) {
  const out = [];
  const code = /``([^\n]*?)``|`([^`\n]+)`/g;
  const hidden = hide(text);
  let last = 0;
  for (let m; (m = code.exec(hidden)); last = code.lastIndex) {
    // In code a backslash is a letter.
    const inside = (m[1] ?? m[2]).replace(/[\ue000-\ue07f]/g, (c) => `\\${String.fromCharCode(c.charCodeAt(0) - HIDDEN)}`);
    out.push(...styled(hidden.slice(last, m.index)), el("code", {}, inside.trim() || inside));
  }
  out.push(...styled(hidden.slice(last)));
  return out;
}

const STYLED = /\*\*([^\n]+?)\*\*(?!\*)|__([^_\n]+)__|~~([^~\n]+)~~|\|\|([^|\n]+)\|\||(?<![\p{L}\p{N}*])\*([^\s*](?:[^*\n]*[^\s*])?)\*|(?<![\p{L}\p{N}_])_([^\s_](?:[^_\n]*[^\s_])?)_(?![\p{L}\p{N}])|\[([^[\]\n]+)\]\((https?:\/\/[^\s()]+)\)|<(@&|@!?|#|t:)(-?\d+)(?::([tTdDfFR]))?>|<(https?:\/\/[^\s<>]+)>|(https?:\/\/[^\s<>()]+)/u;

function styled(text) {
  const out = [];
  for (let m; (m = STYLED.exec(text)); text = text.slice(m.index + m[0].length)) {
    out.push(show(text.slice(0, m.index)));
    const [all, bold, under, strike, spoiler, lean, lean2, label, url, kind, id, style, bare, address] = m;
    if (bold !== undefined) out.push(el("strong", {}, styled(bold)));
    else if (under !== undefined) out.push(el("u", {}, styled(under)));
    else if (strike !== undefined) out.push(el("s", {}, styled(strike)));
    else if (spoiler !== undefined) out.push(el("span", { class: "spoiler" }, styled(spoiler)));
    else if ((lean ?? lean2) !== undefined) out.push(el("em", {}, styled(lean ?? lean2)));
    else if (url) out.push(link(show(url), styled(label)));
    else if (kind) out.push(named(kind, id, style) ?? all);
    else out.push(link(show(bare ?? address), [show(bare ?? address)]));
  }
  out.push(show(text));
  return out.filter((part) => part !== "");
}

function link(url, words) {
  return url && /^https?:\/\//i.test(url) ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, words) : el("span", {}, words);
}

function named(kind, id, style) {
  if (kind === "t:") return time(Number(id), style ?? "f");
  const mention = (sign, name) => el("span", { class: "mention" }, sign + name);
  if (kind === "#") return mention("#", ctx.channels.get(id)?.name ?? "unknown");
  if (kind === "@&") return mention("@", ctx.groups.get(id)?.handle ?? "deleted-role");
  return mention("@", ctx.people.get(id)?.real_name ?? "unknown-user");
}

function time(seconds, style) {
  const when = new Date(seconds * 1000);
  if (Number.isNaN(when.getTime())) return null;
  const parts = { t: { timeStyle: "short" }, T: { timeStyle: "medium" }, d: { dateStyle: "short" }, D: { dateStyle: "long" }, f: { dateStyle: "long", timeStyle: "short" }, F: { dateStyle: "full", timeStyle: "short" } };
  return el("time", { class: "when", datetime: when.toISOString(), title: when.toLocaleString() }, style === "R" ? relative(when) : when.toLocaleString([], parts[style]));
}

function relative(when) {
  const seconds = Math.round((when - Date.now()) / 1000);
  const [size, unit] = [[86400, "day"], [3600, "hour"], [60, "minute"]].find(([s]) => Math.abs(seconds) >= s) ?? [1, "second"];
  return new Intl.RelativeTimeFormat([], { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}
