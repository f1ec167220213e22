// Small tools that every part of the page uses: nodes, menus, the toast, and the one way to the playground.

export const $ = (id) => document.getElementById(id);

/** el("p", {class: "x", onclick: f}, "text", node, …) */
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== "" && c !== false));
  return node;
}

/** Code in a message. What does not fit is broken and stands indented below its own line, so that rows stay rows. */
export const code = (text) => el("pre", { tabindex: "0" }, text.split(/(?<=\n)/).map((line) => el("span", { class: "line" }, line)));

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  menu: "M4 6h16M4 12h16M4 18h16", close: "M6 6l12 12M18 6L6 18", more: "M5 12h.01M12 12h.01M19 12h.01",
  reply: "M21 12a8 8 0 0 1-8 8H4l2.2-2.9A8 8 0 1 1 21 12z", send: "M4 12l16-8-5 16-3.5-6.5z", back: "M15 5l-7 7 7 7",
  world: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  moon: "M20 14.5A8 8 0 1 1 9.5 4a6.5 6.5 0 0 0 10.5 10.5z", home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z", bolt: "M13 3L5 13h6l-1 8 8-10h-6z", down: "M6 9l6 6 6-6",
};

/** A drawn sign; meaning comes from the label beside it or from the button around it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: `icon-${name}`, "aria-hidden": "true" })) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Makes `box` hold exactly these nodes and moves none that stands right, so that focus and selection survive. */
export function reconcile(box, nodes) {
  nodes.forEach((node, at) => { if (box.childNodes[at] !== node) box.insertBefore(node, box.childNodes[at] ?? null); });
  while (box.childNodes.length > nodes.length) box.lastChild.remove();
}

let fading;
export function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { $("toast").hidden = true; }, 7000);
}

/** Asks the playground. A refusal is shown and comes back as an object with `error`. */
export async function api(method, path, body, quiet = false) {
  try {
    const answer = await fetch("/play/v1" + path, { method, headers: body ? { "content-type": "application/json" } : {}, body: body ? JSON.stringify(body) : undefined });
    const json = await answer.json();
    if (answer.ok) return json;
    const error = json.error ?? `the playground answered ${answer.status}`;
    if (!quiet) toast(error);
    return { error };
  } catch {
    return { error: "The playground does not answer. Is it still running?" };
  }
}

/** Arrow keys move focus among the items; Home and End go to the ends. One item at a time can be reached by Tab. */
export function roving(box, selector) {
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step && event.key !== "Home" && event.key !== "End") return;
    const items = [...box.querySelectorAll(selector)];
    const at = items.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    const next = event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : (at + step + items.length) % items.length;
    items.forEach((item, n) => item.setAttribute("tabindex", n === next ? "0" : "-1"));
    items[next].focus();
  });
}

let openMenu = null;

/** A menu at `anchor`: [{label, note, act, checked, before}]. Escape and a click elsewhere close it; focus goes back to the anchor. */
export function menu(anchor, items, label) {
  const was = openMenu?.anchor === anchor;
  closeMenu();
  if (was) return;
  const radio = items.some((i) => i.checked !== undefined);
  const box = el("div", { class: "menu", role: "menu", "aria-label": label }, items.map((item, n) => el("button", {
    type: "button", role: radio ? "menuitemradio" : "menuitem", "aria-checked": radio ? String(Boolean(item.checked)) : null, tabindex: n ? "-1" : "0",
    onclick: () => { closeMenu(true); item.act(); } }, item.before, el("span", {}, item.label), item.note ? el("small", {}, item.note) : null)));
  roving(box, "button");
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); event.stopPropagation(); closeMenu(true); }
  });
  document.body.append(box);
  const at = anchor.getBoundingClientRect();
  const size = box.getBoundingClientRect();
  box.style.left = `${Math.max(8, Math.min(at.right - size.width, innerWidth - size.width - 8))}px`;
  box.style.top = `${at.bottom + size.height + 8 > innerHeight ? Math.max(8, at.top - size.height - 4) : at.bottom + 4}px`;
  anchor.setAttribute("aria-expanded", "true");
  openMenu = { box, anchor };
  (box.querySelector("[aria-checked=true]") ?? box.querySelector("button")).focus();
}

export function closeMenu(refocus = false) {
  if (!openMenu) return;
  const { box, anchor } = openMenu;
  openMenu = null;
  box.remove();
  anchor.setAttribute("aria-expanded", "false");
  if (refocus) anchor.focus();
}
document.addEventListener("pointerdown", (event) => { if (openMenu && !openMenu.box.contains(event.target) && !openMenu.anchor.contains(event.target)) closeMenu(); });

/** Slack's `ts` counts seconds; an id of Discord carries milliseconds since 2015 above 22 other bits. */
export const millis = (ts) => (/^\d{17,20}$/.test(ts) ? Number(BigInt(ts) >> 22n) + 1420070400000 : Number(ts) * 1000);
export const clock = (ts) => new Date(typeof ts === "string" && ts.includes("T") ? ts : millis(ts)).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
export const size = (n) => (n === 1 ? "1 byte" : n < 1000 ? `${n} bytes` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);
export const many = (n, one, more = one + "s") => `${n} ${n === 1 ? one : more}`;
