//! First answers: what they carry, and that they do not wait.

use super::super::custom::{PageRef, What};
use super::super::drafts::Draft;
use super::super::filling::bare;
use super::*;
use crate::message::form::{Choice, FormField, Group};
use crate::message::form::{Faults, Form, FormKind};
use crate::message::reference::ActionRef;
use crate::message::{FieldKind, Suggestions, Verb};
use crate::ports::Search;

/// An inbox that takes its time and answers what it is told to.
struct Slow {
    takes: Duration,
    answer: Result<Ack, InboxError>,
    keys: Mutex<Vec<String>>,
}

#[async_trait]
impl Inbox for Slow {
    async fn accept(&self, delivery: Delivery) -> Result<Ack, InboxError> {
        tokio::time::sleep(self.takes).await;
        self.keys.lock().unwrap().push(delivery.key);
        self.answer.clone()
    }
    async fn suggest(&self, _: Search) -> Suggestions {
        tokio::time::sleep(self.takes).await;
        Suggestions::nothing()
    }
    async fn complete(&self, _: Completing) -> Suggestions {
        tokio::time::sleep(self.takes).await;
        let choices = [("short", "a short one"), (&"v".repeat(120), "too long to be carried")];
        let choices = choices.map(|(value, label)| Choice { value: value.into(), label: label.into() });
        Suggestions { groups: vec![Group { heading: None, choices: choices.to_vec() }] }
    }
}

#[derive(Default)]
struct Heard {
    answers: Mutex<Vec<Value>>,
    amended: Mutex<Vec<Value>>,
    followed: Mutex<Vec<Value>>,
    told: Mutex<Vec<String>>,
}

#[async_trait]
impl Front for Heard {
    async fn answer(&self, _: &Asked, answer: Value, _: Instant) {
        self.answers.lock().unwrap().push(answer);
    }
    async fn amend(&self, _: &Asked, body: Value) {
        self.amended.lock().unwrap().push(body);
    }
    async fn follow(&self, _: &Asked, body: Value) {
        self.followed.lock().unwrap().push(body);
    }
    async fn tell(&self, reply: &Reply, sentence: &str) {
        self.told.lock().unwrap().push(format!("{}: {sentence}", reply.person.user));
    }
    async fn locate(&self, channel: &str) -> Option<Spot> {
        (channel == "501").then(|| Spot { guild: Some("100".into()), parent: Some("500".into()) })
    }
}

struct Desk {
    intake: Intake,
    inbox: Arc<Slow>,
    heard: Arc<Heard>,
}

/// The watchdog is far below what a slow inbox takes, so that the answer is seen to come first.
fn desk(takes: u64, answer: Result<Ack, InboxError>) -> Desk {
    let inbox = Arc::new(Slow { takes: Duration::from_millis(takes), answer, keys: Mutex::default() });
    let heard = Arc::new(Heard::default());
    let intake = Intake {
        inbox: Arc::clone(&inbox) as _,
        front: Arc::clone(&heard) as _,
        shared: Arc::default(),
        bot: "7".into(),
        command: "runbook".into(),
        watchdog: Duration::from_millis(40),
        forms: Duration::from_millis(80),
        seen: Seen::default(),
    };
    Desk { intake, inbox, heard }
}

const SLOW: u64 = 300;

impl Desk {
    async fn gets(&self, interaction: Value) {
        self.intake.handle("INTERACTION_CREATE", interaction).await;
    }
    fn answers(&self) -> Vec<Value> {
        self.heard.answers.lock().unwrap().clone()
    }
    fn told(&self) -> Vec<String> {
        self.heard.told.lock().unwrap().clone()
    }
    fn keys(&self) -> Vec<String> {
        self.inbox.keys.lock().unwrap().clone()
    }
}

fn raw(id: &str, kind: u64, data: Value) -> Value {
    json!({ "id": id, "application_id": "42", "type": kind, "token": "tok", "guild_id": "100",
        "channel": { "id": "500", "type": 0 }, "member": { "user": { "id": "200" } }, "data": data })
}

fn list(id: &str) -> Value {
    raw(id, 2, json!({ "name": "runbook", "options": [{ "name": "list", "type": 1 }] }))
}

fn press(id: &str, verb: Verb) -> Value {
    let action = ActionRef { verb, run: "01J9ZX0000000000000000AB7F".parse().unwrap(), revision: 1 };
    raw(id, 3, json!({ "custom_id": super::super::custom::button(action, None, 0) }))
}

#[tokio::test]
async fn a_command_gets_its_line_and_a_click_gets_none() {
    let desk = desk(0, Ok(Ack::Plain));
    desk.gets(list("1")).await;
    desk.gets(press("2", Verb::Approve)).await;
    let answers = desk.answers();
    assert_eq!((&answers[0]["type"], &answers[0]["data"]["flags"]), (&json!(4), &json!(64)));
    assert!(answers[0]["data"]["content"].as_str().unwrap().starts_with("`/runbook list`: noted."));
    assert_eq!(answers[1], json!({ "type": 6 }));
    assert_eq!(desk.keys(), ["discord:interaction:1", "discord:interaction:2"]);
}

