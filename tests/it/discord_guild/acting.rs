//! What people do, and what the bot may answer.

use std::time::Duration;

use hyper::{Method, StatusCode};
use muster::playground::discord::{FOREIGN_GUILD, SRE_ROLE, Settings, people};
use serde_json::{Value, json};

use super::app::{OPS, World, word};

fn typed(text: &str) -> Value {
    json!({ "as": "support", "channel": "#ops", "text": text })
}

fn whisper(text: &str) -> Value {
    json!({ "type": 4, "data": { "content": text, "flags": 64 } })
}

/// Leaves out what differs from run to run.
fn shape(event: &Value) -> Value {
    let mut shape = event.clone();
    for name in ["id", "token", "channel", "guild"] {
        shape[name] = json!("…");
    }
    shape["data"]["id"] = json!("…");
    shape
}

#[tokio::test]
async fn a_slash_command_arrives_with_everything_that_a_client_library_needs() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    world.register().await;
    let text = "/runbook run restart-service service=nginx on env=staging because \"ticket 4711, says @arne\"";
    let (acted, event) = world.acting(&mut gateway, "/commands", typed(text), whisper("on it")).await;
    assert_eq!((&acted["acked"], &acted["shown"]), (&json!(true), &json!("on it")));
    insta::assert_snapshot!("slash_command", serde_json::to_string_pretty(&shape(&event)).unwrap());
    assert_eq!(world.ephemerals("support").await, "@muster: on it\n");
    assert_eq!(world.ephemerals("approver").await, "");
}

#[tokio::test]
async fn what_is_no_command_is_said_to_the_bot_in_a_message() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    let refused = world.play.post("/commands", &typed("/runbook list")).await.unwrap();
    assert_eq!((&refused["acked"], &refused["shown"]), (&json!(false), &json!("/runbook is no command here")));
    world.register().await;
    let said = world.play.post("/commands", &typed("/runbook rnu disk-usage")).await.unwrap();
    assert_eq!((&said["kind"], &said["heard"]), (&json!("mention"), &json!(true)));
    let heard = word(&gateway.event("MESSAGE_CREATE").await["content"]);
    assert_eq!(heard, format!("<@{}> rnu disk-usage", world.server.application_id));
    let missing = world.play.post("/commands", &typed("/runbook run")).await.unwrap();
    assert!(word(&missing["shown"]).contains("“runbook”: This option is required"), "{missing}");
    let long = world.play.post("/commands", &typed(&"x".repeat(2001))).await.unwrap();
    assert!(word(&long["shown"]).contains("too long"), "{long}");
}

#[tokio::test]
async fn a_response_that_is_late_second_or_unfitting_is_refused() {
    let settings = Settings { ack_deadline: Duration::from_millis(200), ..Settings::default() };
    let world = World::start(settings).await;
    let mut gateway = world.connect().await;
    world.register().await;
    let (_, event) = world.acting(&mut gateway, "/commands", typed("/runbook list"), whisper("one")).await;
    assert_eq!(world.respond(&event, whisper("two")).await.refusal(), (400, 40060));

    let late = world.play.post("/commands", &typed("/runbook list")).await.unwrap();
    assert_eq!(late["shown"], "The application did not respond");
    let event = gateway.event("INTERACTION_CREATE").await;
    assert_eq!(world.respond(&event, whisper("late")).await.refusal(), (404, 10062));
    assert_eq!(world.follow(Method::POST, &event, "", json!({ "content": "x" })).await.refusal(), (401, 50027));
    let log = world.play.get("/envelopes").await.unwrap();
    assert_eq!((&log["unacked"], &log["envelopes"][0]["acks"]), (&json!(1), &json!(2)));

    let mut stranger = event.clone();
    stranger["token"] = json!("nonsense");
    assert_eq!(world.respond(&stranger, whisper("x")).await.refusal(), (404, 10062));
}

