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
