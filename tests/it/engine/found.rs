//! What histories have found, each as a case of its own: the fault is planted in a world in which nothing else goes wrong,
//! and the world's own promises are judged at the end.

use std::time::Duration;

use jiff::SignedDuration;

use super::world::World;

/// A look at staging, whose every node does well.
fn all_succeed(world: &World, when: &str, meanwhile: impl FnOnce(&World)) {
    let counts = world.looks(when, meanwhile);
    assert_eq!(counts.succeeded, counts.total, "{}", world.told());
}

#[test]
fn a_command_that_aws_took_late_has_its_own_time_to_end() {
    let world = World::calm(1);
    world.fortune.plant("request late", Duration::from_secs(200));
    world.fortune.plant("slow script", Duration::from_secs(20));
    all_succeed(&world, "send_unknown", |_| {});
}

#[test]
fn a_send_that_was_signed_by_a_clock_ahead_is_found_again_and_not_made_twice() {
    let world = World::calm(1);
    // 290 s are taken off: the clock is set forward by 280 s just before the send is signed.
    world.fortune.plant("clock set before a send", Duration::from_secs(570));
    world.fortune.plant("answer lost", Duration::ZERO);
    let sends_of_others = world.aws.commands_taken();
    all_succeed(&world, "send_unknown", |_| {});
    assert!(world.aws.commands_taken() > sends_of_others);
}

#[test]
fn a_send_that_was_signed_by_a_clock_behind_has_all_its_time_to_end() {
    let world = World::calm(1);
    world.fortune.plant("clock set before a send", Duration::from_secs(30));
    world.fortune.plant("slow script", Duration::from_secs(20));
    all_succeed(&world, "sent", |_| {});
}

#[test]
fn a_clock_that_is_set_forward_gives_up_no_node_that_runs() {
    let world = World::calm(1);
    world.fortune.plant("slow script", Duration::from_secs(20));
    all_succeed(&world, "sent", |world| assert!(world.time.step(SignedDuration::from_mins(30))));
}

#[test]
fn a_command_that_aws_took_at_the_last_moment_and_lists_late_is_not_sent_a_second_time() {
    let world = World::calm(1);
    // AWS takes a request for 300 s, so that it is looked for until 330 s have passed, and then once more.
    world.fortune.plant("request late", Duration::from_secs(298));
    world.fortune.plant("lists lag", Duration::from_secs(34));
    all_succeed(&world, "send_unknown", |_| {});
}

#[test]
fn an_answer_that_nobody_could_be_given_for_half_an_hour_is_given_after_the_next_start() {
    let world = World::calm(1);
    world.asks_while_slack_is_down(Duration::from_secs(45 * 60));
    assert_eq!(world.slack.whispers().len(), 1, "{}", world.told());
}

#[test]
fn whoever_asked_is_told_how_it_ended_though_the_channel_is_archived_and_direct_messages_wait() {
    let world = World::calm(1);
    all_succeed(&world, "sent", |world| {
        world.slack.archive();
        world.fortune.plant("no direct message", Duration::ZERO);
    });
    let told = |m: &super::world::Message| m.place.channel == "DU0ANA" && m.key.ends_with(":closing");
    assert_eq!(world.slack.messages().iter().filter(|m| told(m)).count(), 1, "{}", world.told());
}