#[tokio::test]
async fn a_token_follows_up_until_it_dies() {
    let settings = Settings { token_life: Duration::from_millis(1500), ..Settings::default() };
    let world = World::start(settings).await;
    let mut gateway = world.connect().await;
    world.register().await;
    let deferred = json!({ "type": 5, "data": { "flags": 64 } });
    let (_, event) = world.acting(&mut gateway, "/commands", typed("/runbook list"), deferred).await;
    assert_eq!(world.ephemerals("support").await, "@muster: Muster is thinking...\n");
    let first = world.follow(Method::POST, &event, "", json!({ "content": "done thinking" })).await;
    assert_eq!(first.body["flags"], 64, "the first follow-up fills in what was deferred: {first:?}");
    world.follow(Method::PATCH, &event, "/messages/@original", json!({ "content": "edited" })).await;
    let more = world.follow(Method::POST, &event, "", json!({ "content": "more", "flags": 64 })).await;
    assert_eq!(world.ephemerals("support").await, "@muster: edited\n@muster: more\n");
    let gone = world.follow(Method::DELETE, &event, &format!("/messages/{}", more.id()), Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(world.follow(Method::GET, &event, "/messages/1", Value::Null).await.refusal(), (404, 10008));
    // Nobody else reads or edits what one person sees.
    let path = format!("/channels/{OPS}/messages/{}", first.id());
    assert_eq!(world.get(&path).await.refusal(), (404, 10008));
    let died = async {
        loop {
            let answer = world.follow(Method::PATCH, &event, "/messages/@original", json!({ "content": "x" })).await;
            if answer.status != StatusCode::OK {
                return answer;
            }
        }
    };
    let died = tokio::time::timeout(Duration::from_secs(10), died).await.unwrap();
    assert_eq!(died.refusal(), (401, 50027));
}

#[tokio::test]
async fn a_click_carries_its_message_and_an_old_screen_still_shows_old_buttons() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    let button = |label: &str, id: &str| json!({ "type": 2, "style": 3, "label": label, "custom_id": id });
    let card = json!({ "content": "plan", "components": [{ "type": 1, "components": [button("Approve", "v1:a"), button("Deny", "v1:d")] }] });
    let said = world.say(OPS, card).await.id();
    assert_eq!(world.text(OPS, &said).await, "@muster:\n  plan\n  [Approve] [Deny]\n");
    let press = |label: &str, stale: bool| json!({ "as": "approver", "channel": "#ops", "ts": said, "label": label, "stale": stale });
    let update = json!({ "type": 7, "data": { "content": "approved", "components": [] } });
    let (_, event) = world.acting(&mut gateway, "/clicks", press("Approve", false), update).await;
    assert_eq!((&event["type"], &event["data"]["custom_id"]), (&json!(3), &json!("v1:a")));
    assert_eq!((&event["message"]["id"], &event["member"]["roles"]), (&json!(said), &json!([SRE_ROLE])));
    assert_eq!(world.text(OPS, &said).await, "@muster: approved\n");

    assert!(world.play.post("/clicks", &press("Deny", false)).await.unwrap_err().contains("no buttons"));
    let gone = world.play.get("/buttons?as=approver&gone=true").await.unwrap();
    assert_eq!(gone["buttons"].as_array().unwrap().len(), 2);
    let (_, event) = world.acting(&mut gateway, "/clicks", press("Deny", true), json!({ "type": 6 })).await;
    assert_eq!(event["data"]["custom_id"], "v1:d");
    // After a silent acknowledgement the original is the message of the button.
    let original = world.follow(Method::GET, &event, "/messages/@original", Value::Null).await;
    assert_eq!(original.id(), said);
    let (_, event) = world.acting(&mut gateway, "/clicks", press("Deny", true), whisper("too late")).await;
    let answer = world.follow(Method::GET, &event, "/messages/@original", Value::Null).await.body;
    assert_eq!((&answer["message_reference"]["message_id"], &answer["flags"]), (&json!(said), &json!(64)));
    let failed = json!({ "as": "approver", "channel": "#random", "ts": said, "label": "Approve" });
    assert!(world.play.post("/clicks", &failed).await.is_err());
}

