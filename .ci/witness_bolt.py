"""Slack's own SDKs as a witness of the simulated workspace: every step is one promise, the first broken one ends it."""

import json
import sys
import threading
import time
import urllib.request

from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import Block
from slack_sdk.webhook import WebhookClient

ready = json.loads(sys.argv[1])
client = WebClient(token=ready["bot_token"], base_url=ready["api_url"] + "/")
app = App(client=client, token=ready["bot_token"])
seen: dict[str, list] = {}
arrived = threading.Condition()


def note(kind, body):
    with arrived:
        seen.setdefault(kind, []).append(body)
        arrived.notify_all()


def wait_for(kind, count=1, seconds=30):
    with arrived:
        if not arrived.wait_for(lambda: len(seen.get(kind, [])) >= count, seconds):
            raise AssertionError(f"no {kind} came within {seconds} s; came: {[(k, len(v)) for k, v in seen.items()]}")
        return seen[kind][count - 1]


def play(method, path, body=None):
    request = urllib.request.Request(ready["control_url"] + path, method=method)
    request.add_header("Authorization", "Bearer " + ready["control_token"])
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data) as answer:
        text = answer.read().decode()
        return json.loads(text) if answer.headers["content-type"].startswith("application/json") else text


def promise(what, held, detail=""):
    print(("ok    " if held else "BROKEN ") + what + (f": {detail}" if detail and not held else ""), flush=True)
    if not held:
        sys.exit(1)


def button(label, action_id, style=None):
    return {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": label}, "value": "r-1:1"} | (
        {"style": style} if style else {}
    )


CARD = [
    {"type": "header", "text": {"type": "plain_text", "text": "Restart a service"}},
    {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Asked by*\n<@U0SUSAN>"}]},
    {"type": "actions", "block_id": "decide", "elements": [button("Approve", "approve", "primary"), button("Deny", "deny", "danger")]},
]
FORM = {
    "type": "modal",
    "callback_id": "deny",
    "private_metadata": "r-1",
    "title": {"type": "plain_text", "text": "Deny the run"},
    "submit": {"type": "plain_text", "text": "Deny"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "text", "multiline": True},
        }
    ],
}


PICK = {
    "type": "modal",
    "callback_id": "pick",
    "external_id": "pick-1",
    "private_metadata": "thread",
    "notify_on_close": True,
    "title": {"type": "plain_text", "text": "Run a runbook"},
    "submit": {"type": "plain_text", "text": "Plan"},
    "close": {"type": "plain_text", "text": "Cancel"},
    "blocks": [
        {
            "type": "input",
            "block_id": "book",
            "dispatch_action": True,
            "label": {"type": "plain_text", "text": "Runbook"},
            "element": {"type": "external_select", "action_id": "book", "min_query_length": 0},
        }
    ],
}
SERVICE = {
    "type": "input",
    "block_id": "service",
    "label": {"type": "plain_text", "text": "Service"},
    "element": {"type": "plain_text_input", "action_id": "service", "max_length": 20},
}
COUNT = {
    "type": "input",
    "block_id": "count",
    "label": {"type": "plain_text", "text": "Count"},
    "element": {"type": "number_input", "action_id": "count", "is_decimal_allowed": False, "min_value": "1", "max_value": "50"},
}
DETAILS = {"type": "actions", "elements": [button("Details", "details")]}
NOTE = {"type": "modal", "title": {"type": "plain_text", "text": "Details"}, "blocks": [{"type": "divider"}]}


def home(text):
    words = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return {"type": "home", "blocks": [words, {"type": "actions", "elements": [button("New run", "new_run", "primary")]}]}


@app.shortcut("run_here")
def on_shortcut(ack, shortcut, client, respond):
    ack()
    respond("from the shortcut")
    note("shortcut", {"shortcut": shortcut, "view": client.views_open(trigger_id=shortcut["trigger_id"], view=PICK)["view"]})


@app.shortcut("run")
def on_global_shortcut(ack, shortcut):
    ack()
    note("global", shortcut)


@app.options("book")
def on_options(ack, payload, body):
    books = ["disk-usage", "restart-service"]
    ack(options=[{"text": {"type": "plain_text", "text": b}, "value": b} for b in books if payload["value"] in b])
    note("options", body)


