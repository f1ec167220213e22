//! The gateway: one websocket that is resumed whenever it ends.
//!
//! A session lives at Discord, not in the socket: whatever ended the socket, the next one resumes the session with the
//! number of the last event that was seen, and Discord repeats what came after it. A new session is begun only where
//! Discord says that the old one is gone. Every event has a task of its own: none waits for another.
//!
//! The loop is ours and not serenity's: serenity reads events into its models before anybody sees them, and its model of
//! a submitted modal has no place for what stands in a label, so every choice made in a form would be lost; it begins a
//! new session, and loses what happened meanwhile, where connecting fails twice; and it does not use the address that
//! Discord gives for resuming. Source: Discord's documentation, Gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use serenity::model::gateway::GatewayIntents;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::Pace;

/// What a large guild's first event may take; this only bounds what a broken peer can make us hold.
const FRAME_MAX: usize = 64 << 20;
/// Reconnects at once before it counts as a fault: Discord asks for one now and then.
const QUICK_ENDS: u32 = 3;
/// Failures to connect to the address for resuming before the general one is asked for.
const RESUME_TRIES: u32 = 3;
/// A close that keeps the session; 1000 and 1001 would end it.
const KEEP_SESSION: u16 = 4_000;
/// How long a close may take.
const CLOSING: Duration = Duration::from_millis(500);

/// Guilds for channels and threads, their messages for mentions. Neither is a privileged intent, and interactions need
/// none: the text of a message that mentions the bot is sent along without the message content intent.
pub(super) fn intents() -> GatewayIntents {
    GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES
}

/// The gateway ended for good. One sentence with the remedy last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Alarm(pub String);

/// Why there is no address for a socket.
#[derive(Debug)]
pub(super) enum OpenError {
    /// Trying again cannot help.
    Never(Alarm),
    Later {
        cause: String,
        wait: Option<Duration>,
    },
}

/// Gives the address of the gateway, and what it takes to be let in.
#[async_trait]
pub(super) trait Opener: Send + Sync {
    async fn open(&self) -> Result<String, OpenError>;
    /// The bare token. It is sent through the socket and never logged.
    fn token(&self) -> &str;
    /// Sockets are encrypted where the REST API is.
    fn encrypted(&self) -> bool;
}

/// Takes what happens, at once.
pub(super) trait Sink: Send + Sync {
    fn take(&self, kind: String, data: Value);
}

/// What comes through the socket.
#[derive(Debug, Deserialize)]
struct Frame {
    op: u64,
    #[serde(default)]
    d: Value,
    s: Option<u64>,
    t: Option<String>,
}

/// What Discord keeps of us between two sockets.
#[derive(Debug, Default)]
struct Session {
    id: Option<String>,
    /// Where it is resumed.
    url: Option<String>,
    /// The last event that was seen.
    seen: Option<u64>,
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a socket ended.
#[derive(Debug)]
enum End {
    Stopped,
    Again {
        why: &'static str,
        /// It was ready, for a time.
        ready: bool,
        /// Discord wants a pause before the next session.
        pause: bool,
    },
    Never(Alarm),
}

struct Line<'a> {
    opener: &'a dyn Opener,
    sink: &'a dyn Sink,
    pace: &'a Pace,
    live: &'a AtomicBool,
    session: Session,
}

/// Keeps a session until `stop` is over or an alarm is raised. `live`: it is ready.
pub(super) async fn keep(
    opener: Arc<dyn Opener>,
    sink: Arc<dyn Sink>,
    pace: Pace,
    live: Arc<AtomicBool>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Alarm> {
    tokio::pin!(stop);
    let mut line =
        Line { opener: opener.as_ref(), sink: sink.as_ref(), pace: &pace, live: &live, session: Session::default() };
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let socket = tokio::select! {
            () = &mut stop => return Ok(()),
            socket = line.open() => socket,
        };
        let (cause, wait) = match socket {
            Ok(socket) => {
                let end = line.serve(socket, stop.as_mut()).await;
                line.gauge(false);
                match end {
                    End::Stopped => return Ok(()),
                    End::Never(alarm) => return Err(raise(alarm)),
                    End::Again { why, ready, pause } => {
                        metrics::counter!("muster_discord_gateway_ends_total", "why" => why).increment(1);
                        tracing::debug!(why, ready, "the discord gateway is opened again");
                        if ready && started.elapsed() >= pace.settled {
                            failures = 0;
                        }
                        failures += 1;
                        if pause {
                            (why.to_owned(), Some(pace.renewal.mul_f64(rand::random_range(0.2..=1.0))))
                        } else if ready && failures <= QUICK_ENDS {
                            continue;
                        } else {
                            (why.to_owned(), None)
                        }
                    }
                }
            }
            Err(OpenError::Never(alarm)) => return Err(raise(alarm)),
            Err(OpenError::Later { cause, wait }) => {
                failures += 1;
                if failures >= RESUME_TRIES {
                    line.session.url = None;
                }
                (cause, wait)
            }
        };
        let wait = wait.unwrap_or_else(|| backoff(failures, &pace));
        metrics::counter!("muster_discord_gateway_failures_total").increment(1);
        tracing::warn!(
            "no discord gateway: {cause}. Trying again in {:.1} s; if it lasts, check that websockets leave this host (`wss`, \
             port 443, no proxy in between)",
            wait.as_secs_f64()
        );
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = sleep(wait) => {}
        }
    }
}

