"""SimCord plays Discord to the bot: every step is one promise, the first broken one ends it.

SimCord (`simcord`, MIT) simulates Discord inside the process of a discord.py bot. Its backend and its routes know
nothing of discord.py, so `Bridge` puts them behind HTTP and a WebSocket, where any bot can reach them. People act by
SimCord's own actors, which do only what a person could: no button that is not there, no command that is not registered,
no option that was not declared. SimCord judges bodies, limits, components, modals, permissions, tokens and their times,
and double acknowledgements. Fields and routes that it does not know are errors, too.

SimCord has no gateway and looks at no bot token, so those are the bridge's, by our own reading. And it does not look at
rate limits, nonces, the lengths of a command's names and descriptions, the name of a thread and whether a message has
one already, the rights to embed and to attach, and the intent that a list of members needs.
"""

import asyncio
import functools
import io
import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import time
import tomllib
import traceback
import types
from datetime import UTC, datetime, timedelta

import aiohttp
import discord
import simcord
from aiohttp import web
from simcord import gateway, intents
from simcord.backend.errors import BackendError
from simcord.components import walk_components
from simcord.http import router, routes  # noqa: F401 - importing `routes` is what registers them

MUSTER, ROOT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
TOKEN = "simcord-token"
PATIENCE = 60


def promise(what, held, detail=""):
    print(("ok    " if held else "BROKEN ") + "SimCord: " + what + (f": {detail}" if detail and not held else ""), flush=True)
    if not held:
        sys.exit(1)


class WallClock:
    """SimCord's clock stands still until it is told to go on; the bot is another process, so here it is the real one."""

    def now(self):
        return datetime.now(UTC)


class World(simcord.Env):
    """SimCord's world with its own bot never started: the bot under test is behind the bridge."""

    def __init__(self):
        super().__init__(discord.Client(intents=discord.Intents.none()))
        self.backend.clock = WallClock()
        self.asked = None

    def _notify_dispatch_observers(self, interaction):
        self.asked = interaction

    async def _settle_internal(self, **_):
        """SimCord waits here for its own bot's tasks. Ours is waited for until it answers or its time is over."""
        asked, self.asked = self.asked, None
        while asked and not asked.responded and self.backend.now_iso() < asked.initial_response_deadline:
            await asyncio.sleep(0.01)


class Parsers(dict):
    """Where SimCord looks for discord.py's parser of an event it is given what sends the event instead."""

    def __init__(self, send):
        self.send = send

    def __missing__(self, event):
        return functools.partial(self.send, event)


