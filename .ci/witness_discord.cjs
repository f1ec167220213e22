// discord.js as a witness of the simulated guild: every step is one promise, the first broken one ends it.
"use strict";

const { Client, GatewayIntentBits, ButtonBuilder, ButtonStyle, ActionRowBuilder, EmbedBuilder, Events, MessageFlags } = require("discord.js");

const ready = JSON.parse(process.argv[2]);

async function play(method, path, body) {
  const answer = await fetch(ready.control_url + path, { method, headers: { authorization: `Bearer ${ready.control_token}` }, body: body && JSON.stringify(body) });
  return answer.json();
}

function promise(what, held, detail) {
  console.log(`${held ? "ok    " : "BROKEN "}discord.js: ${what}${held || detail === undefined ? "" : `: ${JSON.stringify(detail)}`}`);
  if (!held) process.exit(1);
}

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.DirectMessages],
  rest: { api: `${ready.api_url}/api` },
});
client.on(Events.Error, (fault) => promise("nothing fails", false, String(fault)));

client.on(Events.InteractionCreate, async (interaction) => {
  if (interaction.isAutocomplete()) { await interaction.respond([{ name: "Disk usage", value: "disk-usage" }]); return; }
  if (interaction.isButton()) { await interaction.update({ content: `approved by ${interaction.user.username}`, components: [] }); return; }
  if (!interaction.isChatInputCommand()) return;
  await interaction.reply({ content: `asked for ${interaction.options.getString("name")}`, flags: MessageFlags.Ephemeral });
  const button = new ButtonBuilder().setCustomId("approve").setLabel("Approve").setStyle(ButtonStyle.Success);
  await interaction.channel.send({ embeds: [new EmbedBuilder().setTitle("Card").setColor(0x2ecc71)], components: [new ActionRowBuilder().addComponents(button)] });
});

client.once(Events.ClientReady, async () => {
  const guild = client.guilds.cache.get(ready.guild_id);
  promise("the guild comes with its channels", guild.channels.cache.some((c) => c.name === "ops"));
  const commands = await client.application.commands.set([{ name: "runbook", description: "Runs a runbook", options: [{ type: 3, name: "name", description: "Which", required: true, autocomplete: true }] }]);
  promise("commands are registered", commands.size === 1);
  const offered = await play("POST", "/suggestions", { as: "support", channel: "#ops", text: "/runbook di" });
  promise("suggestions come while somebody types", offered.options?.[0]?.value === "disk-usage", offered);
  const posted = new Promise((resolve) => client.on(Events.MessageCreate, (m) => m.author.id === client.user.id && !m.flags.has(MessageFlags.Ephemeral) && resolve(m)));
  const typed = await play("POST", "/commands", { as: "support", channel: "#ops", text: "/runbook disk-usage" });
  promise("a slash command is answered to one person", typed.shown === "asked for disk-usage", typed);
  const card = await posted;
  const clicked = await play("POST", "/clicks", { as: "approver", channel: "#ops", ts: card.id, label: "Approve" });
  promise("a click is acknowledged", clicked.acked, clicked);
  promise("a click edits its message", (await card.fetch(true)).content === "approved by arne");
  const thread = await card.startThread({ name: "run" });
  promise("a thread has the id of its message", thread.id === card.id);
  await thread.send({ content: "output", files: [{ attachment: Buffer.from("line"), name: "out.txt" }] });
  const back = new Promise((resolve) => client.once(Events.ShardResume, resolve));
  await play("POST", "/faults", { name: "reconnect" });
  await back;
  const again = await play("POST", "/commands", { as: "support", channel: "#ops", text: "/runbook disk-usage" });
  promise("a resumed connection goes on hearing", again.acked, again);
  await client.destroy();
});
client.login(ready.bot_token);
