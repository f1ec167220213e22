//! Shortcuts, modals with every kind of field, options on request, and the App Home.

use std::time::Duration;

use muster::playground::slack::workspace::Settings;
use serde_json::{Value, json};

use super::app::{Socket, World};

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

fn option(text: &str, value: &str) -> Value {
    json!({ "text": plain(text), "value": value })
}

fn input(id: &str, label: &str, element: Value) -> Value {
    json!({ "type": "input", "block_id": id, "label": plain(label), "element": element })
}

fn modal(title: &str, blocks: Value) -> Value {
    json!({ "type": "modal", "title": plain(title), "submit": plain("Run"), "blocks": blocks })
}

/// A person acts; the app takes the envelope and acknowledges it with `payload`.
async fn told(world: &World, socket: &mut Socket, path: &str, body: Value, payload: Option<Value>) -> (Value, Value) {
    let (answer, envelope) = tokio::join!(world.play.post(path, &body), async {
        let envelope = socket.next().await.unwrap();
        socket.ack(&envelope, payload).await;
        envelope["payload"].clone()
    });
    (answer.unwrap(), envelope)
}

async fn view_of(world: &World, method: &str, body: Value) -> Result<Value, String> {
    let answer = world.api(method, body).await.unwrap().body;
    match answer["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(answer["view"].clone()),
    }
}

/// Susan opens `view` by the global shortcut.
async fn opened(world: &World, socket: &mut Socket, view: Value) -> Value {
    let body = json!({ "as": "support", "callback_id": "run" });
    let (_, payload) = told(world, socket, "/shortcuts", body, None).await;
    view_of(world, "views.open", json!({ "trigger_id": payload["trigger_id"], "view": view })).await.unwrap()
}

async fn text(world: &World, path: &str) -> String {
    world.play.get(path).await.unwrap()["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_message_shortcut_works_inside_a_thread_and_a_global_one_anywhere() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    let root = world.post("C0OPS", "card", None).await;
    let reply = world.post("C0OPS", "reply", Some(&root)).await;
    let use_it = json!({ "as": "support", "callback_id": "run_here", "channel": "#ops", "ts": reply });
    let (answer, payload) = told(&world, &mut socket, "/shortcuts", use_it, None).await;
    assert_eq!(answer["acked"], true);
    assert_eq!(payload["type"], "message_action");
    assert_eq!(payload["callback_id"], "run_here");
    assert_eq!(payload["channel"]["id"], "C0OPS");
    assert_eq!(payload["message"]["thread_ts"], json!(root));
    assert_eq!(payload["message_ts"], json!(reply));
    assert!(payload["response_url"].is_string() && payload["trigger_id"].is_string());

    let anywhere = json!({ "as": "support", "callback_id": "Run a runbook" });
    let (_, payload) = told(&world, &mut socket, "/shortcuts", anywhere, None).await;
    assert_eq!((&payload["type"], &payload["response_url"]), (&json!("shortcut"), &Value::Null));

    let refused = async |body: Value| world.play.post("/shortcuts", &body).await.unwrap_err();
    assert!(refused(json!({ "as": "support", "callback_id": "run_her" })).await.contains("`Run a runbook here`"));
    assert!(refused(json!({ "as": "support", "callback_id": "run_here" })).await.contains("for a message"));
    assert!(refused(json!({ "as": "foreign", "callback_id": "run" })).await.contains("another organisation"));
}

#[tokio::test]
async fn an_external_select_asks_the_app_and_takes_only_what_it_offered() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    let select = json!({ "type": "external_select", "action_id": "name", "min_query_length": 2 });
    opened(&world, &mut socket, modal("Run", json!([input("book", "Runbook", select)]))).await;
    let ask = |query: &str| json!({ "as": "support", "field": "runbook", "query": query });

    let short = world.play.post("/choices", &ask("d")).await.unwrap_err();
    assert_eq!(short, "`runbook` asks from 2 characters on; type more");

    let offer = json!({ "options": [option("Disk usage", "disk-usage")] });
    let (answer, payload) = told(&world, &mut socket, "/choices", ask("disk"), Some(offer)).await;
    assert_eq!(answer["options"][0]["value"], "disk-usage");
    assert_eq!(payload["type"], "block_suggestion");
    assert_eq!((&payload["value"], &payload["block_id"]), (&json!("disk"), &json!("book")));
    assert_eq!((&payload["action_id"], &payload["trigger_id"]), (&json!("name"), &Value::Null));
    assert_eq!(payload["view"]["state"]["values"]["book"]["name"]["selected_option"], Value::Null);

    let many = json!({ "options": vec![option("a", "a"); 101] });
    let (answer, _) = told(&world, &mut socket, "/choices", ask("all"), Some(many)).await;
    assert!(answer["error"].as_str().unwrap().contains("no more than 100 items allowed"), "{answer}");

    // Whoever types what they want and takes the match needs no list.
    let fill = json!({ "as": "support", "values": { "Runbook": "Disk usage" } });
    let (answer, payload) =
        told(&world, &mut socket, "/forms", fill, Some(json!({ "response_action": "clear" }))).await;
    assert_eq!(answer["open"], Value::Null);
    assert_eq!(payload["view"]["state"]["values"]["book"]["name"]["selected_option"]["value"], "disk-usage");
}

