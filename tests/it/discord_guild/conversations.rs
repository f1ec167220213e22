//! The player plays on the simulated guild what it plays on the simulated workspace.

use std::path::Path;
use std::sync::Arc;

use hyper::Method;
use muster::playground::conversation::{Address, Endpoints, Transcript, parse, play};
use muster::playground::discord::{Settings, people};
use serde_json::{Value, json};

use super::app::{OPS, World, word};

/// Answers every command to one person; asks for approval, opens a form on Deny, closes the run on Approve or on the form.
async fn app(world: Arc<World>) {
    let mut gateway = world.connect().await;
    let mut root = String::new();
    let button = |label: &str| json!({ "type": 2, "style": 2, "label": label, "custom_id": label });
    let row = json!([{ "type": 1, "components": [button("Approve"), button("Deny")] }]);
    while let Some(payload) = gateway.next().await {
        let event = &payload["d"];
        match (payload["t"].as_str(), event["type"].as_u64(), event["data"]["custom_id"].as_str()) {
            (Some("INTERACTION_CREATE"), Some(2), _) if event["data"]["options"][0]["name"] == "list" => {
                let secret = json!({ "type": 4, "data": { "content": "you may not", "flags": 64 } });
                world.respond(event, secret).await;
            }
            (Some("INTERACTION_CREATE"), Some(2), _) => {
                world.respond(event, json!({ "type": 5, "data": { "flags": 64 } })).await;
                root = world.say(OPS, json!({ "content": "run r-7F3K waits" })).await.id();
                world.post(&format!("/channels/{OPS}/messages/{root}/threads"), json!({ "name": "run" })).await;
                world.say(&root, json!({ "embeds": [{ "description": "ask" }], "components": row })).await;
                world.follow(Method::DELETE, event, "/messages/@original", Value::Null).await;
            }
            (Some("INTERACTION_CREATE"), Some(3), Some("Deny")) => {
                let input = json!({ "type": 4, "custom_id": "reason", "style": 1 });
                let label = json!({ "type": 18, "label": "Reason", "component": input });
                let form = json!({ "title": "Deny", "custom_id": "deny", "components": [label] });
                world.respond(event, json!({ "type": 9, "data": form })).await;
            }
            (Some("INTERACTION_CREATE"), Some(3), _) => {
                world.respond(event, json!({ "type": 7, "data": { "components": [] } })).await;
                let words = format!("<@{}>: 2 of 2 in 3.1 s", people::SUSAN);
                world.say(&root, json!({ "embeds": [{ "title": "Done", "description": words }] })).await;
            }
            (Some("INTERACTION_CREATE"), Some(5), _) => {
                world.respond(event, json!({ "type": 7, "data": { "components": [] } })).await;
                let reason = word(&event["data"]["components"][0]["component"]["value"]);
                world.say(&root, json!({ "content": format!("<@{}>: denied: {reason}", people::SUSAN) })).await;
            }
            (Some("MESSAGE_CREATE"), ..) if event["author"]["bot"] != true => {
                let open = world.post("/users/@me/channels", json!({ "recipient_id": event["author"]["id"] })).await;
                world.say(&open.id(), json!({ "content": "no such command" })).await;
            }
            _ => {}
        }
    }
}

async fn played(text: &str) -> Result<Transcript, String> {
    let world = Arc::new(World::start(Settings::default()).await);
    world.register().await;
    let app = tokio::spawn(app(world.clone()));
    let conversation = parse(Path::new("x.conversation"), text).unwrap();
    let chat = Address { url: world.server.base_url(), token: Some(world.server.control_token.clone()) };
    let result = play(&conversation, &Endpoints { chat, aws: None }, &mut |_| {}).await;
    app.abort();
    result.map_err(|fault| fault.to_string())
}

#[tokio::test]
async fn a_conversation_is_played_to_its_end() {
    let text = "
        wait connected
        @support: /runbook list
        expect @support sees \"you may not\"
        expect no thread
        plant discord delay milliseconds=\"10\"
        @support: /runbook run x on env=staging
        expect thread has \"[Approve] [Deny]\"
        @approver clicks \"Approve\"
        wait done 10s
        snapshot thread
        expect nothing pings
        @support: /runbook run x on env=staging
        @approver clicks \"Deny\"
        expect form has \"Reason\"
        snapshot form
        @approver fills reason=\"not tonight\"
        wait done 10s
        expect thread has \"denied: not tonight\"
        expect thread lacks \"2 of 2\"
        @support: /runbook rnu x
        expect @support sees \"no such command\"";
    let transcript = played(text).await.unwrap();
    insta::assert_snapshot!(transcript.snapshots[0].text, @r"
    @muster: run r-#1 waits
    @muster: ask

    @muster:
      # Done
      @susan: 2 of 2 in <time>
    ");
    assert_eq!(transcript.snapshots[1].text, "# Deny\nReason: [        ]\n[Submit] [Cancel]");
}

#[tokio::test]
async fn a_fault_of_the_other_platform_is_refused() {
    let told = played("wait connected\nplant slack outage").await.unwrap_err();
    assert!(told.contains("this conversation plays at \"discord\""), "{told}");
}
