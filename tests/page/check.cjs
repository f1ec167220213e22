// The page in a real browser, before the whole bot: by keyboard, in a form, and on a phone. The first broken promise
// ends it. Waits for what must appear, never for time.
//
//   node check.cjs ADDRESS CHROMIUM      (`.ci/witness-page` runs it)
"use strict";

const { chromium } = require("playwright-core");

const [address, executablePath] = process.argv.slice(2);
const PATIENCE = 30_000;
const complaints = [];

function promise(what, held, detail = "") {
  console.log(`${held ? "ok    " : "BROKEN"} ${what}${held || !detail ? "" : `: ${detail}`}`);
  if (!held) throw new Error(what);
}

async function page(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on("pageerror", (fault) => complaints.push(fault.message));
  page.on("console", (said) => { if (said.type() === "error") complaints.push(said.text()); });
  await page.goto(address);
  await page.waitForSelector("#channels button", { state: "attached" });
  return page;
}

const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label") || document.activeElement.textContent.trim());

/** Presses Tab until `selector` has the focus. */
async function tabTo(page, selector) {
  for (let n = 0; n < 200; n += 1) {
    if (await page.evaluate((s) => document.activeElement.matches(s), selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never reaches ${selector}`);
}

async function byKeyboard(browser) {
  const page_ = await page(browser, { viewport: { width: 1280, height: 800 } });
  const keys = page_.keyboard;
  await page_.waitForSelector("#world .account");
  promise("the address bar holds no token", !page_.url().includes("token"), page_.url());
  await tabTo(page_, "#composer");
  await keys.type("/runbook run restart");
  await page_.waitForSelector("#suggestions li");
  await keys.press("ArrowDown");
  await keys.press("Enter");
  promise("a suggestion is taken by keyboard", (await page_.inputValue("#composer")).startsWith("/runbook run restart-service service="));
  await keys.press("Enter");
  await page_.waitForSelector('#thread-messages [data-action*="approve"]');
  promise("the thread that answers opens by itself", await page_.isVisible("#thread"));
  await tabTo(page_, "#people [aria-checked=true]");
  await keys.press("ArrowDown");
  await keys.press("Enter");
  await page_.waitForFunction(() => document.querySelector("#people [aria-checked=true]").textContent.startsWith("AArne"));
  promise("arrow keys switch the person and keep the focus", (await focused(page_)).includes("Arne"), await focused(page_));

  await tabTo(page_, '#thread-messages [data-action*="deny"]');
  await keys.press("Enter");
  await page_.waitForSelector("#modal[open] textarea");
  promise("a form opens with the focus in its first field", await page_.evaluate(() => document.activeElement.matches("#modal textarea, #modal input")));
  await keys.press("Escape");
  await page_.waitForSelector("#modal:not([open])", { state: "attached" });
  await tabTo(page_, '#thread-messages [data-action*="deny"]');
  await keys.press("Enter");
  await page_.waitForSelector("#modal[open] textarea");
  await tabTo(page_, "#modal [type=submit]");
  await keys.press("Enter");
  await page_.waitForSelector("#modal .error");
  promise("what is wrong stands at its field", await page_.evaluate(() => {
    const field = document.querySelector("#modal .wrong textarea");
    return field === document.activeElement && document.getElementById(field.getAttribute("aria-describedby").split(" ")[0])?.textContent !== "";
  }));
  await keys.type("not while the shop is open");
  await tabTo(page_, "#modal [type=submit]");
  await keys.press("Enter");
  await page_.waitForSelector("#modal:not([open])", { state: "attached" });
  await page_.waitForFunction(() => document.querySelector("#thread-messages").textContent.includes("not while the shop is open"));
  promise("the reason stands in the thread", true);

  await page_.reload();
  await page_.waitForFunction(() => document.querySelector("#thread-messages")?.textContent.includes("not while the shop is open"));
  promise("a reload keeps person and thread", (await page_.textContent("#people [aria-checked=true]")).includes("Arne"));
  await tabTo(page_, "#thread-composer");
  await keys.press("Escape");
  await page_.waitForSelector("#pane", { state: "hidden" });
  promise("Escape closes the pane and the focus is in the message box", (await focused(page_)) === "composer", await focused(page_));

  await tabTo(page_, "#world-open");
  await keys.press("Enter");
  await tabTo(page_, "#world .node.up");
  const name = await page_.evaluate(() => document.activeElement.dataset.key);
  await keys.press("Enter");
  await page_.waitForSelector(`#world .node.off[data-key="${name}"]`);
  promise("a node is taken offline by keyboard and keeps the focus", await page_.evaluate((key) => document.activeElement.dataset.key === key, name));
  await page_.context().close();
}

async function onAPhone(browser) {
  for (const colorScheme of ["light", "dark"]) {
    const page_ = await page(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme });
    const fits = () => page_.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    promise(`nothing is wider than a phone (${colorScheme})`, await fits());
    await page_.tap("#menu");
    await page_.tap('#side [data-id="C0INCIDENT"]');
    await page_.waitForFunction(() => document.querySelector("#channel-name").textContent === "#incidents");
    promise("the menu leads to another channel and closes", !(await page_.evaluate(() => document.querySelector("#app").classList.contains("menu-open"))));
    await page_.tap("#composer");
    await page_.fill("#composer", "/runbook run disk-usage on accounts=acme-staging");
    await page_.tap("#composer-form .send");
    await page_.waitForSelector("#messages .replies");
    await page_.tap("#messages .replies");
    await page_.waitForSelector("#thread-messages .msg");
    promise("a thread fills the screen and fits", (await fits()) && !(await page_.isVisible("#main")));
    await page_.tap("#pane-back");
    await page_.waitForSelector("#main", { state: "visible" });
    await page_.tap("#world-open");
    await page_.waitForSelector("#world .account");
    promise("the organisation fits", await fits());
    const colour = await page_.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const bright = colour.match(/\d+/g).slice(0, 3).every((part) => Number(part) > 127);
    promise(`colours follow the system (${colorScheme})`, bright === (colorScheme === "light"), colour);
    await page_.context().close();
  }
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-background-networking"] });
  try {
    await byKeyboard(browser);
    await onAPhone(browser);
    promise("the browser has nothing to complain about", complaints.length === 0, complaints.join("; "));
  } finally {
    await browser.close();
  }
})().catch((fault) => {
  console.error(fault.message);
  if (complaints.length) console.error(`the browser said: ${complaints.join("; ")}`);
  process.exit(1);
});
