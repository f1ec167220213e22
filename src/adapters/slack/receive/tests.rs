//! Deliveries as Slack sends them, reduced to the fields that its documentation promises.

use super::*;
use crate::domain::{Digest, RunId};
use crate::message::{FormKind, Values, Verb};

fn me() -> Identity {
    Identity { team: "T0MUSTER".into(), enterprise: None, bot_user: "U0BOT".into() }
}

fn run() -> RunId {
    "01J9ZX0000000000000000AB7F".parse().unwrap()
}

fn deed_of(reading: Reading) -> (Delivery, Kind) {
    match reading {
        Reading::Deed(delivery, kind) => (*delivery, kind),
        other => panic!("{other:?}"),
    }
}

fn slash_payload() -> Value {
    json!({
        "token": "x", "team_id": "T0MUSTER", "team_domain": "muster", "channel_id": "C0OPS", "channel_name": "ops",
        "user_id": "U0SUSAN", "user_name": "susan", "command": "/runbook",
        "text": "run restart-service service=nginx reason=\u{201C}ask <@U0ARNE|arne>\u{201D} ",
        "api_app_id": "A1", "is_enterprise_install": "false",
        "response_url": "https://hooks.slack.com/commands/T0MUSTER/1/abc", "trigger_id": "1.2.3"
    })
}

fn click_payload() -> Value {
    json!({
        "type": "block_actions", "team": { "id": "T0MUSTER", "domain": "muster" }, "enterprise": null,
        "user": { "id": "U0ARNE", "username": "arne", "name": "arne", "team_id": "T0MUSTER" },
        "api_app_id": "A1", "token": "x", "is_enterprise_install": false,
        "container": { "type": "message", "message_ts": "100.1", "channel_id": "C0OPS", "is_ephemeral": false, "thread_ts": "99.1" },
        "trigger_id": "4.5.6", "channel": { "id": "C0OPS", "name": "ops" },
        "message": {
            "ts": "100.1", "thread_ts": "99.1", "text": 5, "bot_profile": { "of": "an unknown form" },
            "blocks": [{ "type": "invented_tomorrow" }]
        },
        "state": { "values": {} }, "response_url": "https://hooks.slack.com/actions/T0MUSTER/1/abc",
        "actions": [{
            "action_id": "approve", "block_id": "x", "text": { "type": "plain_text", "text": "Approve", "emoji": false },
            "value": "v1:approve:01J9ZX0000000000000000AB7F:7", "style": "primary", "type": "button", "action_ts": "100.2"
        }]
    })
}

fn form_payload() -> Value {
    json!({
        "type": "view_submission", "team": { "id": "T0MUSTER", "domain": "muster" },
        "user": { "id": "U0ARNE", "username": "arne", "name": "arne", "team_id": "T0MUSTER" },
        "api_app_id": "A1", "token": "x", "trigger_id": "7.8.9", "response_urls": [], "enterprise": null,
        "view": {
            "id": "V1", "team_id": "T0MUSTER", "type": "modal", "hash": "h1", "root_view_id": "V1", "previous_view_id": null,
            "app_id": "A1", "bot_id": "B1", "external_id": "", "callback_id": "deny", "clear_on_close": false,
            "private_metadata": "v1:deny:01J9ZX0000000000000000AB7F:7 C0OPS 99.1",
            "title": { "type": "plain_text", "text": "Deny", "emoji": false }, "submit": null, "close": null,
            "blocks": [{ "type": "invented_tomorrow" }],
            "state": { "values": {
                "reason": { "reason": { "type": "plain_text_input", "value": "not <now> & \u{201C}here\u{201D}" } },
                "note": { "note": { "type": "plain_text_input", "value": null } }
            } }
        }
    })
}

fn mention_payload() -> Value {
    json!({
        "token": "x", "team_id": "T0MUSTER", "api_app_id": "A1", "type": "event_callback", "event_id": "Ev1",
        "event_time": 1700000000, "is_ext_shared_channel": false,
        "authorizations": [{ "enterprise_id": null, "team_id": "T0MUSTER", "user_id": "U0BOT", "is_bot": true }],
        "event": {
            "type": "app_mention", "user": "U0SUSAN", "text": "<@U0BOT> status &amp; more", "ts": "200.1", "team": "T0MUSTER",
            "channel": "C0OPS", "event_ts": "200.1", "client_msg_id": "c1",
            "blocks": [{ "type": "rich_text", "elements": [] }]
        }
    })
}

