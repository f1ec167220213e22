//! The picker and the form: what is offered, what is refused beside which field, and that a form is the typed command.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster::domain::{Place, Principal, RunId};
use muster::message::{FieldKind, Form, FormKind, Verb, to_text};
use muster::ports::{Ack, Inbound, Inbox, Journal};
use muster::rules;

use crate::form_stage::*;

fn good(form: &Form) -> Inbound {
    let values = values(&[
        ("service", &["nginx"]),
        ("mode", &["soft"]),
        ("on_accounts", &["000000000001"]),
        ("on_tags", &["tag:role=web"]),
        ("because_of", &["it \u{201C}hangs\u{201D}"]),
    ]);
    Inbound::Form { form: form.kind.clone(), values }
}

fn faults(ack: Ack) -> Vec<(String, String)> {
    match ack {
        Ack::FormErrors(faults) => faults.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

fn one_fault(ack: Ack) -> String {
    let faults = faults(ack);
    assert_eq!(faults.len(), 1, "{faults:?}");
    format!("{}: {}", faults[0].0, faults[0].1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_alone_opens_the_picker_which_offers_only_what_may_be_run() {
    let stage = stage().await;
    stage.does("U0SUSAN", Inbound::Command { text: " ".into() }).await;
    stage.until("the picker opens", |w| w.opened.lock().unwrap().len() == 1).await;
    assert_eq!(stage.world.opened.lock().unwrap()[0].kind, FormKind::Pick);
    assert_eq!(stage.finds("U0SUSAN", &FormKind::Pick, "the_runbook", "", values(&[])).await, ["restart", "uptime"]);
    assert_eq!(stage.finds("U0SUSAN", &FormKind::Pick, "the_runbook", "UPT", values(&[])).await, ["uptime"]);

    stage.does("U0OMAR", Inbound::Command { text: String::new() }).await;
    assert_eq!(stage.whispered(0).await.title, "There is no runbook that you may run");
    let nothing = stage.searches("U0OMAR", &FormKind::Pick, "the_runbook", "", values(&[])).await;
    assert_eq!(nothing.choices().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runbook_without_any_account_to_run_it_in_is_not_offered() {
    let stage = stage_with(vec![account(3, "lab", "own")]).await;
    stage.does("U0SUSAN", Inbound::Pick).await;
    assert_eq!(stage.whispered(0).await.title, "There is no runbook that you may run");
    stage.does("U0ARNE", Inbound::Pick).await;
    assert_eq!(stage.finds("U0ARNE", &FormKind::Pick, "the_runbook", "", values(&[])).await, ["restart", "uptime"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_directory_does_not_cost_the_trigger() {
    let stage = stage().await;
    *stage.world.slow.lock().unwrap() = Duration::from_millis(700);
    stage.does("U0SUSAN", Inbound::Command { text: String::new() }).await;
    stage.until("a form opens", |w| !w.opened.lock().unwrap().is_empty()).await;
    {
        let opened = stage.world.opened.lock().unwrap();
        assert!(opened[0].fields.is_empty() && opened[0].submit.is_none(), "it says to wait");
        assert!(stage.world.updated.lock().unwrap().is_empty());
    }
    stage.until("it becomes the picker", |w| !w.updated.lock().unwrap().is_empty()).await;
    let updated = stage.world.updated.lock().unwrap();
    assert_eq!((updated[0].0.as_str(), updated[0].1.fields[0].name.as_str()), ("V1", "the_runbook"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_trigger_is_told_with_a_button_and_with_what_to_type() {
    let stage = stage().await;
    *stage.world.refuses.lock().unwrap() = Some("three seconds have passed".into());
    stage.does("U0SUSAN", Inbound::Command { text: String::new() }).await;
    let card = stage.whispered(0).await;
    insta::assert_snapshot!(to_text(&card), @r"
    The form could not be opened

    three seconds have passed

    Press the button to try again.
    Or type it: `/runbook list` shows what you may run, `/runbook help` how.

    [Pick a runbook]
    ");
    *stage.world.refuses.lock().unwrap() = None;
    let button = &card.buttons[0];
    stage.does("U0SUSAN", Inbound::Click { verb: button.verb, run: button.run, revision: button.revision }).await;
    stage.until("the button opens it", |w| w.opened.lock().unwrap().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_asked_for_before_a_restart_is_not_tried_with_its_dead_trigger() {
    let stage = stage().await;
    stage.world.haste.store(5_000, Ordering::Relaxed);
    stage.does("U0SUSAN", Inbound::Pick).await;
    assert!(to_text(&stage.whispered(0).await).contains("three seconds"));
    assert!(stage.world.opened.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bots_name_alone_is_answered_with_a_button() {
    let stage = stage().await;
    stage.does("U0SUSAN", Inbound::Mention { text: String::new() }).await;
    let card = stage.whispered(0).await;
    assert_eq!((card.buttons[0].label.as_str(), card.buttons[0].verb), ("Pick a runbook", Verb::Pick));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submitted_form_is_the_typed_command() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    assert_eq!(stage.does("U0SUSAN", good(&form)).await, Ack::Plain);
    stage.until("the run waits", |w| !w.posts.lock().unwrap().is_empty()).await;
    assert_eq!(stage.roots(), [(place("C0OPS"), "restart on 1 node: waiting for 1 of @sre".to_owned())]);
    let run = stage.journal.runs().await.unwrap()[0];
    let stored = stage.journal.load(run).await.unwrap();
    let muster::run::Event::Proposed(proposal) = &stored[0].event else { panic!() };
    assert_eq!(
        proposal.request,
        "run restart mode=soft service=nginx on accounts=acme tag:role=web because \"it \\\"hangs\\\"\""
    );
    assert_eq!(proposal.plan.arguments["wait"], "10s");

    // The same again by hand is the same plan.
    stage.does("U0SUSAN", Inbound::Command { text: proposal.request.clone() }).await;
    stage
        .until("a second run waits", |w| {
            w.posts.lock().unwrap().iter().filter(|(_, c)| c.title.contains("waiting for")).count() == 2
        })
        .await;
    let typed = stage.journal.load(stage.journal.runs().await.unwrap()[0]).await.unwrap();
    let muster::run::Event::Proposed(typed) = &typed[0].event else { panic!() };
    assert_eq!((typed.digest, &typed.reason), (proposal.digest, &proposal.reason));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_submit_is_one_run() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    let submitted = stage.delivery("U0SUSAN", place("C0OPS"), good(&form));
    let twice = futures::future::join(stage.engine.accept(submitted.clone()), stage.engine.accept(submitted)).await;
    assert_eq!(twice, (Ok(Ack::Plain), Ok(Ack::Plain)));
    stage.until("the run waits", |w| !w.posts.lock().unwrap().is_empty()).await;
    // What comes later is worked on later, so a second run would be there by then.
    stage.does("U0SUSAN", Inbound::Command { text: "status".into() }).await;
    stage.whispered(0).await;
    assert_eq!(stage.runs().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_stands_beside_its_field_and_nothing_is_run() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    let half =
        Inbound::Form { form: form.kind.clone(), values: values(&[("wait", &["an hour"]), ("mode", &["hard"])]) };
    let told: Vec<String> =
        faults(stage.does("U0SUSAN", half).await).into_iter().map(|(f, t)| format!("{f}: {t}")).collect();
    insta::assert_snapshot!(told.join("\n"), @r##"
    because_of: Say in a few words why: whoever approves it, or reads it later, wants to know.
    mode: This is not, or no longer, one of the values that you may use: choose another one.
    on_accounts: Nothing runs everywhere by itself: choose accounts, or a label below.
    service: service is missing: systemd unit; for example service=nginx.
    wait: wait is an hour: it is not a duration such as 90s; for example 90s.
    "##);
    assert_eq!(stage.runs().await, 0);
    let secret = values(&[
        ("service", &["nginx"]),
        ("mode", &["soft"]),
        ("on_accounts", &["000000000001"]),
        ("on_tags", &["tag:key=AKIAIOSFODNN7EXAMPLE"]),
        ("because_of", &["x"]),
    ]);
    let told = one_fault(stage.does("U0SUSAN", Inbound::Form { form: form.kind.clone(), values: secret }).await);
    assert!(told.starts_with("on_tags: That looks like a secret"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_vanished_meanwhile_is_told_beside_the_accounts() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    *stage.world.accounts.lock().unwrap() = vec![account(2, "globex", "customer")];
    // Whoever reads the accounts next makes it known.
    stage.does("U0ARNE", Inbound::Command { text: "accounts".into() }).await;
    stage.whispered(0).await;
    let told = one_fault(stage.does("U0SUSAN", good(&form)).await);
    assert_eq!(told, "on_accounts: 000000000001 is not there any more: take it out and choose again.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runbook_that_changed_under_the_form_stands_there_once_more_with_its_values() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    let policy = vec![("p.toml".into(), POLICY.to_owned())];
    let changed = RESTART.replace("Restart a service", "Restart it well");
    stage.rulebook.swap(rules::check(&rulebook(&changed), &policy).unwrap());
    let Ack::NextForm(again) = stage.does("U0SUSAN", good(&form)).await else { panic!() };
    assert_ne!(again.kind, form.kind);
    let intro = muster::message::text::of(&again.intro);
    assert!(intro.starts_with("This runbook was changed while you filled it in."), "{intro}");
    let kept = |name: &str| again.fields.iter().find(|f| f.name == name).unwrap().kind.clone();
    assert!(matches!(kept("service"), FieldKind::Choice { picked: Some(p), .. } if p == "nginx"));
    assert!(matches!(kept("on_accounts"), FieldKind::Search { picked, .. } if picked[0].value == "000000000001"));
    assert_eq!(stage.runs().await, 0);
    assert_eq!(stage.does("U0SUSAN", good(&again)).await, Ack::Plain, "and is taken as it is now");

    let gone = vec![("uptime.toml".into(), UPTIME.to_owned())];
    let policy = POLICY.replace(r#"names = ["restart"], parameters = { service = { one_of = ["nginx", "app"] }, mode = { one_of = ["soft"] } }"#, r#"names = ["uptime"]"#);
    stage.rulebook.swap(rules::check(&gone, &vec![("p.toml".into(), policy)]).unwrap());
    let told = one_fault(stage.does("U0SUSAN", good(&again)).await);
    assert_eq!(
        told,
        "on_accounts: restart was removed meanwhile, so nothing was run: close this and type /runbook list."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_regions_labels_and_tags_are_narrowed_to_what_may_be_run_there() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await.kind;
    let none = || values(&[]);
    assert_eq!(stage.finds("U0SUSAN", &form, "on_accounts", "", none()).await, ["000000000001", "000000000002"]);
    assert_eq!(stage.finds("U0SUSAN", &form, "on_accounts", "glo", none()).await, ["000000000002"]);
    assert_eq!(stage.finds("U0SUSAN", &form, "on_labels", "", none()).await, ["kind=customer"]);
    assert_eq!(stage.finds("U0SUSAN", &form, "on_tags", "", none()).await.len(), 2, "the regions are read behind");
    let west = values(&[("on_regions", &["eu-west-1"])]);
    stage.finds("U0SUSAN", &form, "on_tags", "db", none()).await;
    assert_eq!(stage.finds("U0SUSAN", &form, "on_tags", "", west).await, ["tag:role=web"]);
    let sre = stage.picks("U0ARNE", "restart").await.kind;
    assert_eq!(stage.finds("U0ARNE", &sre, "on_accounts", "", none()).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_five_thousand_accounts_a_hundred_are_offered_and_typing_finds_the_rest() {
    let stage = stage_with((0..5_000).map(|n| account(n, &format!("customer-{n:04}"), "customer")).collect()).await;
    let form = stage.picks("U0SUSAN", "uptime").await.kind;
    stage.finds("U0SUSAN", &form, "on_accounts", "", values(&[])).await;
    let began = std::time::Instant::now();
    let all = stage.searches("U0SUSAN", &form, "on_accounts", "", values(&[])).await;
    println!("5,000 accounts: {:?} for a search", began.elapsed());
    assert_eq!(all.choices().count(), 100);
    assert_eq!(all.groups[0].heading.as_deref(), Some("100 of 5,000: type more to narrow"));
    assert_eq!(stage.finds("U0SUSAN", &form, "on_accounts", "4711", values(&[])).await, ["000000004711"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_left_the_group_meanwhile_is_refused_though_the_form_was_open() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    stage.world.members.lock().unwrap().remove("S0SUPPORT");
    assert_eq!(stage.does("U0SUSAN", good(&form)).await, Ack::Plain);
    assert_eq!(stage.whispered(0).await.title, "You may not run restart");
    assert_eq!(stage.runs().await, 0);
    let nothing = stage.searches("U0SUSAN", &form.kind, "on_accounts", "", values(&[])).await;
    assert_eq!(nothing.choices().count(), 0, "nothing is offered any more either");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_offered_nothing_and_open_nothing() {
    let stage = stage().await;
    let mut pick = stage.delivery("U0SUSAN", place("C0OPS"), Inbound::Pick);
    pick.actor.foreign = true;
    stage.engine.accept(pick).await.unwrap();
    assert_eq!(stage.whispered(0).await.title, "Only people of this organisation can use me, so nothing was changed");
    assert!(stage.world.opened.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_changes_the_open_form_and_its_typed_command() {
    let stage = stage().await;
    stage.picks("U0SUSAN", "restart").await;
    let choice =
        |form: FormKind, field: &str, values| Inbound::Choice { id: "V7".into(), form, field: field.into(), values };
    let picked = values(&[("the_runbook", &["restart"])]);
    assert_eq!(stage.does("U0SUSAN", choice(FormKind::Pick, "the_runbook", picked)).await, Ack::Plain);
    stage.until("the picker becomes the form", |w| w.updated.lock().unwrap().len() == 1).await;
    let form = stage.world.updated.lock().unwrap()[0].1.clone();
    let picked = values(&[("service", &["app"]), ("on_accounts", &["000000000002"])]);
    stage.does("U0SUSAN", choice(form.kind, "on_accounts", picked)).await;
    stage.until("the form changes", |w| w.updated.lock().unwrap().len() == 2).await;
    let footer = muster::message::text::of(&stage.world.updated.lock().unwrap()[1].1.footer);
    assert_eq!(footer, "The same, typed: `/runbook run restart service=app mode=… on accounts=globex because \"…\"`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_values_stand_in_the_next_form_and_the_runbook_comes_first() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    stage.does("U0SUSAN", good(&form)).await;
    stage.until("the run waits", |w| !w.posts.lock().unwrap().is_empty()).await;
    let found = stage.searches("U0SUSAN", &FormKind::Pick, "the_runbook", "", values(&[])).await;
    let headings: Vec<_> =
        found.groups.iter().map(|g| (g.heading.clone().unwrap(), g.choices[0].value.clone())).collect();
    assert_eq!(headings, [("Yours of late".to_owned(), "restart".to_owned()), ("All".to_owned(), "uptime".to_owned())]);

    let next = stage.picks("U0SUSAN", "restart").await;
    let footer = muster::message::text::of(&next.footer);
    assert!(footer.contains("run restart mode=soft service=nginx wait=10s on accounts=acme"), "{footer}");
    let others = stage.picks("U0ARNE", "restart").await;
    assert!(
        muster::message::text::of(&others.footer).contains("on accounts=…"),
        "another person's values are not shown"
    );

    let run = stage.journal.runs().await.unwrap()[0];
    stage.does("U0SUSAN", Inbound::Click { verb: Verb::Fill, run, revision: 0 }).await;
    stage.until("the form opens", |w| w.opened.lock().unwrap().len() == 1).await;
    assert_eq!(stage.world.opened.lock().unwrap()[0].kind, next.kind);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_from_nowhere_asks_for_the_channel_and_the_run_stands_there() {
    let stage = stage().await;
    let susan = Principal::slack("T0MUSTER", "U0SUSAN");
    let nowhere = Place::nowhere(&susan, "T0MUSTER");
    stage.picks("U0SUSAN", "restart").await;
    let pick = Inbound::Form { form: FormKind::Pick, values: values(&[("the_runbook", &["restart"])]) };
    let mut form = None;
    for _ in 0..200 {
        if let Ack::NextForm(next) =
            stage.engine.accept(stage.delivery("U0SUSAN", nowhere.clone(), pick.clone())).await.unwrap()
        {
            form = Some(next);
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let form = form.unwrap();
    assert!(form.fields.iter().any(|f| f.name == "in_channel" && f.required));
    let without = stage.engine.accept(stage.delivery("U0SUSAN", nowhere.clone(), good(&form))).await.unwrap();
    assert!(one_fault(without).starts_with("in_channel: "));
    let Inbound::Form { form: kind, mut values } = good(&form) else { panic!() };
    values.insert("in_channel".into(), vec!["C0INCIDENT".into()]);
    stage.engine.accept(stage.delivery("U0SUSAN", nowhere, Inbound::Form { form: kind, values })).await.unwrap();
    stage.until("the run waits", |w| !w.posts.lock().unwrap().is_empty()).await;
    assert_eq!(stage.roots()[0].0, place("C0INCIDENT"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_page_shows_what_waits_and_changes_with_it() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    stage.does("U0SUSAN", good(&form)).await;
    stage.until("both cards are posted", |w| w.posts.lock().unwrap().len() == 2).await;
    stage.does("U0ARNE", Inbound::Home).await;
    let page =
        |w: &World| w.homes.lock().unwrap().iter().rev().find(|(p, _)| p.user == "U0ARNE").map(|(_, h)| h.clone());
    let asks = |w: &World| page(w).is_some_and(|h| h.sections.iter().any(|s| s.title == "1 request waits for you"));
    stage.until("the page says that a request waits", asks).await;
    let home = page(&stage.world).unwrap();
    let button = home.sections.iter().flat_map(|s| &s.buttons).find(|b| b.verb == Verb::Approve).unwrap().clone();
    let told: Vec<String> = home.sections.iter().map(to_text).collect();
    let short = stage.journal.runs().await.unwrap()[0].short(4);
    insta::assert_snapshot!(told.join("--\n").replace(&short, "r-7F3K"), @r##"
    Run something

    (Or type `/runbook help` in any channel that I am in.)

    [Pick a runbook]
    --
    1 request waits for you
    --
    r-7F3K restart on 1 node

    Asked by slack:T0MUSTER:U0SUSAN 2026-11-18 11:06 UTC, expires 2026-11-18 11:36 UTC
    Needs 1 of @sre, risk: change
    Why: it "hangs"
    `/runbook run restart mode=soft service=nginx wait=10s on accounts=acme tag:role=web`
    1 node in 1 account and 1 region
    Read the whole request: script, values and exact targets <https://chat.example/C0OPS/2.0>

    [Approve] [Deny]
    --
    You have run nothing yet

    (What you run stands here, wherever you started it.)
    --
    Muster is well

    Accounts: 3 known, none unreadable
    Journal: ok
    Rules: 2 runbooks, in force since 2026-11-18 11:06 UTC
    "##);

    let nowhere = Place::nowhere(&Principal::slack("T0MUSTER", "U0ARNE"), "T0MUSTER");
    let click = Inbound::Click { verb: Verb::Approve, run: button.run, revision: button.revision };
    stage.engine.accept(stage.delivery("U0ARNE", nowhere, click)).await.unwrap();
    let done = |w: &World| page(w).is_some_and(|h| h.sections.iter().all(|s| !s.title.contains("waits for you")));
    stage.until("nothing waits any more", done).await;
    assert!(stage.world.homes.lock().unwrap().iter().all(|(p, _)| p.user == "U0ARNE"), "only for who opened it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_requester_sees_the_own_run_and_no_button_to_approve_it() {
    let stage = stage().await;
    let form = stage.picks("U0SUSAN", "restart").await;
    stage.does("U0SUSAN", good(&form)).await;
    stage.until("both cards are posted", |w| w.posts.lock().unwrap().len() == 2).await;
    stage.does("U0SUSAN", Inbound::Home).await;
    stage.until("the page is shown", |w| !w.homes.lock().unwrap().is_empty()).await;
    let home = stage.world.homes.lock().unwrap().last().unwrap().1.clone();
    let verbs: Vec<(Verb, String)> =
        home.sections.iter().flat_map(|s| &s.buttons).map(|b| (b.verb, b.label.clone())).collect();
    assert_eq!(verbs, [(Verb::Pick, "Pick a runbook".to_owned()), (Verb::Fill, "restart".to_owned())]);
    assert!(home.sections.iter().any(|s| s.title == "Your runs, 1 going on"));
    assert_ne!(home.sections[0].buttons[1].run, RunId(Default::default()));
}
