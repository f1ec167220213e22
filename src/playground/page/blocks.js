// Draws Slack's blocks. Everything becomes nodes and text nodes; no string is ever parsed as HTML.

import { code, el, icon } from "./dom.js";
import { control } from "./fields.js";

export const ctx = { people: new Map(), groups: new Map(), channels: new Map(), shortcuts: [], emoji: {}, connections: 0, platform: "slack", bot: "", team: "" };

const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
const emojis = (text) => text.replace(/:([a-z0-9_+-]+):/g, (all, name) => ctx.emoji[name] ?? all);
const words = (text) => emojis(unescape(text));

/** Only web addresses become links. */
function link(url, label) {
  const plain = unescape(url);
  if (!/^https?:\/\//i.test(plain)) return document.createTextNode(unescape(label ?? url));
  return el("a", { href: plain, target: "_blank", rel: "noopener noreferrer" }, unescape(label ?? url));
}

const mention = (text) => el("span", { class: "mention" }, text);

function angle(inner) {
  const at = inner.indexOf("|");
  const target = at < 0 ? inner : inner.slice(0, at);
  const label = at < 0 ? undefined : inner.slice(at + 1);
  if (target.startsWith("@")) return mention("@" + (ctx.people.get(target.slice(1))?.name ?? label ?? target.slice(1)));
  if (target.startsWith("#")) return mention("#" + (ctx.channels.get(target.slice(1))?.name ?? label ?? target.slice(1)));
  if (target.startsWith("!subteam^")) {
    const id = target.slice(9);
    return mention("@" + (ctx.groups.get(id)?.handle ?? (label ?? id).replace(/^@/, "")));
  }
  if (target.startsWith("!date^")) { const [, seconds, format = ""] = target.split("^"); return date(seconds, format, label); }
  if (target.startsWith("!")) return mention("@" + target.slice(1));
  return link(target, label);
}

/** A moment in the reader's own time, whether it stands in mrkdwn or in rich text. */
function date(seconds, format, fallback) {
  const when = new Date(Number(seconds) * 1000);
  if (Number.isNaN(when.getTime())) return document.createTextNode(words(fallback ?? ""));
  const time = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const day = when.toLocaleDateString([], { day: "numeric", month: "short" });
  const text = format
    .replace(/\{time(_secs)?\}/g, time)
    .replace(/\{date[a-z_]*\}/g, day);
  return el("span", { title: when.toLocaleString() }, words(text || fallback || ""));
}

/** One line of mrkdwn: code first, then angle brackets, then *bold* _italic_ ~strike~. */
function inline(text) {
  const out = [];
  const code = /`([^`\n]+)`/g;
  let last = 0;
  for (let m; (m = code.exec(text)); last = code.lastIndex) {
    out.push(...styled(text.slice(last, m.index)), el("code", {}, unescape(m[1].replace(/<([^<>|]+)(\|[^<>]*)?>/g, (all, t, l) => (l ? l.slice(1) : t)))));
  }
  out.push(...styled(text.slice(last)));
  return out;
}

function styled(text) {
  const style = /(^|[\s([{>•,;:/|—–-])(\*([^\s*](?:[^*\n]*[^\s*])?)\*|_([^\s_](?:[^_\n]*[^\s_])?)_|~([^\s~](?:[^~\n]*[^\s~])?)~)/;
  const out = [];
  for (let m; (m = style.exec(text)); text = text.slice(m.index + m[0].length)) {
    out.push(...angles(text.slice(0, m.index) + m[1]));
    const name = m[3] !== undefined ? "strong" : m[4] !== undefined ? "em" : "s";
    out.push(el(name, {}, ...styled(m[3] ?? m[4] ?? m[5])));
  }
  out.push(...angles(text));
  return out;
}

function angles(text) {
  const out = [];
  let last = 0;
  const pattern = /<([^<>\n]+)>/g;
  for (let m; (m = pattern.exec(text)); last = pattern.lastIndex) out.push(words(text.slice(last, m.index)), angle(m[1]));
  out.push(words(text.slice(last)));
  return out.filter((part) => part !== "");
}

/** mrkdwn with fenced code, quotes and line breaks. */
export function mrkdwn(text) {
  const out = [];
  text.split("```").forEach((part, index) => {
    const body = part.replace(/^\n|\n$/g, "");
    if (!body) return;
    if (index % 2) { out.push(code(unescape(body))); return; }
    const box = el("div");
    body.split("\n").forEach((line, n) => {
      const quote = /^(&gt;|>) ?/.exec(line);
      if (quote) box.append(el("blockquote", {}, ...inline(line.slice(quote[0].length))));
      else {
        if (n && !box.lastChild?.matches?.("blockquote")) box.append(el("br"));
        box.append(...inline(line));
      }
    });
    out.push(box);
  });
  return out;
}

const textObject = (text) =>
  !text ? [] : text.type === "plain_text" ? [el("div", {}, ...lines(emojis(text.text ?? "")))] : mrkdwn(text.text ?? "");

function lines(text) {
  return text.split("\n").flatMap((line, n) => (n ? [el("br"), line] : [line]));
}