fn run_form() -> String {
    format!("v1:run:restart-service:{} C0OPS 99.1", Digest::of(b"file"))
}

/// Something was picked in the open form; the element types that it holds.
fn choice_payload() -> Value {
    let option =
        |value: &str| json!({ "text": { "type": "plain_text", "text": value, "emoji": true }, "value": value });
    let mut payload = form_payload();
    payload["type"] = json!("block_actions");
    payload["container"] = json!({ "type": "view", "view_id": "V1" });
    payload["view"]["callback_id"] = json!("run");
    payload["view"]["private_metadata"] = json!(run_form());
    payload["view"]["state"]["values"] = json!({
        "service": { "service": { "type": "static_select", "selected_option": option("nginx") } },
        "on_accounts": { "on_accounts": { "type": "multi_external_select", "selected_options": [option("111111111111"), option("222222222222")] } },
        "on_tags": { "on_tags": { "type": "multi_external_select", "selected_options": [] } },
        "count": { "count": { "type": "number_input", "value": "5" } },
        "in_channel": { "in_channel": { "type": "conversations_select", "selected_conversation": "C0OPS" } },
        "force": { "force": { "type": "radio_buttons", "selected_option": null } }
    });
    payload["actions"] = json!([{
        "type": "multi_external_select", "action_id": "on_accounts", "block_id": "on_accounts",
        "selected_options": [option("111111111111"), option("222222222222")], "action_ts": "100.2"
    }]);
    payload
}

fn suggestion_payload() -> Value {
    let mut payload = choice_payload();
    for gone in ["actions", "trigger_id", "response_urls"] {
        payload.as_object_mut().unwrap().remove(gone);
    }
    payload["type"] = json!("block_suggestion");
    payload["action_id"] = json!("on_accounts");
    payload["block_id"] = json!("on_accounts");
    payload["value"] = json!("acme &amp; co");
    payload
}

fn shortcut_payload() -> Value {
    json!({
        "type": "message_action", "token": "x", "action_ts": "1.1", "callback_id": "run_here", "trigger_id": "1.2.3",
        "team": { "id": "T0MUSTER", "domain": "muster" }, "enterprise": null, "is_enterprise_install": false,
        "user": { "id": "U0SUSAN", "username": "susan", "name": "susan", "team_id": "T0MUSTER" },
        "channel": { "id": "C0INCIDENT", "name": "incidents" }, "message_ts": "150.2",
        "message": { "type": "message", "user": "U0ARNE", "ts": "150.2", "text": "502s again", "team": "T0MUSTER",
            "blocks": [{ "type": "invented_tomorrow" }] },
        "response_url": "https://hooks.slack.com/app/T0MUSTER/1/abc"
    })
}

fn home_payload() -> Value {
    json!({
        "token": "x", "team_id": "T0MUSTER", "api_app_id": "A1", "type": "event_callback", "event_id": "Ev2",
        "event_time": 1700000000, "is_ext_shared_channel": false,
        "authorizations": [{ "enterprise_id": null, "team_id": "T0MUSTER", "user_id": "U0BOT", "is_bot": true }],
        "event": {
            "type": "app_home_opened", "user": "U0ARNE", "channel": "D0ARNE", "tab": "home", "event_ts": "200.1",
            "view": { "id": "V9", "type": "home", "blocks": [{ "type": "invented_tomorrow" }], "hash": "h" }
        }
    })
}

fn filled() -> Values {
    let accounts = ["111111111111", "222222222222"].map(str::to_owned).to_vec();
    let one = |field: &str, value: &str| (field.to_owned(), vec![value.to_owned()]);
    [("on_accounts".to_owned(), accounts), one("service", "nginx"), one("count", "5"), one("in_channel", "C0OPS")]
        .into()
}

fn read_it(kind: &str, payload: Value) -> Reading {
    read(kind, payload, &me(), "/runbook")
}

