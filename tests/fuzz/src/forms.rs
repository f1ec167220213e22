//! Any payload as a submitted form: read or left, never a panic. A part that an approver keeps is a part, and what a form of
//! a runbook asks for is what the typed command would.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use muster::adapters::{discord, slack};
use muster::command::{Command, parse};
use muster::message::Values;
use muster::message::form::{FormKind, Read, read as read_form, read_narrow};
use muster::policy::PolicySet;
use muster::ports::Inbound;
use muster::runbook::Library;
use serde_json::{Value, json};

#[allow(dead_code, reason = "each target uses a part of it")]
mod stage;

static LIBRARY: LazyLock<Library> = LazyLock::new(stage::library);
static POLICY: LazyLock<PolicySet> = LazyLock::new(|| stage::policy(&LIBRARY));

/// What a person fills in leads somewhere, or the target would find nothing and say so of nothing.
static REACHES: LazyLock<()> = LazyLock::new(|| {
    let me = slack::Identity { team: stage::TENANT.into(), enterprise: None, bot_user: "U0BOT".into() };
    let run = stage::waiting(&LIBRARY, &POLICY);
    let text = format!("v1:narrow:{}:3 C0OPS\nonly=nodes=web-1\n", run.id);
    let delivery = slack::delivery("interactive", made(&text), &me, "/runbook").expect("the payload cannot be read");
    let Inbound::Form { values, .. } = delivery.inbound else { panic!("no form") };
    assert_eq!(read_narrow(&run, &values).map(|kept| kept.len()), Ok(1), "a good form keeps nothing");
    let book = &LIBRARY.runbooks[&"restart-service".parse().expect("a name")];
    let names = BTreeMap::from([("111111111111".into(), "acme-prod".into())]);
    let read = Read { runbook: book, names: &names, narrowed: &BTreeMap::new() };
    let text = "service=nginx\non_accounts=111111111111\nbecause_of=ticket 4711\n";
    assert!(read_form(read, &values_of(text)).is_ok(), "a good form asks for nothing");
});

fuzz_target!(|text: &str| {
    LazyLock::force(&REACHES);
    let me = slack::Identity { team: stage::TENANT.into(), enterprise: None, bot_user: "U0BOT".into() };
    let payload = serde_json::from_str::<Value>(text).unwrap_or_else(|_| made(text));
    let _ = discord::delivery(&payload, "runbook");
    if let Some(delivery) = slack::delivery("interactive", payload, &me, "/runbook")
        && let Inbound::Form { form, values } = delivery.inbound
    {
        taken(&form, &values);
    }
    // Whatever the adapters leave out, the reading of values stands alone.
    let run = stage::waiting(&LIBRARY, &POLICY);
    taken(&FormKind::Narrow { run: run.id, revision: 3 }, &values_of(text));
    let book = &LIBRARY.runbooks[&"restart-service".parse().expect("a name")];
    taken(&FormKind::Run { runbook: book.name.clone(), revision: book.revision }, &values_of(text));
});

/// `name=value` lines.
fn values_of(text: &str) -> Values {
    let mut values = Values::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        values.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    values
}

fn made(text: &str) -> Value {
    let (metadata, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut state = serde_json::Map::new();
    for (name, value) in rest.lines().filter_map(|line| line.split_once('=')) {
        state.insert(name.to_owned(), json!({ name: { "type": "plain_text_input", "value": value } }));
    }
    json!({
        "type": "view_submission", "team": { "id": stage::TENANT, "domain": "muster" },
        "user": { "id": "U0ARNE", "username": "arne", "name": "arne", "team_id": stage::TENANT },
        "api_app_id": "A1", "token": "x", "trigger_id": "7.8.9", "response_urls": [], "enterprise": null,
        "view": {
            "id": "V1", "team_id": stage::TENANT, "type": "modal", "hash": "h1", "root_view_id": "V1",
            "previous_view_id": null, "app_id": "A1", "bot_id": "B1", "external_id": "", "callback_id": "deny",
            "clear_on_close": false, "private_metadata": metadata,
            "title": { "type": "plain_text", "text": "x", "emoji": false }, "submit": null, "close": null,
            "blocks": [], "state": { "values": state }
        }
    })
}

fn taken(form: &FormKind, values: &Values) {
    match form {
        FormKind::Narrow { .. } => {
            let run = stage::waiting(&LIBRARY, &POLICY);
            if let Ok(kept) = read_narrow(&run, values) {
                let all = &run.proposal.plan.targets;
                assert!(!kept.is_empty() && kept.len() < all.len(), "a part is less, and something");
                assert!(kept.iter().all(|target| all.iter().any(|planned| planned.target == *target)));
            }
        }
        FormKind::Run { runbook, .. } => {
            let Some(book) = LIBRARY.runbooks.get(runbook) else { return };
            let (names, narrowed) = (BTreeMap::from([("111111111111".into(), "acme-prod".into())]), BTreeMap::new());
            let read = Read { runbook: book, names: &names, narrowed: &narrowed };
            if let Ok(request) = read_form(read, values) {
                let shown = request.to_string();
                let Ok(Command::Run(again)) = parse(&shown) else { panic!("{shown:?} cannot be typed") };
                assert_eq!((again.arguments, again.selector), (request.arguments, request.selector), "{shown:?}");
            }
        }
        FormKind::Deny { .. } | FormKind::Review { .. } | FormKind::Pick => {}
    }
}