/** Standard Markdown, the part that results use: headings, bold, code, fences, lists, tables stay as text. */
function markdown(text) {
  const box = el("div", { class: "blocks" });
  text.split(/^```.*$/m).forEach((part, index) => {
    const body = part.replace(/^\n|\n$/g, "");
    if (!body) return;
    if (index % 2) { box.append(code(body)); return; }
    for (const line of body.split("\n")) {
      const head = /^(#{1,4}) (.*)/.exec(line);
      const item = /^\s*[-*] (.*)/.exec(line);
      if (head) box.append(el("h3", {}, head[2]));
      else box.append(el("div", {}, ...mdInline(item ? "• " + item[1] : line)));
    }
  });
  return box;
}

function mdInline(text) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part) =>
    part.startsWith("**") && part.length > 4 ? el("strong", {}, part.slice(2, -2))
      : part.startsWith("`") && part.length > 2 ? el("code", {}, part.slice(1, -1)) : emojis(part));
}

function richText(block) {
  return el("div", { class: "blocks" }, block.elements.map(richPart));
}

function richPart(part) {
  const inner = () => (part.elements ?? []).flatMap(richInline);
  switch (part.type) {
    case "rich_text_preformatted": return code((part.elements ?? []).map((e) => e.text ?? e.url ?? "").join(""));
    case "rich_text_quote": return el("blockquote", {}, ...inner());
    case "rich_text_list":
      return el(part.style === "ordered" ? "ol" : "ul", { class: "rich-list" }, part.elements.map((e) => el("li", {}, richPart(e))));
    default: return el("div", {}, ...inner());
  }
}

function richInline(part) {
  switch (part.type) {
    case "text": {
      let node = document.createDocumentFragment();
      node.append(...lines(part.text ?? ""));
      const style = part.style ?? {};
      if (style.code) node = el("code", {}, node);
      if (style.bold) node = el("strong", {}, node);
      if (style.italic) node = el("em", {}, node);
      if (style.strike) node = el("s", {}, node);
      return [node];
    }
    case "link": return [link(part.url ?? "", part.text)];
    case "user": return [angle("@" + part.user_id)];
    case "usergroup": return [angle("!subteam^" + part.usergroup_id)];
    case "channel": return [angle("#" + part.channel_id)];
    case "emoji": return [emojis(`:${part.name}:`)];
    case "date": return [date(part.timestamp, part.format ?? "", part.fallback)];
    case "broadcast": return [mention("@" + part.range)];
    default: return [];
  }
}

function table(block) {
  const cell = (c, index, head) => {
    const inner = c.type === "rich_text" ? richText(c) : emojis(c.text ?? String(c.value ?? ""));
    const right = block.column_settings?.[index]?.align === "right" || c.type === "raw_number";
    return el(head ? "th" : "td", { class: right ? "right" : null }, inner);
  };
  const [head = [], ...rest] = block.rows ?? [];
  return el("div", { class: "table-wrap" }, el("table", {},
    el("thead", {}, el("tr", {}, head.map((c, i) => cell(c, i, true)))),
    el("tbody", {}, rest.map((row) => el("tr", {}, row.map((c, i) => cell(c, i, false)))))));
}

/** Bars, the longest for the largest value; the numbers stand beside them, so that nobody has to see the bars. */
function chart(block) {
  const points = block.chart?.series?.[0]?.data ?? [];
  const most = Math.max(1, ...points.map((point) => point.value));
  const row = (point) => {
    const bar = el("span", { class: "chart-bar", "aria-hidden": "true" });
    // A style attribute would be refused by the page's own policy.
    bar.style.width = `${(100 * point.value) / most}%`;
    return el("tr", {}, el("th", { scope: "row" }, point.label), el("td", {}, bar), el("td", { class: "right" }, String(point.value)));
  };
  return el("div", { class: "table-wrap" }, el("table", { class: "chart" }, el("caption", {}, block.title ?? ""), el("tbody", {}, points.map(row))));
}

/** act(element, blockId, value) is called when a person presses or picks; act.search(element, blockId, words) asks for options. */
export function element(item, blockId, act) {
  switch (item.type) {
    case "button":
      return el("button", { type: "button", class: `btn ${item.style ?? ""}`, "data-action": `${blockId}/${item.action_id}`, "aria-label": item.accessibility_label, onclick: () => act(item, blockId) },
        emojis(item.text?.text ?? ""), item.url ? el("span", { class: "sr" }, " (opens a new page)") : null);
    case "image": return el("span", { class: "context" }, item.alt_text ?? "image");
    default: return control(item, { id: `${blockId}/${item.action_id}`, label: item.placeholder?.text ?? "Choose", value: act.state?.(item, blockId) ?? initial(item),
      change: (value, done) => done && act(item, blockId, value), search: (words) => act.search(item, blockId, words) });
  }
}

const initial = (item) => ({ selected_option: item.initial_option, selected_options: item.initial_options, selected_user: item.initial_user, selected_date: item.initial_date, selected_time: item.initial_time });

export function block(item, act) {
  switch (item.type) {
    case "header": return el("h3", {}, emojis(item.text.text));
    case "section": {
      const main = el("div", {}, ...textObject(item.text));
      if (item.fields) main.append(el("div", { class: "fields" }, item.fields.map((f) => el("div", {}, ...textObject(f)))));
      return el("div", { class: "section" }, main, item.accessory ? el("div", {}, element(item.accessory, item.block_id, act)) : null);
    }
    case "context": return el("div", { class: "context" }, item.elements.map((e) => el("span", {}, ...(e.type === "image" ? [e.alt_text ?? ""] : textObject(e)))));
    case "divider": return el("hr");
    case "actions": return el("div", { class: "actions" }, item.elements.map((e) => element(e, item.block_id, act)));
    case "markdown": return markdown(item.text ?? "");
    case "rich_text": return richText(item);
    case "table": return table(item);
    case "data_visualization": return chart(item);
    case "image": return el("div", { class: "context" }, icon("world"), item.alt_text ?? "");
    default: return el("div", { class: "context" }, `(a block of type ${item.type})`);
  }
}
