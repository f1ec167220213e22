//! The gateway: one websocket from `HELLO` to its end.
//!
//! Source: Discord's reference, "Gateway", "Gateway Events" and "Opcodes and Status Codes", version 10 in JSON. A wish
//! for compression is answered with plain text frames, which is allowed. Not simulated: shards, the limit of 120
//! commands a minute, presences and voice.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::message::Message;
use super::people::{Channel, DIRECT_MESSAGE, Person};
use super::session::Out;
use super::workspace::Workspace;
use super::world::World;
use super::{APPLICATION, BOT_TOKEN, BOT_USER};

/// Intents, by Discord's bits.
pub const GUILDS: u64 = 1;
pub const GUILD_MEMBERS: u64 = 1 << 1;
pub const GUILD_PRESENCES: u64 = 1 << 8;
pub const GUILD_MESSAGES: u64 = 1 << 9;
pub const DIRECT_MESSAGES: u64 = 1 << 12;
pub const MESSAGE_CONTENT: u64 = 1 << 15;
const PRIVILEGED: u64 = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT;
const KNOWN: u64 = (1 << 26) - 1;

/// Bytes of one payload of the client's.
const SENT_MAX: usize = 4096;

/// Why the gateway closes a connection: code and reason.
type Closed = (u16, &'static str);
const UNKNOWN_OPCODE: Closed = (4001, "Unknown opcode.");
const DECODE_ERROR: Closed = (4002, "Error while decoding payload.");
const NOT_AUTHENTICATED: Closed = (4003, "Not authenticated.");
const AUTHENTICATION_FAILED: Closed = (4004, "Authentication failed.");
const ALREADY_AUTHENTICATED: Closed = (4005, "Already authenticated.");
/// For a client without a heartbeat; the reference says only that it is closed and has to resume.
const NO_HEARTBEAT: Closed = (4000, "No heartbeat came in time.");
const INVALID_INTENTS: Closed = (4013, "Invalid intent(s).");
const DISALLOWED_INTENTS: Closed = (4014, "Disallowed intent(s).");

fn code(op: u8, data: &Value) -> String {
    json!({ "op": op, "d": data, "s": null, "t": null }).to_string()
}

impl Workspace {
    pub async fn serve_gateway(self: Arc<Self>, mut socket: WebSocket) {
        let (out, mut outgoing) = mpsc::unbounded_channel();
        let own = out.clone();
        let connection = self.hub.connect(out);
        let interval = self.settings.heartbeat;
        // Discord waits a little longer than it asks for.
        let patience = interval + interval / 2 + Duration::from_secs(1);
        let hello = code(10, &json!({ "heartbeat_interval": interval.as_millis() as u64, "_trace": [] }));
        let mut ended = false;
        if socket.send(Frame::Text(hello.into())).await.is_ok() {
            let mut last_beat = Instant::now();
            let mut known = false;
            loop {
                let closed = tokio::select! {
                    next = outgoing.recv() => match next {
                        Some(Out::Text(text)) => {
                            if socket.send(Frame::Text(text.into())).await.is_err() { break }
                            None
                        }
                        Some(Out::Close(code, reason)) => Some((code, reason)),
                        Some(Out::Cut) | None => break,
                    },
                    frame = socket.recv() => match frame {
                        Some(Ok(Frame::Text(text))) if text.len() > SENT_MAX => Some(DECODE_ERROR),
                        Some(Ok(Frame::Text(text))) => {
                            let said: Result<Value, _> = serde_json::from_str(&text);
                            match said {
                                Ok(said) => self.heard(connection, &said, &mut known, &mut last_beat, &own).err(),
                                Err(_) => Some(DECODE_ERROR),
                            }
                        }
                        Some(Ok(Frame::Binary(_))) => Some(DECODE_ERROR),
                        Some(Ok(Frame::Close(frame))) => {
                            ended = frame.is_none_or(|f| f.code == 1000 || f.code == 1001);
                            break;
                        }
                        Some(Err(_)) | None => break,
                        Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => None,
                    },
                    () = tokio::time::sleep_until(last_beat + patience) => Some(NO_HEARTBEAT),
                };
                if let Some((code, reason)) = closed {
                    let frame = CloseFrame { code, reason: reason.into() };
                    let _ = socket.send(Frame::Close(Some(frame))).await;
                    break;
                }
            }
        }
        self.hub.disconnect(connection, ended);
        self.changed();
    }

    /// One command of the client. `Err` is why the connection is closed.
    fn heard(
        &self,
        connection: u64,
        said: &Value,
        known: &mut bool,
        last_beat: &mut Instant,
        out: &mpsc::UnboundedSender<Out>,
    ) -> Result<(), Closed> {
        let data = &said["d"];
        match said["op"].as_u64() {
            Some(1) => {
                *last_beat = Instant::now();
                if self.world().faults.take("zombie", |_| true).is_none() {
                    let _ = out.send(Out::Text(code(11, &Value::Null)));
                }
                Ok(())
            }
            Some(2 | 6) if *known => Err(ALREADY_AUTHENTICATED),
            Some(2) => {
                self.identify(connection, data)?;
                *known = true;
                Ok(())
            }
            Some(6) => {
                authentic(data)?;
                let session = data["session_id"].as_str().unwrap_or_default();
                let sequence = data["seq"].as_u64().unwrap_or_default();
                *known = self.hub.resume(connection, session, sequence);
                if !*known {
                    let _ = out.send(Out::Text(code(9, &json!(false))));
                }
                self.changed();
                Ok(())
            }
            Some(3 | 4 | 8 | 31 | 43) if !*known => Err(NOT_AUTHENTICATED),
            // Presence, voice and soundboards concern nobody here.
            Some(3 | 4 | 31 | 43) => Ok(()),
            Some(8) => {
                self.members_chunk(data);
                Ok(())
            }
            Some(_) => Err(UNKNOWN_OPCODE),
            None => Err(DECODE_ERROR),
        }
    }

    fn identify(&self, connection: u64, data: &Value) -> Result<(), Closed> {
        authentic(data)?;
        let intents = data["intents"].as_u64().filter(|i| i & !KNOWN == 0).ok_or(INVALID_INTENTS)?;
        if intents & PRIVILEGED & !self.settings.privileged != 0 {
            return Err(DISALLOWED_INTENTS);
        }
        let world = self.world();
        self.hub.identify(connection, intents, |session| {
            let mut events = vec![("READY", self.ready(&world, session))];
            if intents & GUILDS != 0 {
                let with_members = intents & GUILD_MEMBERS != 0;
                events.extend(world.guilds.iter().map(|g| ("GUILD_CREATE", world.guild_create_json(g, with_members))));
            }
            events
        });
        drop(world);
        self.changed();
        Ok(())
    }

    fn ready(&self, world: &World, session: &str) -> Value {
        let mut user = world.person(BOT_USER).map(Person::json).unwrap_or_default();
        user["verified"] = json!(true);
        user["mfa_enabled"] = json!(true);
        user["email"] = Value::Null;
        user["flags"] = json!(0);
        let guilds: Vec<Value> = world.guilds.iter().map(|g| json!({ "id": g.id, "unavailable": true })).collect();
        json!({
            "v": 10, "user": user, "guilds": guilds, "session_id": session, "session_type": "normal",
            "resume_gateway_url": self.gateway_url(), "shard": [0, 1], "private_channels": [], "relationships": [],
            "presences": [], "guild_join_requests": [], "geo_ordered_rtc_regions": [], "_trace": [],
            "application": { "id": APPLICATION, "flags": self.settings.application_flags() }, "user_settings": {},
            "user_settings_proto": "", "auth": {},
        })
    }

    pub fn gateway_url(&self) -> String {
        format!("{}/gateway", self.base().replacen("http", "ws", 1))
    }

    /// `Request Guild Members`: the whole list, or those whose name begins so, or those with these ids.
    fn members_chunk(&self, data: &Value) {
        let world = self.world();
        let Some(guild) = data["guild_id"].as_str().and_then(|id| world.guild(id)) else { return };
        let query = data["query"].as_str();
        let wanted: Vec<&str> = match &data["user_ids"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let fits = |user: &str| {
            let named =
                query.is_some_and(|q| world.person(user).is_some_and(|p| p.name.starts_with(&q.to_lowercase())));
            named || wanted.contains(&user)
        };
        let found = guild.members.iter().filter(|m| fits(m.user));
        let members: Vec<Value> = found.filter_map(|m| world.member_json(guild, m.user)).collect();
        let chunk = json!({ "guild_id": guild.id, "members": members, "chunk_index": 0, "chunk_count": 1,
            "not_found": [], "nonce": data["nonce"] });
        // The whole list is for those who may hear of members at all.
        let whole = query == Some("");
        self.hub
            .dispatch("GUILD_MEMBERS_CHUNK", |intents| (!whole || intents & GUILD_MEMBERS != 0).then(|| chunk.clone()));
    }

    /// Tells of a message, by the intents: its content is for those it mentions, writes to, or trusts with all contents.
    pub fn tell_message(&self, world: &World, event: &str, message: &Message) {
        if message.only_for.is_some() || !world.sees(&message.channel, BOT_USER) {
            return;
        }
        let mut data = world.message_json(message, &self.base());
        let direct = world.channel(&message.channel).is_some_and(|c| c.kind == DIRECT_MESSAGE);
        if let Some(guild) = world.guild_of(&message.channel) {
            data["guild_id"] = json!(guild.id);
            if let Some(mut member) = world.member_json(guild, &message.author) {
                if let Some(fields) = member.as_object_mut() {
                    fields.remove("user");
                }
                data["member"] = member;
            }
        }
        let own = message.author == BOT_USER || message.mentions.iter().any(|id| id == BOT_USER);
        let needed = if direct { DIRECT_MESSAGES } else { GUILD_MESSAGES };
        self.hub.dispatch(event, |intents| {
            if intents & needed == 0 {
                return None;
            }
            let mut data = data.clone();
            if intents & MESSAGE_CONTENT == 0 && !own && !direct {
                data["content"] = json!("");
                for hidden in ["embeds", "attachments", "components"] {
                    data[hidden] = json!([]);
                }
            }
            Some(data)
        });
    }

    /// Tells of a channel or thread: `THREAD_CREATE`, `CHANNEL_UPDATE`, …
    pub fn tell_channel(&self, world: &World, event: &str, channel: &Channel) {
        if !world.sees(&channel.id, BOT_USER) {
            return;
        }
        let mut data = world.channel_json(channel);
        if event == "THREAD_CREATE" {
            data["newly_created"] = json!(true);
        }
        self.hub.dispatch(event, |intents| (intents & GUILDS != 0).then(|| data.clone()));
    }

    pub fn tell_role_deleted(&self, guild: &str, role: &str) {
        let data = json!({ "guild_id": guild, "role_id": role });
        self.hub.dispatch("GUILD_ROLE_DELETE", |intents| (intents & GUILDS != 0).then(|| data.clone()));
    }

    pub fn tell_deleted(&self, world: &World, message: &Message) {
        let mut data = json!({ "id": message.id, "channel_id": message.channel });
        if let Some(guild) = world.guild_of(&message.channel) {
            data["guild_id"] = json!(guild.id);
        }
        let needed = if data["guild_id"].is_null() { DIRECT_MESSAGES } else { GUILD_MESSAGES };
        self.hub.dispatch("MESSAGE_DELETE", |intents| (intents & needed != 0).then(|| data.clone()));
    }
}

/// The gateway takes the token with or without its kind before it.
fn authentic(data: &Value) -> Result<(), Closed> {
    let token = data["token"].as_str().unwrap_or_default();
    if token.strip_prefix("Bot ").unwrap_or(token) == BOT_TOKEN { Ok(()) } else { Err(AUTHENTICATION_FAILED) }
}