#[tokio::test]
async fn a_second_delivery_of_the_same_interaction_is_neither_done_nor_answered_again() {
    let desk = desk(0, Ok(Ack::Plain));
    desk.gets(list("1")).await;
    desk.gets(list("1")).await;
    assert_eq!((desk.answers().len(), desk.keys().len()), (1, 1));
}

#[tokio::test]
async fn a_slow_inbox_is_answered_for_and_its_failure_is_told_afterwards() {
    let desk = desk(SLOW, Err(InboxError::Store("disk full".into())));
    desk.gets(list("1")).await;
    assert!(desk.answers()[0]["data"]["content"].as_str().unwrap().contains("noted"), "it did not wait");
    assert_eq!(desk.told(), ["200: muster could not note this down, so nothing was done; try again in a minute"]);
    desk.gets(press("2", Verb::Approve)).await;
    assert_eq!((desk.answers()[1].clone(), desk.told().len()), (json!({ "type": 6 }), 2));
}

#[tokio::test]
async fn a_failing_inbox_is_told_in_the_answer_itself() {
    let desk = desk(0, Err(InboxError::Stopping));
    desk.gets(list("1")).await;
    desk.gets(press("2", Verb::Approve)).await;
    desk.gets(press("3", Verb::Deny)).await;
    for answer in desk.answers() {
        assert_eq!(answer["data"]["flags"], 64);
        assert!(answer["data"]["content"].as_str().unwrap().contains("is stopping"), "{answer}");
    }
    assert!(desk.told().is_empty());
}

#[tokio::test]
async fn a_click_whose_form_does_not_come_is_acknowledged_all_the_same() {
    let desk = desk(0, Ok(Ack::Plain));
    desk.gets(press("1", Verb::Deny)).await;
    assert_eq!(desk.answers(), [json!({ "type": 6 })]);
    let slow = self::desk(SLOW, Err(InboxError::Stopping));
    slow.gets(press("1", Verb::Deny)).await;
    assert_eq!(slow.answers(), [json!({ "type": 6 })]);
    assert_eq!(slow.told().len(), 1, "what came of it is told when it is known");
}

#[tokio::test]
async fn whoever_answers_first_is_the_only_one() {
    let desk = Arc::new(desk(0, Ok(Ack::Plain)));
    let pressing = tokio::spawn({
        let desk = Arc::clone(&desk);
        async move { desk.gets(press("1", Verb::Deny)).await }
    });
    while desk.keys().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(desk.intake.shared.waiting.take("1"), "a form opens");
    desk.intake.shared.waiting.done("1");
    pressing.await.unwrap();
    assert!(desk.answers().is_empty());
}

