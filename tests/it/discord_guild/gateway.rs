//! The gateway: who gets in, what is heard, and that nothing is lost over a resume.

use std::time::Duration;

use muster::playground::discord::Settings;
use serde_json::{Value, json};

use super::app::{Gateway, INTENTS, OPS, World, word};

async fn opened(world: &World) -> Gateway {
    let mut gateway = Gateway::open(&world.gateway_url().await).await;
    assert_eq!(gateway.next().await.unwrap()["op"], 10);
    gateway
}

/// The code with which the gateway closes.
async fn closed(mut gateway: Gateway) -> Option<u16> {
    while gateway.next().await.is_some() {}
    gateway.closed
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let world = World::start(Settings { privileged: 0, ..Settings::default() }).await;
    let mut wrong = opened(&world).await;
    wrong.identify_with("nonsense", INTENTS).await;
    assert_eq!(closed(wrong).await, Some(4004));
    let mut curious = opened(&world).await;
    curious.identify(INTENTS | 1 << 1).await;
    assert_eq!(closed(curious).await, Some(4014));
    let mut odd = opened(&world).await;
    odd.identify(1 << 40).await;
    assert_eq!(closed(odd).await, Some(4013));
    let mut early = opened(&world).await;
    early.tell(3, json!({})).await;
    assert_eq!(closed(early).await, Some(4003));
    let mut twice = world.connect().await;
    twice.identify(INTENTS).await;
    assert_eq!(closed(twice).await, Some(4005));
    let mut lost = world.connect().await;
    lost.tell(99, Value::Null).await;
    assert_eq!(closed(lost).await, Some(4001));
}

#[tokio::test]
async fn whoever_identifies_learns_of_the_guilds() {
    let world = World::start(Settings::default()).await;
    let mut gateway = opened(&world).await;
    gateway.identify(INTENTS | 1 << 1).await;
    let ready = gateway.event("READY").await;
    assert_eq!(ready["application"]["id"], world.server.application_id);
    let guild = gateway.event("GUILD_CREATE").await;
    assert_eq!(guild["id"], world.server.guild_id);
    let names = |list: &Value, field: &str| {
        list.as_array().unwrap().iter().map(|v| word(v.pointer(field).unwrap())).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&guild["roles"], "/name"), "@everyone support sre muster");
    assert_eq!(names(&guild["members"], "/user/username"), "susan arne priya omar muster");
    assert_eq!(names(&guild["channels"], "/name"), "ops incidents", "#random is not seen");
    assert_eq!(world.server.workspace.hub.connections(), 1);
}

#[tokio::test]
async fn a_heartbeat_is_answered_and_a_silent_client_is_closed() {
    let settings = Settings { heartbeat: Duration::from_millis(50), ..Settings::default() };
    let world = World::start(settings).await;
    let mut gateway = world.connect().await;
    gateway.tell(1, json!(gateway.sequence)).await;
    assert_eq!(gateway.next().await.unwrap()["op"], 11);
    world.plant(json!({ "name": "zombie" })).await;
    gateway.tell(1, json!(gateway.sequence)).await;
    gateway.tell(1, json!(gateway.sequence)).await;
    assert_eq!(gateway.next().await.unwrap()["op"], 11, "the first of the two stays without an answer");
    let (session, seen) = (gateway.session.clone(), gateway.sequence);
    assert_eq!(closed(gateway).await, Some(4000));
    let mut back = opened(&world).await;
    back.resume(&session, seen).await;
    assert_eq!(back.next().await.unwrap()["t"], "RESUMED", "the session outlives its connection");
    back.tell(3, json!({ "long": "x".repeat(4096) })).await;
    assert_eq!(closed(back).await, Some(4002));
}