class Bridge:
    def __init__(self, world):
        self.backend = world.backend
        self.calls = []  # what the bot asked for, and what it was answered
        self.acks = {}  # interaction -> seconds, by SimCord's clock
        self.sessions = 0
        self.live = 0

    async def start(self):
        app = web.Application(client_max_size=32 << 20)
        app.router.add_get("/gateway", self.gateway)
        app.router.add_route("*", "/api/v10/{path:.*}", self.rest)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = "http://127.0.0.1:%d" % self.runner.addresses[0][1]

    async def rest(self, request):
        path = "/" + request.match_info["path"]
        body, files = await self.read(request)
        try:
            answer, status = self.answer(request, path, body, files), 200
        except BackendError as refusal:
            answer, status = refusal.to_json(), refusal.status
        except Exception as fault:  # noqa: BLE001 - SimCord met something it cannot take at all
            answer, status = {"code": 0, "message": repr(fault)}, 500
        if "X-Witness" not in request.headers:
            self.calls.append(types.SimpleNamespace(method=request.method, path=path, body=body, status=status, answer=answer))
        acked = re.fullmatch(r"/interactions/(\d+)/[^/]+/callback", path)
        if acked and status == 200:
            # SimCord answers as with `with_response`; without it Discord sends nothing.
            answer = answer if request.query.get("with_response") == "true" else None
            record = self.backend.interactions[int(acked[1])]
            asked = datetime.fromisoformat(record.initial_response_deadline) - timedelta(seconds=3)
            self.acks[record.id] = (self.backend.clock.now() - asked).total_seconds()
        return web.Response(status=204) if answer is None else web.json_response(answer, status=status)

    def answer(self, request, path, body, files):
        # These two carry a token of their own.
        if not path.startswith(("/interactions/", "/webhooks/")) and request.headers.get("Authorization") != f"Bot {TOKEN}":
            raise BackendError(401, 0, "401: Unauthorized")
        if path == "/gateway/bot":
            # SimCord has no route to a gateway, because it never opens one.
            start = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
            return {"url": self.url.replace("http", "ws") + "/gateway", "shards": 1, "session_start_limit": start}
        if request.method == "PUT" and path.endswith("/commands"):
            # serenity says null where it says nothing. Discord takes that and leaves it out again; SimCord would keep it,
            # and trip over it when somebody types the command.
            body = json.loads(json.dumps(body), object_hook=lambda part: {k: v for k, v in part.items() if v is not None})
        # No privileged intent was granted, so the content of other people's messages is hidden here as well.
        return router.dispatch(
            self.backend, request.method, path, json=body, params=dict(request.query), files=files, message_content_access=False
        )

    async def read(self, request):
        if not request.content_type.startswith("multipart/"):
            text = await request.text()
            return (json.loads(text) if text else None), []
        body, files = None, []
        async for part in await request.multipart():
            if part.name == "payload_json":
                body = json.loads(await part.text())
            else:
                files.append(discord.File(io.BytesIO(await part.read()), part.filename))
        return body, files

    async def gateway(self, request):
        socket, sequence, feed, waiting = web.WebSocketResponse(), 0, None, asyncio.Queue()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41250}, "s": None, "t": None})

        def send(event, payload):
            nonlocal sequence
            sequence += 1
            if event == "READY":
                payload["resume_gateway_url"] = self.url.replace("http", "ws") + "/gateway"
            waiting.put_nowait(json.dumps({"op": 0, "t": event, "s": sequence, "d": payload}))

        async def write():
            while True:
                await socket.send_str(await waiting.get())

        writing = asyncio.ensure_future(write())
        try:
            async for message in socket:
                said = json.loads(message.data)
                if said["op"] == 1:
                    waiting.put_nowait(json.dumps({"op": 11, "d": None, "s": None, "t": None}))
                elif said["op"] == 2 and feed is None:
                    wanted = discord.Intents._from_value(said["d"]["intents"])
                    if said["d"]["token"] != TOKEN:
                        await socket.close(code=4004)
                    elif intents.missing_privileged_intents(wanted, discord.Intents.default()):
                        await socket.close(code=4014)
                    else:
                        # SimCord decides by these intents which events are sent, and what is left in them.
                        state = types.SimpleNamespace(intents=wanted, parsers=Parsers(send), guilds=[])
                        feed = gateway.ShardRouter(self.backend, state, lambda *_: None, 1, (0,))
                        feed.identify(0, replay_guilds=True)
                        self.backend.subscribers.append(feed.feed)
                        self.sessions, self.live = self.sessions + 1, self.live + 1
                elif said["op"] == 6:
                    # Nothing here breaks a connection, so nothing is kept for a resume: begin anew.
                    waiting.put_nowait(json.dumps({"op": 9, "d": False, "s": None, "t": None}))
                else:
                    await socket.close(code=4001)
        finally:
            writing.cancel()
            if feed:
                self.backend.subscribers.remove(feed.feed)
                self.live -= 1
        return socket

    def asked(self, method, pattern):
        return [call for call in self.calls if call.method == method and re.fullmatch(pattern, call.path)]


def text(message):
    """A message as people read it, with its buttons in brackets."""
    parts = [message.content]
    for embed in message.embeds:
        parts += [embed.get("title", ""), embed.get("description", "")]
    parts += [f"[{label}]" for label in buttons(message)]
    return "\n".join(parts)


