//! What waits for approval while the rules change and people leave their groups.

use std::sync::atomic::Ordering;

use muster::engine::Engine;
use muster::message::{Button, Verb, to_text};
use muster::run::Event;

use super::seen::{BOTH_NODES, card_says, halts, last_words, seen, until};
use super::stage::{ARNE, Said, World, name, settings, world};

/// Every account is production, so that a change takes the yes of one SRE.
fn strict(name: &str, text: String) -> String {
    if name.ends_with("default.toml") { text.replace("production = false", "production = true") } else { text }
}

/// The message of the run's thread that was posted by this name: what it said, and its buttons.
async fn thread_says(world: &World, wanted: &str) -> (String, Vec<Button>) {
    let found = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Post { key, card } if name(key) == wanted => Some((to_text(card), card.buttons.clone())),
            _ => None,
        })
    };
    world.chat.until(wanted, found).await
}

async fn asked(world: &World, engine: &Engine) -> Button {
    world.types(engine, BOTH_NODES).await;
    let (_, buttons) = thread_says(world, "ask").await;
    buttons.into_iter().find(|button| button.verb == Verb::Approve).unwrap()
}

fn two_sres(name: &str, text: String) -> String {
    let one =
        "when = { production = true, risk = [\"change\", \"destructive\"] }\nneed = [{ from = \"sre\", count = 1 }]";
    let two = one.replace("count = 1", "count = 2");
    if name.ends_with("default.toml") {
        assert!(text.contains(one), "the shipped policy has another rule");
    }
    strict(name, text.replace(one, &two))
}

fn forbidden(name: &str, text: String) -> String {
    let forbid = "\n[[forbid]]\nid = \"now\"\nrun = { names = [\"time-sync\"] }\nbecause = \"It is broken.\"\n";
    strict(name, if name.ends_with("default.toml") { text + forbid } else { text })
}

async fn events(world: &World) -> Vec<&'static str> {
    let taken = world.journal.taken.lock().await;
    let names = taken.iter().flat_map(|commit| &commit.events).map(Event::name);
    names.filter(|name| !name.starts_with("post")).collect()
}