#[tokio::test]
async fn what_cannot_be_carried_is_not_offered_and_nothing_is_better_than_late() {
    let typing = raw(
        "1",
        4,
        json!({ "name": "runbook", "options": [{ "name": "run", "type": 1, "options": [
        { "name": "runbook", "type": 3, "value": "x", "focused": true }] }] }),
    );
    let quick = desk(0, Ok(Ack::Plain));
    quick.gets(typing.clone()).await;
    let offered = json!({ "type": 8, "data": { "choices": [{ "name": "a short one", "value": "short" }] } });
    assert_eq!(quick.answers(), [offered]);
    let slow = desk(SLOW, Ok(Ack::Plain));
    slow.gets(typing).await;
    assert_eq!(slow.answers(), [json!({ "type": 8, "data": { "choices": [] } })]);
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_and_told_where_there_is_somebody_to_tell() {
    let desk = desk(0, Ok(Ack::Plain));
    desk.gets(raw("1", 2, json!({ "name": "runbook", "options": 7 }))).await;
    assert!(desk.answers()[0]["data"]["content"].as_str().unwrap().contains("nothing was done"));
    desk.gets(json!({ "id": "2", "type": 2 })).await;
    desk.intake.handle("SOMETHING_NEW", json!({})).await;
    assert_eq!((desk.answers().len(), desk.keys().len()), (1, 0));
}

/// A form of `fields` fields that somebody is filling in, and what they send of its first page.
fn filling(desk: &Desk, fields: usize, message: Value) -> Value {
    let field = |n: usize| FormField {
        name: format!("f{n}"),
        label: format!("Field {n}"),
        hint: None,
        required: false,
        kind: FieldKind::Text { value: None, multiline: false, max_length: 50, placeholder: None },
        fault: None,
    };
    let kind = FormKind::Run { runbook: "x".parse().unwrap(), revision: crate::domain::Digest::of(b"x") };
    let form = Form { fields: (0..fields).map(field).collect(), ..bare(kind) };
    let actor = Actor { principal: Principal::discord("100", "200"), foreign: false };
    let place = Place { platform: ChatPlatform::Discord, tenant: "100".into(), channel: "500".into(), thread: None };
    let page = PageRef {
        what: What::from(&form.kind),
        draft: desk.intake.shared.drafts.add(Draft::new(form, actor, place)),
        page: 0,
    };
    let mut filled = raw(
        "9",
        5,
        json!({ "custom_id": page.to_string(), "components": [
        { "type": 18, "component": { "type": 4, "custom_id": "f0", "value": "x" } }] }),
    );
    filled["message"] = message;
    filled
}

#[tokio::test]
async fn what_comes_of_a_form_stands_where_it_was_opened() {
    let private = json!({ "id": "1", "flags": 64 });
    let faults = Faults::from([("f0".to_owned(), "no such value".to_owned())]);
    for (message, kind) in [(private.clone(), 7), (json!({ "id": "1", "flags": 0 }), 4), (json!(null), 4)] {
        let desk = desk(0, Ok(Ack::FormErrors(faults.clone())));
        desk.gets(filling(&desk, 1, message)).await;
        let answer = desk.answers()[0].clone();
        assert_eq!(answer["type"], kind);
        let text = answer["data"]["content"].as_str().unwrap();
        assert!(text.contains("**Field 0**: no such value"), "{text}");
        assert_eq!(answer["data"]["components"][0]["components"][0]["label"], "Correct it");
    }
    let desk = desk(0, Ok(Ack::Plain));
    desk.gets(filling(&desk, 6, private)).await;
    let answer = desk.answers()[0].clone();
    assert!(answer["data"]["content"].as_str().unwrap().contains("Page 1 of 2"), "{answer}");
    assert!(desk.keys().is_empty(), "nothing is sent before the last page");
}

#[tokio::test]
async fn a_form_that_was_taken_is_gone_and_one_of_somebody_else_never_was_there() {
    let desk = desk(0, Ok(Ack::Plain));
    let filled = filling(&desk, 1, json!({ "id": "1", "flags": 64 }));
    let mut other = filled.clone();
    (other["id"], other["member"]["user"]["id"]) = (json!("8"), json!("201"));
    desk.gets(other).await;
    assert!(desk.answers()[0]["data"]["content"].as_str().unwrap().contains("no longer there"));
    assert!(desk.keys().is_empty());
    desk.gets(filled.clone()).await;
    assert_eq!(desk.keys().len(), 1);
    let mut again = filled;
    again["id"] = json!("10");
    desk.gets(again).await;
    assert!(desk.answers()[2]["data"]["content"].as_str().unwrap().contains("it was sent already"));
    assert_eq!(desk.keys().len(), 1);
}

#[tokio::test]
async fn a_slow_store_does_not_keep_a_form_open_and_what_was_wrong_is_still_shown() {
    let faults = Faults::from([("f0".to_owned(), "no such value".to_owned())]);
    let desk = desk(SLOW, Ok(Ack::FormErrors(faults)));
    desk.gets(filling(&desk, 1, json!({ "id": "1", "flags": 64 }))).await;
    assert_eq!(desk.answers().len(), 1);
    let amended = desk.heard.amended.lock().unwrap().clone();
    assert!(amended[0]["content"].as_str().unwrap().contains("no such value"));
}

#[tokio::test]
async fn a_denial_outlives_a_restart() {
    let desk = desk(0, Ok(Ack::Plain));
    let what = What::Deny { run: "01J9ZX0000000000000000AB7F".parse().unwrap(), revision: 3 };
    let page = PageRef { draft: "0123456789".into(), page: 0, what };
    let mut filled = raw(
        "9",
        5,
        json!({ "custom_id": page.to_string(), "components": [
        { "type": 18, "component": { "type": 4, "custom_id": "why", "value": "not today" } }] }),
    );
    filled["message"] = json!({ "id": "1", "flags": 0 });
    desk.gets(filled).await;
    assert_eq!(desk.keys(), ["discord:interaction:9"]);
    assert_eq!(desk.answers(), [json!({ "type": 6 })], "the card is changed by nobody but the engine");
}

#[tokio::test]
async fn a_mention_in_a_thread_belongs_to_it_also_where_the_gateway_has_not_told() {
    let desk = desk(0, Err(InboxError::Stopping));
    let said = json!({ "id": "800", "type": 0, "guild_id": "100", "channel_id": "501", "content": "<@7> status",
        "author": { "id": "200" } });
    desk.intake.handle("MESSAGE_CREATE", said).await;
    assert_eq!(desk.keys(), ["discord:message:800"]);
    assert_eq!(desk.told().len(), 1, "who mentions has no answer to read it in");
}
