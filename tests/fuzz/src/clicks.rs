//! Any payload as a click: read or left, never a panic; and nothing is accepted that no card offered to that person.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster::adapters::{discord, slack};
use muster::domain::{Principal, RunId, Timestamp};
use muster::message::{self, Verb, View};
use muster::policy::PolicySet;
use muster::ports::Inbound;
use muster::run::{Input, Run};
use muster::runbook::Library;
use serde_json::{Value, json};

#[allow(dead_code, reason = "each target uses a part of it")]
mod stage;

static LIBRARY: LazyLock<Library> = LazyLock::new(stage::library);
static POLICY: LazyLock<PolicySet> = LazyLock::new(|| stage::policy(&LIBRARY));

/// What a person clicks leads somewhere, or the target would find nothing and say so of nothing.
static REACHES: LazyLock<()> = LazyLock::new(|| {
    let mut run = stage::waiting(&LIBRARY, &POLICY);
    let clicks = read(b"U0ARNE T0MUSTER v1:approve:RUN:3", run.id);
    assert_eq!(clicks.len(), 1, "the payload cannot be read");
    act(&mut run, &clicks[0]);
    assert!(stage::started(&run), "a good click starts nothing");
});

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&REACHES);
    let mut run = stage::waiting(&LIBRARY, &POLICY);
    // Several clicks, one line each: so a history can be told.
    for line in data.split(|byte| *byte == b'\n').take(8) {
        for delivery in read(line, run.id) {
            act(&mut run, &delivery);
        }
    }
});

/// A whole payload, or the words of one: who, in which workspace, and what the button says.
fn read(line: &[u8], run: RunId) -> Vec<muster::ports::Delivery> {
    let me = slack::Identity { team: stage::TENANT.into(), enterprise: None, bot_user: "U0BOT".into() };
    let Ok(text) = std::str::from_utf8(line) else { return Vec::new() };
    let payload = match serde_json::from_str::<Value>(text) {
        Ok(payload) => payload,
        Err(_) => made(text, run),
    };
    let kinds = ["interactive", "slash_commands", "events_api"];
    let read = kinds.iter().filter_map(|kind| slack::delivery(kind, payload.clone(), &me, "/runbook"));
    read.chain(discord::delivery(&payload, "runbook")).collect()
}

fn made(text: &str, run: RunId) -> Value {
    let mut words = text.split(' ');
    let mut next = |usual: &str| words.next().filter(|w| !w.is_empty()).unwrap_or(usual).to_owned();
    let (user, team, value) = (next("U0ARNE"), next(stage::TENANT), next("v1:approve:RUN:3"));
    let value = value.replace("RUN", &run.to_string());
    json!({
        "type": "block_actions", "team": { "id": team, "domain": "muster" }, "enterprise": null,
        "user": { "id": user, "username": "x", "name": "x", "team_id": team },
        "api_app_id": "A1", "token": "x", "is_enterprise_install": false,
        "container": { "type": "message", "message_ts": "100.1", "channel_id": "C0OPS", "is_ephemeral": false },
        "trigger_id": "4.5.6", "channel": { "id": "C0OPS", "name": "ops" }, "message": { "ts": "100.1" },
        "state": { "values": {} }, "response_url": "https://hooks.slack.com/actions/T0MUSTER/1/abc",
        "actions": [{
            "action_id": "approve", "block_id": "x", "text": { "type": "plain_text", "text": "x", "emoji": false },
            "value": value, "style": "primary", "type": "button", "action_ts": "100.2"
        }]
    })
}

/// As the engine takes a click, without the world around it.
fn act(run: &mut Run, delivery: &muster::ports::Delivery) {
    let Inbound::Click { verb, run: id, revision } = delivery.inbound else { return };
    if id != run.id || delivery.actor.foreign {
        return;
    }
    let offered = offered(run);
    let by = stage::asker(&POLICY, delivery.actor.principal.clone());
    let theirs = by.is(&run.proposal.by) || by.groups.contains("sre");
    let input = match verb {
        Verb::Approve => Input::Approve { by: by.clone(), digest: run.digest_shown(revision) },
        Verb::Deny => Input::Deny { by: by.clone(), why: "no".into() },
        Verb::Cancel => Input::Cancel { by: by.principal.clone(), allowed: theirs },
        Verb::Continue => {
            let decision = run.proposal.decision.clone();
            Input::Continue { by: by.clone(), revision, allowed: theirs, decision }
        }
        Verb::Stop => Input::Stop { by: by.clone(), revision, allowed: theirs },
        Verb::RollBack => Input::RollBack { by: by.clone(), revision, allowed: theirs },
        Verb::Review => Input::Review { by: by.clone(), found: "x".into(), reviewers: BTreeSet::from(["sre".into()]) },
        Verb::Narrow
        | Verb::RetryFailed
        | Verb::RetryNotStarted
        | Verb::Output
        | Verb::Nodes
        | Verb::Compare
        | Verb::NodeOutput
        | Verb::Files
        | Verb::RunAgain
        | Verb::RunPart
        | Verb::AskOthers
        | Verb::Pick
        | Verb::Fill => return,
    };
    if stage::feed(run, input) {
        assert!(offered.contains(&verb), "{verb:?} was accepted and no card offered it");
        let sre = ["U0ARNE", "U0PRIYA"].map(|user| Principal::slack(stage::TENANT, user));
        match verb {
            Verb::Cancel => assert!(theirs, "{by:?}"),
            _ => assert!(sre.contains(&by.principal), "{verb:?} of {by:?} was accepted"),
        }
    }
    let today = stage::today(run);
    if stage::feed(run, Input::Start { today }) && stage::started(run) {
        assert!(!run.approvals.is_empty(), "it started without a yes");
    }
}

/// What the cards of this moment offer.
fn offered(run: &Run) -> BTreeSet<Verb> {
    let view = View::new("r-7F3K", Timestamp::UNIX_EPOCH, "/runbook");
    let cards = [message::root(run, None, &view), message::ask(run, &view)];
    cards.iter().flat_map(|card| &card.buttons).map(|button| button.verb).collect()
}