#[tokio::test]
async fn a_modal_is_filled_in_by_its_labels() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    world.register().await;
    let label = |text: &str, component: Value| json!({ "type": 18, "label": text, "component": component });
    let modal = json!({ "type": 9, "data": { "title": "Run a runbook", "custom_id": "f:1", "components": [
        label("Why", json!({ "type": 4, "custom_id": "why", "style": 2, "min_length": 5 })),
        label("Mode", json!({ "type": 3, "custom_id": "mode", "required": false, "options": [
            { "label": "Fast", "value": "f" }, { "label": "Slow", "value": "s", "default": true } ] })),
        label("Where", json!({ "type": 8, "custom_id": "where" })),
        label("Who", json!({ "type": 5, "custom_id": "who", "required": false, "max_values": 2 })),
    ] } });
    world.acting(&mut gateway, "/commands", typed("/runbook"), modal).await;
    let form = || async { word(&world.play.get("/forms?as=support").await.unwrap()["text"]) };
    assert_eq!(
        form().await,
        "# Run a runbook\nWhy: [        ]\nMode (optional): [Slow ▾]\nWhere: [choose ▾]\nWho (optional): [choose ▾]\n[Submit] [Cancel]"
    );
    let fill = |values: Value| json!({ "as": "support", "values": values });
    let refused = world.play.post("/forms", &fill(json!({ "why": "no" }))).await.unwrap();
    assert_eq!(refused["by"], "discord");
    assert!(form().await.contains("Why: [no]\n  ! Must be at least 5 characters.\n"), "{}", form().await);

    let values = json!({ "Why": "it is full", "mode": "fast", "Where": "#incidents", "who": "arne, @priya" });
    let (acted, event) = world.acting(&mut gateway, "/forms", fill(values), whisper("thanks")).await;
    assert_eq!((&acted["ok"], &acted["open"]), (&json!(true), &Value::Null));
    assert_eq!((&event["type"], &event["data"]["custom_id"]), (&json!(5), &json!("f:1")));
    let part = |at: usize| event["data"]["components"][at]["component"].clone();
    assert_eq!((&part(0)["value"], &part(1)["values"]), (&json!("it is full"), &json!(["f"])));
    assert_eq!(part(2)["values"], json!([people::INCIDENTS]));
    assert_eq!(part(3)["values"], json!([people::ARNE, people::PRIYA]));
    assert_eq!(event["data"]["resolved"]["users"][people::ARNE]["username"], "arne");
    assert_eq!(event["data"]["resolved"]["channels"][people::INCIDENTS]["name"], "incidents");
}

#[tokio::test]
async fn a_modal_that_discord_would_refuse_is_refused() {
    let world = World::start(Settings { ack_deadline: Duration::from_secs(30), ..Settings::default() }).await;
    let mut gateway = world.connect().await;
    world.register().await;
    let act = typed("/runbook");
    let acting = world.play.post("/commands", &act);
    let answering = async {
        let event = gateway.event("INTERACTION_CREATE").await;
        let field = |n: usize| json!({ "type": 18, "label": "a", "component": { "type": 4, "custom_id": n.to_string(), "style": 1 } });
        let modal = |title: &str, parts: Vec<Value>| json!({ "type": 9, "data": { "title": title, "custom_id": "f", "components": parts } });
        let mut long = field(0);
        long["label"] = json!("x".repeat(46));
        for wrong in [
            modal(&"x".repeat(46), vec![field(0)]),
            modal("x", (0..6).map(field).collect()),
            modal("x", vec![field(0), field(0)]),
            modal("x", vec![long]),
            modal("x", vec![]),
            modal(
                "x",
                vec![
                    json!({ "type": 18, "label": "a", "component": { "type": 5, "custom_id": "a", "min_values": 0 } }),
                ],
            ),
            json!({ "type": 5, "data": { "flags": 64 | 4 } }),
            json!({ "type": 8, "data": { "choices": [] } }),
            json!({ "type": 6 }),
        ] {
            assert_eq!(world.respond(&event, wrong.clone()).await.refusal(), (400, 50035), "{wrong}");
        }
        let good = world.respond(&event, modal("x", (0..5).map(field).collect())).await;
        assert_eq!(good.status, StatusCode::NO_CONTENT);
    };
    let (acted, ()) = tokio::join!(acting, answering);
    assert_eq!(acted.unwrap()["acked"], true);
    let nobody = world.play.post("/forms", &json!({ "as": "approver" })).await.unwrap_err();
    assert_eq!(nobody, "`@arne` has no open form");
}