fn raise(alarm: Alarm) -> Alarm {
    metrics::counter!("muster_discord_alarms_total").increment(1);
    tracing::error!(%alarm, "discord's gateway has ended");
    alarm
}

/// Doubles with each failure up to the longest wait; the upper half of it is drawn, so that copies spread out.
fn backoff(failures: u32, pace: &Pace) -> Duration {
    let full = pace.backoff_first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(pace.backoff_max);
    full.mul_f64(rand::random_range(0.5..=1.0))
}

/// The address with what Discord wants in it.
fn address(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    format!("{url}{}?v=10&encoding=json", if has_path { "" } else { "/" })
}

/// A close code that no new socket mends.
fn alarm(code: u16) -> Option<Alarm> {
    Some(Alarm(match code {
        4004 => "Discord does not accept the bot token: make a new one on the application's page under Bot and put it where \
                 `[discord] bot_token` points"
            .into(),
        4010 | 4011 => {
            "Discord wants this bot to be split into shards, which Muster does not do: use an application of its own for \
             fewer than 2,500 servers"
                .into()
        }
        4012 => "Discord has ended version 10 of its gateway: install a newer muster".into(),
        4013 => "Discord does not know the intents that Muster asks for: install a newer muster".into(),
        4014 => "Discord does not allow this application an intent that Muster asks for: switch it on on the application's \
                 page under Bot, Privileged Gateway Intents"
            .into(),
        _ => return None,
    }))
}