#[test]
fn a_slash_command_says_who_where_what_and_how_to_answer() {
    let (delivery, kind) = deed_of(read_it("slash_commands", slash_payload()));
    assert_eq!(kind, Kind::Command);
    assert_eq!(delivery.key, "slack:command:1.2.3");
    assert_eq!(delivery.actor, Actor { principal: Principal::slack("T0MUSTER", "U0SUSAN"), foreign: false });
    assert_eq!((delivery.place.channel.as_str(), &delivery.place.thread), ("C0OPS", &None));
    let text = "run restart-service service=nginx reason=\"ask @arne\"".to_owned();
    assert_eq!(delivery.inbound, Inbound::Command { text });
    assert_eq!(delivery.reply.url.as_deref(), Some("https://hooks.slack.com/commands/T0MUSTER/1/abc"));
    assert_eq!(delivery.reply.trigger.as_deref(), Some("1.2.3"));
}

#[test]
fn a_command_without_words_is_still_a_command() {
    let mut payload = slash_payload();
    payload.as_object_mut().unwrap().remove("text");
    assert_eq!(deed_of(read_it("slash_commands", payload)).0.inbound, Inbound::Command { text: String::new() });
}

#[test]
fn another_command_of_the_same_app_is_answered_and_not_run() {
    let mut payload = slash_payload();
    payload["command"] = json!("/other");
    let Reading::Answer(answer) = read_it("slash_commands", payload) else { panic!() };
    assert_eq!(answer["response_type"], "ephemeral");
    assert!(answer["text"].as_str().unwrap().contains("`/runbook`"));
}

#[test]
fn in_an_organisation_the_tenant_is_the_enterprise() {
    let mut payload = slash_payload();
    payload["enterprise_id"] = json!("E0ORG");
    let org = Identity { enterprise: Some("E0ORG".into()), ..me() };
    let (delivery, _) = deed_of(read("slash_commands", payload, &org, "/runbook"));
    assert_eq!(delivery.actor, Actor { principal: Principal::slack("E0ORG", "U0SUSAN"), foreign: false });
    assert_eq!(delivery.place.tenant, "E0ORG");
}

#[test]
fn a_click_is_read_whatever_the_message_around_it_looks_like() {
    let (delivery, kind) = deed_of(read_it("interactive", click_payload()));
    assert_eq!(kind, Kind::Click);
    assert_eq!(delivery.key, "slack:click:4.5.6");
    assert_eq!(delivery.inbound, Inbound::Click { verb: Verb::Approve, run: run(), revision: 7 });
    assert_eq!(delivery.place.thread.as_deref(), Some("99.1"));
    assert!(!delivery.actor.foreign);
}

#[test]
fn the_same_click_has_the_same_key_and_another_click_another_one() {
    let key = |payload: Value| deed_of(read_it("interactive", payload)).0.key;
    assert_eq!(key(click_payload()), key(click_payload()));
    let mut second = click_payload();
    second["trigger_id"] = json!("4.5.7");
    assert_ne!(key(click_payload()), key(second));
    let mut without = click_payload();
    without["trigger_id"] = json!("");
    assert_eq!(key(without), "slack:click:100.1:U0ARNE:100.2");
}

#[test]
fn a_click_by_somebody_of_another_workspace_is_marked_and_carries_their_tenant() {
    let mut payload = click_payload();
    payload["user"]["team_id"] = json!("T0OTHER");
    let actor = deed_of(read_it("interactive", payload)).0.actor;
    assert_eq!(actor, Actor { principal: Principal::slack("T0OTHER", "U0ARNE"), foreign: true });

    let mut unnamed = click_payload();
    unnamed["user"].as_object_mut().unwrap().remove("team_id");
    assert!(deed_of(read_it("interactive", unnamed)).0.actor.foreign, "who cannot be placed is a stranger");
}

#[test]
fn an_installation_for_a_whole_organisation_has_no_team() {
    let org = Identity { team: "E0ORG".into(), enterprise: Some("E0ORG".into()), bot_user: "U0BOT".into() };
    let mut payload = click_payload();
    payload["team"] = Value::Null;
    payload["enterprise"] = json!({ "id": "E0ORG", "name": "org" });
    payload["user"]["team_id"] = json!("E0ORG");
    let (delivery, _) = deed_of(read("interactive", payload, &org, "/runbook"));
    assert_eq!(delivery.actor, Actor { principal: Principal::slack("E0ORG", "U0ARNE"), foreign: false });
}

#[test]
fn buttons_that_are_not_ours_are_left_alone() {
    let mut payload = click_payload();
    payload["actions"][0]["value"] = json!("approve everything");
    assert_eq!(read_it("interactive", payload), Reading::Skip("foreign_button"));
    let mut link = click_payload();
    link["actions"][0].as_object_mut().unwrap().remove("value");
    assert_eq!(read_it("interactive", link), Reading::Skip("foreign_button"));
}