#[tokio::test]
async fn suggestions_are_asked_for_while_somebody_types() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    world.register().await;
    let choices = json!({ "type": 8, "data": { "choices": [{ "name": "Disk usage", "value": "disk-usage" }] } });
    let (acted, event) = world.acting(&mut gateway, "/suggestions", typed("/runbook run dis"), choices).await;
    assert_eq!((&acted["option"], &acted["options"][0]["value"]), (&json!("runbook"), &json!("disk-usage")));
    let option = &event["data"]["options"][0]["options"][0];
    assert_eq!((&event["type"], &option["value"], &option["focused"]), (&json!(4), &json!("dis"), &json!(true)));
}

#[tokio::test]
async fn a_command_in_a_messages_menu_brings_the_message() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    world.register().await;
    let said = world.play.post("/commands", &typed("disk full on web-1")).await.unwrap();
    let act = json!({ "as": "support", "callback_id": "Run a runbook here", "channel": "#ops", "ts": said["ts"] });
    let (_, event) = world.acting(&mut gateway, "/shortcuts", act, whisper("here")).await;
    let target = word(&event["data"]["target_id"]);
    assert_eq!(event["data"]["resolved"]["messages"][&target]["content"], "disk full on web-1");
    let wrong = json!({ "as": "support", "callback_id": "Run her", "channel": "#ops", "ts": said["ts"] });
    assert!(world.play.post("/shortcuts", &wrong).await.unwrap_err().contains("`Run a runbook here`"));
    // What belongs to no message is a slash command without words.
    let anywhere = json!({ "as": "support", "callback_id": "Run a runbook" });
    let (_, event) = world.acting(&mut gateway, "/shortcuts", anywhere, whisper("here")).await;
    assert_eq!(event["data"]["options"][0]["name"], "form");
}

#[tokio::test]
async fn an_interaction_can_come_twice_and_from_a_guild_that_nobody_knows() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    world.register().await;
    world.plant(json!({ "name": "doubled-event" })).await;
    let (_, event) = world.acting(&mut gateway, "/commands", typed("/runbook list"), whisper("one")).await;
    assert_eq!(gateway.event("INTERACTION_CREATE").await, event);
    let foreign = json!({ "as": "foreign", "channel": "#partners", "text": "/runbook list" });
    let (_, event) = world.acting(&mut gateway, "/commands", foreign, whisper("no")).await;
    assert_eq!(event["guild_id"], FOREIGN_GUILD);
    // Where the bot sees nothing, commands work all the same.
    let unseen = json!({ "as": "support", "channel": "#random", "text": "/runbook list" });
    let (_, event) = world.acting(&mut gateway, "/commands", unseen, whisper("here")).await;
    assert_eq!(event["app_permissions"], "0");
    let without = world.play.post("/commands", &json!({ "as": "foreign", "channel": "#ops", "text": "hi" })).await;
    assert_eq!(without.unwrap_err(), "`@fred` is not in `#ops`");
}

#[tokio::test]
async fn whom_a_message_notifies_is_written_down() {
    let world = World::start(Settings::default()).await;
    let words = format!("<@{}> <@&{SRE_ROLE}> @everyone", people::SUSAN);
    world.say(OPS, json!({ "content": words })).await;
    let allowed = json!({ "parse": [], "users": [people::SUSAN] });
    let said = world.say(OPS, json!({ "content": words, "allowed_mentions": allowed })).await.id();
    world.patch(&format!("/channels/{OPS}/messages/{said}"), json!({ "content": "@everyone again" })).await;
    let bodies = world.play.get("/bodies").await.unwrap()["bodies"].clone();
    let pings: Vec<&Value> = bodies.as_array().unwrap().iter().map(|b| &b["pings"]).collect();
    let susan = format!("<@{}>", people::SUSAN);
    assert_eq!(pings, [&json!(["@everyone", format!("<@&{SRE_ROLE}>"), susan]), &json!([susan]), &json!([])]);
}
