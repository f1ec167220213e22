//! Forms as a person reads them, and what is made of what comes back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::make::*;
use crate::command::{self, Command, Request};
use crate::domain::{Digest, Millis, Selector};
use crate::message::form::{ACCOUNTS, Draft, Faults, LABELS, REASON, REGIONS, Read, TAGS, read, run_form};
use crate::message::home::{Facts, Health, Told};
use crate::message::{Choice, FieldKind, Form, Values, deny_form, form, home, text, to_text};
use crate::run::Phase;
use crate::runbook::{Kind, Parameter, Risk, Runbook};

/// What a person sees: labels, what stands in the fields, hints.
fn seen(form: &Form) -> String {
    let mut out = format!("== {} ==\n{}\n", form.title, text::of(&form.intro));
    for field in &form.fields {
        let holds = match &field.kind {
            FieldKind::Text { value, .. } => format!("[{}]", value.as_deref().unwrap_or("")),
            FieldKind::Number { value, min, max, .. } => {
                format!(
                    "[{}] from {} to {}",
                    value.as_deref().unwrap_or(""),
                    min.as_deref().unwrap_or("?"),
                    max.as_deref().unwrap_or("?")
                )
            }
            FieldKind::Choice { choices, picked } => {
                let told = choices.iter().map(|c| {
                    if Some(&c.value) == picked.as_ref() { format!("({})", c.label) } else { c.label.clone() }
                });
                told.collect::<Vec<_>>().join(" | ")
            }
            FieldKind::Search { picked, most, .. } => {
                format!(
                    "search, at most {most}: {}",
                    picked.iter().map(|c| c.label.clone()).collect::<Vec<_>>().join(", ")
                )
            }
            FieldKind::Flag { value } => format!("yes or no: {value:?}"),
            FieldKind::Channel { value } => format!("channel: {value:?}"),
        };
        let star = if field.required { "*" } else { "" };
        out.push_str(&format!("{}{star}: {holds}\n", field.label));
        out.extend(field.hint.iter().map(|hint| format!("    {hint}\n")));
        out.extend(field.fault.iter().map(|fault| format!("    ! {fault}\n")));
    }
    out.push_str(&format!("{}\n[{}]", text::of(&form.footer), form.submit.as_deref().unwrap_or("")));
    out
}

fn parameter(kind: Kind, description: &str, default: Option<&str>) -> Parameter {
    Parameter { kind, description: description.into(), examples: vec![], default: default.map(str::to_owned) }
}

/// One parameter of every type.
fn everything() -> Runbook {
    let mut book = runbook();
    book.parameters.extend([
        ("days".to_owned(), parameter(Kind::Integer { min: 1, max: 500 }, "how old", Some("7"))),
        ("share".to_owned(), parameter(Kind::Number { min: Some("0.5".into()), max: None }, "how much", None)),
        ("force".to_owned(), parameter(Kind::Boolean, "even if it is busy", Some("false"))),
        ("mode".to_owned(), parameter(Kind::Choice { values: vec!["soft".into(), "hard".into()] }, "how", None)),
        (
            "wait".to_owned(),
            parameter(Kind::Duration { min: Millis::from_secs(1), max: Millis::from_secs(300) }, "at most", None),
        ),
        ("release".to_owned(), parameter(Kind::Version, "what to install", None)),
        ("partner".to_owned(), parameter(Kind::Account, "whose", None)),
        ("replica".to_owned(), parameter(Kind::Region, "where to", None)),
    ]);
    book
}

fn names() -> BTreeMap<String, String> {
    [("111111111111", "acme-prod"), ("222222222222", "twin"), ("333333333333", "twin"), ("444444444444", "a*b")]
        .map(|(id, name)| (id.to_owned(), name.to_owned()))
        .into()
}

fn values(given: &[(&str, &[&str])]) -> Values {
    given.iter().map(|(k, v)| ((*k).to_owned(), v.iter().map(|v| (*v).to_owned()).collect())).collect()
}