#[tokio::test]
async fn every_kind_of_field_reports_its_state_and_refuses_what_does_not_fit() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    let options = json!([option("Web", "web"), option("Database", "db")]);
    let fields = json!([
        input("count", "Count", json!({ "type": "number_input", "is_decimal_allowed": false, "min_value": "1", "max_value": "9" })),
        input("why", "Why", json!({ "type": "plain_text_input", "min_length": 5, "max_length": 12 })),
        input("tier", "Tier", json!({ "type": "multi_static_select", "options": options, "max_selected_items": 1 })),
        input("mode", "Mode", json!({ "type": "radio_buttons", "options": options, "initial_option": option("Web", "web") })),
        { "type": "input", "block_id": "more", "label": plain("More"), "optional": true,
          "element": { "type": "checkboxes", "options": options } },
        { "type": "input", "block_id": "day", "label": plain("Day"), "optional": true, "element": { "type": "datepicker" } },
    ]);
    opened(&world, &mut socket, modal("Run", fields)).await;
    let fill = json!({ "as": "support", "values": { "Count": "12", "Why": "no", "Tier": "web,db" } });
    assert_eq!(world.play.post("/forms", &fill).await.unwrap()["by"], "slack");
    insta::assert_snapshot!(text(&world, "/forms?as=support").await, @r"
    # Run
    Count: [12]
      ! Please enter a number of at most 9.
    Why: [no]
      ! Please use at least 5 characters.
    Tier: [Web, Database ▾]
      ! Please select at most 1 items.
    Mode: (x) Web  ( ) Database
    More (optional): ( ) Web  ( ) Database
    Day (optional): [choose ▾]
    [Run] [Cancel]
    ");
    assert!(world.play.post("/forms", &json!({ "as": "support", "values": { "Day": "today" } })).await.is_err());
    let good = json!({ "as": "support", "values": { "Count": 4, "Why": "it is full", "Tier": ["Database"], "More": "Web", "Day": "2026-11-30" } });
    let (answer, payload) = told(&world, &mut socket, "/forms", good, None).await;
    assert_eq!((&answer["ok"], &answer["open"]), (&json!(true), &Value::Null));
    let values = &payload["view"]["state"]["values"];
    let of = |block: &str| values[block].as_object().unwrap().values().next().unwrap().clone();
    assert_eq!(of("count")["value"], "4");
    assert_eq!(of("tier")["selected_options"][0]["value"], "db");
    assert_eq!(of("mode")["selected_option"]["value"], "web");
    assert_eq!(of("more")["selected_options"][0]["value"], "web");
    assert_eq!(of("day")["selected_date"], "2026-11-30");
}