def buttons(message):
    return [part["label"] for part in walk_components(message.components) if part.get("type") == 2]


class Play:
    def __init__(self, folder):
        self.folder = folder
        self.world = World()
        self.backend = self.world.backend
        self.bridge = Bridge(self.world)
        self.children = []
        self.bot = None

    # --- the three programs ---

    async def start_aws(self):
        config = self.folder / "aws.toml"
        arguments = ["playground", "aws", "--latency", "5ms", "--nodes", "4", "--write-config", config]
        aws = await self.spawn("aws", arguments, dict(os.environ), asyncio.subprocess.PIPE)
        line = await asyncio.wait_for(aws.stdout.readline(), PATIENCE)
        promise("the simulated AWS starts", line, self.log("aws"))
        self.aws = json.loads(line)

    async def build_world(self):
        arguments = ["discord", "invite", "--application", str(self.backend.application_id)]
        invite = await self.spawn("invite", arguments, dict(os.environ), asyncio.subprocess.PIPE)
        link = (await asyncio.wait_for(invite.communicate(), PATIENCE))[0].decode()
        asked = re.search(r"[?&]permissions=(\d+)", link)
        promise("the link that lets the bot in names the rights that it asks for", asked, link + self.log("invite"))
        self.guild = self.world.create_guild("Muster")
        # The bot has these rights and no others; SimCord gives nearly all. Everybody's could help it out.
        own = next(role for role in self.guild._guild.roles.values() if role.managed)
        own.permissions = int(asked[1])
        everybody = self.guild.default_role._role
        everybody.permissions = discord.Permissions(view_channel=True, use_application_commands=True).value
        self.support, self.sre = self.guild.create_role("support"), self.guild.create_role("sre")
        self.ops = self.guild.create_text_channel("ops")
        self.susan, self.sam = self.join("susan", self.support), self.join("sam", self.support)
        self.arne, self.otto = self.join("arne", self.sre), self.join("otto")

    def join(self, name, *roles):
        return self.guild.add_member(self.world.create_user(name), roles=roles)

    def write_config(self):
        policies = self.folder / "policies"
        policies.mkdir()
        policy = (ROOT / "policies" / "default.toml").read_text()
        for number, role in (("1100000000000000021", self.support), ("1100000000000000022", self.sre)):
            theirs = f"discord:1100000000000000001:{number}"
            promise("the shipped policy names a role that can be put in place", theirs in policy, theirs)
            policy = policy.replace(theirs, f"discord:{self.guild.id}:{role.id}")
        (policies / "default.toml").write_text(policy)
        (self.folder / "token").write_text(TOKEN)
        chat = {"command": "/runbook", "api_url": self.bridge.url, "application_id": str(self.backend.application_id)}
        paths = {"runbooks": str(ROOT / "runbooks"), "policies": str(policies), "store": str(self.folder / "store")}
        # As in the playground: nobody should wait for the limits of the real API.
        aws = (self.folder / "aws.toml").read_text().replace("[aws]\n", "[aws]\nreads_per_second = 4.0\n", 1)
        lines = ["version = 1", "[discord]", 'bot_token = { file = "token" }']
        lines += [f"{key} = {json.dumps(value)}" for key, value in chat.items()]
        lines += ["[paths]", *(f"{key} = {json.dumps(value)}" for key, value in paths.items()), aws]
        (self.folder / "muster.toml").write_text("\n".join(lines))

    async def start_bot(self):
        before = self.bridge.sessions
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {
            "AWS_ACCESS_KEY_ID": self.aws["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.aws["secret_access_key"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        self.bot = await self.spawn("bot", ["serve", "--config", self.folder / "muster.toml"], environment)
        await self.until("the bot identifies", lambda: self.bridge.sessions == before + 1)

    async def stop_bot(self):
        bot, self.bot = self.bot, None
        bot.send_signal(signal.SIGTERM)
        promise("the bot stops when it is asked to", await asyncio.wait_for(bot.wait(), PATIENCE) == 0, self.log("bot"))
        await self.until("its session ends with it", lambda: self.bridge.live == 0)

    async def spawn(self, name, arguments, environment, stdout=asyncio.subprocess.DEVNULL):
        with open(self.folder / f"{name}.log", "ab") as log:
            child = await asyncio.create_subprocess_exec(MUSTER, *arguments, env=environment, stdout=stdout, stderr=log)
        self.children.append(child)
        return child

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()[-3000:]

    async def end(self):
        for child in self.children:
            if child.returncode is None:
                child.kill()
                await child.wait()
        await self.bridge.runner.cleanup()

    # --- looking ---

    async def until(self, what, check, seconds=PATIENCE):
        """Waits until `check` gives something, and gives that."""
        ends = time.monotonic() + seconds
        while True:
            found = check()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                promise(what, True)
                return found
            if self.bot and self.bot.returncode is not None:
                promise(what, False, "the bot ended\n" + self.log("bot"))
            if time.monotonic() > ends:
                promise(what, False, f"not within {seconds} s\n{self.refused()}\n{self.seen()}\n{self.log('bot')}")
            await asyncio.sleep(0.05)

    def refused(self):
        """What the bot was answered with an error, and how."""
        calls = [call for call in self.bridge.calls if call.status >= 400]
        return "\n".join(f"{c.method} {c.path}\n  {json.dumps(c.body)}\n  {c.status} {json.dumps(c.answer)}" for c in calls)

    def seen(self):
        return "\n".join(text(message) for said in self.backend.messages.values() for message in list(said.values())[-3:])

    def in_channel(self):
        """What stands in the channel for everybody, without what Discord itself writes there."""
        said = self.backend.messages[self.ops.id].values()
        return [m for m in said if not m.is_ephemeral and m.system_metadata is None]

    def in_thread(self, card):
        return list(self.backend.messages.get(card.id, {}).values())

    async def ask_aws(self, what):
        headers = {"Authorization": "Bearer " + self.aws["control_token"]}
        async with self.http.get(f"{self.aws['address']}/play/v1/{what}", headers=headers) as answer:
            return (await answer.json())[what]

    async def sent(self):
        """What AWS was told to run so far, and what ran."""
        return len(await self.ask_aws("sends")), len(await self.ask_aws("executions"))

    async def ran_once(self, what, before, fits):
        """Every online node that fits ran every script of the run once, was sent it once, and no other ran anything."""

        async def settled():
            executions = (await self.ask_aws("executions"))[before[1]:]
            return executions if executions and all(e["ended_at"] for e in executions) else None

        executions = await self.until(what + ": it ran to its end on AWS", settled)
        labels = {account["id"]: account["labels"] for account in await self.ask_aws("accounts")}
        nodes = [n for n in await self.ask_aws("nodes") if n["managed"] and n["online"] and n["state"] == "running"]
        wanted = sorted((n["account"], n["region"], n["node"]) for n in nodes if fits(n, labels[n["account"]] or {}))
        for script in {e["script_sha256"] for e in executions}:
            ran = sorted((e["account"], e["region"], e["node"]) for e in executions if e["script_sha256"] == script)
            promise(what + ": once on each node that was meant, and nowhere else", ran == wanted and ran, (ran, wanted))
        sends = [
            (s["parameters_sha256"], s["account"], s["region"], node)
            for s in (await self.ask_aws("sends"))[before[0]:]
            for node in s["nodes"]
        ]
        promise(what + ": no node was sent the same twice", len(set(sends)) == len(sends), sends)
        return len(wanted)

    # --- acting ---

    async def type(self, person, verb, **options):
        result = await person.slash(self.ops, f"runbook {verb}", **options)
        promise(f"`{verb}` of {person.name} is acknowledged within 3 s of SimCord's clock", result.acknowledged, self.log("bot"))
        promise("and answered to that person alone", result.ephemeral, result)
        return result

    async def click(self, person, message, label):
        shown = message if isinstance(message, simcord.ResponseMessage) else simcord.ResponseMessage(self.world, message)
        result = await person.click(shown, label=label)
        promise(f"`{label}` of {person.name} is acknowledged within 3 s", result.acknowledged, self.log("bot"))
        return result

    async def fill(self, person, shown, values):
        """Submits a form with these values and, as Discord does, with what stood in it already."""
        stood = {part["custom_id"]: part["value"] for part in walk_components(shown.modal["components"]) if part.get("value")}
        result = await person.submit_modal(shown, stood | values)
        promise(f"the form of {person.name} is acknowledged within 3 s", result.acknowledged, self.log("bot"))
        return result

    async def told(self, what, result, words):
        """The answer of a command, or what is said after a click, holds these words and is for that person alone."""

        def found():
            answers = [m for m in [result.response, *result.followups] if m and m.ephemeral]
            return [m for m in answers if words in text(m._message)]

        await self.until(what, found)

    async def card(self, what, before):
        """The card of a run: an ordinary message of the bot's in the channel."""
        found = await self.until(what, lambda: self.in_channel()[before:])
        card = found[0]
        ordinary = card.author_id == self.backend.bot_user.id and card.interaction_metadata is None and card.webhook_id is None
        promise("the card is an ordinary message of the bot's, which no interaction's token is needed to edit", ordinary, card)
        posts = [c.answer["id"] for c in self.bridge.asked("POST", f"/channels/{self.ops.id}/messages") if c.status == 200]
        promise("and was posted by the bot's own right", str(card.id) in posts, posts)
        return card

    async def asking(self, what, card):
        """The request for approval, which stands in the thread of its run."""
        found = await self.until(what, lambda: [m for m in self.in_thread(card) if {"Approve", "Deny"} <= set(buttons(m))])
        return found[0]

    async def done(self, card):
        """The thread stands on the card, and its last message tells the requester."""
        await self.until("the run comes to its end in the thread", lambda: [m for m in self.in_thread(card) if "done in" in text(m)])
        thread = self.backend.channels[card.id]
        promise("the thread was started from the card", thread.parent_id == self.ops.id and thread.is_thread, thread)
        made = self.bridge.asked("POST", f"/channels/{self.ops.id}/messages/{card.id}/threads")
        promise("it was started once", len(made) == 1, len(made))
        closing = next(m for m in self.in_thread(card) if "done in" in text(m))
        rung = closing.ping_user_ids, closing.ping_role_ids, closing.mention_everyone
        promise("its end rings for who asked, and for nobody else", rung == ([self.susan.id], [], False), rung)
        return "\n".join(text(m) for m in self.in_thread(card))


async def registers(play):
    await play.start_bot()
    put = "/applications/[0-9]+/commands"
    await play.until("the bot registers its commands", lambda: play.bridge.asked("PUT", put))
    known = play.susan.available_commands(play.ops)
    promise("they are offered to a member", {"runbook list", "runbook run", "runbook form"} <= set(known), known)
    await play.stop_bot()
    await play.start_bot()
    promise("a second start finds them and registers nothing anew", len(play.bridge.asked("PUT", put)) == 1)


async def reads(play):
    result = await play.type(play.susan, "list")
    await play.told("`list` names what she may run", result, "disk-usage")
    promise("and says it in place of the first answer", not result.followups and "disk-usage" in text(result.response._message))
    await answered_twice(play, result)

    before, sent = len(play.in_channel()), await play.sent()
    await play.type(play.susan, "run", runbook="disk-usage", on="env=staging")
    card = await play.card("a run that only reads gets a card at once", before)
    said = await play.done(card)
    nodes = await play.ran_once("disk-usage on staging", sent, lambda node, labels: labels.get("env") == "staging")
    promise("the thread says how it went", f"all {nodes} nodes succeeded" in said and "fullest:" in said, said)
    files = await play.until("and carries the outputs as a file", lambda: [f for m in play.in_thread(card) for f in m.attachments])
    read = play.backend.cdn.get(files[0]["url"])
    promise("which can be read", len(files) == 1 and b"fullest:" in read, (files, read))


async def answered_twice(play, result):
    """Whether the rule is kept at all: without this step, that the bot never breaks it would say nothing."""
    record = result._interaction
    url = f"{play.bridge.url}/api/v10/interactions/{record.id}/{record.token}/callback"
    async with play.http.post(url, json={"type": 6}, headers={"X-Witness": "1"}) as answer:
        said = await answer.json()
    promise("a second acknowledgement is refused with 40060", (answer.status, said["code"]) == (400, 40060), said)


async def completes(play):
    books = {path.stem: tomllib.loads(path.read_text()) for path in (ROOT / "runbooks").glob("*.toml")}
    # Read from the policy by hand: what only reads, and what it grants to support by name.
    named = {"restart-service", "restart-service-windows", "time-sync", "patch-baseline"}
    may = named | {name for name, book in books.items() if book["risk"] == "read" and book["owner"] == "platform"}
    for typed in ("", "re"):
        offered = await play.susan.autocomplete(play.ops, "runbook run", "runbook", typed)
        values = {choice["value"] for choice in offered}
        promise(f"typing `{typed}` offers only what she may run", values and values <= may, values - may)
    promise("what she may run is among it", {"restart-service", "reboot-required"} <= values, values)
    promise("and what only others may is not", "reboot-node" in books and "reboot-node" not in values, values)
    offered = await play.arne.autocomplete(play.ops, "runbook run", "runbook", "re")
    promise("who may is offered it", "reboot-node" in {choice["value"] for choice in offered}, offered)
    offered = await play.otto.autocomplete(play.ops, "runbook run", "runbook", "")
    promise("who may run nothing is offered nothing", offered == [], offered)


async def changes(play):
    before, sent = len(play.in_channel()), await play.sent()
    options = {"runbook": "restart-service", "with": "service=nginx", "on": "accounts=acme-prod tag:service=web"}
    await play.type(play.susan, "run", **options, because="ticket 4711")
    card = await play.card("a change in production gets a card", before)
    asking = await play.asking("it asks for approval in its thread", card)
    promise("and rings for the role that may approve, though not everybody may mention it", asking.ping_role_ids == [play.sre.id], asking)
    for person, words in ((play.susan, "someone else has to approve it"), (play.sam, "does not count"), (play.otto, "does not count")):
        result = await play.click(person, asking, "Approve")
        await play.told(f"{person.name} is told privately that it takes somebody else", result, words)
    promise("nothing was sent to AWS", await play.sent() == sent)
    promise("it still asks", "Approve" in buttons(asking), text(asking))
    await play.click(play.arne, asking, "Approve")
    said = await play.done(card)
    await play.ran_once(
        "restart-service in production",
        sent,
        lambda node, _: node["account_name"] == "acme-prod" and node["tags"].get("service") == "web",
    )
    promise("the run tells who approved it", f"<@{play.arne.id}>" in said and "Approved by" in said, said)
    promise("nothing is left to be approved", "Approve" not in buttons(asking), text(asking))


async def denies(play):
    before, sent = len(play.in_channel()), await play.sent()
    options = {"runbook": "restart-service", "with": "service=nginx", "on": "accounts=globex-prod tag:service=web"}
    await play.type(play.susan, "run", **options, because="ticket 4712")
    card = await play.card("another change gets a card", before)
    asking = await play.asking("it can be denied", card)
    shown = await play.click(play.arne, asking, "Deny")
    promise("Deny opens a form that SimCord takes", shown.modal, shown)
    reason = next(part["custom_id"] for part in walk_components(shown.modal["components"]) if part.get("type") == 4)
    await play.fill(play.arne, shown, {reason: "Not during the release"})
    await play.until("the run says why it was denied", lambda: "Not during the release" in text(card))
    await play.until("nothing is left to be pressed for it", lambda: not {"Approve", "Deny"} & set(buttons(asking)))
    promise("nothing was sent to AWS", await play.sent() == sent)


async def fills(play):
    """A run by forms alone. They are the strictest of Discord's answers: only ever the first one, within narrow limits."""
    before, sent = len(play.in_channel()), await play.sent()
    shown = await play.susan.slash(play.ops, "runbook form")
    promise("`form` opens a form that SimCord takes", shown.modal, shown)
    page = await play.fill(play.susan, shown, {"the_runbook": ["disk-usage"]})
    values = {"on_labels": ["env=staging"], "on_regions": ["eu-west-1"], "top": "3"}
    while buttons(page.response._message):
        shown = await play.click(play.susan, page.response, buttons(page.response._message)[0])
        promise("a page of the runbook's own form opens", shown.modal, text(page.response._message))
        here = {part.get("custom_id") for part in walk_components(shown.modal["components"])}
        promise("it does not ask for a channel, because it was opened in one", "in_channel" not in here, here)
        page = await play.fill(play.susan, shown, {name: values.pop(name) for name in here & set(values)})
    promise("every field that was to be filled in was on a page", not values, values)
    card = await play.card("what was filled in becomes a run", before)
    await play.done(card)
    await play.ran_once(
        "disk-usage by form",
        sent,
        lambda node, labels: labels.get("env") == "staging" and node["region"] == "eu-west-1",
    )


async def refuses(play):
    before, sent = len(play.in_channel()), await play.sent()
    result = await play.type(play.otto, "run", runbook="disk-usage", on="env=staging")
    await play.told("a person in no group is refused with a sentence", result, "may not run")
    promise("nothing was said in the channel", len(play.in_channel()) == before)
    promise("nothing was sent to AWS", await play.sent() == sent)
    identities = {session["source_identity"] for session in await play.ask_aws("sessions")}
    susan, otto = (f"discord.{play.guild.id}.{person.id}" for person in (play.susan, play.otto))
    promise("AWS was entered in the name of who ran something", susan in identities, identities)
    promise("and never in the name of who may run nothing", otto not in identities, identities)


def judged(play):
    """Everything the bot sent, over all steps."""
    bridge, interactions = play.bridge, play.backend.interactions.values()
    # None is excepted: nothing that the bot asks for in these steps may be refused, a second acknowledgement least of all.
    promise(f"all {len(bridge.calls)} requests of the bot were taken", not play.refused(), "\n" + play.refused())
    promise("every interaction was acknowledged", all(i.responded for i in interactions), interactions)
    acks = [call.path for call in bridge.asked("POST", "/interactions/.*/callback")]
    promise("each exactly once", len(acks) == len(set(acks)) == len(interactions), acks)
    slowest = max(bridge.acks.values())
    promise("the slowest within 3 s", slowest < 3, slowest)
    everyone = [m for said in play.backend.messages.values() for m in said.values() if m.mention_everyone]
    promise("nothing rang for everybody", not everyone, everyone)
    print(f"      {len(interactions)} interactions, the slowest acknowledged after {slowest * 1000:.0f} ms", flush=True)


async def main():
    # Whoever ends this ends the bot with it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    with tempfile.TemporaryDirectory(prefix="muster-simcord-") as folder:
        play = Play(pathlib.Path(folder))
        await play.bridge.start()
        try:
            async with aiohttp.ClientSession() as play.http:
                await play.build_world()
                await play.start_aws()
                play.write_config()
                for step in (registers, reads, completes, changes, denies, fills, refuses):
                    try:
                        await step(play)
                    except Exception:  # noqa: BLE001 - such as what SimCord says no person could do
                        promise(f"the step `{step.__name__}` can be played", False, f"{traceback.format_exc()}\n{play.refused()}\n{play.seen()}")
                judged(play)
                await play.stop_bot()
        finally:
            await play.end()


asyncio.run(main())