#[tokio::test]
async fn what_happens_between_two_connections_is_replayed() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    let say = async |text: &str| {
        world.play.post("/commands", &json!({ "as": "support", "channel": "#ops", "text": text })).await.unwrap();
    };
    say("@muster one").await;
    assert!(word(&gateway.event("MESSAGE_CREATE").await["content"]).ends_with("one"));
    let (session, seen) = (gateway.session.clone(), gateway.sequence);
    gateway.close(4000).await;
    say("@muster two").await;
    let mut back = opened(&world).await;
    back.resume(&session, seen).await;
    assert!(word(&back.event("MESSAGE_CREATE").await["content"]).ends_with("two"));
    assert_eq!(back.next().await.unwrap()["t"], "RESUMED");
    say("@muster three").await;
    assert!(word(&back.event("MESSAGE_CREATE").await["content"]).ends_with("three"));

    // Who says goodbye is forgotten.
    back.close(1000).await;
    let mut late = opened(&world).await;
    late.resume(&session, seen).await;
    let refused = late.next().await.unwrap();
    assert_eq!((&refused["op"], &refused["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn connections_can_be_told_to_go_invalidated_or_cut() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    world.plant(json!({ "name": "reconnect" })).await;
    assert_eq!(gateway.next().await.unwrap()["op"], 7);
    let (session, seen) = (gateway.session.clone(), gateway.sequence);
    gateway.close(4000).await;
    let mut back = opened(&world).await;
    back.resume(&session, seen).await;
    assert_eq!(back.next().await.unwrap()["t"], "RESUMED");
    world.plant(json!({ "name": "cut" })).await;
    let seen = back.sequence;
    assert_eq!(closed(back).await, None);
    let mut again = opened(&world).await;
    again.resume(&session, seen).await;
    again.event("RESUMED").await;
    world.plant(json!({ "name": "invalid-session" })).await;
    assert_eq!(again.next().await.unwrap()["op"], 9);
    let mut gone = opened(&world).await;
    gone.resume(&session, seen).await;
    assert_eq!(gone.next().await.unwrap()["op"], 9);
}

#[tokio::test]
async fn what_is_said_to_others_is_heard_without_its_words() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    for (text, heard) in [("between us", ""), ("@muster status", "<@1100000000000000010> status")] {
        world.play.post("/commands", &json!({ "as": "support", "channel": "#ops", "text": text })).await.unwrap();
        let event = gateway.event("MESSAGE_CREATE").await;
        assert_eq!(event["content"], heard);
        assert!(event["member"]["roles"].is_array() && event["guild_id"].is_string());
    }
    let root = world.say(OPS, json!({ "content": "root" })).await.id();
    gateway.event("MESSAGE_CREATE").await;
    world.post(&format!("/channels/{OPS}/messages/{root}/threads"), json!({ "name": "t" })).await;
    assert_eq!(gateway.event("THREAD_CREATE").await["newly_created"], true);
    let reply = json!({ "as": "support", "channel": "#ops", "thread": root, "text": "@muster why" });
    world.play.post("/commands", &reply).await.unwrap();
    assert_eq!(gateway.event("MESSAGE_CREATE").await["channel_id"], root);
}

#[tokio::test]
async fn a_role_that_is_deleted_is_told() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    world.plant(json!({ "name": "role-deleted", "role": "sre" })).await;
    assert_eq!(gateway.event("GUILD_ROLE_DELETE").await["role_id"], muster::playground::discord::SRE_ROLE);
}

#[tokio::test]
async fn who_does_not_go_when_told_is_closed() {
    let world = World::start(Settings { reconnect_grace: Duration::from_millis(20), ..Settings::default() }).await;
    let mut gateway = world.connect().await;
    world.plant(json!({ "name": "reconnect" })).await;
    assert_eq!(gateway.next().await.unwrap()["op"], 7);
    assert_eq!(closed(gateway).await, Some(4000));
}

/// Words come while the client listens, while it has been told to go, and while it is away.
#[tokio::test]
async fn over_many_reconnects_every_event_is_heard_once_and_in_order() {
    let world = World::start(Settings::default()).await;
    let mut gateway = world.connect().await;
    let session = gateway.session.clone();
    let mut heard = Vec::new();
    let say = async |n: usize| {
        let words = json!({ "as": "support", "channel": "#ops", "text": format!("@muster {n}") });
        world.play.post("/commands", &words).await.unwrap();
    };
    for round in 0..100 {
        say(3 * round).await;
        heard.push(word(&gateway.event("MESSAGE_CREATE").await["content"]));
        world
            .play
            .post("/sockets", &json!({ "disconnect": if round % 2 == 0 { "reconnect" } else { "cut" } }))
            .await
            .unwrap();
        // The client does not read this one any more.
        say(3 * round + 1).await;
        let seen = gateway.sequence;
        drop(gateway);
        say(3 * round + 2).await;
        gateway = opened(&world).await;
        gateway.resume(&session, seen).await;
        while heard.len() < 3 * round + 3 {
            heard.push(word(&gateway.event("MESSAGE_CREATE").await["content"]));
        }
    }
    let told: Vec<String> = (0..300).map(|n| format!("<@1100000000000000010> {n}")).collect();
    assert_eq!(heard, told);
    assert_eq!(world.server.workspace.hub.resumed(), 100);
}