#[tokio::test]
async fn a_field_with_dispatch_action_tells_the_app_and_the_answer_keeps_what_was_typed() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    let why = input("why", "Why", json!({ "type": "plain_text_input", "action_id": "text" }));
    let mut book = input(
        "book",
        "Runbook",
        json!({ "type": "static_select", "action_id": "name", "options": [option("A", "a"), option("B", "b")] }),
    );
    book["dispatch_action"] = json!(true);
    let first = opened(&world, &mut socket, modal("Run", json!([book, why]))).await;

    let quiet = json!({ "as": "support", "field": "Why", "value": "full disk" });
    assert_eq!(world.play.post("/choices", &quiet).await.unwrap()["told"], false);
    let pick = json!({ "as": "support", "field": "Runbook", "value": "B" });
    let (_, payload) = told(&world, &mut socket, "/choices", pick, None).await;
    assert_eq!((&payload["type"], &payload["container"]["type"]), (&json!("block_actions"), &json!("view")));
    assert_eq!(payload["container"]["view_id"], first["id"]);
    assert_eq!(payload["actions"][0]["selected_option"]["value"], "b");
    assert_eq!(payload["view"]["state"]["values"]["why"]["text"]["value"], "full disk");
    assert_eq!((&payload["channel"], &payload["response_url"]), (&Value::Null, &Value::Null));

    let node = input("node", "Node", json!({ "type": "plain_text_input" }));
    let second = modal("Run", json!([book, why, node]));
    let stale = json!({ "view_id": first["id"], "hash": "1.stale", "view": second });
    assert_eq!(view_of(&world, "views.update", stale).await.unwrap_err(), "hash_conflict");
    let fresh = json!({ "view_id": first["id"], "hash": payload["view"]["hash"], "view": second });
    let updated = view_of(&world, "views.update", fresh).await.unwrap();
    assert_ne!(updated["hash"], first["hash"]);
    let shown = text(&world, "/forms?as=support").await;
    assert_eq!(shown, "# Run\nRunbook: [B ▾]\nWhy: [full disk]\nNode: [        ]\n[Run] [Cancel]");
}

#[tokio::test]
async fn views_stack_three_high_and_a_submission_can_push_update_or_clear() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    let button =
        json!([{ "type": "actions", "elements": [{ "type": "button", "action_id": "more", "text": plain("More") }] }]);
    let more = json!({ "as": "support", "label": "More" });
    let first = opened(&world, &mut socket, modal("One", button.clone())).await;
    let mut pushed = async |title: &str| {
        let (_, payload) = told(&world, &mut socket, "/clicks", more.clone(), None).await;
        let body = json!({ "trigger_id": payload["trigger_id"], "view": modal(title, button.clone()) });
        view_of(&world, "views.push", body).await
    };
    let second = pushed("Two").await.unwrap();
    assert_eq!((&second["previous_view_id"], &second["root_view_id"]), (&first["id"], &first["id"]));
    pushed("Three").await.unwrap();
    assert_eq!(pushed("Four").await.unwrap_err(), "push_limit_reached");

    let submit = json!({ "as": "support" });
    let update = json!({ "response_action": "update", "view": modal("Three again", json!([])) });
    told(&world, &mut socket, "/forms", submit.clone(), Some(update)).await;
    assert!(text(&world, "/forms?as=support").await.starts_with("# Three again"));
    let (answer, _) =
        told(&world, &mut socket, "/forms", submit.clone(), Some(json!({ "response_action": "sing" }))).await;
    assert!(answer["errors"][""].as_str().unwrap().contains("`sing`"), "{answer}");
    told(&world, &mut socket, "/forms", submit.clone(), None).await;
    assert!(text(&world, "/forms?as=support").await.starts_with("# Two"), "one view is closed, those below stay");
    told(&world, &mut socket, "/forms", submit, Some(json!({ "response_action": "clear" }))).await;
    assert_eq!(text(&world, "/forms?as=support").await, "");
}

