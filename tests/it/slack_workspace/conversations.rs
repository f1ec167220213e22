//! The player against a scripted app and a scripted AWS: what it reports is what happened.

use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use axum::routing::get;
use muster::playground::conversation::{Address, Endpoints, Transcript, parse, play};
use muster::playground::slack::workspace::Settings;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::app::World;

/// Acknowledges everything; asks for approval, opens a form on Deny, closes the run on Approve or on the form.
async fn app(world: std::sync::Arc<World>) {
    let mut socket = world.socket().await;
    let (mut root, mut asked) = (String::new(), String::new());
    while let Some(envelope) = socket.next().await {
        let payload = &envelope["payload"];
        socket.ack(&envelope, None).await;
        if payload["command"] == "/runbook" && payload["text"] == "secret" {
            let body = json!({ "channel": payload["channel_id"], "user": payload["user_id"], "text": "you may not" });
            world.api("chat.postEphemeral", body).await.unwrap();
        } else if payload["command"] == "/runbook" {
            root = world.post("C0OPS", "run r-7F3K waits", None).await;
            let button = |label: &str| {
                json!({ "type": "button", "action_id": label, "value": "1",
                "text": { "type": "plain_text", "text": label } })
            };
            let blocks = json!([{ "type": "actions", "elements": [button("Approve"), button("Deny")] }]);
            let ask = json!({ "channel": "C0OPS", "thread_ts": root, "text": "ask", "blocks": blocks });
            asked = world.api("chat.postMessage", ask).await.unwrap().body["ts"].as_str().unwrap().to_owned();
        } else if payload["type"] == "block_actions" && payload["actions"][0]["action_id"] == "Deny" {
            let label = json!({ "type": "plain_text", "text": "Reason" });
            let element = json!({ "type": "plain_text_input", "action_id": "t" });
            let view = json!({ "type": "modal", "title": label, "submit": label, "blocks": [
                { "type": "input", "block_id": "reason", "label": label, "element": element }] });
            world.api("views.open", json!({ "trigger_id": payload["trigger_id"], "view": view })).await.unwrap();
        } else if payload["type"] == "block_actions" {
            world.api("chat.update", decided(&asked)).await.unwrap();
            let blocks = json!([
                { "type": "header", "text": { "type": "plain_text", "text": "Done" } },
                { "type": "section", "text": { "type": "mrkdwn", "text": "<@U0SUSAN>: 2 of 2 in 3.1 s" } }]);
            let closing = json!({ "channel": "C0OPS", "thread_ts": root, "text": "done", "blocks": blocks });
            world.api("chat.postMessage", closing).await.unwrap();
        } else if payload["type"] == "view_submission" {
            let reason = payload["view"]["state"]["values"]["reason"]["t"]["value"].as_str().unwrap().to_owned();
            world.api("chat.update", decided(&asked)).await.unwrap();
            world.post("C0OPS", &format!("<@U0SUSAN>: denied: {reason}"), Some(&root)).await;
        }
    }
}

fn decided(ts: &str) -> Value {
    json!({ "channel": "C0OPS", "ts": ts, "text": "decided", "blocks": [] })
}

async fn played(text: &str, aws: Option<Address>) -> Result<Transcript, String> {
    let world = std::sync::Arc::new(World::start(Settings::default(), &[]).await);
    let app = tokio::spawn(app(world.clone()));
    while world.play.get("/workspace").await.unwrap()["connections"] == 0 {
        tokio::task::yield_now().await;
    }
    let conversation = parse(Path::new("x.conversation"), text).unwrap();
    let endpoints = Endpoints { chat: world.address(), aws };
    let result = play(&conversation, &endpoints, &mut |_| {}).await;
    app.abort();
    result.map_err(|fault| fault.to_string())
}