fn draw(book: &Runbook, narrowed: &[(&str, &[&str])], given: &Values, note: Option<&str>, faults: &Faults) -> Form {
    let picked =
        given.iter().map(|(field, v)| (field.clone(), v.iter().filter_map(|v| Choice::new(v.clone(), v)).collect()));
    let draft = Draft {
        runbook: book,
        narrowed: &values(narrowed),
        values: given,
        picked: &picked.collect(),
        names: &names(),
        asks_channel: note.is_some(),
        note: note.map(str::to_owned),
        faults,
    };
    run_form(&draft, &view())
}

#[test]
fn every_type_of_parameter_has_its_field() {
    insta::assert_snapshot!(seen(&draw(&everything(), &[], &values(&[]), None, &Faults::new())), @r##"
    == restart-service ==
    restart-service: Restart a systemd service. Risk: change
    days: [7] from 1 to 500
        How old. A whole number from 1 to 500.
    force: yes or no: Some(false)
        Even if it is busy.
    mode*: soft | hard
        How.
    partner*: search, at most 1: 
        Whose. An account id.
    release*: []
        What to install. A version.
    replica*: search, at most 1: 
        Where to. A region.
    service*: []
        Systemd unit, without .service. Text that matches [a-z][a-z0-9@._-]{0,62}.
    share*: [] from 0.5 to ?
        How much. A number from 0.5.
    wait*: []
        At most. A time from 1 s to 5 min, such as 90s or 5m.
    Accounts: search, at most 50: 
        By name or id. Accounts or labels: one of them is needed.
    Accounts by label: search, at most 50: 
        Such as env=staging: every account that has it.
    Regions: search, at most 50: 
        Left empty: each account's own regions.
    Only nodes with these tags: search, at most 50: 
        Left empty: every node.
    Why?*: []
        Whoever approves it reads this.
    The same, typed: `/runbook run restart-service mode=… partner=… release=… replica=… service=… share=… wait=… on accounts=… because "…"`
    [Run]
    "##);
}

#[test]
fn a_form_that_stands_there_once_more_keeps_what_was_given_and_says_what_is_wrong() {
    let given = values(&[
        ("service", &["nginx"]),
        (ACCOUNTS, &["111111111111", "222222222222"]),
        (LABELS, &["env=prod"]),
        (REGIONS, &["eu-west-1"]),
        (TAGS, &["tag:role=web"]),
        (REASON, &["502s"]),
    ]);
    let faults = [(ACCOUNTS.to_owned(), "acme-prod is gone.".to_owned())].into();
    let form = draw(&runbook(), &[("service", &["nginx", "app"])], &given, Some("It was changed."), &faults);
    insta::assert_snapshot!(seen(&form), @r##"
    == restart-service ==
    It was changed.
    restart-service: Restart a systemd service. Risk: change
    service*: (nginx) | app
        Systemd unit, without .service.
    Accounts: search, at most 50: 111111111111, 222222222222
        By name or id. Accounts or labels: one of them is needed.
        ! acme-prod is gone.
    Accounts by label: search, at most 50: env=prod
        Such as env=staging: every account that has it.
    Regions: search, at most 50: eu-west-1
        Left empty: each account's own regions.
    Only nodes with these tags: search, at most 50: tag:role=web
        Left empty: every node.
    In which channel?*: channel: None
        The run's card stands there, and who may approve it has to see it.
    Why?*: [502s]
        Whoever approves it reads this.
    The same, typed: `/runbook run restart-service service=nginx on accounts=222222222222,acme-prod regions=eu-west-1 tag:role=web env=prod because 502s`
    [Run]
    "##);
}

#[test]
fn the_picker_and_its_neighbours() {
    let forms = [form::pick_form(&view()), form::waiting_form(), form::nothing_to_pick("nobody `knows`", &view())];
    insta::assert_snapshot!(forms.map(|f| seen(&f)).join("\n\n"), @r##"
    == Pick a runbook ==
    Only runbooks that you may run are offered, those you ran of late first.
    Runbook*: search, at most 1: 
    Faster by hand: `/runbook run NAME … on SELECTOR`, `/runbook help` tells more.
    [Next]

    == Pick a runbook ==
    One moment: I am looking up what you may run…

    []

    == Pick a runbook ==
    nobody `knows`
    What you may run: `/runbook list`
    []
    "##);
    let run = run(plan(3), needs(1), Phase::AwaitingApproval);
    insta::assert_snapshot!(seen(&deny_form(&run, &view())), @r##"
    == Deny this request ==
    restart-service on 3 nodes, asked by slack:T0MUSTER:U0SUSAN (r-7F3K). Denying ends the request; it can be asked again.
    Why?*: []
        Everybody in the thread sees it.

    [Deny]
    "##);
}

fn against<'a>(
    book: &'a Runbook,
    names: &'a BTreeMap<String, String>,
    narrowed: &'a BTreeMap<String, Vec<String>>,
) -> Read<'a> {
    Read { runbook: book, names, narrowed }
}

#[test]
fn what_is_wrong_is_told_field_by_field() {
    let (book, names) = (everything(), names());
    let narrowed = values(&[("mode", &["soft"])]);
    let given = values(&[
        ("service", &["no such; service"]),
        ("days", &["0"]),
        ("mode", &["hard"]),
        ("wait", &["an hour"]),
        ("release", &[" "]),
        ("partner", &["1234"]),
        (ACCOUNTS, &["999999999999"]),
        (TAGS, &["tag:=x"]),
    ]);
    let faults = read(against(&book, &names, &narrowed), &given).unwrap_err();
    let told: Vec<String> = faults.iter().map(|(field, fault)| format!("{field}: {fault}")).collect();
    insta::assert_snapshot!(told.join("\n"), @r##"
    because_of: Say in a few words why: whoever approves it, or reads it later, wants to know.
    days: days is 0: it is less than 1; for example 1.
    mode: This is not, or no longer, one of the values that you may use: choose another one.
    on_accounts: 999999999999 is not there any more: take it out and choose again.
    on_tags: One of these cannot be read: take it out and choose again.
    partner: partner is 1234: it is not an AWS account id, which is 12 digits; for example 012345678901.
    release: release is missing: what to install; for example release=1.24.0-2.
    replica: replica is missing: where to; for example replica=eu-west-1.
    service: service is no such; service: it does not match [a-z][a-z0-9@._-]{0,62}; for example nginx.
    share: share is missing: how much; for example share=0.5.
    wait: wait is an hour: it is not a duration such as 90s; for example 90s.
    "##);
}

#[test]
fn a_phones_quotes_and_spaces_are_taken_for_what_was_meant() {
    let (mut book, names, narrowed) = (runbook(), names(), BTreeMap::new());
    book.parameters.get_mut("service").unwrap().kind = Kind::String { pattern: ".*".into() };
    let given = values(&[
        ("service", &["\u{201C}a\u{00A0}b\u{201D} "]),
        (ACCOUNTS, &["111111111111"]),
        (REASON, &["it\u{2019}s \u{202E}down"]),
    ]);
    let request = read(against(&book, &names, &narrowed), &given).unwrap();
    assert_eq!(request.arguments["service"], "\"a b\"");
    assert_eq!(request.reason.as_deref(), Some("it's down"));
    assert_eq!(
        request.to_string(),
        r#"run restart-service service="\"a b\"" on accounts=acme-prod because "it's down""#
    );
}

#[test]
fn an_account_is_written_by_its_name_unless_that_could_mean_another_one() {
    let (book, names, narrowed) = (runbook(), names(), BTreeMap::new());
    let given = values(&[
        ("service", &["nginx"]),
        (ACCOUNTS, &["111111111111", "222222222222", "444444444444"]),
        (REASON, &["x"]),
    ]);
    let request = read(against(&book, &names, &narrowed), &given).unwrap();
    assert_eq!(request.selector.to_string(), "accounts=222222222222,444444444444,acme-prod");
}

#[test]
fn a_question_needs_no_reason_and_a_change_does() {
    let (mut book, names, narrowed) = (runbook(), names(), BTreeMap::new());
    let given = values(&[("service", &["nginx"]), (LABELS, &["env=prod", "env=staging", "customer=acme"])]);
    assert_eq!(read(against(&book, &names, &narrowed), &given).unwrap_err().into_keys().collect::<Vec<_>>(), [REASON]);
    book.risk = Risk::Read;
    let request = read(against(&book, &names, &narrowed), &given).unwrap();
    assert_eq!(request.to_string(), "run restart-service service=nginx on customer=acme env=prod,staging");
}

proptest! {
    #[test]
    fn a_request_written_down_and_typed_is_the_same_request(
        service in "[ -~é\u{0623}🦀]{1,20}",
        reason in proptest::option::of("[ -~é🦀]{0,20}"),
        tag in "[ -~é]{1,10}",
    ) {
        let reason = reason.map(|r| r.trim().to_owned()).filter(|r| !r.is_empty());
        let clause = crate::domain::selector::Clause {
            field: crate::domain::selector::Field::Tag("role".into()),
            negated: false,
            values: vec![tag.replace('*', "")],
        };
        let Ok(selector) = Selector::parse(&clause.to_string()) else { return Ok(()) };
        let request = Request {
            runbook: "restart-service".parse().unwrap(),
            arguments: [("service".to_owned(), service)].into(),
            selector,
            reason,
            emergency: false,
        };
        let typed = request.to_string();
        prop_assert_eq!(command::parse(&typed), Ok(Command::Run(request)), "{}", typed);
    }
}

#[test]
fn the_own_page_tells_what_waits_what_runs_and_how_muster_is() {
    let mut done = approved(run(plan(3), needs(1), Phase::Running));
    rest_succeeds(&mut done, "active\n");
    finish(&mut done);
    let told = |run, link: Option<&str>| Told { run, short: "r-7F3K".into(), link: link.map(str::to_owned) };
    let waiting = run(plan(3), needs(2), Phase::AwaitingApproval);
    let facts = Facts {
        mine: vec![told(done, Some("https://chat.example/1")), told(waiting.clone(), None)],
        waiting: vec![told(waiting, Some("https://chat.example/2"))],
        recent: vec![("01KAPMZX000000000000007F3K".parse().unwrap(), "restart-service".to_owned())],
        health: Health {
            accounts: 3,
            unreadable: vec!["globex-prod".into()],
            names_shown: true,
            asked: true,
            journal: true,
            runbooks: 4,
            rules_since: at("13:00"),
        },
        nobody: "01KAPMZX000000000000000000".parse().unwrap(),
    };
    let page = |facts: &Facts| home(facts, &view()).sections.iter().map(to_text).collect::<Vec<_>>().join("--\n");
    insta::assert_snapshot!(page(&facts), @r##"
    Run something

    (Or one that you ran of late, with its values. By hand: `/runbook help`)

    [Pick a runbook] [restart-service]
    --
    1 request waits for you
    --
    r-7F3K restart-service on 3 nodes

    Asked by slack:T0MUSTER:U0SUSAN 2026-11-22 14:00 UTC, expires 2026-11-22 14:30 UTC
    Needs 2 of @sre, risk: change
    Why: 502s since the last deploy
    `/runbook run restart-service service=nginx on env=prod tag:role=web`
    3 nodes in 3 accounts and 1 region
    Read the whole request: script, values and exact targets <https://chat.example/2>

    [Approve] [Deny]
    --
    Your runs, 1 going on

    `r-7F3K` restart-service: all 3 nodes succeeded, 2026-11-22 14:00 UTC card <https://chat.example/1>
    `r-7F3K` restart-service: waiting for 2 of @sre, 2026-11-22 14:00 UTC

    (More: `/runbook status`)
    --
    Muster is well, 1 account is not readable

    Accounts: 1 of 3 could not be read: globex-prod
    Journal: ok
    Rules: 4 runbooks, in force since 2026-11-22 13:00 UTC
    "##);
    let broken = Health { asked: false, journal: false, runbooks: 0, unreadable: vec![], ..facts.health.clone() };
    let empty = Facts { mine: vec![], waiting: vec![], recent: vec![], health: broken, nobody: facts.nobody };
    insta::assert_snapshot!(page(&empty), @r##"
    Run something

    (Or type `/runbook help` in any channel that I am in.)

    [Pick a runbook]
    --
    You have run nothing yet

    (What you run stands here, wherever you started it.)
    --
    Muster cannot run anything at present

    Accounts: not asked for yet
    Journal: failed, nothing is run until it is repaired
    Rules: no valid runbook or policy is loaded, so nothing may run; their owners see why by `muster check`
    "##);
    assert_ne!(Digest::of(page(&facts).as_bytes()), Digest::of(page(&empty).as_bytes()));
}
