//! Break-glass as it is asked for, told, run and looked at.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muster::engine::Engine;
use muster::message::{Button, Verb, to_text};
use muster::ports::ChatError;
use muster::run::Event;

use super::seen::{card_says, halts, last_words, resumes, run_of, seen, until};
use super::stage::{ARNE, HIDDEN, OMAR, SUSAN, Said, World, name, settings, world};

const EMERGENCY: &str = "break-glass top-processes on accounts=acme-staging because \"INC-7: logins fail everywhere\"";
const CHANGE: &str = "break-glass time-sync on accounts=acme-staging because \"INC-7: clocks drift and logins fail\"";

/// A freeze over everything, which SREs and support may break.
fn frozen(name: &str, text: String) -> String {
    let groups = "[groups]\nsecurity = { users = [\"slack:T0MUSTER:U0OMAR\"] }\n";
    let rules = r#"
[[freeze]]
id = "turn-of-the-year"
from = "2020-01-01T00:00:00Z"
to = "2100-01-01T00:00:00Z"
where = ["*"]
because = "Nobody is there to repair it."
[break_glass]
who = ["support", "sre"]
overrides = ["freeze", "approval"]
second = "sre"
justification_min = 20
max_targets = 10
notify = ["slack:T0MUSTER:C0SEC"]
review = ["security"]
review_within = "24h"
"#;
    if name.ends_with("default.toml") { text.replacen("[groups]\n", groups, 1) + rules } else { text }
}

/// The latest form of a message, by its name.
async fn shows(world: &World, wanted: &str, words: &str) -> (String, Vec<Button>) {
    let found = |said: &[Said]| {
        said.iter().rev().find_map(|s| match s {
            Said::Post { key: id, card } | Said::Edit { id, card } if name(id) == wanted => {
                let text = to_text(card);
                text.contains(words).then(|| (text, card.buttons.clone()))
            }
            _ => None,
        })
    };
    world.chat.until(words, found).await
}

async fn agreed(world: &World, engine: &Engine, emergency: &str) {
    world.types(engine, emergency).await;
    let (_, buttons) = shows(world, "ask", "Break-glass").await;
    let approve = buttons.into_iter().find(|button| button.verb == Verb::Approve).unwrap();
    world.clicks_as(ARNE, engine, &approve).await;
}

async fn events(world: &World) -> Vec<&'static str> {
    let taken = world.journal.taken.lock().await;
    let names = taken.iter().flat_map(|commit| &commit.events).map(Event::name);
    names.filter(|name| !name.starts_with("post") && !name.starts_with("sen") && *name != "reported").collect()
}

fn posted(world: &World) -> Vec<String> {
    let posts = world.chat.said().into_iter().filter_map(|s| match s {
        Said::Post { key, .. } => Some(name(&key).to_owned()),
        Said::Edit { .. } | Said::Whisper(_) => None,
    });
    posts.collect()
}