#[tokio::test]
async fn a_conversation_is_played_to_its_end() {
    let text = "
        @support: /runbook secret
        expect @support sees \"you may not\"
        expect no thread
        @support: /runbook run x on env=staging
        expect thread has \"[Approve] [Deny]\"
        @approver clicks \"Approve\"
        wait done 10s
        snapshot thread
        @support: /runbook run x on env=staging
        @approver clicks \"Deny\"
        @approver fills reason=\"not tonight\"
        wait done 10s
        expect thread has \"denied: not tonight\"
        expect thread lacks \"2 of 2\"";
    let transcript = played(text, None).await.unwrap();
    insta::assert_snapshot!(transcript.snapshots[0].text, @r"
    @muster: run r-#1 waits
    @muster: decided

    @muster:
      # Done
      @susan: 2 of 2 in <time>
    ");
}

#[tokio::test]
async fn a_broken_expectation_says_what_the_thread_shows_instead() {
    let text = "@support: /runbook run x on env=staging\nwait for \"Succeeded\" 1s";
    insta::assert_snapshot!(played(text, None).await.unwrap_err(), @r#"
    x.conversation:2: `wait for "Succeeded" 1s`
    expected: `Succeeded` within 1 s
    the thread shows:
    @muster: run r-7F3K waits
    @muster: [Approve] [Deny]
    "#);
}

/// A simulated AWS that has already run: nothing before the conversation and its first command, `ran` after it.
async fn aws(ran: Value) -> Address {
    let node = |id: &str, online| {
        json!({ "account": "222222222222", "account_name": "acme-staging", "region": "eu-west-1",
        "node": id, "name": id, "tags": {}, "platform": "Linux", "managed": true, "online": online, "state": "running" })
    };
    let nodes = json!({ "nodes": [node("i-1", true), node("i-2", true), node("i-3", false)] });
    let accounts = json!({ "accounts": [{ "id": "222222222222", "labels": { "env": "staging" } }] });
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let executions: Vec<Value> = ran
        .as_array()
        .unwrap()
        .iter()
        .map(|id| {
            json!({ "command_id": "c1",
        "account": "222222222222", "region": "eu-west-1", "node": id, "script_sha256": "s", "ended_at": "now" })
        })
        .collect();
    let before = asked.clone();
    let sends = move || async move {
        let first = before.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
        let sent = json!([{ "command_id": "c1", "account": "222222222222", "region": "eu-west-1", "nodes": ["i-1", "i-2"], "parameters_sha256": "p" }]);
        axum::Json(json!({ "sends": if first { json!([]) } else { sent } }))
    };
    let mut looks = 0;
    let executions = std::sync::Arc::new(std::sync::Mutex::new(move || {
        looks += 1;
        let now = if looks <= 2 { Vec::new() } else { executions.clone() };
        json!({ "executions": now })
    }));
    let router = Router::new()
        .route("/play/v1/nodes", get(|| async { axum::Json(nodes) }))
        .route("/play/v1/accounts", get(|| async { axum::Json(accounts) }))
        .route("/play/v1/sends", get(sends))
        .route("/play/v1/executions", get(|| async move { axum::Json((executions.lock().unwrap())()) }));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Address { url, token: None }
}

#[tokio::test]
async fn ran_once_is_judged_by_the_simulators_log() {
    let text = "@support: /runbook run x on env=staging\nexpect ran once on env=staging";
    played(text, Some(aws(json!(["i-1", "i-2"])).await)).await.unwrap();
    let fault = async |ran| played(text, Some(aws(ran).await)).await.unwrap_err();
    assert!(fault(json!(["i-1"])).await.ends_with("`i-2` in 222222222222 eu-west-1 did not run"));
    let twice = fault(json!(["i-1", "i-2", "i-2"])).await;
    assert!(twice.ends_with("`i-2` in 222222222222 eu-west-1 ran the same script 2 times"), "{twice}");
    let offline = fault(json!(["i-1", "i-2", "i-3"])).await;
    assert!(offline.ends_with("`i-3` in 222222222222 eu-west-1 ran, but does not fit the selector"), "{offline}");
}
