//! A conversation that goes by shortcut, form and App Home, with a scripted app behind it.

use std::path::Path;
use std::sync::Arc;

use muster::playground::conversation::{Endpoints, parse, play};
use muster::playground::slack::workspace::Settings;
use serde_json::{Value, json};

use super::app::World;

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

/// Opens a form on a shortcut and on the button of its App Home, offers two runbooks, answers a submission where the
/// shortcut was used.
async fn app(world: Arc<World>) {
    let mut socket = world.socket().await;
    let select = json!({ "type": "external_select", "action_id": "name", "min_query_length": 0 });
    let field = json!({ "type": "input", "block_id": "book", "label": plain("Runbook"), "element": select });
    let button = json!({ "type": "button", "action_id": "new", "text": plain("New run") });
    let words = json!({ "type": "section", "text": plain("Nothing waits for you") });
    let home = json!({ "type": "home", "blocks": [words, { "type": "actions", "elements": [button] }] });
    while let Some(envelope) = socket.next().await {
        let payload = &envelope["payload"];
        if payload["type"] == "block_suggestion" {
            let typed = payload["value"].as_str().unwrap();
            let books = ["Disk usage", "Restart a service"].into_iter().filter(|b| b.contains(typed));
            let options: Vec<Value> = books.map(|b| json!({ "text": plain(b), "value": b })).collect();
            socket.ack(&envelope, Some(json!({ "options": options }))).await;
            continue;
        }
        socket.ack(&envelope, None).await;
        if payload["trigger_id"].is_string() && payload["type"] != "view_submission" {
            let thread = payload["message"]["ts"].as_str().unwrap_or_default();
            let view = json!({ "type": "modal", "title": plain("Run a runbook"), "submit": plain("Run"),
                "private_metadata": thread, "blocks": [field] });
            let body = json!({ "trigger_id": payload["trigger_id"], "view": view });
            world.api("views.open", body).await.unwrap();
        } else if payload["type"] == "view_submission" {
            let chosen = &payload["view"]["state"]["values"]["book"]["name"]["selected_option"]["value"];
            let thread = payload["view"]["private_metadata"].as_str().filter(|t| !t.is_empty());
            let channel = if thread.is_some() { "C0OPS" } else { "C0INCIDENT" };
            world.post(channel, &format!("{} is planned", chosen.as_str().unwrap()), thread).await;
        } else if payload["event"]["type"] == "app_home_opened" {
            let body = json!({ "user_id": payload["event"]["user"], "view": home });
            world.api("views.publish", body).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_conversation_goes_by_shortcut_form_and_app_home() {
    let text = r#"
        @approver: web-3 is full again
        @support uses "Run a runbook here" on the last message
        @support searches "i" in "Runbook"
        expect form has "Disk usage"
        @support picks "Disk usage" in "Runbook"
        snapshot form
        @support fills Runbook="Restart a service"
        expect thread has "Restart a service is planned"
        @support opens home
        expect home of @support has "Nothing waits"
        snapshot home
        expect no thread
        @support clicks "New run"
        @support fills runbook="Disk usage"
        expect thread has "Disk usage is planned"
    "#;
    let world = Arc::new(World::start(Settings::default(), &[]).await);
    let app = tokio::spawn(app(world.clone()));
    while world.play.get("/workspace").await.unwrap()["connections"] == 0 {
        tokio::task::yield_now().await;
    }
    let conversation = parse(Path::new("x.conversation"), text).unwrap();
    let endpoints = Endpoints { chat: world.address(), aws: None };
    let transcript = play(&conversation, &endpoints, &mut |_| {}).await.map_err(|fault| fault.to_string()).unwrap();
    app.abort();
    insta::assert_snapshot!(transcript.snapshots[0].text, @r"
    # Run a runbook
    Runbook: [Disk usage ▾]
    [Run] [Cancel]
    ");
    insta::assert_snapshot!(transcript.snapshots[1].text, @r"
    Nothing waits for you
    [New run]
    ");
    assert!(transcript.lines.iter().any(|l| l.ends_with("and finds: Disk usage, Restart a service")));
}