#[test]
fn a_form_comes_back_with_its_values_and_the_place_it_was_opened_from() {
    let (delivery, kind) = deed_of(read_it("interactive", form_payload()));
    assert_eq!(kind, Kind::Form { first_field: Some("note".into()) });
    assert_eq!(delivery.key, "slack:form:V1", "one modal is taken once, whatever it was changed to meanwhile");
    let values = Values::from([("reason".to_owned(), vec!["not <now> & \u{201C}here\u{201D}".to_owned()])]);
    assert_eq!(delivery.inbound, Inbound::Form { form: FormKind::Deny { run: run(), revision: 7 }, values });
    assert_eq!((delivery.place.channel.as_str(), delivery.place.thread.as_deref()), ("C0OPS", Some("99.1")));
}

#[test]
fn a_choice_in_an_open_form_tells_everything_that_stands_in_it() {
    let (delivery, kind) = deed_of(read_it("interactive", choice_payload()));
    assert_eq!(kind, Kind::Click);
    let form = FormKind::Run { runbook: "restart-service".parse().unwrap(), revision: Digest::of(b"file") };
    let choice = Inbound::Choice { id: "V1".into(), form, field: "on_accounts".into(), values: filled() };
    assert_eq!(delivery.inbound, choice);
    assert_eq!((delivery.place.channel.as_str(), delivery.place.thread.as_deref()), ("C0OPS", Some("99.1")));

    let mut foreign = choice_payload();
    foreign["view"]["private_metadata"] = json!("somebody else's");
    assert_eq!(read_it("interactive", foreign), Reading::Skip("foreign_view"));
}

#[test]
fn what_is_typed_into_a_search_is_asked_with_what_stands_in_the_form() {
    let Reading::Asked(search) = read_it("interactive", suggestion_payload()) else { panic!() };
    assert_eq!((search.field.as_str(), search.typed.as_str()), ("on_accounts", "acme & co"));
    assert_eq!((search.values, search.actor.foreign), (filled(), false));
    let mut stranger = suggestion_payload();
    stranger["user"]["team_id"] = json!("T0OTHER");
    let Reading::Asked(search) = read_it("interactive", stranger) else { panic!() };
    assert!(search.actor.foreign);
    let mut other = suggestion_payload();
    other["view"]["private_metadata"] = json!("");
    assert_eq!(read_it("interactive", other), Reading::Answer(json!({ "options": [] })));
}

#[test]
fn a_shortcut_on_a_message_belongs_to_its_channel_and_thread() {
    let (delivery, kind) = deed_of(read_it("interactive", shortcut_payload()));
    assert_eq!((kind, &delivery.inbound, delivery.key.as_str()), (Kind::Click, &Inbound::Pick, "slack:shortcut:1.2.3"));
    assert_eq!((delivery.place.channel.as_str(), delivery.place.thread.as_deref()), ("C0INCIDENT", Some("150.2")));
    assert_eq!(delivery.reply.trigger.as_deref(), Some("1.2.3"));
    let mut reply = shortcut_payload();
    reply["message"]["thread_ts"] = json!("150.1");
    assert_eq!(deed_of(read_it("interactive", reply)).0.place.thread.as_deref(), Some("150.1"));
    let mut other = shortcut_payload();
    other["callback_id"] = json!("something_else");
    assert_eq!(read_it("interactive", other), Reading::Skip("shortcut"));
}

#[test]
fn a_shortcut_from_anywhere_belongs_to_the_person_alone() {
    let mut payload = shortcut_payload();
    for gone in ["channel", "message", "message_ts", "response_url"] {
        payload.as_object_mut().unwrap().remove(gone);
    }
    payload["type"] = json!("shortcut");
    let (delivery, _) = deed_of(read_it("interactive", payload));
    assert!(delivery.inbound == Inbound::Pick && delivery.place.is_nowhere(&delivery.actor.principal));
}

#[test]
fn somebody_who_opens_their_own_page_is_told_from_somebody_who_opens_the_messages() {
    let (delivery, kind) = deed_of(read_it("events_api", home_payload()));
    assert_eq!((kind, &delivery.inbound), (Kind::Event, &Inbound::Home));
    assert!(delivery.place.is_nowhere(&Principal::slack("T0MUSTER", "U0ARNE")) && !delivery.actor.foreign);
    let mut messages = home_payload();
    messages["event"]["tab"] = json!("messages");
    assert_eq!(read_it("events_api", messages), Reading::Skip("other_tab"));
}

