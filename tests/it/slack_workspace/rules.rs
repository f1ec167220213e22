//! One promise per test: what Slack does, and what the planted faults do.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use muster::playground::slack::workspace::Settings;
use serde_json::json;

use super::app::{Socket, World};

fn quick() -> Settings {
    let short = Duration::from_millis(150);
    Settings { ack_deadline: short, event_retries: vec![Duration::ZERO; 2], trigger_life: short, ..Settings::default() }
}

#[tokio::test]
async fn a_slash_command_reaches_the_app_and_its_answer_the_person_only() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    let app = tokio::spawn(async move {
        let envelope = socket.next().await.unwrap();
        socket.ack(&envelope, Some(json!({ "text": "queued" }))).await;
        envelope
    });
    let command = json!({ "as": "@support", "channel": "#ops", "text": "/runbook run x on env=a&b" });
    let answer = world.play.post("/commands", &command).await.unwrap();
    let envelope = app.await.unwrap();
    assert_eq!(envelope["type"], "slash_commands");
    assert_eq!(envelope["payload"]["text"], "run x on env=a&amp;b");
    assert_eq!(envelope["payload"]["user_id"], "U0SUSAN");
    assert_eq!(answer["shown"], "queued");
    let seen = |who: &'static str| world.play.get(format!("/ephemerals?as={who}").leak());
    assert_eq!(seen("susan").await.unwrap()["text"], "@muster: queued\n");
    assert_eq!(seen("arne").await.unwrap()["text"], "");
}

#[tokio::test]
async fn a_command_that_nobody_acknowledges_shows_slacks_error() {
    let world = World::start(quick(), &[]).await;
    let command = json!({ "as": "susan", "channel": "#ops", "text": "/runbook list" });
    let answer = world.play.post("/commands", &command).await.unwrap();
    assert_eq!(answer["shown"], "/runbook failed with the error \"dispatch_failed\"");
    let _socket = world.socket().await;
    let answer = world.play.post("/commands", &command).await.unwrap();
    assert_eq!(answer["shown"], "/runbook failed with the error \"operation_timeout\"");
    assert_eq!(world.play.get("/envelopes").await.unwrap()["unacked"], 2);
}

#[tokio::test]
async fn an_event_that_nobody_acknowledges_comes_again_with_its_attempt() {
    let world = World::start(quick(), &["drop-ack"]).await;
    let mut socket = world.socket().await;
    let mention = json!({ "as": "susan", "channel": "#ops", "text": "@muster status" });
    world.play.post("/commands", &mention).await.unwrap();
    let first = socket.next().await.unwrap();
    socket.ack(&first, None).await;
    let second = socket.next().await.unwrap();
    socket.ack(&second, None).await;
    assert_eq!(first["payload"]["event"]["text"], "<@U0BOT> status");
    assert_eq!(first["payload"]["event_id"], second["payload"]["event_id"]);
    assert_eq!((&first["retry_attempt"], &second["retry_attempt"]), (&json!(0), &json!(1)));
    assert_ne!(first["envelope_id"], second["envelope_id"]);
}

#[tokio::test]
async fn a_slash_command_works_neither_in_a_thread_nor_for_people_of_another_organisation() {
    let world = World::start(Settings::default(), &[]).await;
    let root = world.post("C0OPS", "card", None).await;
    let typed = json!({ "as": "susan", "channel": "C0OPS", "text": "/runbook list", "thread": root });
    let shown = world.play.post("/commands", &typed).await.unwrap()["shown"].clone();
    assert!(shown.as_str().unwrap().starts_with("/runbook is not supported in threads."), "{shown}");
    let typed = json!({ "as": "fred", "channel": "#partners", "text": "/runbook list" });
    assert_eq!(world.play.post("/commands", &typed).await.unwrap()["shown"], "/runbook is not a valid command.");
    let typed = json!({ "as": "fred", "channel": "#ops", "text": "hi" });
    assert_eq!(world.play.post("/commands", &typed).await.unwrap_err(), "`@fred` is not in `#ops`");
}

#[tokio::test]
async fn a_swallowed_post_is_answered_ok_and_never_shown() {
    let world = World::start(Settings::default(), &["swallowed-post"]).await;
    let root = world.post("C0OPS", "card", None).await;
    world.post("C0OPS", "results", Some(&root)).await;
    world.post("C0OPS", "closing", Some(&root)).await;
    assert_eq!(world.text("C0OPS", &root).await, "@muster: card\n@muster: closing\n");
}

#[tokio::test]
async fn a_lost_answer_cuts_the_connection_and_leaves_the_post_standing() {
    let world = World::start(Settings::default(), &["lost-post-answer"]).await;
    let metadata = json!({ "event_type": "t", "event_payload": { "key": "k" } });
    let body = json!({ "channel": "C0OPS", "text": "card", "metadata": metadata });
    assert!(world.api("chat.postMessage", body).await.is_err());
    let asked = json!({ "channel": "C0OPS", "include_all_metadata": true });
    let found = world.api("conversations.history", asked).await.unwrap().body;
    assert_eq!(found["messages"].as_array().unwrap().len(), 1);
    assert_eq!(found["messages"][0]["metadata"], metadata);
}

#[tokio::test]
async fn a_storm_of_429_tells_how_long_to_wait() {
    let world = World::start(Settings::default(), &[]).await;
    let plant = json!({ "name": "rate-limited", "method": "chat.postMessage", "count": 1, "seconds": 7 });
    world.play.post("/faults", &plant).await.unwrap();
    let body = json!({ "channel": "C0OPS", "text": "x" });
    let refused = world.api("chat.postMessage", body.clone()).await.unwrap();
    assert_eq!((refused.status, refused.retry_after.as_deref()), (StatusCode::TOO_MANY_REQUESTS, Some("7")));
    assert_eq!(world.api("chat.postMessage", body).await.unwrap().body["ok"], true);
}

