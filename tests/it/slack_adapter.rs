//! The Slack adapter against the simulated workspace: nothing is lost, doubled, late or said to the wrong person.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use muster::adapters::slack::{Settings, Slack};
use muster::domain::{GroupRef, Principal, Secret};
use muster::message::{Block, Card, Chart, FieldKind, Form, FormField, FormKind, Span, Table, Tone, Verb};
use muster::playground::slack::acts;
use muster::playground::slack::faults::Plant;
use muster::playground::slack::server::{Options, Server};
use muster::playground::slack::workspace::Workspace;
use muster::ports::{Ack, Channel, Chat, ChatError, Directory, Inbound, InboxError, Reply};
use serde_json::json;
use tokio::net::TcpListener;

use crate::slack_stage::*;

fn slowest_ack(stage: &Stage) -> f64 {
    stage
        .workspace()
        .hub
        .log()
        .iter()
        .map(|r| r.ack_ms.expect("an envelope was never acknowledged"))
        .fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_acknowledged_while_the_inbox_is_slow_and_still_accepted() {
    let stage = stage().await;
    *stage.book.takes.lock().unwrap() = Duration::from_secs(4);
    let answer = stage.says("@support", "#ops", "/runbook run disk-usage on env=prod").await;
    assert_eq!(answer["acked"], true);
    assert!(slowest_ack(&stage) < 1_000.0, "{} ms", slowest_ack(&stage));
    assert!(stage.book.keys().is_empty(), "the inbox is not done yet");
    let delivery = stage.book.nth(0).await;
    assert_eq!(delivery.inbound, Inbound::Command { text: "run disk-usage on env=prod".into() });
    assert_eq!(delivery.actor.principal, person("U0SUSAN"));
    assert_eq!(delivery.place, place("C0OPS"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_do_not_wait_for_each_other() {
    let stage = stage().await;
    *stage.book.takes.lock().unwrap() = Duration::from_secs(2);
    let started = Instant::now();
    let said = (0..10).map(|n| {
        let workspace = stage.workspace().clone();
        async move { acts::say(&workspace, "@support", "#ops", &format!("/runbook status {n}"), None).await.unwrap() }
    });
    for answer in futures::future::join_all(said).await {
        assert_eq!(answer["acked"], true);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    stage.book.nth(9).await;
    let texts: BTreeSet<String> = stage.book.keys().into_iter().collect();
    assert_eq!(texts.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_refreshed_sockets_lose_no_command() {
    let stage = stage().await;
    let mut said = 0;
    for round in 0..25 {
        let reason = ["warning", "refresh_requested"][round % 2];
        // Both sockets are told to go, and closed a little later: commands come meanwhile.
        assert!(stage.workspace().hub.disconnect(reason, Duration::from_millis(150)) >= 2);
        for _ in 0..4 {
            let answer = stage.says("@support", "#ops", &format!("/runbook status {said}")).await;
            assert_eq!(answer["acked"], true, "round {round}: {answer}");
            said += 1;
        }
        stage.until("the next two sockets are open and the old ones gone", |w| w.hub.connections() == 2).await;
        // Two of four are closing: wait until it is the new ones that are left.
        tokio::time::sleep(Duration::from_millis(170)).await;
        stage.until("two sockets are open", |w| w.hub.connections() == 2).await;
    }
    let texts: BTreeSet<String> = stage.book.keys().into_iter().collect();
    assert_eq!((stage.book.keys().len(), texts.len()), (said, said));
    assert!(stage.calls("apps.connections.open") >= 52);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_come_back() {
    let stage = stage().await;
    for round in 1..=3 {
        assert_eq!(stage.workspace().hub.cut(), 2);
        // A slot opens its next socket only when the old one has ended on both sides.
        let opened = |w: &Workspace| w.world().calls["apps.connections.open"] >= 2 + 2 * round;
        stage.until("two new sockets are open", |w| opened(w) && w.hub.connections() == 2).await;
    }
    assert_eq!(stage.says("@support", "#ops", "/runbook help").await["acked"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_twice_has_one_key() {
    let stage = stage().await;
    stage.plant(fault("deliver-twice"));
    stage.says("@support", "#ops", "/runbook help").await;
    stage.says("@support", "#ops", "/runbook status").await;
    let last = stage.book.nth(1).await;
    assert!(stage.book.keys().iter().collect::<BTreeSet<_>>().len() <= 2, "{:?}", stage.book.keys());
    assert!(last.key.starts_with("slack:command:"));
    stage.until("both copies are acknowledged", |w| w.hub.log()[0].acks == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mention_that_could_not_be_stored_comes_again_with_the_same_key() {
    let stage = stage().await;
    stage.book.answers.lock().unwrap().push_back(Err(InboxError::Store("disk full".into())));
    let said = stage.says("@support", "#ops", "@muster status").await;
    assert_eq!(said["heard"], true, "{said}");
    let (first, second) = (stage.book.nth(0).await, stage.book.nth(1).await);
    assert_eq!(first.key, second.key);
    assert_eq!(second.inbound, Inbound::Mention { text: "status".into() });
    assert_eq!(second.place, place("C0OPS"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mention_in_a_thread_says_which_thread() {
    let stage = stage().await;
    let root = stage.slack.post(&place("C0OPS"), &card("a run"), "k1").await.unwrap();
    acts::say(stage.workspace(), "@approver", "#ops", "@muster status", Some(&root.id)).await.unwrap();
    assert_eq!(stage.book.nth(0).await.place, in_thread("C0OPS", &root.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_is_told_to_the_person_who_typed() {
    let stage = stage().await;
    stage.book.answers.lock().unwrap().push_back(Err(InboxError::Store("disk full".into())));
    let answer = stage.says("@support", "#ops", "/runbook help").await;
    assert_eq!(answer["shown"], "muster could not note this down, so nothing was done; try again in a minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clicks_say_who_clicked_and_strangers_are_marked() {
    let stage = stage().await;
    let ours = stage.slack.post(&place("C0PARTNER"), &card("restart-service waits"), "k1").await.unwrap();
    stage.clicks("@approver", "#partners", &ours.id, "Approve").await;
    stage.clicks("@foreign", "#partners", &ours.id, "Approve").await;
    let (friend, stranger) = (stage.book.nth(0).await, stage.book.nth(1).await);
    assert_eq!(friend.inbound, Inbound::Click { verb: Verb::Approve, run: run(), revision: 7 });
    assert_eq!((friend.actor.principal, friend.actor.foreign), (person("U0ARNE"), false));
    let expected = (Principal::slack("T0OTHER", "U0FOREIGN"), true);
    assert_eq!((stranger.actor.principal, stranger.actor.foreign), expected);
    assert_ne!(friend.key, stranger.key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_posted_found_by_its_key_and_edited_in_place() {
    let stage = stage().await;
    let root = stage.slack.post(&place("C0OPS"), &card("waits"), "run/root").await.unwrap();
    let reply = stage.slack.post(&in_thread("C0OPS", &root.id), &card("results"), "run/results").await.unwrap();
    assert_eq!(stage.slack.find(&place("C0OPS"), "run/root").await, Ok(Some(root.clone())));
    assert_eq!(stage.slack.find(&in_thread("C0OPS", &root.id), "run/results").await, Ok(Some(reply)));
    assert_eq!(stage.slack.find(&place("C0OPS"), "run/other").await, Ok(None));

    let mut done = card("done");
    (done.tone, done.buttons) = (Tone::Good, vec![]);
    stage.slack.edit(&root, &done).await.unwrap();
    let shown = stage.messages(|m| m.ts == root.id).remove(0);
    assert!(shown.contains("✅ done") && !shown.contains("Approve"), "{shown}");
    assert_eq!(stage.slack.find(&place("C0OPS"), "run/root").await, Ok(Some(root)), "an edit keeps the key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_whose_answer_is_lost_is_unknown_and_can_be_found() {
    let stage = stage().await;
    stage.plant(fault("lost-post-answer"));
    let lost = stage.slack.post(&place("C0OPS"), &card("waits"), "run/root").await;
    assert!(matches!(lost, Err(ChatError::Unknown(_))), "{lost:?}");
    assert!(stage.slack.find(&place("C0OPS"), "run/root").await.unwrap().is_some());
    assert_eq!(stage.calls("chat.postMessage"), 1, "nothing is said twice by the adapter itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_found_behind_hundreds_of_others() {
    let stage = stage().await;
    let root = stage.slack.post(&place("C0OPS"), &card("waits"), "run/root").await.unwrap();
    for n in 0..450 {
        acts::say(stage.workspace(), "@outsider", "#ops", &format!("chatter {n}"), None).await.unwrap();
    }
    assert_eq!(stage.slack.find(&place("C0OPS"), "run/root").await, Ok(Some(root)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_bot_is_not_a_member_it_says_how_to_invite_it() {
    let stage = stage().await;
    let refused = stage.slack.post(&place("C0RANDOM"), &card("waits"), "k").await.unwrap_err();
    assert_eq!(refused, ChatError::Refused("I am not in this channel: type `/invite @muster` in it".into()));
    let gone = stage.slack.post(&place("C0NOWHERE"), &card("waits"), "k").await.unwrap_err();
    assert!(gone.to_string().contains("/invite @muster"), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_rate_limit_is_sat_out_and_a_long_one_is_given_back() {
    let stage = stage().await;
    let limited =
        |seconds| Plant { seconds: Some(seconds), method: Some("chat.postMessage".into()), ..fault("rate-limited") };
    stage.plant(limited(1));
    let started = Instant::now();
    stage.slack.post(&place("C0OPS"), &card("one"), "k1").await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());

    stage.plant(limited(30));
    let given_back = stage.slack.post(&place("C0OPS"), &card("two"), "k2").await.unwrap_err();
    assert!(
        matches!(given_back, ChatError::NotSaid { retry_after: Some(wait), .. } if wait == Duration::from_secs(30)),
        "{given_back:?}"
    );
    let calls = stage.calls("chat.postMessage");
    let closed = stage.slack.post(&place("C0INCIDENT"), &card("three"), "k3").await.unwrap_err();
    assert!(matches!(closed, ChatError::NotSaid { retry_after: Some(_), .. }), "{closed:?}");
    assert_eq!(stage.calls("chat.postMessage"), calls, "the method is left alone until then");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_down_for_a_while_is_waited_for() {
    let stage = stage().await;
    stage.plant(Plant { seconds: Some(1), ..fault("outage") });
    stage.workspace().hub.cut();
    let unsaid = stage.slack.post(&place("C0OPS"), &card("one"), "k1").await.unwrap_err();
    assert!(matches!(unsaid, ChatError::Unknown(_)), "a 5xx may have been said: {unsaid:?}");
    stage.until("the outage is over", |w| !w.world().faults.down()).await;
    stage.until("two sockets are open", |w| w.hub.connections() == 2).await;
    assert_eq!(stage.says("@support", "#ops", "/runbook help").await["acked"], true);
    stage.slack.post(&place("C0OPS"), &card("one"), "k1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_down_at_the_start_is_waited_for() {
    crypto();
    // A port on which nobody listens yet.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let slack = Slack::with_pace(settings(&format!("http://{address}/api/")), pace()).unwrap();
    let unsaid = slack.post(&place("C0OPS"), &card("one"), "k1").await.unwrap_err();
    assert!(matches!(unsaid, ChatError::NotSaid { .. }), "{unsaid:?}");
    let meeting = tokio::spawn({
        let slack = slack.clone();
        async move { slack.introduce().await.cloned() }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!meeting.is_finished());
    let server = Server::start(Options { listen: address, ..Options::default() }).await.unwrap();
    let me = tokio::time::timeout(SOON, meeting).await.unwrap().unwrap().unwrap();
    assert_eq!((me.team.as_str(), me.bot_user.as_str(), me.enterprise), ("T0MUSTER", "U0BOT", None));
    let stage = listen(server, slack).await;
    assert_eq!(stage.says("@support", "#ops", "/runbook help").await["acked"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_settings_get_one_clear_sentence() {
    let stage = stage().await;
    let url = stage.server.api_url.clone();
    let with = |bot: &str, app: &str, url: &str| Settings {
        bot_token: Secret::new(bot),
        app_token: Secret::new(app),
        ..settings(url)
    };
    let refused = Slack::connect(with("xoxb-wrong", "xapp-play", &url)).await.err().unwrap().to_string();
    assert_eq!(
        refused,
        "Slack does not accept the bot token (`invalid_auth`): put the `xoxb-…` token of the app's page OAuth & Permissions \
         where `[slack] bot_token` points"
    );
    let swapped = Slack::new(with("xapp-play", "xoxb-play", &url)).err().unwrap().to_string();
    assert!(
        swapped.contains("`[slack] bot_token` is not a `xoxb-…` token") && !swapped.contains("xapp-play"),
        "{swapped}"
    );
    let empty = Slack::new(with("", "xapp-play", &url)).err().unwrap().to_string();
    assert!(empty.contains("`[slack] bot_token` is empty"), "{empty}");
    let nowhere = Slack::new(with("xoxb-play", "xapp-play", "slack.com")).err().unwrap().to_string();
    assert!(nowhere.contains("`[slack] api_url` is not an address"), "{nowhere}");
    let elsewhere = Slack::connect(with("xoxb-play", "xapp-play", &stage.server.base_url())).await.err().unwrap();
    assert!(elsewhere.to_string().contains("check `[slack] api_url`"), "{elsewhere}");

    let no_sockets = Slack::with_pace(with("xoxb-play", "xapp-wrong", &url), pace()).unwrap();
    let alarm = no_sockets.listen(stage.book.clone(), std::future::pending()).await.unwrap_err();
    assert!(alarm.to_string().contains("`xapp-…` token with the scope `connections:write`"), "{alarm}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn socket_mode_switched_off_raises_an_alarm() {
    let stage = stage().await;
    stage.workspace().hub.disconnect("link_disabled", Duration::ZERO);
    let alarm = tokio::time::timeout(SOON, stage.listening).await.unwrap().unwrap().unwrap_err();
    assert!(alarm.to_string().contains("switch it on"), "{alarm}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_closes_the_sockets() {
    let mut stage = stage().await;
    stage.stop.take().unwrap().send(()).unwrap();
    assert_eq!(tokio::time::timeout(SOON, &mut stage.listening).await.unwrap().unwrap(), Ok(()));
    stage.until("no socket is left", |w| w.hub.connections() == 0).await;
}

fn only_for_susan(m: &muster::playground::slack::message::Message) -> bool {
    m.only_for.as_deref() == Some("U0SUSAN")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_answers_to_a_command_replace_the_first_and_nobody_else_reads_them() {
    let stage = stage().await;
    // In a channel that the bot is not in.
    stage.says("@support", "#random", "/runbook plan disk-usage").await;
    let reply = stage.book.nth(0).await.reply;
    for n in 1..=5 {
        stage.slack.whisper(&reply, &card(&format!("{n} of 5 read"))).await.unwrap();
    }
    let shown = stage.messages(only_for_susan);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("5 of 5 read"), "{shown:?}");
    assert_eq!(stage.messages(|m| m.only_for.is_none()), Vec::<String>::new());
    let sixth = stage.slack.whisper(&reply, &card("6")).await.unwrap_err();
    assert!(sixth.to_string().contains("/invite @muster"), "the address is used up and the bot is not there: {sixth}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_click_never_replaces_the_card() {
    let stage = stage().await;
    let root = stage.slack.post(&place("C0OPS"), &card("waits"), "k1").await.unwrap();
    stage.clicks("@support", "#ops", &root.id, "Approve").await;
    let reply = stage.book.nth(0).await.reply;
    for n in 0..7 {
        stage.slack.whisper(&reply, &card(&format!("no {n}"))).await.unwrap();
    }
    assert_eq!(stage.messages(only_for_susan).len(), 7, "also when the address is used up");
    assert!(stage.messages(|m| m.ts == root.id)[0].contains("waits"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_go_to_slack_only() {
    let stage = stage().await;
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = trap.local_addr().unwrap().port();
    let home = stage.server.addr.port();
    for url in [
        format!("http://127.0.0.1:{port}/commands/T/1"),
        format!("http://user@127.0.0.1:{home}/commands/T/1"),
        format!("https://127.0.0.1:{home}/commands/T/1"),
        "http://169.254.169.254/latest/meta-data".into(),
        "http://hooks.slack.com.evil.example/commands/1".into(),
        "file:///etc/passwd".into(),
        "not an address".into(),
    ] {
        let reply = Reply {
            platform: muster::domain::ChatPlatform::Slack,
            place: place("C0OPS"),
            person: person("U0SUSAN"),
            url: Some(url.clone()),
            trigger: None,
        };
        stage.slack.whisper(&reply, &card("secret")).await.unwrap();
        let asked = tokio::time::timeout(Duration::from_millis(20), trap.accept()).await;
        assert!(asked.is_err(), "{url} was called");
    }
    assert_eq!(stage.calls("chat.postEphemeral"), 7, "the person was told in the channel");
}

fn asks_why() -> Form {
    Form {
        kind: FormKind::Deny { run: run(), revision: 7 },
        title: "Deny this run".into(),
        submit: Some("Deny".into()),
        intro: vec![Span::plain("restart-service on 48 nodes")],
        fields: vec![FormField {
            name: "reason".into(),
            label: "Why?".into(),
            hint: None,
            required: true,
            kind: FieldKind::Text { value: None, multiline: true, max_length: 500, placeholder: None },
            fault: None,
        }],
        footer: vec![],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_opened_refused_with_its_fault_and_then_taken() {
    let stage = stage().await;
    let root = stage.slack.post(&place("C0OPS"), &card("waits"), "k1").await.unwrap();
    stage.clicks("@approver", "#ops", &root.id, "Deny").await;
    let click = stage.book.nth(0).await;
    stage.slack.open_form(&click.reply, &asks_why()).await.unwrap();

    let errors = [("reason".to_owned(), "say a little more".to_owned())].into();
    stage.book.answers.lock().unwrap().push_back(Ok(Ack::FormErrors(errors)));
    let refused = stage.submits("@approver", json!({ "reason": "no" })).await;
    assert_eq!((&refused["ok"], &refused["errors"]), (&json!(false), &json!({ "reason": "say a little more" })));
    let taken = stage.submits("@approver", json!({ "reason": "the window is over" })).await;
    assert_eq!((&taken["ok"], &taken["open"]), (&json!(true), &json!(null)));

    let form = stage.book.nth(2).await;
    let values = [("reason".to_owned(), vec!["the window is over".to_owned()])].into();
    assert_eq!(form.inbound, Inbound::Form { form: FormKind::Deny { run: run(), revision: 7 }, values });
    assert_eq!((form.place, form.actor), (place("C0OPS"), click.actor));
    stage.slack.whisper(&form.reply, &card("denied")).await.unwrap();
    assert_eq!(stage.messages(|m| m.only_for.as_deref() == Some("U0ARNE")).len(), 1);

    let again = stage.slack.open_form(&click.reply, &asks_why()).await.unwrap_err();
    assert!(again.to_string().contains("click again"), "a trigger serves once: {again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_stands_in_its_thread_once_however_often_it_is_uploaded() {
    let stage = stage().await;
    let root = stage.slack.post(&place("C0OPS"), &card("done"), "k1").await.unwrap();
    let thread = in_thread("C0OPS", &root.id);
    for _ in 0..2 {
        stage.slack.upload(&thread, "r-AB7F.log", "All outputs", "line 1\nläne 2\n", "run/file").await.unwrap();
    }
    let world = stage.workspace().world();
    let files: Vec<_> = world.files.values().collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].bytes, "line 1\nläne 2\n".as_bytes());
    assert!(files[0].name.starts_with("r-AB7F-") && files[0].name.ends_with(".log"), "{}", files[0].name);
    let shown: Vec<_> = world.messages.iter().filter(|m| !m.files.is_empty()).collect();
    assert_eq!((shown.len(), shown[0].thread_ts.as_ref()), (1, Some(&root.id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_slack_never_shows_is_not_taken_for_shown() {
    let stage = stage().await;
    let root = stage.slack.post(&place("C0OPS"), &card("done"), "k1").await.unwrap();
    let thread = in_thread("C0OPS", &root.id);
    stage.plant(fault("never-shared"));
    let unknown = stage.slack.upload(&thread, "r.log", "All", "x", "run/file").await.unwrap_err();
    assert!(matches!(unknown, ChatError::Unknown(_)), "{unknown:?}");
    stage.slack.upload(&thread, "r.log", "All", "x", "run/file").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_that_slack_refuses_is_said_in_a_simpler_one() {
    let stage = stage().await;
    let refuse = |count| Plant {
        method: Some("chat.postMessage".into()),
        error: Some("invalid_blocks".into()),
        count: Some(count),
        ..fault("api-error")
    };
    stage.plant(refuse(1));
    let plain = stage.slack.post(&place("C0OPS"), &card("waits"), "k1").await.unwrap();
    stage.plant(refuse(2));
    let bare = stage.slack.post(&place("C0INCIDENT"), &card("waits"), "k2").await.unwrap();
    let world = stage.workspace().world();
    let kinds = |m: &muster::domain::MessageRef| -> Vec<String> {
        let message = world.message(&m.channel, &m.id).unwrap();
        message.blocks.iter().map(|b| b["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&plain), ["header", "section", "actions"]);
    assert_eq!(kinds(&bare), Vec::<String>::new());
    assert!(world.message("C0INCIDENT", &bare.id).unwrap().text.contains("48 nodes in *3 accounts*"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_without_tables_and_charts_sees_them_drawn_in_letters() {
    let stage = stage().await;
    let table = Table { head: vec!["node".into(), "use".into()], rows: vec![vec!["web-1".into(), "97%".into()]] };
    let chart = Chart { title: "use".into(), bars: vec![("0–50%".into(), 3), ("50–100%".into(), 1)] };
    let card = Card { blocks: vec![Block::Table(table), Block::Chart(chart)], buttons: vec![], ..card("results") };
    let workspace = stage.workspace();
    let kinds = |m: &muster::domain::MessageRef| -> Vec<String> {
        let world = workspace.world();
        let message = world.message(&m.channel, &m.id).unwrap();
        message.blocks.iter().map(|b| b["type"].as_str().unwrap().to_owned()).collect()
    };
    let own = stage.slack.post(&place("C0OPS"), &card, "k1").await.unwrap();
    assert_eq!(kinds(&own), ["header", "table", "data_visualization"]);
    let refuse = Plant {
        method: Some("chat.postMessage".into()),
        error: Some("invalid_blocks".into()),
        count: Some(1),
        ..fault("api-error")
    };
    stage.plant(refuse);
    let drawn = stage.slack.post(&place("C0INCIDENT"), &card, "k2").await.unwrap();
    assert_eq!(kinds(&drawn), ["header", "rich_text", "rich_text"]);
    let told = serde_json::to_string(&workspace.world().message("C0INCIDENT", &drawn.id).unwrap().blocks).unwrap();
    assert!(told.contains("node   use\\nweb-1  97%") && told.contains("50–100% |██████████ 1"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_message_has_a_place() {
    let stage = stage().await;
    let there = stage.slack.direct(&person("U0PRIYA")).await.unwrap();
    assert!(there.channel.starts_with('D'), "{there:?}");
    stage.slack.post(&there, &card("please look"), "k").await.unwrap();
    assert_eq!(stage.slack.direct(&person("U0PRIYA")).await.unwrap(), there);
    assert_eq!(stage.calls("conversations.open"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_people_and_channels_are_known_and_doubt_is_an_error() {
    let stage = stage().await;
    let group = |text: &str| text.parse::<GroupRef>().unwrap();
    let sre = group("slack:T0MUSTER:S0SRE");
    for _ in 0..3 {
        assert_eq!(stage.slack.members(&sre).await.unwrap(), [person("U0ARNE"), person("U0PRIYA")]);
    }
    assert_eq!(stage.calls("usergroups.users.list"), 1, "an answer serves for a minute");
    assert!(stage.slack.members(&group("slack:T0OTHER:S0SRE")).await.is_err(), "another workspace's group");
    let unknown = stage.slack.members(&group("slack:T0MUSTER:S0NONE")).await.unwrap_err();
    assert!(unknown.to_string().contains("correct its id in the policy"), "{unknown}");
    let broken = Plant { method: Some("usergroups.users.list".into()), ..fault("api-error") };
    stage.plant(broken);
    assert!(stage.slack.members(&group("slack:T0MUSTER:S0SUPPORT")).await.is_err(), "no answer is no empty group");
    assert_eq!(stage.slack.members(&group("slack:T0MUSTER:S0SUPPORT")).await.unwrap(), [person("U0SUSAN")]);

    let susan = stage.slack.profile(&person("U0SUSAN")).await.unwrap();
    assert_eq!((susan.name.as_str(), susan.is_bot, susan.is_stranger), ("susan", false, false));
    assert!(stage.slack.profile(&Principal::slack("T0OTHER", "U0FOREIGN")).await.unwrap().is_stranger);
    assert!(stage.slack.profile(&person("U0BOT")).await.unwrap().is_bot);
    assert!(stage.slack.profile(&person("U0NOBODY")).await.is_err());

    stage.slack.direct(&person("U0SUSAN")).await.unwrap();
    let channel = async |id: &str| stage.slack.channel(&place(id)).await.unwrap();
    assert_eq!(channel("C0OPS").await, Channel { member: true, shared: false });
    assert_eq!(channel("C0PARTNER").await, Channel { member: true, shared: true });
    assert_eq!(channel("D0SUSAN").await, Channel { member: true, shared: false }, "a direct message");
    // Private and not ours to see: nothing can be said there, so nothing can leak there either.
    assert_eq!(channel("C0NOWHERE").await, Channel { member: false, shared: false });
    assert_eq!(channel("C0RANDOM").await, Channel { member: false, shared: false });
    let asked = stage.calls("conversations.info");
    assert_eq!(channel("C0OPS").await, Channel { member: true, shared: false });
    assert_eq!(stage.calls("conversations.info"), asked, "an answer serves for a minute");
    assert!(!channel("C0RANDOM").await.member);
    assert_eq!(stage.calls("conversations.info"), asked + 1, "somebody may have invited the bot in the meantime");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_from_people_is_shown_as_they_wrote_it() {
    let stage = stage().await;
    let mut evil = card("<!channel> & *bold*");
    evil.blocks = vec![Block::Text(vec![Span::plain("<@U0ARNE> @channel <http://x|y> `_~")])];
    let posted = stage.slack.post(&place("C0OPS"), &evil, "k").await.unwrap();
    let shown = stage.messages(|m| m.ts == posted.id).remove(0);
    assert!(shown.contains("<!channel> & *bold*"), "{shown}");
    assert!(shown.contains("<@U0ARNE> @channel <http://x|y> `_~"), "{shown}");
}

/// What the adapter writes into the log at its most talkative, with the libraries capped as its documentation asks.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// One thread, so that the subscriber of this test hears everything and nothing else.
#[tokio::test]
async fn nothing_that_opens_a_door_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let capped = ["slack_morphism", "hyper", "hyper_util", "tungstenite", "tokio_tungstenite"];
    let filter = capped.iter().fold("trace".to_owned(), |all, name| format!("{all},{name}=info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut stage = stage().await;
    stage.says("@support", "#ops", "/runbook plan token=canary-in-a-command").await;
    let reply = stage.book.nth(0).await.reply;
    for _ in 0..7 {
        stage.slack.whisper(&reply, &card("canary-in-a-card")).await.unwrap();
    }
    let foreign = Reply { url: Some("http://evil.example/canary-in-an-address".into()), ..reply };
    stage.slack.whisper(&foreign, &card("x")).await.unwrap();
    stage.plant(Plant { error: Some("invalid_blocks".into()), ..fault("api-error") });
    let root = stage.slack.post(&place("C0OPS"), &card("canary-in-a-card"), "k").await.unwrap();
    stage.slack.upload(&in_thread("C0OPS", &root.id), "a.log", "t", "canary-in-a-file", "f").await.unwrap();
    stage.plant(Plant { seconds: Some(1), ..fault("refused") });
    stage.workspace().hub.cut();
    stage.slack.post(&place("C0OPS"), &card("x"), "k").await.unwrap_err();
    stage.until("the sockets are back", |w| !w.world().faults.down() && w.hub.connections() == 2).await;
    stage.stop.take().unwrap().send(()).unwrap();
    stage.listening.await.unwrap().unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("a slack socket is open") && log.contains("no slack socket: the connection to Slack broke"),
        "{log}"
    );
    for secret in ["xapp-play", "xoxb-play", "ticket", "/commands/", "/upload/", "canary"] {
        assert!(!log.contains(secret), "`{secret}` is in the log:\n{log}");
    }
}
