//! What the Discord adapter promises, against a guild that refuses what Discord refuses.

use std::time::Duration;

use muster::domain::{ChatPlatform, GroupRef, Place, Principal, RunId};
use muster::message::form::{Faults, Group};
use muster::message::{
    Block, Button, Card, Choice, FieldKind, Form, FormField, FormKind, Span, Style, Suggestions, Tone, Verb,
};
use muster::playground::discord::faults::Plant;
use muster::playground::discord::people::{ARNE, FRED, OPS, RANDOM, SUSAN};
use muster::playground::discord::{FOREIGN_GUILD, GUILD, Options, SRE_ROLE, Settings, acts, menu};
use muster::ports::{Ack, Chat, ChatError, Directory, Inbound, InboxError, Part};
use serde_json::json;

use super::discord_stage::{Stage, listen, pace, place, settings, stage, stage_with};
use super::slack_stage::crypto;

fn run() -> RunId {
    "01J9ZX0000000000000000AB7F".parse().unwrap()
}

fn card(title: &str) -> Card {
    let button = |verb, label: &str| Button { verb, label: label.into(), style: Style::Plain, run: run(), revision: 1 };
    Card {
        tone: Tone::Waiting,
        title: title.into(),
        blocks: vec![Block::Text(vec![
            Span::Person(Principal::discord(GUILD, SUSAN)),
            Span::plain(" asks @everyone for **this**"),
        ])],
        buttons: vec![button(Verb::Approve, "Approve"), button(Verb::Deny, "Deny")],
    }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, ChatError>) -> String {
    match answer {
        Err(ChatError::Refused(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_is_delivered_acknowledged_and_answered_in_place() {
    let stage = stage().await;
    stage.types("/runbook run restart-service service=nginx on env=staging because \"ticket 4711\"").await.unwrap();
    let delivery = stage.book.nth(0).await;
    let text = "run restart-service service=nginx on env=staging because \"ticket 4711\"";
    assert_eq!(delivery.inbound, Inbound::Command { text: text.into() });
    assert_eq!(delivery.actor.principal, Principal::discord(GUILD, SUSAN));
    assert_eq!(delivery.place, place(None));
    let noted = stage.whispers();
    assert_eq!(noted.len(), 1);
    assert!(noted[0].1.contains("noted"), "{noted:?}");
    stage.discord.whisper(&delivery.reply, &card("first")).await.unwrap();
    stage.discord.whisper(&delivery.reply, &card("second")).await.unwrap();
    let answered = stage.whispers();
    assert_eq!(answered.len(), 1, "later words take the place of earlier ones");
    assert!(answered[0].1.starts_with("# ⏳ second"), "{answered:?}");
}

#[tokio::test]
async fn a_card_is_posted_edited_and_gets_its_thread_and_file_each_once() {
    let stage = stage().await;
    let root = stage.discord.post(&place(None), &card("restart-service waits"), "r:root").await.unwrap();
    // The answer was lost: said again, and looked for.
    let again = stage.discord.post(&place(None), &card("restart-service waits"), "r:root").await.unwrap();
    assert_eq!(root, again);
    assert_eq!(stage.discord.find(&place(None), "r:root").await, Ok(Some(root.clone())));
    assert_eq!(stage.discord.find(&place(None), "r:other").await, Ok(None));
    stage.discord.edit(&root, &card("restart-service runs")).await.unwrap();
    assert_eq!(stage.said(OPS).len(), 1);
    assert!(stage.said(OPS)[0].contains("restart-service runs"));

    let thread = place(Some(&root.id));
    assert_eq!(stage.discord.find(&thread, "r:ask").await, Ok(None), "there is no thread yet");
    let (ask, results) = (card("ask"), card("results"));
    let (one, two) =
        tokio::join!(stage.discord.post(&thread, &ask, "r:ask"), stage.discord.post(&thread, &results, "r:results"));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.channel.as_str(), two.channel.as_str()), (root.id.as_str(), root.id.as_str()));
    assert_eq!(stage.discord.find(&thread, "r:ask").await, Ok(Some(one.clone())));
    let name = stage.server.workspace.world().channel(&root.id).unwrap().name.clone();
    assert_eq!(name, "restart-service waits", "it is called as what it is about");
    for _ in 0..2 {
        stage.discord.upload(&thread, "r-7f3k-x.txt", "Outputs", "line\n", "r:file").await.unwrap();
    }
    // Discord itself begins a thread with a message of no words.
    let said = stage.said(&root.id);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[3].contains("r-7f3k-x-"), "{said:?}");
    let link = stage.discord.link(&two).await.unwrap();
    assert_eq!(link, format!("https://discord.com/channels/{GUILD}/{}/{}", two.channel, two.id));
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_one_message_and_a_card_rings_once_for_whom_it_names() {
    let stage = stage().await;
    stage.plant(Plant { name: "lost-post-answer".into(), ..Plant::default() });
    let lost = stage.discord.post(&place(None), &card("x"), "r:root").await;
    assert!(matches!(lost, Err(ChatError::Unknown(_))), "{lost:?}");
    let found = stage.discord.find(&place(None), "r:root").await.unwrap().expect("it was posted");
    stage.discord.edit(&found, &card("y")).await.unwrap();
    let world = stage.server.workspace.world();
    let rung: Vec<&String> = world.bodies.iter().flat_map(|body| &body.pings).collect();
    assert_eq!(rung, [&format!("<@{SUSAN}>")]);
    assert_eq!(world.messages.iter().filter(|m| m.channel == OPS).count(), 1);
}

#[tokio::test]
async fn a_post_is_found_behind_everything_that_people_have_said_since() {
    let stage = stage().await;
    let posted = stage.discord.post(&place(None), &card("x"), "r:root").await.unwrap();
    for n in 0..250 {
        stage.types(&format!("word {n}")).await.unwrap();
    }
    assert_eq!(stage.discord.find(&place(None), "r:root").await.unwrap(), Some(posted));
    assert_eq!(stage.discord.find(&place(None), "r:other").await.unwrap(), None);
}

#[tokio::test]
async fn commands_are_registered_once_and_only_when_they_have_changed() {
    let stage = stage().await;
    assert_eq!(stage.server.workspace.world().command_writes, 1);
    let twin = muster::adapters::discord::Discord::new(settings(&stage.server.base_url())).unwrap();
    twin.introduce().await.unwrap();
    assert_eq!(stage.server.workspace.world().command_writes, 1, "they are known");
    let mut renamed = settings(&stage.server.base_url());
    renamed.command = "ops".into();
    muster::adapters::discord::Discord::new(renamed).unwrap().introduce().await.unwrap();
    assert_eq!(stage.server.workspace.world().command_writes, 2);
}

fn choices(n: usize) -> Suggestions {
    let choices = (0..n).map(|n| Choice { value: format!("v{n}"), label: format!("choice-{n} · about it") }).collect();
    Suggestions { groups: vec![Group { heading: None, choices }] }
}

#[tokio::test]
async fn whoever_types_is_offered_how_it_can_go_on() {
    let stage = stage().await;
    *stage.book.offers.lock().unwrap() = choices(40);
    let offered =
        acts::suggest(&stage.server.workspace, SUSAN, OPS, "/runbook run restart-service serv").await.unwrap();
    let completed = stage.book.completed.lock().unwrap().clone();
    assert_eq!((completed[0].part, completed[0].typed.as_str()), (Part::With, "serv"));
    assert_eq!(completed[0].runbook, "restart-service");
    assert_eq!(offered["options"].as_array().map(Vec::len), Some(25), "{offered}");
}

fn field(name: &str, kind: FieldKind) -> FormField {
    FormField { name: name.into(), label: format!("The {name}"), hint: None, required: false, kind, fault: None }
}

fn text(name: &str) -> FormField {
    field(name, FieldKind::Text { value: None, multiline: false, max_length: 100, placeholder: None })
}

fn long_form() -> Form {
    let search = || FieldKind::Search { picked: vec![], most: 5, tells: true };
    Form {
        kind: FormKind::Run { runbook: "restart-service".parse().unwrap(), revision: muster::domain::Digest::of(b"x") },
        title: "restart-service".into(),
        submit: Some("Run".into()),
        intro: vec![Span::plain("Risk: change")],
        fields: vec![
            text("service"),
            field("on_accounts", search()),
            field("on_labels", search()),
            text("b"),
            text("c"),
            text("because_of"),
        ],
        footer: vec![],
    }
}

/// The person has pressed a button whose form is opened now.
async fn with_form(stage: &Stage, form: Form) -> String {
    let message = stage.discord.post(&place(None), &card("x"), "r:root").await.unwrap();
    let number = stage.book.keys().len();
    let (pressed, opened) = tokio::join!(stage.presses(&message.id, "Deny"), async {
        let delivery = stage.book.nth(number).await;
        stage.discord.open_form(&delivery.reply, &form).await
    });
    pressed.unwrap();
    opened.unwrap()
}

#[tokio::test]
async fn a_form_of_two_pages_comes_back_as_one_and_its_faults_keep_what_was_filled_in() {
    let stage = stage().await;
    *stage.book.offers.lock().unwrap() = choices(3);
    with_form(&stage, long_form()).await;
    let last = |stage: &Stage| stage.whispers().last().cloned().expect("a private message");
    stage.fills(json!({ "service": "nginx", "on_accounts": ["v1", "v2"], "on_labels": ["v0"] })).await.unwrap();
    stage.until("the first page is noted", || !stage.whispers().is_empty()).await;
    let (message, shown) = last(&stage);
    assert!(shown.contains("Page 1 of 2") && shown.contains("[Continue]"), "{shown}");
    stage
        .book
        .answers
        .lock()
        .unwrap()
        .push_back(Ok(Ack::FormErrors(Faults::from([("service".to_owned(), "no such service".to_owned())]))));
    stage.presses(&message, "Continue").await.unwrap();
    stage.fills(json!({ "because_of": "ticket" })).await.unwrap();
    let first = stage.book.nth(1).await;
    stage.until("the faults are shown", || last(&stage).1.contains("no such service")).await;
    assert!(last(&stage).1.contains("[Correct it]"));
    stage.presses(&last(&stage).0, "Correct it").await.unwrap();
    stage.fills(json!({ "service": "httpd" })).await.unwrap();
    let second = stage.book.nth(2).await;
    let values = |delivery: &muster::ports::Delivery| match &delivery.inbound {
        Inbound::Form { values, .. } => values.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(values(&first)["service"], ["nginx"]);
    assert_eq!(values(&first)["on_accounts"], ["v1", "v2"]);
    assert_eq!(values(&second)["service"], ["httpd"], "only what was wrong had to be corrected");
    assert_eq!(values(&second)["because_of"], ["ticket"]);
    assert_eq!(first.key, second.key, "one form is one deed");
    stage.until("it is taken", || last(&stage).1.contains("is taken")).await;
    assert!(!last(&stage).1.contains('['), "no button is left: {}", last(&stage).1);
}

#[tokio::test]
async fn more_choices_than_a_menu_holds_are_written_by_hand_and_found_again() {
    let stage = stage().await;
    *stage.book.offers.lock().unwrap() = choices(30);
    with_form(&stage, Form { fields: long_form().fields[1..2].to_vec(), ..long_form() }).await;
    stage.fills(json!({ "on_accounts": "choice-7, v12, nothing" })).await.unwrap();
    stage.until("the fault is shown", || !stage.whispers().is_empty()).await;
    let (message, shown) = stage.whispers().last().cloned().unwrap();
    assert!(shown.contains("nothing could be") || shown.contains("nothing like"), "{shown}");
    stage.presses(&message, "Correct it").await.unwrap();
    stage.fills(json!({ "on_accounts": "choice-7, v12" })).await.unwrap();
    let Inbound::Form { values, .. } = stage.book.nth(1).await.inbound else { panic!() };
    assert_eq!(values["on_accounts"], ["v7", "v12"]);
}

#[tokio::test]
async fn a_form_that_was_lost_says_what_to_type_instead() {
    let stage = stage().await;
    with_form(&stage, long_form()).await;
    // Another process than the one that opened it.
    let Stage { server, discord, stop, listening, .. } = stage;
    stop.unwrap().send(()).unwrap();
    listening.await.unwrap().unwrap();
    drop(discord);
    let fresh = muster::adapters::discord::Discord::with_pace(settings(&server.base_url()), pace()).unwrap();
    let stage = listen(server, fresh).await;
    stage.fills(json!({ "service": "nginx" })).await.unwrap();
    stage.until("it is told", || !stage.whispers().is_empty()).await;
    let shown = stage.whispers().last().unwrap().1.clone();
    assert!(shown.contains("nothing was done") && shown.contains("/runbook run restart-service"), "{shown}");
    assert!(stage.book.keys().is_empty());
}

#[tokio::test]
async fn the_command_in_a_messages_menu_asks_for_a_run_in_that_thread() {
    let stage = stage().await;
    let message = stage.discord.post(&place(None), &card("x"), "r:root").await.unwrap();
    let on = Some((OPS, message.id.as_str()));
    let (used, delivery) =
        tokio::join!(menu::invoke(&stage.server.workspace, SUSAN, "Run a runbook here", on), async {
            let delivery = stage.book.nth(0).await;
            // There is nothing to pick: told at once, and that is the first answer.
            stage.discord.whisper(&delivery.reply, &card("nothing to pick")).await.unwrap();
            delivery
        });
    used.unwrap();
    assert_eq!(delivery.inbound, Inbound::Pick);
    assert_eq!(delivery.place.thread.as_deref(), Some(message.id.as_str()));
    assert!(stage.whispers()[0].1.contains("nothing to pick"));
}

#[tokio::test]
async fn a_form_that_does_not_come_in_time_is_no_unanswered_click_and_then_it_is_too_late() {
    let stage =
        stage_with(Options::default(), muster::adapters::discord::Pace { forms: Duration::from_millis(60), ..pace() })
            .await;
    let message = stage.discord.post(&place(None), &card("x"), "r:root").await.unwrap();
    stage.presses(&message.id, "Deny").await.unwrap();
    let delivery = stage.book.nth(0).await;
    let late = refusal(stage.discord.open_form(&delivery.reply, &long_form()).await);
    assert!(late.ends_with("try again"), "{late}");
    stage.discord.whisper(&delivery.reply, &card("it could not be opened")).await.unwrap();
    assert!(stage.whispers()[0].1.contains("it could not be opened"));
    assert!(stage.said(OPS)[0].contains("# ⏳ x"), "the card was left as it is");
}

#[tokio::test]
async fn a_mention_is_a_command_and_is_answered_directly_or_told_why_not() {
    let stage = stage().await;
    stage.types("@muster status").await.unwrap();
    let delivery = stage.book.nth(0).await;
    assert_eq!(delivery.inbound, Inbound::Mention { text: "status".into() });
    stage.discord.whisper(&delivery.reply, &card("the status")).await.unwrap();
    let direct = stage.discord.direct(&delivery.reply.person).await.unwrap();
    assert!(stage.said(&direct.channel)[0].contains("the status"));
    stage.plant(Plant { name: "dm-closed".into(), user: Some(SUSAN.into()), ..Plant::default() });
    stage.discord.whisper(&delivery.reply, &card("secret outputs")).await.unwrap();
    let told = stage.said(OPS).last().unwrap().clone();
    assert!(told.contains("allow direct messages") && !told.contains("secret outputs"), "{told}");
}

#[tokio::test]
async fn words_after_the_token_has_died_go_to_the_person_directly() {
    let settings = Settings { token_life: Duration::from_millis(1), ..Settings::default() };
    let stage = stage_with(Options { settings, ..Options::default() }, pace()).await;
    let _ = stage.types("/runbook list").await;
    let delivery = stage.book.nth(0).await;
    stage.discord.whisper(&delivery.reply, &card("the list")).await.unwrap();
    let direct = stage.discord.direct(&delivery.reply.person).await.unwrap();
    assert!(stage.said(&direct.channel)[0].contains("the list"));
    stage.plant(Plant { name: "dm-closed".into(), user: Some(SUSAN.into()), ..Plant::default() });
    let closed = refusal(stage.discord.whisper(&delivery.reply, &card("more")).await);
    assert!(closed.ends_with("privacy settings"), "{closed}");
}

#[tokio::test]
async fn a_command_that_is_heard_only_after_an_outage_is_one_deed_and_one_direct_answer() {
    let settings = Settings { ack_deadline: Duration::from_millis(100), ..Settings::default() };
    let stage = stage_with(Options { settings, ..Options::default() }, pace()).await;
    // It lasts until it is lifted: nothing here depends on how fast anybody is.
    stage.plant(Plant { name: "refused".into(), seconds: Some(600), ..Plant::default() });
    stage.server.workspace.hub.cut();
    let typed = stage.types("/runbook list").await.unwrap();
    assert_eq!(typed["acked"], false, "the person was told that nobody answers: {typed}");
    assert!(stage.book.keys().is_empty());
    stage.server.workspace.world().faults.clear();
    let delivery = stage.book.nth(0).await;
    stage.plant(Plant { name: "lost-post-answer".into(), ..Plant::default() });
    let lost = stage.discord.whisper(&delivery.reply, &card("the list")).await;
    assert!(matches!(lost, Err(ChatError::Unknown(_))), "{lost:?}");
    stage.discord.whisper(&delivery.reply, &card("the list")).await.unwrap();
    let direct = stage.discord.direct(&delivery.reply.person).await.unwrap();
    let said = stage.said(&direct.channel);
    assert_eq!(said.len(), 1, "said again, and shown once: {said:?}");
    assert!(said[0].contains("the list"), "{said:?}");
    assert!(stage.whispers().is_empty(), "Discord takes no answer in its place any more: {:?}", stage.whispers());
    assert_eq!(stage.book.keys().len(), 1);
}

#[tokio::test]
async fn an_interaction_that_comes_twice_is_one_deed_and_one_answer() {
    let stage = stage().await;
    stage.plant(Plant { name: "doubled-event".into(), ..Plant::default() });
    stage.types("/runbook list").await.unwrap();
    stage.types("/runbook status").await.unwrap();
    stage.book.nth(1).await;
    let log = stage.server.workspace.hub.log();
    assert_eq!((log[0].deliveries, log[0].acks), (2, 1), "{:?}", log[0]);
    assert_eq!(stage.book.keys().len(), 2);
}

#[tokio::test]
async fn a_store_that_fails_or_is_slow_is_told_and_never_waited_for() {
    let stage = stage().await;
    stage.book.answers.lock().unwrap().push_back(Err(InboxError::Store("disk full".into())));
    stage.types("/runbook list").await.unwrap();
    assert!(stage.whispers()[0].1.contains("nothing was done"), "{:?}", stage.whispers());
    *stage.book.takes.lock().unwrap() = Duration::from_millis(700);
    stage.book.answers.lock().unwrap().push_back(Err(InboxError::Stopping));
    stage.types("/runbook list").await.unwrap();
    let acked = stage.server.workspace.hub.log()[1].ack_ms.unwrap();
    assert!(acked < 700.0, "the answer did not wait for the disk: {acked}");
    stage.until("it is told", || stage.whispers()[1].1.contains("is stopping")).await;
}

#[tokio::test]
async fn a_bot_that_is_removed_from_the_channel_in_the_middle_says_how_to_get_it_back() {
    let stage = stage().await;
    let root = stage.discord.post(&place(None), &card("x"), "r:root").await.unwrap();
    assert!(stage.discord.channel(&place(None)).await.unwrap().member);
    stage.plant(Plant { name: "not-in-channel".into(), channel: Some(OPS.into()), ..Plant::default() });
    let edit = refusal(stage.discord.edit(&root, &card("y")).await);
    let post = refusal(stage.discord.post(&place(None), &card("y"), "r:closing").await);
    for said in [edit, post] {
        assert!(said.contains("settings under Permissions"), "{said}");
    }
    let random = Place { channel: RANDOM.into(), ..place(None) };
    assert!(!stage.discord.channel(&random).await.unwrap().member);
}

#[tokio::test]
async fn a_missing_permission_is_named_by_what_it_was_for() {
    let stage = stage().await;
    let root = stage.discord.post(&place(None), &card("x"), "r:root").await.unwrap();
    let lacks = |permission: &str| {
        stage.server.workspace.world().faults.clear();
        let (channel, permission) = (Some(OPS.into()), Some(permission.into()));
        stage.plant(Plant { name: "no-permission".into(), channel, permission, ..Plant::default() });
    };
    lacks("CREATE_PUBLIC_THREADS");
    let said = refusal(stage.discord.post(&place(Some(&root.id)), &card("y"), "r:ask").await);
    assert!(said.contains("make a thread") && said.ends_with("lists what I need"), "{said}");
    lacks("ATTACH_FILES");
    let said = refusal(stage.discord.upload(&place(None), "a.txt", "A", "x", "k").await);
    assert!(said.contains("upload a file"), "{said}");
}

fn role(guild: &str, id: &str) -> GroupRef {
    format!("discord:{guild}:{id}").parse().unwrap()
}

#[tokio::test]
async fn roles_are_read_and_one_that_is_deleted_is_a_fault_and_never_an_empty_group() {
    let stage = stage().await;
    let (sre, everybody) = (role(GUILD, SRE_ROLE), role(GUILD, GUILD));
    let of = async |user: &str| {
        let person = Principal::discord(GUILD, user);
        stage.discord.groups_of(&person, &[&sre, &everybody]).await.unwrap().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(of(ARNE).await, [everybody.clone(), sre.clone()]);
    assert_eq!(of(SUSAN).await, std::slice::from_ref(&everybody));
    assert_eq!(of(FRED).await, [], "no member of this guild");
    let all = stage.discord.members(&sre).await.unwrap();
    assert!(all.contains(&Principal::discord(GUILD, ARNE)) && !all.contains(&Principal::discord(GUILD, SUSAN)));
    let profile = stage.discord.profile(&Principal::discord(GUILD, SUSAN)).await.unwrap();
    assert_eq!((profile.name.as_str(), profile.is_deleted), ("Susan Abara", false));
    let gone = stage.discord.profile(&Principal::discord(GUILD, FRED)).await.unwrap();
    assert!(gone.is_deleted, "no member of this guild");
    // A guild whose people the policy knows nothing of answers for itself.
    assert!(stage.discord.members(&role(FOREIGN_GUILD, SRE_ROLE)).await.unwrap_err().0.contains("does not exist"));

    let fresh = muster::adapters::discord::Discord::new(settings(&stage.server.base_url())).unwrap();
    stage.plant(Plant { name: "role-deleted".into(), role: Some(SRE_ROLE.into()), ..Plant::default() });
    let fault = fresh.members(&role(GUILD, SRE_ROLE)).await.unwrap_err();
    assert!(fault.0.ends_with("correct its id in the policy"), "{fault}");
    let arne = Principal::discord(GUILD, ARNE);
    assert_eq!(fresh.groups_of(&arne, &[&role(GUILD, SRE_ROLE)]).await.unwrap_err(), fault);
}

#[tokio::test]
async fn without_a_privileged_intent_a_persons_roles_are_known_and_a_roles_people_are_not() {
    let settings = Settings { privileged: 0, ..Settings::default() };
    let stage = stage_with(Options { settings, ..Options::default() }, pace()).await;
    let arne = Principal::discord(GUILD, ARNE);
    assert_eq!(stage.discord.groups_of(&arne, &[&role(GUILD, SRE_ROLE)]).await.unwrap().len(), 1);
    let fault = stage.discord.members(&role(GUILD, SRE_ROLE)).await.unwrap_err();
    assert!(fault.0.contains("Server Members Intent"), "{fault}");
}

#[tokio::test]
async fn a_wrong_token_ends_listening_with_what_to_do() {
    crypto();
    let server = muster::playground::discord::Server::start(Options::default()).await.unwrap();
    let mut wrong = settings(&server.base_url());
    wrong.bot_token = muster::domain::Secret::new("not.the.token");
    let discord = muster::adapters::discord::Discord::with_pace(wrong, pace()).unwrap();
    let book = std::sync::Arc::new(super::slack_stage::Book::default());
    let alarm = discord.listen(book, std::future::pending()).await.unwrap_err();
    assert!(alarm.0.contains("no longer accepts the bot token"), "{alarm}");
}

#[tokio::test]
async fn a_place_of_another_platform_is_refused_and_not_asked_for() {
    let stage = stage().await;
    let slack = Place { platform: ChatPlatform::Discord, tenant: "T1".into(), channel: "C0OPS".into(), thread: None };
    let said = refusal(stage.discord.post(&slack, &card("x"), "k").await);
    assert!(said.contains("`C0OPS` is no channel of Discord"), "{said}");
}

/// Every way in which a connection ends, again and again, with somebody typing all the while.
async fn reconnects(rounds: usize) -> (Vec<f64>, u64) {
    let stage = stage().await;
    for round in 0..rounds {
        match round % 2 {
            0 => stage.server.workspace.hub.ask_to_reconnect(),
            _ => stage.server.workspace.hub.cut(),
        };
        stage.types(&format!("/runbook show n{round}")).await.unwrap_or_else(|why| panic!("round {round}: {why}"));
    }
    stage.book.nth(rounds - 1).await;
    let keys: std::collections::BTreeSet<String> = stage.book.keys().into_iter().collect();
    assert_eq!(keys.len(), rounds, "each was delivered");
    let log = stage.server.workspace.hub.log();
    let acks: Vec<f64> = log.iter().filter_map(|record| record.ack_ms).collect();
    assert_eq!(acks.len(), rounds, "each was acknowledged");
    (acks, stage.server.workspace.hub.resumed())
}

#[tokio::test]
async fn no_interaction_is_lost_over_forced_reconnects() {
    let (_, resumed) = reconnects(60).await;
    assert!(resumed >= 60, "{resumed}");
}

/// `cargo test … discord_adapter::a_thousand -- --ignored --nocapture` prints what the README says.
#[tokio::test]
#[ignore = "takes its time; run by hand and nightly"]
async fn a_thousand_forced_reconnects_lose_nothing() {
    let (mut acks, resumed) = reconnects(1_000).await;
    acks.sort_by(f64::total_cmp);
    println!("1,000 reconnects, {resumed} resumed; ack p50 {:.1} ms, p99 {:.1} ms", acks[500], acks[990]);
    assert!(acks[990] < 200.0, "p99 {} ms", acks[990]);
}