impl Line<'_> {
    fn gauge(&self, live: bool) {
        self.live.store(live, Ordering::Relaxed);
        metrics::gauge!("muster_discord_gateway").set(if live { 1.0 } else { 0.0 });
    }

    async fn open(&self) -> Result<Socket, OpenError> {
        let url = match &self.session {
            Session { id: Some(_), url: Some(url), .. } => url.clone(),
            Session { .. } => self.opener.open().await?,
        };
        let later = |cause: &str| OpenError::Later { cause: cause.to_owned(), wait: None };
        if self.opener.encrypted() && !url.starts_with("wss://") {
            return Err(later("Discord gave an address that is not encrypted"));
        }
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_MAX)).max_frame_size(Some(FRAME_MAX));
        match timeout(self.pace.greeting, connect_async_with_config(address(&url), Some(config), true)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(later(&format!("the websocket could not be opened ({})", describe(&error)))),
            Err(_) => Err(later("the websocket was not opened in time")),
        }
    }

    /// One socket, from its opening to its end.
    async fn serve(
        &mut self,
        mut socket: Socket,
        mut stop: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> End {
        let mut ready = false;
        let again = |why: &'static str, ready: bool| End::Again { why, ready, pause: false };
        let Some(period) = self.greet(&mut socket).await else { return again("no hello", false) };
        // Spread, so that not all bots of the world beat at once after an outage.
        let mut beat = Instant::now() + period.mul_f64(rand::random_range(0.0..=1.0));
        let mut heard = true;
        let mut out_of_turn = false;
        loop {
            let message = tokio::select! {
                () = &mut stop => {
                    close(&mut socket, 1_000).await;
                    return End::Stopped;
                }
                () = tokio::time::sleep_until(beat) => {
                    if !heard && !out_of_turn {
                        close(&mut socket, KEEP_SESSION).await;
                        return again("no heartbeat came back", ready);
                    }
                    if !send(&mut socket, &json!({ "op": 1, "d": self.session.seen })).await {
                        return again("the connection broke", ready);
                    }
                    heard = false;
                    out_of_turn = false;
                    beat = Instant::now() + period;
                    continue;
                }
                message = socket.next() => message,
            };
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => return self.closed(frame, ready),
                Some(Ok(Message::Binary(_))) => {
                    // Compression was not asked for.
                    metrics::counter!("muster_discord_events_total", "what" => "binary").increment(1);
                    continue;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => return again(describe(&error), ready),
                None => return again("the connection ended", ready),
            };
            let Ok(frame) = serde_json::from_str::<Frame>(&text) else {
                metrics::counter!("muster_discord_events_total", "what" => "no_frame").increment(1);
                tracing::error!("discord sent something that is no gateway event; it is dropped");
                continue;
            };
            match frame.op {
                0 => ready |= self.dispatch(frame),
                // It is time for a heartbeat out of turn.
                1 => (beat, out_of_turn) = (Instant::now(), true),
                7 => {
                    close(&mut socket, KEEP_SESSION).await;
                    return again("discord asked for it", ready);
                }
                9 => {
                    let resumable = frame.d == Value::Bool(true);
                    if !resumable {
                        self.session = Session::default();
                    }
                    close(&mut socket, KEEP_SESSION).await;
                    return End::Again { why: "the session is invalid", ready, pause: true };
                }
                11 => heard = true,
                _ => {}
            }
        }
    }

    /// Waits for the hello and says who we are. The answer is the time between two heartbeats.
    async fn greet(&self, socket: &mut Socket) -> Option<Duration> {
        let hello = async {
            loop {
                let Some(Ok(message)) = socket.next().await else { return None };
                let Message::Text(text) = message else { continue };
                let frame: Frame = serde_json::from_str(&text).ok()?;
                if frame.op == 10 {
                    return frame.d["heartbeat_interval"].as_u64();
                }
            }
        };
        let period = Duration::from_millis(timeout(self.pace.greeting, hello).await.ok()??.max(100));
        let token = self.opener.token();
        let first = match &self.session.id {
            Some(id) => json!({ "op": 6, "d": { "token": token, "session_id": id, "seq": self.session.seen } }),
            None => json!({ "op": 2, "d": {
                "token": token,
                "intents": intents().bits(),
                "properties": { "os": std::env::consts::OS, "browser": "muster", "device": "muster" },
                "compress": false,
                // Members are never read from here.
                "large_threshold": 50,
            } }),
        };
        let how = if self.session.id.is_some() { "resumed" } else { "new" };
        metrics::counter!("muster_discord_sessions_total", "how" => how).increment(1);
        send(socket, &first).await.then_some(period)
    }

    /// Hands an event on. True: the session is ready.
    fn dispatch(&mut self, frame: Frame) -> bool {
        let Some(kind) = frame.t else { return false };
        if let Some(number) = frame.s {
            if self.session.seen.is_some_and(|seen| number > seen + 1) {
                metrics::counter!("muster_discord_events_total", "what" => "gap").increment(1);
                tracing::warn!("discord left out events between two that it sent");
            }
            self.session.seen = Some(number);
        }
        let mut ready = false;
        if kind == "READY" {
            self.session.id = frame.d["session_id"].as_str().map(str::to_owned);
            self.session.url = frame.d["resume_gateway_url"].as_str().map(str::to_owned);
            ready = true;
        } else if kind == "RESUMED" {
            ready = true;
        }
        if ready {
            tracing::debug!(kind, "the discord gateway is open");
            self.gauge(true);
        }
        self.sink.take(kind, frame.d);
        ready
    }

    fn closed(&mut self, frame: Option<CloseFrame>, ready: bool) -> End {
        let code = frame.map(|frame| u16::from(frame.code));
        if let Some(alarm) = code.and_then(alarm) {
            return End::Never(alarm);
        }
        // The number was wrong, or the session is over: the next one starts anew.
        if matches!(code, Some(4003 | 4006 | 4007 | 4009)) {
            self.session = Session::default();
        }
        let pause = code == Some(4008);
        End::Again { why: if pause { "we sent too much" } else { "discord closed it" }, ready, pause }
    }
}

async fn send(socket: &mut Socket, frame: &Value) -> bool {
    socket.send(Message::text(frame.to_string())).await.is_ok()
}

/// Says goodbye, and does not wait for long.
async fn close(socket: &mut Socket, code: u16) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
    let _ = timeout(CLOSING, socket.close(Some(frame))).await;
}

/// Without addresses.
fn describe(error: &tungstenite::Error) -> &'static str {
    match error {
        tungstenite::Error::Io(_) => "the connection broke",
        tungstenite::Error::Tls(_) => "TLS failed",
        tungstenite::Error::Http(_) => "the server answered with something else than a websocket",
        tungstenite::Error::Capacity(_) => "a frame was too large",
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => "the connection ended",
        _ => "a protocol fault",
    }
}

#[cfg(test)]
mod tests;