#[tokio::test]
async fn an_outage_answers_503_and_cuts_the_sockets() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    world.play.post("/faults", &json!({ "name": "outage", "seconds": 60 })).await.unwrap();
    assert!(socket.next().await.is_none());
    let body = json!({ "channel": "C0OPS", "text": "x" });
    assert_eq!(world.api("chat.postMessage", body).await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_trigger_works_once_and_for_a_short_time() {
    let world = World::start(quick(), &[]).await;
    let mut socket = world.socket().await;
    let card = json!({ "channel": "C0OPS", "text": "card", "blocks": [{ "type": "actions", "elements": [
        { "type": "button", "action_id": "deny", "text": { "type": "plain_text", "text": "Deny" } }] }] });
    let ts = world.api("chat.postMessage", card).await.unwrap().body["ts"].clone();
    let view = json!({ "type": "modal", "title": { "type": "plain_text", "text": "Deny" }, "blocks": [] });
    let click = json!({ "as": "arne", "channel": "C0OPS", "ts": ts, "label": "Deny" });
    let trigger = async |socket: &mut Socket| {
        let (answer, envelope) = tokio::join!(world.play.post("/clicks", &click), async {
            let envelope = socket.next().await.unwrap();
            socket.ack(&envelope, Some(json!({}))).await;
            envelope
        });
        assert_eq!(answer.unwrap()["acked"], true);
        envelope["payload"]["trigger_id"].clone()
    };
    let open = async |trigger: &serde_json::Value| {
        let body = json!({ "trigger_id": trigger, "view": view });
        world.api("views.open", body).await.unwrap().body["error"].clone()
    };
    let first = trigger(&mut socket).await;
    assert_eq!(open(&first).await, json!(null));
    assert_eq!(open(&first).await, "exchanged_trigger_id");
    let late = trigger(&mut socket).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(open(&late).await, "expired_trigger_id");
    assert_eq!(open(&json!("nonsense")).await, "invalid_trigger_id");
}

#[tokio::test]
async fn only_the_bots_own_messages_can_be_updated() {
    let world = World::start(Settings::default(), &[]).await;
    let said = json!({ "as": "susan", "channel": "#ops", "text": "hello" });
    let ts = world.play.post("/commands", &said).await.unwrap()["ts"].clone();
    let update = |ts: &serde_json::Value| json!({ "channel": "C0OPS", "ts": ts, "text": "changed" });
    let error = async |body| world.api("chat.update", body).await.unwrap().body["error"].clone();
    assert_eq!(error(update(&ts)).await, "cant_update_message");
    assert_eq!(error(update(&json!("1.000000"))).await, "message_not_found");
    let own = world.post("C0OPS", "card", None).await;
    assert_eq!(error(update(&json!(own))).await, json!(null));
    assert_eq!(world.text("C0OPS", &own).await, "@muster: changed\n");
}

#[tokio::test]
async fn one_envelope_can_be_delivered_twice_and_counts_once() {
    let world = World::start(Settings::default(), &["deliver-twice"]).await;
    let mut socket = world.socket().await;
    let app = tokio::spawn(async move {
        let (first, second) = (socket.next().await.unwrap(), socket.next().await.unwrap());
        socket.ack(&first, None).await;
        socket.ack(&second, None).await;
        // Keeps the socket open until both acknowledgements are read.
        (first, second, socket)
    });
    let command = json!({ "as": "susan", "channel": "#ops", "text": "/runbook list" });
    world.play.post("/commands", &command).await.unwrap();
    let (first, second, _socket) = app.await.unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_an_eleventh_socket_is_sent_away() {
    let world = World::start(Settings::default(), &[]).await;
    assert_eq!(world.api("apps.connections.open", json!({})).await.unwrap().body["error"], "not_allowed_token_type");
    let url = world.socket_url().await;
    let mut sockets = vec![Socket::open(&url).await.unwrap()];
    assert_eq!(Socket::open(&url).await.err().as_deref(), Some("HTTP/1.1 401 Unauthorized"));
    for _ in 1..10 {
        sockets.push(world.socket().await);
    }
    assert_eq!(world.play.get("/workspace").await.unwrap()["connections"], 10);
    let mut eleventh = Socket::open(&world.socket_url().await).await.unwrap();
    assert_eq!(eleventh.next().await.unwrap()["reason"], "too_many_websockets");
    world.play.post("/sockets", &json!({ "disconnect": "warning", "milliseconds": 0 })).await.unwrap();
    for mut socket in sockets.into_iter().skip(1) {
        assert_eq!(socket.next().await.unwrap()["reason"], "warning");
        assert!(socket.next().await.is_none());
    }
}

#[tokio::test]
async fn the_control_interface_wants_the_token_and_its_own_pages() {
    let world = World::start(Settings::default(), &[]).await;
    let url = format!("{}/play/v1/workspace", world.server.base_url());
    let token = format!("Bearer {}", world.server.control_token);
    let host = world.server.addr.to_string();
    let status = async |headers: &[(&str, &str)]| {
        let request = headers.iter().fold(Request::get(&url), |r, (name, value)| r.header(*name, *value));
        world.send(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap().status
    };
    assert_eq!(status(&[("host", &host)]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&[("host", &host), ("authorization", "Bearer no")]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&[("host", &host), ("authorization", &token)]).await, StatusCode::OK);
    assert_eq!(status(&[("host", "evil.example"), ("authorization", &token)]).await, StatusCode::FORBIDDEN);
    let foreign = [("host", host.as_str()), ("authorization", &token), ("origin", "http://evil.example")];
    assert_eq!(status(&foreign).await, StatusCode::FORBIDDEN);
}