#[tokio::test]
async fn the_app_home_is_published_for_one_person_and_its_buttons_open_forms() {
    let world = World::start(Settings::default(), &[]).await;
    let mut socket = world.socket().await;
    let open = json!({ "as": "support" });
    let (_, event) = told(&world, &mut socket, "/home", open.clone(), None).await;
    assert_eq!((&event["event"]["type"], &event["event"]["tab"]), (&json!("app_home_opened"), &json!("home")));
    assert_eq!((&event["event"]["user"], &event["event"]["view"]), (&json!("U0SUSAN"), &Value::Null));

    let home = |label: &str| {
        json!({ "type": "home", "external_id": "home-susan", "blocks": [
            { "type": "header", "text": plain("Waiting for you") },
            { "type": "actions", "elements": [{ "type": "button", "action_id": "run", "text": plain(label) }] } ] })
    };
    let publish = |label: &str, hash: Value| json!({ "user_id": "U0SUSAN", "view": home(label), "hash": hash });
    let first = view_of(&world, "views.publish", publish("Run", Value::Null)).await.unwrap();
    assert_eq!(text(&world, "/home?as=support").await, "# Waiting for you\n[Run]");
    assert_eq!(text(&world, "/home?as=approver").await, "");
    assert_eq!(view_of(&world, "views.publish", publish("X", json!("1.old"))).await.unwrap_err(), "hash_conflict");
    let other = json!({ "user_id": "U0ARNE", "view": home("Run") });
    assert_eq!(view_of(&world, "views.publish", other).await.unwrap_err(), "duplicate_external_id");
    let by_name = json!({ "external_id": "home-susan", "view": home("Run now") });
    assert_eq!(view_of(&world, "views.update", by_name).await.unwrap()["id"], first["id"]);

    let (_, event) = told(&world, &mut socket, "/home", open, None).await;
    assert_eq!(event["event"]["view"]["id"], first["id"]);
    let click = json!({ "as": "support", "label": "Run now", "home": true });
    let (_, payload) = told(&world, &mut socket, "/clicks", click, None).await;
    assert_eq!((&payload["container"]["type"], &payload["view"]["type"]), (&json!("view"), &json!("home")));
    let body = json!({ "trigger_id": payload["trigger_id"], "view": modal("Run", json!([])) });
    view_of(&world, "views.open", body).await.unwrap();
}

#[tokio::test]
async fn a_view_that_slack_would_refuse_is_refused_with_its_place() {
    let world = World::start(Settings { trigger_life: Duration::from_secs(60), ..Settings::default() }, &[]).await;
    let mut socket = world.socket().await;
    let mut refusal = async |view: Value| {
        let body = json!({ "as": "support", "callback_id": "run" });
        let (_, payload) = told(&world, &mut socket, "/shortcuts", body, None).await;
        let body = json!({ "trigger_id": payload["trigger_id"], "view": view });
        let answer = world.api("views.open", body).await.unwrap().body;
        let place = answer["errors"][0].as_str().unwrap_or_default().to_owned();
        format!("{}: {place}", answer["error"].as_str().unwrap_or_default())
    };
    let with = |name: &str, value: Value| {
        let mut view = modal("Run", json!([]));
        view[name] = value;
        view
    };
    let told = [
        refusal(modal(&"x".repeat(25), json!([]))).await,
        refusal(with("private_metadata", json!("x".repeat(3001)))).await,
        refusal(with("callback_id", json!("x".repeat(256)))).await,
        refusal(with("colour", json!("red"))).await,
        refusal(with("submit", Value::Null)).await,
        refusal(with("blocks", json!(vec![json!({ "type": "divider" }); 101]))).await,
        refusal(with("blocks", json!([input("a", "A", json!({ "type": "select" }))]))).await,
        refusal(with("type", json!("home"))).await,
        refusal(with("blocks", json!([{ "type": "image", "alt_text": "x".repeat(260_000) }]))).await,
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    invalid_arguments: must be less than 25 characters [json-pointer:/view/title/text]
    invalid_arguments: must be less than 3001 characters [json-pointer:/view/private_metadata]
    invalid_arguments: must be less than 256 characters [json-pointer:/view/callback_id]
    invalid_arguments: invalid additional property: colour [json-pointer:/view]
    : 
    invalid_arguments: no more than 100 items allowed [json-pointer:/view/blocks]
    invalid_arguments: unsupported type: select [json-pointer:/view/blocks/0/element/type]
    invalid_arguments: unsupported type: only `modal` fits here [json-pointer:/view/type]
    view_too_large: 
    ");
}
