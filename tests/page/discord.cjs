// The page before a simulated Discord guild, with a small bot of discord.js behind it: embeds, buttons, suggestions and
// forms, in a real browser. The first broken promise ends it. Waits for what must appear, never for time.
//
//   node discord.cjs READY CHROMIUM      (READY: the line that `muster playground discord` prints; `.ci/witness-page` runs it)
"use strict";

const { chromium } = require("playwright-core");
const { Client, GatewayIntentBits, Events, MessageFlags } = require("discord.js");

const ready = JSON.parse(process.argv[2]);
const executablePath = process.argv[3];
const complaints = [];

function promise(what, held, detail = "") {
  console.log(`${held ? "ok    " : "BROKEN"} ${what}${held || !detail ? "" : `: ${detail}`}`);
  if (!held) throw new Error(what);
}

const button = (label, style, custom_id) => ({ type: 2, label, style, custom_id });
const card = {
  embeds: [{ title: "Restart on 6 nodes", color: 0xe8b54a, description: "Waiting for **1 yes**\n```sh\nsystemctl restart <nginx>\n```\n-# plan \\*1\\*", fields: [{ name: "Where", value: "acme-prod", inline: true }] }],
  components: [{ type: 1, components: [button("Approve", 3, "approve"), button("Deny", 4, "deny")] }],
};

async function bot() {
  const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api: `${ready.api_url}/api` } });
  const answer = (interaction, type, data) => client.rest.post(`/interactions/${interaction.id}/${interaction.token}/callback`, { auth: false, body: { type, data } });
  client.on(Events.InteractionCreate, async (interaction) => {
    if (interaction.isAutocomplete()) await interaction.respond([{ name: "Restart a service", value: "restart-service" }]);
    else if (interaction.isModalSubmit()) await interaction.reply({ content: "denied", flags: MessageFlags.Ephemeral });
    else if (interaction.isButton()) await answer(interaction, 9, { title: "Why?", custom_id: "why", components: [{ type: 18, label: "Reason", component: { type: 4, custom_id: "reason", style: 2, min_length: 3 } }] });
    else { await interaction.reply({ content: "on its way", flags: MessageFlags.Ephemeral }); await interaction.channel.send(card); }
  });
  const started = new Promise((resolve) => client.once(Events.ClientReady, resolve));
  await client.login(ready.bot_token);
  await started;
  const option = { type: 3, name: "runbook", description: "Which", required: true, autocomplete: true };
  await client.application.commands.set([{ name: "runbook", description: "Runs", options: [{ type: 1, name: "run", description: "Runs one", options: [option, { type: 3, name: "on", description: "Where" }] }] }]);
  return client;
}

async function inTheBrowser(browser) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  page.on("pageerror", (fault) => complaints.push(fault.message));
  page.on("console", (said) => { if (said.type() === "error") complaints.push(said.text()); });
  await page.goto(ready.page);
  await page.waitForSelector("#channels button");
  promise("there is no page of the app's own", !(await page.isVisible("#app-tabs")));
  await page.focus("#composer");
  await page.keyboard.type("/runbook run rest");
  await page.waitForFunction(() => document.querySelector("#suggestions li")?.textContent.includes("Restart a service"));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  promise("what the bot suggests is taken", (await page.inputValue("#composer")) === "/runbook run restart-service");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".msg.only");
  promise("an answer to one person is marked", (await page.textContent(".msg.only")).includes("Only you can see this"));
  await page.waitForSelector(".embed");
  promise("an embed has its colour", (await page.evaluate(() => getComputedStyle(document.querySelector(".embed")).borderLeftColor)) === "rgb(232, 181, 74)");
  promise("code and escapes are letters", (await page.textContent(".embed pre")) === "systemctl restart <nginx>" && (await page.textContent(".embed .fine")) === "plan *1*");
  await page.click('[data-action="deny"]');
  await page.waitForSelector("#modal[open] textarea");
  await page.keyboard.type("no");
  await page.click("#modal [type=submit]");
  await page.waitForSelector("#modal .error");
  promise("the client itself refuses what is too short", (await page.textContent("#modal .error")).includes("at least 3"));
  await page.fill("#modal textarea", "not tonight");
  await page.click("#modal [type=submit]");
  await page.waitForSelector("#modal:not([open])", { state: "attached" });
  await page.waitForFunction(() => [...document.querySelectorAll(".msg.only")].some((m) => m.textContent.includes("denied")));
  promise("a form is taken", true);
}

(async () => {
  const client = await bot();
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    await inTheBrowser(browser);
    promise("the browser complains of nothing", complaints.length === 0, complaints.join("; "));
  } finally {
    await browser.close();
    await client.destroy();
  }
})().catch((fault) => { console.error(String(fault.message ?? fault)); process.exitCode = 1; });