#[tokio::test]
async fn rules_that_ask_for_more_are_told_in_the_thread_and_the_old_quorum_is_not_enough() {
    let world = world();
    let engine = world.engine_with(settings(), strict).await;
    let approve = asked(&world, &engine).await;
    world.swaps(two_sres);
    let (notice, _) = thread_says(&world, "notice-1").await;
    insta::assert_snapshot!(seen(&notice), @"
    time-sync on 2 nodes: the rules have changed, it waits for 2 of @sre

    Waiting for 2 of @sre, expires <date>. The request stands in this thread.
    ");
    world.clicks_as(ARNE, &engine, &approve).await;
    card_says(&world, "Approved by").await;
    assert_eq!(events(&world).await, ["proposed", "reconsidered", "approved"]);
    // A second look at the same rules says nothing more.
    world.swaps(two_sres);
    let status = world.asks(&engine, "status").await;
    assert!(status.contains("waiting for 1 of @sre"), "{status}");
    assert_eq!(events(&world).await, ["proposed", "reconsidered", "approved"]);
}

#[tokio::test]
async fn rules_that_forbid_it_end_it_at_once() {
    let world = world();
    let engine = world.engine_with(settings(), strict).await;
    let approve = asked(&world, &engine).await;
    world.swaps(forbidden);
    last_words(&world, 1).await;
    card_says(&world, "It is broken.").await;
    world.clicks_as(ARNE, &engine, &approve).await;
    assert_eq!(events(&world).await, ["proposed", "withdrawn"]);
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn rules_that_changed_while_muster_was_down_are_seen_at_the_start() {
    let world = world();
    let first = world.engine_with(settings(), strict).await;
    asked(&world, &first).await;
    first.stop();
    let _second = world.engine_with(settings(), two_sres).await;
    thread_says(&world, "notice-1").await;
    assert_eq!(events(&world).await, ["proposed", "reconsidered"]);
}

#[tokio::test]
async fn a_yes_of_somebody_who_has_left_the_group_does_not_start_it() {
    let world = world();
    let engine = world.engine_with(settings(), strict).await;
    let approve = asked(&world, &engine).await;
    // Agreed to, and not started yet.
    halts(&world, &engine).await;
    world.clicks_as(ARNE, &engine, &approve).await;
    card_says(&world, "halted before its start").await;
    world.directory.left.lock().unwrap().insert(ARNE.to_owned());
    // A shell on the host lets everything go on.
    let told = engine_resumes(&engine).await;
    assert!(told, "it could not be resumed");
    let (notice, _) = thread_says(&world, "notice-1").await;
    insta::assert_snapshot!(seen(&notice), @"
    time-sync on 2 nodes: an approval no longer counts, it waits for 1 of @sre

    The approval of slack:T0MUSTER:U0ARNE no longer counts: no longer in a group that is asked.
    Waiting for 1 of @sre, expires <date>. The request stands in this thread.
    ");
    assert_eq!(world.cloud.sends.load(Ordering::SeqCst), 0);
    // Back in the group, the same person may approve anew.
    world.directory.left.lock().unwrap().clear();
    world.clicks_as(ARNE, &engine, &approve).await;
    until("the first send", || world.cloud.sends.load(Ordering::SeqCst) > 0).await;
    assert_eq!(events(&world).await[..5], ["proposed", "approved", "reconsidered", "approved", "started"]);
}

async fn engine_resumes(engine: &Engine) -> bool {
    use muster::ports::{Control as _, Order};
    engine.order(&super::seen::operator(), Order::Resume).await.done
}

/// The keys of what was posted besides cards and halts, in order.
fn asked_at(world: &World) -> Vec<String> {
    let posts = world.chat.said().into_iter().filter_map(|s| match s {
        Said::Post { key, .. } => Some(name(&key).to_owned()),
        Said::Edit { .. } | Said::Whisper(_) => None,
    });
    posts.filter(|key| key.starts_with("ask") || key.starts_with("notice")).collect()
}

#[tokio::test]
async fn those_who_may_approve_are_asked_in_their_channel_and_directly_and_all_cards_lose_their_buttons() {
    let world = world();
    let told = |name: &str, text: String| {
        let how = "\n[approvers]\nsre = { channels = [\"slack:T0MUSTER:C0SRE\"], direct = true }\n";
        if name.ends_with("default.toml") { strict(name, text) + how } else { text }
    };
    let engine = world.engine_with(settings(), told).await;
    asked(&world, &engine).await;
    let (in_channel, _) = thread_says(&world, "ask-1").await;
    let (directly, buttons) = thread_says(&world, "ask-2").await;
    assert!(in_channel.starts_with("Approve time-sync on 2 nodes?") && in_channel == directly);
    let approve = buttons.into_iter().find(|button| button.verb == Verb::Approve).unwrap();
    world.clicks_as(ARNE, &engine, &approve).await;
    for place in ["ask", "ask-1", "ask-2"] {
        let decided = |said: &[Said]| {
            said.iter().find_map(|s| match s {
                Said::Edit { id, card } if name(id) == place => {
                    (card.title.starts_with("Approved") && card.buttons.is_empty()).then_some(())
                }
                _ => None,
            })
        };
        world.chat.until(place, decided).await;
    }
}

#[tokio::test]
async fn where_too_few_can_approve_it_is_told_at_once() {
    let world = world();
    world.directory.left.lock().unwrap().insert(ARNE.to_owned());
    let told = |name: &str, text: String| {
        let leads = "[groups]\nleads = { users = [\"slack:T0MUSTER:U0OMAR\"] }\n";
        let how = "\n[approvers]\nsre = { escalate = [\"leads\"] }\n";
        if name.ends_with("default.toml") { strict(name, text).replacen("[groups]\n", leads, 1) + how } else { text }
    };
    let engine = world.engine_with(settings(), told).await;
    asked(&world, &engine).await;
    let (notice, _) = thread_says(&world, "notice-1").await;
    insta::assert_snapshot!(seen(&notice), @"
    time-sync on 2 nodes: too few people can approve it

    In the groups that are asked there are too few people besides whoever asked.
    @leads: please find somebody who may approve it.
    Waiting for 1 of @sre, expires <date>. The request stands in this thread.
    ");
    assert_eq!(asked_at(&world), ["ask", "notice-1"]);
}

#[tokio::test]
async fn a_guest_has_nothing_by_a_group_that_somebody_else_fills() {
    let world = world();
    let engine = world.engine_with(settings(), strict).await;
    let approve = asked(&world, &engine).await;
    world.directory.guests.lock().unwrap().insert(ARNE.to_owned());
    world.clicks_as(ARNE, &engine, &approve).await;
    let refused = |said: &[Said]| {
        said.iter().find_map(|s| match s {
            Said::Whisper(card) => Some(to_text(card)),
            Said::Post { .. } | Said::Edit { .. } => None,
        })
    };
    let refused = world.chat.until("a refusal", refused).await;
    assert!(refused.contains("Only a member of `sre` can approve it"), "{refused}");
    // A file that names the guest means the guest.
    world.swaps(|name, text| match name.ends_with("default.toml") {
        true => strict(name, text).replace("sre = { ", "sre = { users = [\"slack:T0MUSTER:U0ARNE\"], "),
        false => text,
    });
    world.clicks_as(ARNE, &engine, &approve).await;
    card_says(&world, "Approved by").await;
}

#[tokio::test]
async fn a_run_carries_who_the_person_is_outside_chat() {
    let world = world();
    let known = |name: &str, text: String| match name.ends_with("default.toml") {
        true => {
            let person =
                "[people]\nsusan = { accounts = [\"slack:T0MUSTER:U0SUSAN\"], id = \"susan.m@example.com\" }\n[sets.";
            text.replacen("[sets.", person, 1)
        }
        false => text,
    };
    let engine = world.engine_with(settings(), known).await;
    world.types(&engine, BOTH_NODES).await;
    until("the session", || world.cloud.opening.came.load(Ordering::SeqCst) > 0).await;
    let taken = world.journal.taken.lock().await;
    let identity = taken.iter().flat_map(|commit| &commit.events).find_map(|event| match event {
        Event::Proposed(proposal) => Some(proposal.identity.clone()),
        _ => None,
    });
    assert_eq!(identity.flatten().as_deref(), Some("susan.m@example.com"));
    drop(taken);
    let opened = world.cloud.opened.lock().unwrap().clone();
    assert_eq!(opened.into_iter().collect::<Vec<_>>(), ["susan.m@example.com"]);
}