#[tokio::test]
async fn a_freeze_names_the_way_past_it_and_only_a_reason_and_a_second_person_open_it() {
    let world = world();
    let engine = world.engine_with(settings(), frozen).await;
    let refused = world.asks(&engine, "run time-sync on accounts=acme-staging because \"x\"").await;
    insta::assert_snapshot!(seen(&refused), @r#"
    You may not run time-sync on 2 nodes

    • the freeze until <date>: Nobody is there to repair it. (rule `turn-of-the-year`)

    See what you may run: `/runbook list`

    In an emergency, with a second person and a notice to others: `/runbook break-glass time-sync on accounts=acme-staging because "…"`
    "#);
    let short = world.asks(&engine, "break-glass time-sync on accounts=acme-staging because \"down\"").await;
    insta::assert_snapshot!(seen(&short), @"
    You may not run time-sync on 2 nodes

    • the reason has 4 characters, and at least 20 are asked for: say what is broken and why it cannot wait (rule `break-glass`)

    See what you may run: `/runbook list`
    ");
    let silent = world.asks(&engine, "break-glass time-sync on accounts=acme-staging").await;
    insta::assert_snapshot!(seen(&silent), @r#"
    I did not understand that

    `break-glass` does not say why; write `break-glass time-sync on accounts=acme-staging because "what is broken, and why it cannot wait"`.

    Examples: `/runbook help`
    "#);
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_nothing_stands_in_the_way_of_needs_no_break_glass() {
    let world = world();
    let harmless = |name: &str, text: String| frozen(name, text).replace("to = \"2100", "to = \"2021");
    let engine = world.engine_with(settings(), harmless).await;
    insta::assert_snapshot!(seen(&world.asks(&engine, EMERGENCY).await), @r#"
    top-processes needs no break-glass, so nothing was run

    No freeze and no approval stands in its way that could be overridden.

    Run it as ever: `/runbook run top-processes on accounts=acme-staging because "INC-7: logins fail everywhere"`
    "#);
    // Where no file says who may, nobody may.
    world.swaps(|_, text| text);
    insta::assert_snapshot!(seen(&world.asks(&engine, EMERGENCY).await), @"
    You may not run top-processes on 2 nodes

    • no policy file lets anybody override a rule in an emergency (rule `built-in`)

    See what you may run: `/runbook list`
    ");
}

#[tokio::test]
async fn others_are_told_before_the_first_send_and_look_at_it_afterwards() {
    let world = world();
    let engine = world.engine_with(settings(), frozen).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    agreed(&world, &engine, EMERGENCY).await;
    last_words(&world, 1).await;
    let (alert, _) = shows(&world, "alert-1", "needs a review").await;
    insta::assert_snapshot!(seen(&alert), @"
    Break-glass r-XXXX: top-processes on 2 nodes is over and needs a review

    <date> `top-processes` 2 of 2 nodes succeeded (100 %)
    Somebody has to look at it: @security, by <date>.
    Read all of it: script, values, exact targets and results <https://chat.example/C0OPS/<run>:root>

    Asked by:  slack:T0MUSTER:U0SUSAN
    Agreed by: slack:T0MUSTER:U0ARNE <date>
    Why:       INC-7: logins fail everywhere
    What:      Show the busiest processes (`top-processes`, risk read, owned by platform)
    Arguments: `by=cpu` `top=10`
    On:        `accounts=acme-staging`: 2 nodes in 1 account and 1 region

    What it overrides
    • `turn-of-the-year`: the freeze until <date>: Nobody is there to repair it.

    (Plan `<hash>`)
    ");
    let (asks, buttons) = shows(&world, "review-1", "please look").await;
    insta::assert_snapshot!(seen(&asks), @"
    Break-glass r-XXXX: top-processes on 2 nodes, please look at what was done

    Somebody has to look at it: @security, by <date>.
    It ended: both nodes succeeded.
    Why: INC-7: logins fail everywhere
    It overrides `turn-of-the-year`.
    Read all of it: script, values, exact targets and results <https://chat.example/C0OPS/<run>:root>

    [Close the review] [See the outputs]
    ");
    let order = posted(&world);
    assert_eq!(order[..3], ["root", "ask", "alert-1"], "{order:?}");
    {
        let taken = world.journal.taken.lock().await;
        let all: Vec<&Event> = taken.iter().flat_map(|commit| &commit.events).collect();
        let told = all.iter().position(|e| matches!(e, Event::Posted { key, .. } if key.to_string() == "alert-1"));
        let sent = all.iter().position(|e| matches!(e, Event::SendIntent { .. }));
        assert!(told.unwrap() < sent.unwrap());
    }
    // Neither whoever asked nor whoever agreed closes it, and it is not forgotten.
    let run = run_of(&world);
    for who in [SUSAN, ARNE] {
        let refused = world.asks_as(who, "C0OPS", &engine, &format!("review {run} because \"fine\"")).await;
        assert!(refused.contains("someone else has to look at it") || refused.contains("`security`"), "{refused}");
    }
    insta::assert_snapshot!(seen(&world.asks_as(OMAR, "C0OPS", &engine, "approvals").await), @"
    1 request waits for you

    `r-XXXX` top-processes on 2 nodes, asked by slack:T0MUSTER:U0SUSAN: needs a review, it overrides `turn-of-the-year` · read it <https://chat.example/C0OPS/<run>:root>
    ");
    engine.stop();
    let engine = world.engine_with(settings(), frozen).await;
    assert_eq!(buttons.iter().map(|b| b.verb).collect::<Vec<_>>(), [Verb::Review, Verb::Output]);
    let closed = world.asks_as(OMAR, "C0OPS", &engine, &format!("review {run} because \"logins work again\"")).await;
    assert!(closed.contains("is closed"), "{closed}");
    for place in ["alert-1", "review-1"] {
        let (told, buttons) = shows(&world, place, "Reviewed by").await;
        assert!(told.contains("logins work again") && buttons.is_empty(), "{told}");
    }
    shows(&world, "reviewed", "logins work again").await;
    card_says(&world, "Reviewed by").await;
    let again = world.asks_as(OMAR, "C0OPS", &engine, &format!("review {run} because \"twice\"")).await;
    assert!(again.contains("waits for no review"), "{again}");
    assert_eq!(events(&world).await, ["proposed", "approved", "started", "finished", "reviewed"]);
}

#[tokio::test]
async fn where_nobody_can_be_told_nothing_is_run() {
    let world = world();
    let engine = world.engine_with(settings(), frozen).await;
    world.types(&engine, EMERGENCY).await;
    let (_, buttons) = shows(&world, "ask", "Break-glass").await;
    world.chat.post_faults.lock().unwrap().push_back(ChatError::Refused("is_archived".into()));
    world.clicks_as(ARNE, &engine, &buttons[0]).await;
    let told = card_says(&world, "is_archived").await;
    insta::assert_snapshot!(seen(&told), @"
    top-processes on 2 nodes: withdrawn, nothing was run

    Withdrawn: a channel that has to be told before a rule is overridden could not be told: `slack:T0MUSTER:C0SEC`: is_archived; invite me there, or change `notify` under `[break_glass]`

    What:        Show the busiest processes (`top-processes`, risk read, owned by platform)
    Arguments:   `by=cpu` `top=10`
    On:          `accounts=acme-staging`: 2 nodes in 1 account and 1 region
    Asked by:    slack:T0MUSTER:U0SUSAN
    Why:         INC-7: logins fail everywhere
    Break-glass: overrides `turn-of-the-year`
    Approved by: slack:T0MUSTER:U0ARNE <date>

    (r-XXXX · plan `<hash>`)

    [Ask again]
    ");
    assert_eq!(events(&world).await, ["proposed", "approved", "withdrawn"]);
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn rules_that_no_longer_let_anybody_break_the_glass_end_what_waits() {
    let world = world();
    let engine = world.engine_with(settings(), frozen).await;
    world.types(&engine, EMERGENCY).await;
    shows(&world, "ask", "Break-glass").await;
    world.swaps(|name, text| frozen(name, text).split("[break_glass]").next().unwrap().to_owned());
    let told = card_says(&world, "Withdrawn").await;
    assert!(told.contains("no policy file lets anybody override a rule"), "{told}");
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_review_that_is_late_is_told_where_it_was_announced_and_stays_owed() {
    let world = world();
    let engine = world.engine_with(settings(), frozen).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    agreed(&world, &engine, EMERGENCY).await;
    last_words(&world, 1).await;
    engine.stop();
    world.clock.forward(Duration::from_secs(24 * 3600 + 60));
    let _engine = world.engine_with(settings(), frozen).await;
    let (overdue, buttons) = shows(&world, "overdue-1", "still waits").await;
    insta::assert_snapshot!(seen(&overdue), @r#"
    Break-glass r-XXXX: top-processes on 2 nodes still waits for its review

    Nobody has looked at it: @security, who had until <date>.
    To close it: `/runbook review r-XXXX because "…"`
    Read all of it: script, values, exact targets and results <https://chat.example/C0OPS/<run>:root>
    "#);
    assert!(buttons.is_empty(), "the button stands on the request for the review");
    shows(&world, "alert-1", "nobody has reviewed it in time").await;
}

#[tokio::test]
async fn what_was_agreed_to_in_an_emergency_is_not_agreed_to_for_a_retry() {
    let world = world();
    let engine = world.engine_with(settings(), frozen).await;
    agreed(&world, &engine, CHANGE).await;
    until("a send", || world.cloud.sends.load(Ordering::SeqCst) > 0).await;
    let run = run_of(&world);
    world.types(&engine, &format!("cancel {run}")).await;
    world.cloud.let_end.store(true, Ordering::Relaxed);
    last_words(&world, 1).await;
    // The freeze is over, and the rules ask for an SRE.
    world.swaps(|name, text| {
        frozen(name, text).replace("to = \"2100", "to = \"2021").replace("production = false", "production = true")
    });
    world.types(&engine, &format!("retry {run} not-started")).await;
    let waits = |said: &[Said]| {
        let asks = |s: &&Said| matches!(s, Said::Post { key, .. } if name(key) == "ask");
        (said.iter().filter(asks).count() == 2).then_some(())
    };
    world.chat.until("the question of the retry", waits).await;
}

#[tokio::test]
async fn a_channel_that_muster_is_not_in_is_told_before_anybody_is_asked() {
    let world = world();
    let hidden = |name: &str, text: String| frozen(name, text).replace("C0SEC", HIDDEN);
    let engine = world.engine_with(settings(), hidden).await;
    insta::assert_snapshot!(seen(&world.asks(&engine, EMERGENCY).await), @"
    Nobody can be told that rules are overridden, so nothing was run

    The policy names `slack:T0MUSTER:C0HIDDEN`, which does not have me as a member.

    Invite me there, or change `notify` under `[break_glass]` of the policy.
    ");
    assert_eq!(events(&world).await, [""; 0]);
}

#[tokio::test]
async fn a_rule_that_comes_to_stand_in_the_way_takes_a_new_yes() {
    let world = world();
    let engine = world.engine_with(settings(), frozen).await;
    // Agreed to, and not started yet.
    halts(&world, &engine).await;
    agreed(&world, &engine, EMERGENCY).await;
    card_says(&world, "halted before its start").await;
    world.swaps(|name, text| {
        let more = "\n[[freeze]]\nid = \"audit\"\nfrom = \"2020-01-01T00:00:00Z\"\nto = \"2100-01-01T00:00:00Z\"\nwhere = [\"*\"]\nbecause = \"The auditors are here.\"\n";
        let text = frozen(name, text);
        if name.ends_with("default.toml") { text + more } else { text }
    });
    let (notice, _) = shows(&world, "notice-1", "no longer counts").await;
    insta::assert_snapshot!(seen(&notice), @"
    top-processes on 2 nodes: an approval no longer counts, it waits for 1 of @sre

    The approval of slack:T0MUSTER:U0ARNE no longer counts: `audit` would be overridden too now.
    Waiting for 1 of @sre, expires <date>. The request stands in this thread.
    ");
    let (ask, buttons) = shows(&world, "ask", "`audit`").await;
    assert!(ask.contains("The auditors are here."), "{ask}");
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 0);
    world.clicks_as(ARNE, &engine, &buttons[0]).await;
    resumes(&world, &engine).await;
    until("a send", || world.cloud.sends.load(Ordering::SeqCst) > 0).await;
}