@app.action("book")
def on_book(ack, body, client):
    ack()
    view = PICK | {"blocks": [*PICK["blocks"], SERVICE, COUNT, DETAILS]}
    try:
        client.views_update(view_id=body["view"]["id"], hash="1.old", view=view)
    except SlackApiError as fault:
        note("stale", fault.response["error"])
    note("book", {"body": body, "view": client.views_update(external_id="pick-1", hash=body["view"]["hash"], view=view)["view"]})


@app.action("details")
def on_details(ack, body, client):
    ack()
    note("push", client.views_push(trigger_id=body["trigger_id"], view=NOTE)["view"])


@app.view("pick")
def on_pick(ack, body, view):
    if view["private_metadata"] == "thread":
        ack(response_action="update", view=PICK | {"private_metadata": "sure", "title": {"type": "plain_text", "text": "Sure?"}})
    else:
        ack(response_action="clear")
    note("pick", body)


@app.view_closed("pick")
def on_closed(ack, body):
    ack()
    note("closed", body)


@app.event("app_home_opened")
def on_home(event, client):
    client.views_publish(user_id=event["user"], view=home("seen again" if "view" in event else "first time"))
    note("home", event)


@app.action("new_run")
def on_new_run(ack, body, client):
    ack()
    note("new_run", {"body": body, "view": client.views_open(trigger_id=body["trigger_id"], view=PICK)["view"]})


@app.command("/runbook")
def on_command(ack, command, respond):
    ack("queued")
    note("command", command)
    respond("only for you")
    respond(text="for all", response_type="in_channel")


@app.action("approve")
def on_approve(ack, body, client, respond):
    ack()
    client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text="approved", blocks=CARD[:2])
    note("approve", body)


@app.action("deny")
def on_deny(ack, body, client):
    ack()
    answer = client.views_open(trigger_id=body["trigger_id"], view=FORM)
    note("deny", {"body": body, "view": answer["view"]})


@app.view("deny")
def on_view(ack, body, view):
    reason = view["state"]["values"]["reason"]["text"]["value"]
    if len(reason) < 5:
        ack(response_action="errors", errors={"reason": "say a little more"})
    else:
        ack()
    note("view", body)


@app.event("app_mention")
def on_mention(event, say):
    say(text="heard you", thread_ts=event.get("thread_ts") or event["ts"])
    note("mention", event)


def forms_and_home(ts):
    def who(**more):
        return {"as": "@support"} | more

    play("POST", "/shortcuts", who(callback_id="run_here", channel="C0OPS", ts=ts))
    used = wait_for("shortcut")["shortcut"]
    promise("a message shortcut carries its message and channel", used["message"]["ts"] == ts and used["channel"]["id"] == "C0OPS", str(used))
    promise("it opened a form", "[choose ▾]" in play("GET", "/forms?as=@support&format=text"))
    play("POST", "/shortcuts", who(callback_id="run"))
    promise("a global shortcut has no channel", "channel" not in wait_for("global") and wait_for("global")["user"]["id"] == "U0SUSAN")

    offered = play("POST", "/choices", who(field="Runbook", query="disk"))
    promise("an external select is answered with options", [o["value"] for o in offered["options"]] == ["disk-usage"], str(offered))
    promise("the question names its field", wait_for("options")["block_id"] == "book")
    play("POST", "/choices", who(field="Runbook", value="disk-usage"))
    picked = wait_for("book")
    state = picked["body"]["view"]["state"]["values"]["book"]["book"]
    promise("a choice comes with the view and its state", state["selected_option"]["value"] == "disk-usage" and picked["body"]["container"]["type"] == "view", str(state))
    promise("an old hash is refused", wait_for("stale") == "hash_conflict")
    promise("views.update by external_id changes the open form", "Service" in play("GET", "/forms?as=@support&format=text"))
    play("POST", "/clicks", who(label="Details"))
    promise("views.push stacks a view", wait_for("push")["previous_view_id"] == picked["view"]["id"])
    play("POST", "/forms", who(close=True))

    wrong = play("POST", "/forms", who(values={"Service": "nginx", "Count": "70"}))
    promise("Slack itself refuses a number out of bounds", wrong["by"] == "slack" and list(wrong["errors"]) == ["count"], str(wrong))
    play("POST", "/forms", who(values={"Count": "7"}))
    typed = wait_for("pick")["view"]["state"]["values"]
    promise("the submission holds every field", (typed["service"]["service"]["value"], typed["count"]["count"]["value"]) == ("nginx", "7"), str(typed))
    promise("response_action update shows another form", play("GET", "/forms?as=@support&format=text").startswith("# Sure?"))
    play("POST", "/forms", who(values={"Runbook": "disk-usage"}))
    promise("response_action clear closes all", play("GET", "/forms?as=@support")["view"] is None)

    for time_opened, words in ((1, "first time"), (2, "seen again")):
        play("POST", "/home", who())
        opened = wait_for("home", time_opened)
        for _ in range(100):
            shown = play("GET", "/home?as=@support&format=text")
            if words in shown:
                break
            time.sleep(0.05)
        promise(f"app_home_opened is answered by views.publish ({words})", opened["tab"] == "home" and words in shown, shown)
    play("POST", "/clicks", who(label="New run", home=True))
    pressed = wait_for("new_run")["body"]
    promise("a button of the App Home opens a form", pressed["view"]["type"] == "home" and pressed["container"]["type"] == "view")
    play("POST", "/forms", who(close=True))
    promise("a closed form is told", wait_for("closed")["view"]["callback_id"] == "pick")
    try:
        client.views_publish(user_id="U0SUSAN", view=home("x") | {"title": {"type": "plain_text", "text": "x"}})
        promise("a view with a field that does not belong is refused", False)
    except SlackApiError as fault:
        promise("a view with a field that does not belong is refused", fault.response["error"] == "invalid_arguments", str(fault))


