//! Acknowledgements: what they carry and that they do not wait.

use std::collections::BTreeMap;

use super::*;
use crate::message::{Choice, Suggestions};
use crate::ports::{Delivery, Search};

/// Milliseconds; far above the watchdog, so that the acknowledgement is seen to come first.
const SLOW: u64 = 600;

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
    async fn suggest(&self, search: Search) -> Suggestions {
        tokio::time::sleep(self.takes).await;
        self.keys.lock().unwrap().push(format!("search:{}:{}", search.field, search.typed));
        Suggestions::matching(&search.typed, ("Yours of late", vec![]), choices(3))
    }
}

fn choices(n: usize) -> Vec<Choice> {
    (0..n).filter_map(|i| Choice::new(format!("v{i}"), &format!("choice {i}"))).collect()
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

#[async_trait]
impl Tell for Heard {
    async fn tell(&self, reply: &Reply, sentence: &str) {
        self.0.lock().unwrap().push(format!("{}: {sentence}", reply.person.user));
    }
}

struct Out {
    since: Instant,
    sent: Mutex<Vec<(u64, Value)>>,
}

impl Outlet for Out {
    fn send(&self, text: String) -> bool {
        let at = u64::try_from(self.since.elapsed().as_millis()).unwrap();
        self.sent.lock().unwrap().push((at, serde_json::from_str(&text).unwrap()));
        true
    }
}

struct Desk {
    intake: Intake,
    inbox: Arc<Slow>,
    heard: Arc<Heard>,
    out: Out,
}

fn desk(takes_ms: u64, answer: Result<Ack, InboxError>) -> Desk {
    let inbox = Arc::new(Slow { takes: Duration::from_millis(takes_ms), answer, keys: Mutex::default() });
    let heard = Arc::new(Heard::default());
    let intake = Intake {
        inbox: Arc::clone(&inbox) as _,
        tell: Arc::clone(&heard) as _,
        me: Identity { team: "T0MUSTER".into(), enterprise: None, bot_user: "U0BOT".into() },
        command: "/runbook".into(),
        watchdog: Duration::from_millis(150),
        answered: Answered::default(),
    };
    Desk { intake, inbox, heard, out: Out { since: Instant::now(), sent: Mutex::default() } }
}

impl Desk {
    async fn gets(&self, envelope: Value) {
        self.intake.handle(serde_json::from_value(envelope).unwrap(), &self.out).await;
    }
    /// The acknowledgements, without their times.
    fn sent(&self) -> Vec<Value> {
        self.out.sent.lock().unwrap().iter().map(|(_, ack)| ack.clone()).collect()
    }
    /// When the first acknowledgement went out, in milliseconds.
    fn first(&self) -> u64 {
        self.out.sent.lock().unwrap()[0].0
    }
    fn keys(&self) -> Vec<String> {
        self.inbox.keys.lock().unwrap().clone()
    }
    fn heard(&self) -> Vec<String> {
        self.heard.0.lock().unwrap().clone()
    }
}

fn command(id: &str) -> Value {
    json!({
        "envelope_id": id, "type": "slash_commands", "accepts_response_payload": true,
        "payload": {
            "team_id": "T0MUSTER", "channel_id": "C0OPS", "user_id": "U0SUSAN", "command": "/runbook", "text": "help",
            "response_url": "https://hooks.slack.com/commands/1", "trigger_id": id
        }
    })
}

fn click(id: &str) -> Value {
    json!({
        "envelope_id": id, "type": "interactive", "accepts_response_payload": true,
        "payload": {
            "type": "block_actions", "team": { "id": "T0MUSTER" }, "user": { "id": "U0ARNE", "team_id": "T0MUSTER" },
            "api_app_id": "A1", "trigger_id": id, "channel": { "id": "C0OPS" },
            "container": { "type": "message", "message_ts": "1.1", "channel_id": "C0OPS" },
            "actions": [{ "type": "button", "action_id": "approve", "value": "v1:approve:01J9ZX0000000000000000AB7F:7" }]
        }
    })
}

fn form(id: &str) -> Value {
    json!({
        "envelope_id": id, "type": "interactive", "accepts_response_payload": true,
        "payload": {
            "type": "view_submission", "team": { "id": "T0MUSTER" }, "user": { "id": "U0ARNE", "team_id": "T0MUSTER" },
            "view": {
                "id": id, "team_id": "T0MUSTER", "type": "modal", "hash": "h", "blocks": [],
                "title": { "type": "plain_text", "text": "Deny" },
                "private_metadata": "v1:deny:01J9ZX0000000000000000AB7F:7 C0OPS",
                "state": { "values": { "reason": { "reason": { "type": "plain_text_input", "value": "x" } } } }
            }
        }
    })
}

fn mention(id: &str) -> Value {
    json!({
        "envelope_id": id, "type": "events_api", "accepts_response_payload": false, "retry_attempt": 0, "retry_reason": "",
        "payload": {
            "type": "event_callback", "team_id": "T0MUSTER", "api_app_id": "A1", "event_id": id, "event_time": 1,
            "event": { "type": "app_mention", "user": "U0SUSAN", "text": "<@U0BOT> help", "ts": "1.1", "channel": "C0OPS" }
        }
    })
}

fn store_failed() -> Result<Ack, InboxError> {
    Err(InboxError::Store("disk full".into()))
}

#[tokio::test]
async fn the_acknowledgement_follows_the_durable_row() {
    let desk = desk(40, Ok(Ack::Plain));
    desk.gets(command("e1")).await;
    assert_eq!(desk.sent(), [json!({ "envelope_id": "e1" })]);
    assert!((40..150).contains(&desk.first()), "{}", desk.first());
    assert_eq!(desk.keys(), ["slack:command:e1"]);
}

#[tokio::test]
async fn a_slow_store_does_not_delay_the_acknowledgement_and_the_deed_is_still_taken() {
    let desk = desk(SLOW, Ok(Ack::Plain));
    desk.gets(command("e1")).await;
    assert_eq!(desk.sent(), [json!({ "envelope_id": "e1" })]);
    assert!((150..SLOW).contains(&desk.first()), "{}", desk.first());
    assert_eq!(desk.keys(), ["slack:command:e1"]);
    assert_eq!(desk.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_fails_late_is_told_to_the_person() {
    let desk = desk(SLOW, store_failed());
    desk.gets(click("e1")).await;
    assert_eq!(desk.sent().len(), 1);
    assert_eq!(desk.heard(), ["U0ARNE: muster could not note this down, so nothing was done; try again in a minute"]);
}

#[tokio::test]
async fn a_store_that_fails_is_told_where_the_person_looks() {
    let sentence = "muster could not note this down, so nothing was done; try again in a minute";

    let desk_command = desk(0, store_failed());
    desk_command.gets(command("e1")).await;
    let payload = json!({ "response_type": "ephemeral", "text": sentence });
    assert_eq!(desk_command.sent()[0], json!({ "envelope_id": "e1", "payload": payload }));

    let desk_click = desk(0, store_failed());
    desk_click.gets(click("e1")).await;
    assert_eq!(desk_click.sent()[0], json!({ "envelope_id": "e1" }));
    assert_eq!(desk_click.heard(), [format!("U0ARNE: {sentence}")]);

    let desk_form = desk(0, store_failed());
    desk_form.gets(form("e1")).await;
    let payload = json!({ "response_action": "errors", "errors": { "reason": sentence } });
    assert_eq!(desk_form.sent()[0], json!({ "envelope_id": "e1", "payload": payload }));
}

#[tokio::test]
async fn a_mention_that_could_not_be_stored_is_not_acknowledged_so_that_it_comes_again() {
    let desk = desk(0, store_failed());
    desk.gets(mention("e1")).await;
    assert_eq!(desk.sent(), Vec::<Value>::new());
    desk.gets(mention("e1")).await;
    assert_eq!(desk.keys().len(), 2, "the second delivery gets its own chance");
}

#[tokio::test]
async fn a_bot_that_stops_says_so() {
    let desk = desk(0, Err(InboxError::Stopping));
    desk.gets(command("e1")).await;
    assert_eq!(desk.sent()[0]["payload"]["text"], "muster is stopping; try again in a minute");
}

#[tokio::test]
async fn errors_in_a_form_keep_it_open() {
    let errors = BTreeMap::from([("reason".to_owned(), "say a little more".to_owned())]);
    let desk = desk(10, Ok(Ack::FormErrors(errors.clone())));
    desk.gets(form("e1")).await;
    let payload = json!({ "response_action": "errors", "errors": { "reason": "say a little more" } });
    assert_eq!(desk.sent(), [json!({ "envelope_id": "e1", "payload": payload })]);

    let late = self::desk(SLOW, Ok(Ack::FormErrors(errors)));
    late.gets(form("e2")).await;
    assert_eq!(late.sent(), [json!({ "envelope_id": "e2" })]);
    assert_eq!(late.heard(), ["U0ARNE: nothing was done: reason: say a little more"]);
}

#[tokio::test]
async fn an_envelope_that_comes_again_is_acknowledged_again_and_not_accepted_again() {
    let desk = desk(0, Ok(Ack::Plain));
    desk.gets(command("e1")).await;
    desk.gets(command("e1")).await;
    assert_eq!(desk.sent().len(), 2);
    assert_eq!(desk.keys(), ["slack:command:e1"]);
}

#[tokio::test]
async fn what_is_unknown_is_acknowledged_so_that_slack_stops_sending_it() {
    let desk = desk(0, Ok(Ack::Plain));
    desk.gets(json!({ "envelope_id": "e1", "type": "invented_tomorrow", "payload": { "a": 1 } })).await;
    desk.gets(json!({ "envelope_id": "e2", "type": "slash_commands", "payload": { "a": 1 } })).await;
    desk.gets(json!({ "type": "invented_tomorrow" })).await;
    assert_eq!(desk.sent(), [json!({ "envelope_id": "e1" }), json!({ "envelope_id": "e2" })]);
    assert_eq!(desk.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn a_payload_is_kept_back_where_slack_does_not_take_one() {
    let desk = desk(0, store_failed());
    let mut envelope = command("e1");
    envelope["accepts_response_payload"] = json!(false);
    desk.gets(envelope).await;
    assert_eq!(desk.sent()[0], json!({ "envelope_id": "e1" }));
}

#[test]
fn envelopes_are_not_remembered_for_ever() {
    let answered = Answered::default();
    for n in 0..3 * REMEMBERED {
        answered.put(&n.to_string(), None);
        answered.put(&n.to_string(), None);
    }
    let inner = answered.0.lock().unwrap();
    assert_eq!((inner.payloads.len(), inner.order.len()), (REMEMBERED, REMEMBERED));
}

fn search(id: &str) -> Value {
    let mut envelope = form(id);
    let payload = &mut envelope["payload"];
    payload["type"] = json!("block_suggestion");
    payload["api_app_id"] = json!("A1");
    payload["container"] = json!({ "type": "view", "view_id": id });
    payload["view"]["private_metadata"] = json!("v1:pick C0OPS");
    payload["action_id"] = json!("the_runbook");
    payload["block_id"] = json!("the_runbook");
    payload["value"] = json!("2");
    envelope
}

#[tokio::test]
async fn a_search_is_answered_by_its_acknowledgement_and_a_slow_one_by_nothing() {
    let quick = desk(10, Ok(Ack::Plain));
    quick.gets(search("s1")).await;
    let option = json!({ "text": { "type": "plain_text", "text": "choice 2", "emoji": false }, "value": "v2" });
    assert_eq!(quick.sent(), [json!({ "envelope_id": "s1", "payload": { "options": [option] } })]);
    assert_eq!(quick.keys(), ["search:the_runbook:2"]);
    let slow = desk(SLOW, Ok(Ack::Plain));
    slow.gets(search("s2")).await;
    assert_eq!(slow.sent(), [json!({ "envelope_id": "s2", "payload": { "options": [] } })]);
    assert!(slow.first() < SLOW);
}

#[tokio::test]
async fn the_next_form_takes_the_place_of_the_submitted_one_if_it_comes_in_time() {
    let next = || Ack::NextForm(Box::new(crate::message::form::waiting_form()));
    let quick = desk(10, Ok(next()));
    quick.gets(form("n1")).await;
    let payload = quick.sent()[0]["payload"].clone();
    assert_eq!((&payload["response_action"], &payload["view"]["type"]), (&json!("update"), &json!("modal")));
    assert_eq!(payload["view"]["private_metadata"], "v1:pick C0OPS", "and remembers where it was opened");
    let slow = desk(SLOW, Ok(next()));
    slow.gets(form("n2")).await;
    assert_eq!(slow.sent(), [json!({ "envelope_id": "n2" })]);
    assert_eq!(slow.heard(), ["U0ARNE: that took too long and the form is closed: type `/runbook` again"]);
}
