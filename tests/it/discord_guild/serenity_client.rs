//! Models and calls that are not ours understand everything that is said: serenity's, with every event parsed.

use muster::playground::discord::{Settings, people};
use serde_json::{Value, json};
use serenity::all::{
    ApplicationId, ChannelId, CreateAttachment, CreateEmbed, CreateMessage, CreateThread, Event, GatewayEvent,
    GetMessages, GuildId, HttpBuilder, Interaction,
};

use super::app::{Gateway, INTENTS, World};

/// The next event of this kind as serenity reads it; whatever comes before it has to be understood, too.
async fn heard(gateway: &mut Gateway, kind: &str) -> Event {
    loop {
        let payload = gateway.next().await.unwrap();
        if payload["op"] != 0 {
            continue;
        }
        let read: GatewayEvent = serde_json::from_value(payload.clone()).unwrap_or_else(|e| panic!("{e}: {payload}"));
        let GatewayEvent::Dispatch(_, event) = read else { panic!("no event: {payload}") };
        assert!(!matches!(event, Event::Unknown(_)), "{payload}");
        if payload["t"] == kind {
            return event;
        }
    }
}

/// A person acts, serenity reads what they did, and it is answered.
async fn interaction(world: &World, gateway: &mut Gateway, path: &str, act: Value, answer: Value) -> Interaction {
    let answering = async {
        let Event::InteractionCreate(created) = heard(gateway, "INTERACTION_CREATE").await else {
            panic!("no interaction")
        };
        let (id, token) = (created.interaction.id(), created.interaction.token());
        let said = world.respond(&json!({ "id": id.to_string(), "token": token }), answer).await;
        assert!(said.status.is_success(), "{said:?}");
        created.interaction
    };
    let (acted, interaction) = tokio::join!(world.play.post(path, &act), answering);
    acted.unwrap();
    interaction
}

#[tokio::test]
async fn serenity_understands_every_event_and_answer() {
    let world = World::start(Settings::default()).await;
    world.register().await;
    let http = HttpBuilder::new(format!("Bot {}", world.server.bot_token))
        .application_id(ApplicationId::new(world.server.application_id.parse().unwrap()))
        .proxy(world.server.base_url())
        .ratelimiter_disabled(true)
        .build();
    let mut gateway = Gateway::open(&world.gateway_url().await).await;
    gateway.identify(INTENTS | 1 << 1).await;
    heard(&mut gateway, "READY").await;
    heard(&mut gateway, "GUILD_CREATE").await;
    heard(&mut gateway, "GUILD_CREATE").await;

    let ops = ChannelId::new(people::OPS.parse().unwrap());
    let file = CreateAttachment::bytes(b"line".to_vec(), "out.txt");
    let message = CreateMessage::new().content("hi").embed(CreateEmbed::new().title("Card")).add_file(file);
    let message = ops.send_message(&http, message).await.unwrap();
    assert_eq!(message.attachments[0].filename, "out.txt");
    heard(&mut gateway, "MESSAGE_CREATE").await;
    let thread = ops.create_thread_from_message(&http, message.id, CreateThread::new("t")).await.unwrap();
    assert_eq!(thread.id.get(), message.id.get());
    heard(&mut gateway, "THREAD_CREATE").await;
    heard(&mut gateway, "MESSAGE_UPDATE").await;
    assert_eq!(ops.messages(&http, GetMessages::new()).await.unwrap().len(), 1);
    assert_eq!(thread.id.messages(&http, GetMessages::new()).await.unwrap().len(), 1);
    let guild = GuildId::new(world.server.guild_id.parse().unwrap());
    assert_eq!(guild.members(&http, Some(1000), None).await.unwrap().len(), 5);
    assert_eq!(guild.roles(&http).await.unwrap().len(), 4);
    assert_eq!(http.get_global_commands().await.unwrap().len(), 2);

    let whisper = json!({ "type": 4, "data": { "content": "heard", "flags": 64 } });
    let typed = json!({ "as": "support", "channel": "#ops", "text": "/runbook run x on y" });
    let command = interaction(&world, &mut gateway, "/commands", typed, whisper.clone()).await;
    assert!(matches!(command, Interaction::Command(c) if c.attachment_size_limit > 0));
    let typing = json!({ "as": "support", "channel": "#ops", "text": "/runbook run x" });
    let choices = json!({ "type": 8, "data": { "choices": [] } });
    let suggestion = interaction(&world, &mut gateway, "/suggestions", typing, choices).await;
    assert!(matches!(suggestion, Interaction::Autocomplete(_)));
    let on = json!({ "as": "support", "callback_id": "Run a runbook here", "channel": "#ops", "ts": message.id.to_string() });
    let menu = interaction(&world, &mut gateway, "/shortcuts", on, whisper.clone()).await;
    assert!(matches!(menu, Interaction::Command(c) if c.data.resolved.messages.contains_key(&message.id)));

    let button = json!({ "type": 2, "style": 1, "label": "Why", "custom_id": "why" });
    let rows = json!([{ "type": 1, "components": [button] }]);
    let card = world.say(people::OPS, json!({ "content": "card", "components": rows })).await.id();
    let press = json!({ "as": "approver", "channel": "#ops", "ts": card, "label": "Why" });
    let input = json!({ "type": 4, "custom_id": "reason", "style": 1, "label": "Reason" });
    let modal = json!({ "title": "Why", "custom_id": "f", "components": [{ "type": 1, "components": [input] }] });
    let click = interaction(&world, &mut gateway, "/clicks", press, json!({ "type": 9, "data": modal })).await;
    assert!(matches!(click, Interaction::Component(c) if c.message.id.to_string() == card));
    let fill = json!({ "as": "approver", "values": { "Reason": "because" } });
    let submitted = interaction(&world, &mut gateway, "/forms", fill, whisper).await;
    assert!(matches!(submitted, Interaction::Modal(m) if m.data.custom_id == "f"));
    // What answers an interaction is read by serenity, too.
    assert_eq!(ops.messages(&http, GetMessages::new()).await.unwrap().len(), 2);
}
