"""discord.py as a witness of the simulated guild: every step is one promise, the first broken one ends it."""

import asyncio
import io
import json
import sys
import urllib.request

import discord
from discord import app_commands
from yarl import URL

ready = json.loads(sys.argv[1])
discord.http.Route.BASE = ready["api_url"] + "/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = URL(ready["api_url"].replace("http", "ws") + "/gateway")


def ask(method, path, body=None):
    request = urllib.request.Request(ready["control_url"] + path, method=method)
    request.add_header("Authorization", "Bearer " + ready["control_token"])
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data) as answer:
        return json.loads(answer.read().decode())


async def play(method, path, body=None):
    return await asyncio.to_thread(ask, method, path, body)


def promise(what, held, detail=""):
    print(("ok    " if held else "BROKEN ") + "discord.py: " + what + (f": {detail}" if detail and not held else ""), flush=True)
    if not held:
        sys.exit(1)


class Reason(discord.ui.Modal, title="Why?"):
    why = discord.ui.TextInput(label="Reason", custom_id="why", min_length=3)

    async def on_submit(self, interaction):
        await interaction.response.send_message(f"because {self.why.value}", ephemeral=True)


class Decide(discord.ui.View):
    @discord.ui.button(label="Approve", style=discord.ButtonStyle.success)
    async def approve(self, interaction, button):
        await interaction.response.edit_message(content=f"approved by {interaction.user.name}", view=None)

    @discord.ui.button(label="Deny", style=discord.ButtonStyle.danger)
    async def deny(self, interaction, button):
        await interaction.response.send_modal(Reason())


intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, members=True)
client = discord.Client(intents=intents)
tree = app_commands.CommandTree(client)
heard = asyncio.Queue()


@tree.command(name="runbook", description="Runs a runbook")
async def runbook(interaction, name: str):
    await interaction.response.defer(ephemeral=True)
    await interaction.followup.send(f"asked for {name}")
    await interaction.channel.send(embed=discord.Embed(title=name, colour=0x2ECC71), view=Decide())


@runbook.autocomplete("name")
async def names(interaction, current):
    return [app_commands.Choice(name=current + "-usage", value=current + "-usage")]


@client.event
async def on_message(message):
    if message.author != client.user:
        await heard.put(message)


@client.event
async def on_ready():
    try:
        await steps()
    except Exception as fault:  # noqa: BLE001
        promise("no step fails", False, repr(fault))
    await client.close()


async def steps():
    guild = client.get_guild(int(ready["guild_id"]))
    promise("the guild comes with its roles", {"support", "sre"} <= {role.name for role in guild.roles})
    promise("the members come in pages", len([m async for m in guild.fetch_members()]) == 5)
    commands = await tree.sync()
    promise("commands are registered", [c.name for c in commands] == ["runbook"])
    offered = await play("POST", "/suggestions", {"as": "support", "channel": "#ops", "text": "/runbook disk"})
    promise("suggestions come while somebody types", offered["options"][0]["value"] == "disk-usage", offered)
    typed = await play("POST", "/commands", {"as": "support", "channel": "#ops", "text": "/runbook disk-usage"})
    promise("a slash command is acknowledged", typed["acked"], typed)
    channel = discord.utils.get(guild.text_channels, name="ops")
    card = None
    while card is None:
        card = next((m for m in [m async for m in channel.history(limit=10)] if m.components), None)
    promise("a card has its buttons", [b.label for b in card.components[0].children] == ["Approve", "Deny"])
    click = {"as": "approver", "channel": "#ops", "ts": str(card.id)}
    denied = await play("POST", "/clicks", {**click, "label": "Deny"})
    promise("a click opens a form", denied["acked"], denied)
    filled = await play("POST", "/forms", {"as": "approver", "values": {"Reason": "not tonight"}})
    promise("a form is submitted", filled["ok"], filled)
    seen = await play("GET", "/ephemerals?as=approver")
    promise("only one person sees the answer", "because not tonight" in seen["text"], seen)
    await play("POST", "/clicks", {**click, "label": "Approve"})
    promise("a click edits its message", (await channel.fetch_message(card.id)).content == "approved by arne")
    thread = await card.create_thread(name="run")
    promise("a thread has the id of its message", thread.id == card.id)
    said = await thread.send("output", file=discord.File(io.BytesIO(b"line"), "out.txt"))
    promise("a file is read again", await said.attachments[0].to_file() is not None)
    await play("POST", "/commands", {"as": "support", "channel": "#ops", "thread": str(card.id), "text": "@muster status"})
    message = await asyncio.wait_for(heard.get(), 20)
    promise("a mention in a thread is heard with its words", message.content.endswith(" status") and message.channel.id == thread.id)
    await play("POST", "/faults", {"name": "reconnect"})
    await asyncio.wait_for(resumed.wait(), 30)
    await play("POST", "/commands", {"as": "support", "channel": "#ops", "text": "@muster after"})
    message = await asyncio.wait_for(heard.get(), 20)
    promise("a resumed connection goes on hearing", message.content.endswith(" after"))


resumed = asyncio.Event()


@client.event
async def on_resumed():
    resumed.set()


client.run(ready["bot_token"], log_handler=None)
