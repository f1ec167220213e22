//! Deliveries as Discord sends them, with everything in them, and as it might send them tomorrow.

use serde_json::json;

use super::*;
use crate::message::Verb;
use crate::message::reference::ActionRef;

fn raw(kind: u64, data: Value) -> Value {
    json!({
        "id": "900", "application_id": "42", "type": kind, "token": "tok-1", "version": 1,
        "guild_id": "100", "channel_id": "500", "channel": { "id": "500", "type": 0, "name": "ops" },
        "member": { "user": { "id": "200", "username": "susan" }, "roles": ["300"], "permissions": "0" },
        "app_permissions": "0", "attachment_size_limit": 10_485_760, "locale": "en-GB", "entitlements": [],
        "data": data,
    })
}

fn slash(subcommand: &str, options: Value) -> Value {
    json!({ "id": "1", "name": "runbook", "type": 1,
        "options": [{ "name": subcommand, "type": 1, "options": options }] })
}

fn read(raw: &Value) -> Reading {
    interaction(raw, "runbook")
}

fn deed_of(raw: &Value) -> (Delivery, Kind, bool) {
    match read(raw) {
        Reading::Deed { delivery, kind, opens, .. } => (*delivery, kind, opens),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_filled_in_command_is_what_people_type_elsewhere() {
    let options = json!([
        { "name": "runbook", "type": 3, "value": "restart-service" },
        { "name": "with", "type": 3, "value": "service=nginx" },
        { "name": "on", "type": 3, "value": "env=staging" },
        { "name": "because", "type": 3, "value": "ticket 4711" },
    ]);
    let (delivery, kind, opens) = deed_of(&raw(2, slash("run", options)));
    let text = "run restart-service service=nginx on env=staging because \"ticket 4711\"";
    assert_eq!(delivery.inbound, Inbound::Command { text: text.into() });
    assert_eq!(delivery.key, "discord:interaction:900");
    assert_eq!(delivery.actor, Actor { principal: Principal::discord("100", "200"), foreign: false });
    assert_eq!((delivery.place.channel.as_str(), &delivery.place.thread), ("500", &None));
    assert_eq!(kind, Kind::Command { line: format!("/runbook {text}") });
    assert!(!opens);
    assert_eq!(delivery.reply.trigger.as_deref(), Some("900/tok-1"));
    assert_eq!(delivery.reply.url.as_deref(), Some("42/tok-1/@original"));
}

#[test]
fn a_command_in_a_thread_belongs_to_the_channel_and_the_thread() {
    let mut typed = raw(2, slash("list", json!([])));
    typed["channel"] = json!({ "id": "501", "type": 11, "parent_id": "500" });
    typed["channel_id"] = json!("501");
    let (delivery, ..) = deed_of(&typed);
    assert_eq!((delivery.place.channel.as_str(), delivery.place.thread.as_deref()), ("500", Some("501")));
}

#[test]
fn what_opens_a_form_is_known_before_it_is_acknowledged() {
    let (delivery, _, opens) = deed_of(&raw(2, slash("form", json!([]))));
    assert_eq!((delivery.inbound, opens), (Inbound::Command { text: String::new() }, true));
    let here = json!({ "id": "2", "name": RUN_HERE, "type": 3, "target_id": "777" });
    let (delivery, _, opens) = deed_of(&raw(2, here));
    assert_eq!((&delivery.inbound, opens), (&Inbound::Pick, true));
    assert_eq!(delivery.place.thread.as_deref(), Some("777"));
    for (verb, form) in
        [(Verb::Deny, true), (Verb::Narrow, true), (Verb::Pick, true), (Verb::Fill, true), (Verb::Approve, false)]
    {
        let action = ActionRef { verb, run: "01J9ZX0000000000000000AB7F".parse().unwrap(), revision: 3 };
        let pressed = raw(3, json!({ "component_type": 2, "custom_id": custom::button(action, None, 0) }));
        let (delivery, kind, opens) = deed_of(&pressed);
        assert_eq!((kind, opens), (Kind::Click, form));
        assert_eq!(delivery.inbound, Inbound::Click { verb, run: action.run, revision: 3 });
        assert_eq!(delivery.reply.url.as_deref(), Some("42/tok-1"), "the card must not be replaced");
    }
}

#[test]
fn a_click_in_a_direct_message_is_about_the_guild_that_its_button_names() {
    let action = ActionRef { verb: Verb::Approve, run: "01J9ZX0000000000000000AB7F".parse().unwrap(), revision: 3 };
    let pressed = |about: Option<(&str, Option<&str>)>| {
        let about = about
            .map(|(guild, channel)| custom::About { guild: guild.to_owned(), channel: channel.map(str::to_owned) });
        let mut pressed = raw(3, json!({ "custom_id": custom::button(action, about.as_ref(), 0) }));
        let user = pressed["member"]["user"].clone();
        pressed["user"] = user;
        for gone in ["guild_id", "member"] {
            pressed.as_object_mut().unwrap().remove(gone);
        }
        let delivery = deed_of(&pressed).0;
        (delivery.actor, delivery.place.channel)
    };
    let (actor, direct) = pressed(Some(("100", None)));
    assert_eq!(actor, Actor { principal: Principal::discord("100", "200"), foreign: false });
    // A form that is opened from an answer belongs where it was asked.
    let (actor, asked) = pressed(Some(("100", Some("4711"))));
    assert_eq!((actor.foreign, asked.as_str()), (false, "4711"));
    let (actor, unknown) = pressed(None);
    assert_eq!(actor, Actor { principal: Principal::discord("unknown", "200"), foreign: true });
    assert_eq!(unknown, direct);
}

#[test]
fn whoever_is_no_member_of_the_guild_is_a_stranger() {
    let mut typed = raw(2, slash("list", json!([])));
    let user = typed["member"]["user"].clone();
    typed["user"] = user;
    typed.as_object_mut().unwrap().remove("member");
    let (delivery, ..) = deed_of(&typed);
    assert_eq!(delivery.actor, Actor { principal: Principal::discord("unknown", "200"), foreign: true });
}

#[test]
fn whoever_types_is_asked_for_the_part_that_is_being_typed() {
    let options = json!([
        { "name": "runbook", "type": 3, "value": "restart-service" },
        { "name": "with", "type": 3, "value": "serv", "focused": true },
        { "name": "on", "type": 3, "value": "env=staging" },
    ]);
    let Reading::Completing { asking, .. } = read(&raw(4, slash("run", options))) else { panic!() };
    assert_eq!((asking.part, asking.typed.as_str()), (Part::With, "serv"));
    assert_eq!((asking.runbook.as_str(), asking.on.as_str()), ("restart-service", "env=staging"));
    let show = json!([{ "name": "words", "type": 3, "value": "re", "focused": true }]);
    let Reading::Completing { asking, .. } = read(&raw(4, slash("show", show))) else { panic!() };
    assert_eq!((asking.part, asking.typed.as_str()), (Part::Runbook, "re"));
}

#[test]
fn a_page_that_comes_back_says_what_it_was_opened_from() {
    let page = PageRef { draft: "0123456789".into(), page: 1, what: custom::What::Pick };
    let data = json!({ "custom_id": page.to_string(), "components": [
        { "type": 18, "component": { "type": 4, "custom_id": "why", "value": "x" } }] });
    for (message, expected) in [
        (json!(null), Source::Nothing),
        (json!({ "id": "1", "flags": 64 }), Source::Private),
        (json!({ "id": "1", "flags": 0 }), Source::Public),
        (json!({ "id": "1" }), Source::Public),
    ] {
        let mut filled = raw(5, data.clone());
        filled["message"] = message;
        let Reading::Filled { page: read, inputs, from, .. } = read(&filled) else { panic!() };
        assert_eq!((read, from, inputs.0.len()), (page.clone(), expected, 1));
    }
    let opened = raw(3, json!({ "custom_id": page.to_string() }));
    assert!(matches!(read(&opened), Reading::Page { .. }));
}

#[test]
fn what_is_not_ours_is_left_alone_and_what_cannot_be_read_still_has_its_answer() {
    assert_eq!(read(&raw(3, json!({ "custom_id": "other" }))), Reading::Skip("foreign_button"));
    assert_eq!(read(&raw(5, json!({ "custom_id": "other" }))), Reading::Skip("foreign_modal"));
    assert_eq!(read(&raw(2, json!({ "name": "other", "type": 1 }))), Reading::Skip("foreign_command"));
    assert_eq!(read(&raw(99, json!({}))), Reading::Skip("unknown_interaction"));
    for broken in [raw(2, json!({})), raw(2, json!({ "name": "runbook" })), raw(3, json!({})), raw(4, json!([]))] {
        assert!(matches!(read(&broken), Reading::Unreadable(Some(_))), "{broken}");
    }
    let mut nameless = raw(2, slash("list", json!([])));
    nameless.as_object_mut().unwrap().remove("member");
    assert!(matches!(read(&nameless), Reading::Unreadable(Some(_))));
    assert_eq!(read(&json!({ "id": "1" })), Reading::Unreadable(None));
    assert_eq!(read(&json!(null)), Reading::Unreadable(None));
    // Fields that serenity's models want are not needed here.
    let mut bare = raw(2, slash("list", json!([])));
    for gone in ["version", "app_permissions", "attachment_size_limit", "locale", "entitlements", "channel"] {
        bare.as_object_mut().unwrap().remove(gone);
    }
    assert_eq!(deed_of(&bare).0.inbound, Inbound::Command { text: "list".into() });
}

fn said(content: &str) -> Value {
    json!({ "id": "800", "type": 0, "guild_id": "100", "channel_id": "500", "content": content,
        "author": { "id": "200", "username": "susan" }, "mentions": [{ "id": "7" }] })
}

#[test]
fn a_message_that_mentions_the_bot_is_a_command() {
    let heard = mention(&said("<@7> run disk-usage on env=prod"), "7").unwrap();
    assert_eq!((heard.text.as_str(), heard.user.as_str()), ("run disk-usage on env=prod", "200"));
    let with = |key: &str, value: Value| {
        let mut message = said("<@7> status");
        message[key] = value;
        mention(&message, "7").err()
    };
    assert_eq!(with("type", json!(19)), None, "an answer to a message counts");
    assert_eq!(with("type", json!(7)), Some("system_message"));
    assert_eq!(with("author", json!({ "id": "9", "bot": true })), Some("bot_message"));
    assert_eq!(with("author", json!({ "id": "7" })), Some("bot_message"));
    assert_eq!(with("webhook_id", json!("5")), Some("bot_message"));
    assert_eq!(with("guild_id", json!(null)), Some("direct_message"));
    assert_eq!(mention(&said("thanks"), "7").err(), Some("no_mention"), "an answer mentions without a word");
}