def main():
    promise("auth.test names the bot", client.auth_test()["user_id"] == "U0BOT")
    handler = SocketModeHandler(app, ready["app_token"], proxy=None)
    handler.client.web_client.base_url = ready["api_url"] + "/"
    handler.connect()
    for _ in range(600):
        if play("GET", "/workspace")["connections"]:
            break
        time.sleep(0.05)
    promise("Socket Mode connects and says hello", play("GET", "/workspace")["connections"] == 1)

    answer = play("POST", "/commands", {"as": "@support", "channel": "#ops", "text": "/runbook run disk-usage on env=staging for @arne"})
    command = wait_for("command")
    promise("a slash command arrives with escaped names", command["text"].endswith("for <@U0ARNE|arne>"), command["text"])
    promise("its acknowledgement is shown to the person", answer["shown"] == "queued", str(answer))
    for _ in range(100):
        whispers = play("GET", "/ephemerals?as=@support&format=text")
        channel = play("GET", "/channels/C0OPS?as=text")
        if "only for you" in whispers and "for all" in channel:
            break
        time.sleep(0.05)
    promise("response_url answers one person or all", "only for you" in whispers and "for all" in channel, whispers + channel)

    posted = client.chat_postMessage(channel="C0OPS", text="plan", blocks=CARD, metadata={"event_type": "muster", "event_payload": {"run": "r-1"}})
    ts = posted["ts"]
    promise("posted blocks parse as Slack's own models", all(Block.parse(b) is not None for b in posted["message"]["blocks"]))
    found = client.conversations_history(channel="C0OPS", include_all_metadata=True)["messages"]
    promise("metadata finds a message again", any(m.get("metadata", {}).get("event_payload") == {"run": "r-1"} for m in found))
    reply = client.chat_postMessage(channel="C0OPS", thread_ts=ts, text="in the thread")
    replies = client.conversations_replies(channel="C0OPS", ts=ts)["messages"]
    promise("a reply stands in the thread", [m["ts"] for m in replies] == [ts, reply["ts"]])
    promise("a permalink leads there", ts.replace(".", "") in client.chat_getPermalink(channel="C0OPS", message_ts=ts)["permalink"])
    client.chat_postEphemeral(channel="C0OPS", user="U0OMAR", text="psst")
    promise("an ephemeral is seen by its person only", "psst" in play("GET", "/ephemerals?as=@outsider&format=text")
            and "psst" not in play("GET", "/ephemerals?as=@support&format=text"))

    play("POST", "/clicks", {"as": "@approver", "channel": "C0OPS", "ts": ts, "label": "Deny"})
    denied = wait_for("deny")
    promise("a click carries person, message and trigger", denied["body"]["user"]["id"] == "U0ARNE" and denied["body"]["message"]["ts"] == ts)
    short = play("POST", "/forms", {"as": "@approver", "values": {"Reason": "no"}})
    promise("a form error stands at its field", short["errors"] == {"reason": "say a little more"}, str(short))
    full = play("POST", "/forms", {"as": "@approver", "values": {"reason": "not tonight"}})
    promise("a good form closes", full["ok"] and full["open"] is None, str(full))
    promise("the submission carries metadata and state", wait_for("view", 2)["view"]["private_metadata"] == "r-1")
    try:
        client.views_open(trigger_id=denied["body"]["trigger_id"], view=FORM)
        promise("a trigger works once", False)
    except SlackApiError as fault:
        promise("a trigger works once", fault.response["error"] == "exchanged_trigger_id", str(fault))

    play("POST", "/clicks", {"as": "@approver", "channel": "C0OPS", "ts": ts, "label": "Approve"})
    wait_for("approve")
    text = play("GET", f"/threads/C0OPS/{ts}?as=text")
    promise("an update takes the buttons away", "[Approve]" not in text and "Restart a service" in text, text)

    forms_and_home(ts)

    said = play("POST", "/commands", {"as": "@support", "channel": "C0OPS", "text": "@muster status", "thread": ts})
    mention = wait_for("mention")
    promise("a mention in a thread carries its root", mention["thread_ts"] == ts and mention["ts"] == said["ts"], str(mention))

    done = client.files_upload_v2(channel="C0OPS", thread_ts=ts, filename="run.log", title="Full output", content="line\n" * 500)
    for _ in range(100):
        info = client.files_info(file=done["file"]["id"])["file"]
        if info["shares"]:
            break
        time.sleep(0.05)
    promise("an upload is shared into its thread", info["shares"]["public"]["C0OPS"][0]["thread_ts"] == ts, str(info))
    promise("its content is what was sent", play("GET", "/files/" + info["id"]) == "line\n" * 500)

    groups = client.usergroups_list(include_users=True)["usergroups"]
    promise("user groups and their people", {g["handle"]: g["users"] for g in groups} == {"support": ["U0SUSAN"], "sre": ["U0ARNE", "U0PRIYA"]})
    promise("a stranger is marked", client.users_info(user="U0FOREIGN")["user"]["is_stranger"])
    promise("a shared channel is marked", client.conversations_info(channel="C0PARTNER")["channel"]["is_ext_shared"])
    for channel, error in (("C0RANDOM", "not_in_channel"), ("C0NONE", "channel_not_found")):
        try:
            client.chat_postMessage(channel=channel, text="x")
            promise(f"{channel} refuses a post", False)
        except SlackApiError as fault:
            promise(f"{channel} refuses a post", fault.response["error"] == error, str(fault))
    try:
        client.chat_postMessage(channel="C0OPS", text="x", blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}])
        promise("3001 characters are refused", False)
    except SlackApiError as fault:
        promise("3001 characters are refused", fault.response["error"] == "invalid_blocks", str(fault))
    hook = WebhookClient(command["response_url"])
    codes = [hook.send(text=f"use {n}").status_code for n in range(3, 7)]
    promise("a response_url works five times", codes == [200, 200, 200, 404], str(codes))

    opened = play("GET", "/workspace")["opened"]
    play("POST", "/sockets", {"disconnect": "refresh_requested"})
    # The old connection still stands for a moment and would swallow the command: wait until only its replacement does.
    for _ in range(600):
        workspace = play("GET", "/workspace")
        if workspace["opened"] > opened and workspace["connections"] == 1 and handler.client.is_connected():
            break
        time.sleep(0.05)
    promise("after a refresh a new connection stands", workspace["opened"] > opened, str(workspace))
    play("POST", "/commands", {"as": "@support", "channel": "#incidents", "text": "/runbook list"})
    promise("after a refresh the next command arrives", wait_for("command", 2)["text"] == "list")
    log = play("GET", "/envelopes")
    promise("every envelope was acknowledged in time", log["unacked"] == 0 and log["slowest_ack_ms"] < 3000, str(log))
    handler.close()


main()