#[test]
fn a_click_on_the_own_page_and_one_on_a_message_for_one_person_have_a_place() {
    let mut page = click_payload();
    for gone in ["channel", "message", "response_url"] {
        page.as_object_mut().unwrap().remove(gone);
    }
    page["container"] = json!({ "type": "view", "view_id": "V9" });
    page["view"] = json!({ "id": "V9", "team_id": "T0MUSTER", "type": "home", "hash": "h", "blocks": [{ "type": "new" }],
        "private_metadata": "", "callback_id": "", "external_id": "", "state": { "values": {} } });
    let (delivery, _) = deed_of(read_it("interactive", page));
    assert_eq!(delivery.inbound, Inbound::Click { verb: Verb::Approve, run: run(), revision: 7 });
    assert!(delivery.place.is_nowhere(&delivery.actor.principal));

    let mut whispered = click_payload();
    whispered.as_object_mut().unwrap().remove("message");
    assert_eq!(deed_of(read_it("interactive", whispered)).0.place.thread.as_deref(), Some("99.1"));
}

#[test]
fn a_mention_in_a_thread_keeps_its_thread_and_one_outside_has_none() {
    let (delivery, kind) = deed_of(read_it("events_api", mention_payload()));
    assert_eq!((kind, delivery.key.as_str()), (Kind::Event, "slack:event:Ev1"));
    assert_eq!(delivery.inbound, Inbound::Mention { text: "status & more".into() });
    assert_eq!(delivery.place.thread, None);
    let mut threaded = mention_payload();
    threaded["event"]["thread_ts"] = json!("150.1");
    assert_eq!(deed_of(read_it("events_api", threaded)).0.place.thread.as_deref(), Some("150.1"));
}

#[test]
fn a_mention_by_a_stranger_in_a_shared_channel_is_marked() {
    let mut named = mention_payload();
    named["event"]["user_team"] = json!("T0OTHER");
    assert!(deed_of(read_it("events_api", named)).0.actor.foreign);
    let mut unnamed = mention_payload();
    unnamed["is_ext_shared_channel"] = json!(true);
    unnamed["event"].as_object_mut().unwrap().remove("team");
    assert!(deed_of(read_it("events_api", unnamed)).0.actor.foreign);
}

#[test]
fn bots_edits_and_other_events_run_nothing() {
    let mut bot = mention_payload();
    bot["event"]["bot_id"] = json!("B2");
    assert_eq!(read_it("events_api", bot), Reading::Skip("bot_mention"));
    let mut own = mention_payload();
    own["event"]["user"] = json!("U0BOT");
    assert_eq!(read_it("events_api", own), Reading::Skip("bot_mention"));
    let mut edited = mention_payload();
    edited["event"]["edited"] = json!({ "user": "U0SUSAN", "ts": "201.1" });
    assert_eq!(read_it("events_api", edited), Reading::Skip("edited_mention"));
    let mut other = mention_payload();
    other["event"]["type"] = json!("message");
    assert_eq!(read_it("events_api", other), Reading::Skip("other_event"));
}

#[test]
fn what_is_unknown_is_named_and_never_panics() {
    for (kind, payload, reading) in [
        ("slash_commands", json!({}), Reading::Unreadable("slash_commands")),
        ("slash_commands", json!(null), Reading::Unreadable("slash_commands")),
        ("interactive", json!({ "type": "block_actions" }), Reading::Unreadable("block_actions")),
        ("interactive", json!({ "type": "view_submission" }), Reading::Unreadable("view_submission")),
        ("interactive", json!({ "type": "block_suggestion" }), Reading::Answer(json!({ "options": [] }))),
        ("interactive", json!({ "type": "shortcut" }), Reading::Skip("shortcut")),
        ("interactive", json!([1]), Reading::Skip("unknown_interaction")),
        ("events_api", json!({ "event": { "type": "app_mention" } }), Reading::Unreadable("events_api")),
        ("events_api", json!("x"), Reading::Skip("other_event")),
        ("invented_tomorrow", json!({}), Reading::Skip("unknown_envelope")),
    ] {
        assert_eq!(read_it(kind, payload), reading, "{kind}");
    }
}
