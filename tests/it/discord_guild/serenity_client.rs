//! A client library that is not ours understands everything that is said: serenity, with every event parsed.

use std::sync::Arc;
use std::time::Duration;

use muster::playground::discord::{Settings, people};
use serde_json::json;
use serenity::all::{
    ApplicationId, ChannelId, ClientBuilder, Context, CreateAttachment, CreateEmbed, CreateInteractionResponse,
    CreateInteractionResponseMessage, CreateMessage, Event, GatewayIntents, GuildId, HttpBuilder, Interaction,
    RawEventHandler,
};
use tokio::sync::mpsc;

use super::app::World;

/// What was heard, by name; what could not be parsed is `unknown`.
struct Ears(mpsc::UnboundedSender<String>);

#[async_trait::async_trait]
impl RawEventHandler for Ears {
    async fn raw_event(&self, context: Context, event: Event) {
        let name = match &event {
            Event::Unknown(unknown) => format!("unknown {}", unknown.kind),
            other => other.name().unwrap_or_default(),
        };
        if let Event::InteractionCreate(created) = event {
            let message = CreateInteractionResponseMessage::new().content("heard").ephemeral(true);
            let response = CreateInteractionResponse::Message(message);
            match created.interaction {
                Interaction::Command(i) => i.create_response(&context, response).await.unwrap(),
                Interaction::Component(i) => i.create_response(&context, response).await.unwrap(),
                Interaction::Modal(i) => i.create_response(&context, response).await.unwrap(),
                _ => {}
            }
        }
        let _ = self.0.send(name);
    }
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
    let (told, mut heard) = mpsc::unbounded_channel();
    let intents = GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES;
    let client = ClientBuilder::new_with_http(http, intents).raw_event_handler(Ears(told));
    let mut client = client.await.unwrap();
    let http = Arc::clone(&client.http);
    let running = tokio::spawn(async move { client.start().await });
    let mut until = async |name: &str| {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last: &String| last != name) {
            let next = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
            seen.push(next.unwrap_or_else(|_| panic!("{name} after {seen:?}")).unwrap());
        }
        assert!(seen.iter().all(|e| !e.starts_with("unknown")), "{seen:?}");
    };
    until("GUILD_CREATE").await;
    until("GUILD_CREATE").await;

    let ops = ChannelId::new(people::OPS.parse().unwrap());
    let file = CreateAttachment::bytes(b"line".to_vec(), "out.txt");
    let message = CreateMessage::new().content("hi").embed(CreateEmbed::new().title("Card")).add_file(file);
    let message = ops.send_message(&http, message).await.unwrap();
    assert_eq!(message.attachments[0].filename, "out.txt");
    until("MESSAGE_CREATE").await;
    let thread =
        ops.create_thread_from_message(&http, message.id, serenity::all::CreateThread::new("t")).await.unwrap();
    assert_eq!(thread.id.get(), message.id.get());
    until("THREAD_CREATE").await;
    assert_eq!(ops.messages(&http, serenity::all::GetMessages::new()).await.unwrap().len(), 1);
    let guild = GuildId::new(world.server.guild_id.parse().unwrap());
    assert_eq!(guild.members(&http, Some(1000), None).await.unwrap().len(), 5);
    assert_eq!(guild.roles(&http).await.unwrap().len(), 4);
    assert_eq!(http.get_global_commands().await.unwrap().len(), 2);

    let acted =
        world.play.post("/commands", &json!({ "as": "support", "channel": "#ops", "text": "/runbook list" })).await;
    assert_eq!(acted.unwrap()["shown"], "heard");
    until("INTERACTION_CREATE").await;
    let on = json!({ "as": "support", "callback_id": "Run a runbook here", "channel": "#ops", "ts": message.id.to_string() });
    assert_eq!(world.play.post("/shortcuts", &on).await.unwrap()["acked"], true);
    until("INTERACTION_CREATE").await;
    running.abort();
}
