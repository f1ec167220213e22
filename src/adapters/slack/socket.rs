//! Socket Mode: two websockets that are replaced before they end.
//!
//! A slot keeps one socket alive. When Slack announces its end (`disconnect` with `warning` or `refresh_requested`), or
//! at 80 % of the time that `hello` promised, the slot opens the next one at once while the old one goes on being read
//! and acknowledged until Slack closes it. So there is no moment without a socket, and no envelope that is read and
//! not answered. Every envelope has a task of its own: none waits for another.
//!
//! Slack may send any payload over any of an app's at most 10 sockets. A refused token or `link_disabled` ends the loop
//! with an alarm, because trying again cannot help. Outbound proxies (CONNECT) are not supported for these sockets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::Pace;
use super::intake::{Frame, Intake, Outlet};

const SOCKETS: usize = 2;
/// Slack allows this many per app, over all copies of the bot.
const SOCKETS_PER_APP: u32 = 10;
/// Envelopes are far smaller; this only bounds what a broken peer can make us hold.
const FRAME_MAX: usize = 8 << 20;
/// How long running acknowledgements may take when we stop.
const DRAIN: Duration = Duration::from_secs(2);

/// Socket Mode ended for good. One sentence with the remedy last.
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

/// Gives the one-shot address of the next socket. It carries a ticket, so it is never logged.
#[async_trait]
pub(super) trait Opener: Send + Sync {
    async fn open(&self) -> Result<String, OpenError>;
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Nothing new is read; acknowledgements still go out.
    Draining,
    Over,
}

/// What all sockets share.
struct Shared {
    opener: Arc<dyn Opener>,
    intake: Arc<Intake>,
    pace: Pace,
    outlets: Outlets,
    /// Sockets that have said hello and are read.
    live: Arc<AtomicUsize>,
    phase: watch::Receiver<Phase>,
    alarm: mpsc::Sender<Alarm>,
    envelopes: Busy,
    sockets: Busy,
}

/// How many tasks run, so that the end can wait for them.
struct Busy(watch::Sender<usize>);

struct BusyGuard(watch::Sender<usize>);

impl Busy {
    fn new() -> Self {
        Busy(watch::Sender::new(0))
    }
    fn enter(&self) -> BusyGuard {
        self.0.send_modify(|n| *n += 1);
        BusyGuard(self.0.clone())
    }
    async fn idle(&self) {
        // The sender is ours, so the channel cannot be closed.
        let _ = self.0.subscribe().wait_for(|n| *n == 0).await;
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

/// The queues of acknowledgements of all open sockets.
#[derive(Default)]
struct Outlets {
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, mpsc::UnboundedSender<String>>>,
}

impl Outlets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, mpsc::UnboundedSender<String>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn add(&self, queue: mpsc::UnboundedSender<String>) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, queue);
        id
    }
    fn remove(&self, id: u64) {
        self.lock().remove(&id);
    }
}

/// The way out for the acknowledgement of an envelope that came through the socket `own`. Slack binds an
/// acknowledgement to its envelope, not to a socket, so the newest other one serves where the own one is gone.
struct WayOut<'a> {
    own: u64,
    outlets: &'a Outlets,
}

impl Outlet for WayOut<'_> {
    fn send(&self, text: String) -> bool {
        let open = self.outlets.lock();
        let others = open.iter().rev().filter(|(id, _)| **id != self.own).map(|(_, queue)| queue);
        open.get(&self.own).into_iter().chain(others).any(|queue| queue.send(text.clone()).is_ok())
    }
}

/// Keeps the sockets until `stop` is over or an alarm is raised. `live` counts the sockets that work.
pub(super) async fn keep(
    opener: Arc<dyn Opener>,
    intake: Arc<Intake>,
    pace: Pace,
    live: Arc<AtomicUsize>,
    stop: impl Future<Output = ()>,
) -> Result<(), Alarm> {
    let (phase, watched) = watch::channel(Phase::Running);
    let (alarm, mut alarms) = mpsc::channel(SOCKETS);
    let shared = Arc::new(Shared {
        opener,
        intake,
        pace,
        outlets: Outlets::default(),
        live,
        phase: watched,
        alarm,
        envelopes: Busy::new(),
        sockets: Busy::new(),
    });
    let mut slots = JoinSet::new();
    for slot in 0..SOCKETS {
        slots.spawn(keep_slot(slot, Arc::clone(&shared)));
    }
    let result = tokio::select! {
        () = stop => Ok(()),
        // `shared` holds a sender, so there is always an alarm to wait for.
        Some(alarm) = alarms.recv() => Err(alarm),
    };
    slots.shutdown().await;
    let _ = phase.send(Phase::Draining);
    let _ = timeout(DRAIN, shared.envelopes.idle()).await;
    let _ = phase.send(Phase::Over);
    let _ = timeout(DRAIN, shared.sockets.idle()).await;
    if let Err(alarm) = &result {
        metrics::counter!("muster_slack_alarms_total").increment(1);
        tracing::error!(%alarm, "slack's Socket Mode has ended");
    }
    result
}

/// One socket after the other.
async fn keep_slot(slot: usize, shared: Arc<Shared>) {
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let (cause, wait) = match open(&shared).await {
            Ok(socket) => {
                let (replace, ended) = oneshot::channel();
                tokio::spawn(serve(slot, socket, Arc::clone(&shared), replace));
                let end = ended.await.unwrap_or(End { greeted: false, why: "its task broke off" });
                if end.greeted && started.elapsed() >= shared.pace.settled {
                    failures = 0;
                    tracing::debug!(slot, why = end.why, "a slack socket is replaced");
                    continue;
                }
                (end.why.to_owned(), None)
            }
            Err(OpenError::Never(alarm)) => {
                let _ = shared.alarm.send(alarm).await;
                // `keep` ends this task.
                return std::future::pending().await;
            }
            Err(OpenError::Later { cause, wait }) => (cause, wait),
        };
        failures += 1;
        let wait = wait.unwrap_or_default().max(backoff(failures, &shared.pace));
        metrics::counter!("muster_slack_socket_failures_total").increment(1);
        tracing::warn!(
            slot,
            "no slack socket: {cause}. Trying again in {:.1} s; if it lasts, check that websockets leave this host (`wss`, port \
             443, no proxy in between)",
            wait.as_secs_f64()
        );
        sleep(wait).await;
    }
}

/// Doubles with each failure up to the longest wait; the upper half of it is drawn, so that copies spread out.
fn backoff(failures: u32, pace: &Pace) -> Duration {
    let full = pace.backoff_first.saturating_mul(1 << (failures - 1).min(16)).min(pace.backoff_max);
    full.mul_f64(rand::random_range(0.5..=1.0))
}

async fn open(shared: &Shared) -> Result<Socket, OpenError> {
    let address = shared.opener.open().await?;
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_MAX)).max_frame_size(Some(FRAME_MAX));
    let later = |cause: &str| OpenError::Later { cause: cause.to_owned(), wait: None };
    match timeout(shared.pace.greeting, connect_async_with_config(address, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(later(&format!("the websocket could not be opened ({})", describe(&error)))),
        Err(_) => Err(later("the websocket was not opened in time")),
    }
}

/// How a socket ended, or why it has to be replaced.
#[derive(Debug)]
struct End {
    /// It worked, for a time.
    greeted: bool,
    why: &'static str,
}

/// One socket, from its opening to its close.
struct Line {
    own: u64,
    shared: Arc<Shared>,
    /// Taken when the slot has been told to open the next one.
    replace: Option<oneshot::Sender<End>>,
    greeted: bool,
    heard: Instant,
    /// Before hello: when we give up. After it: when the next one is opened.
    turn: Instant,
    /// When a socket that was replaced is closed by us, should Slack forget to.
    end: Option<Instant>,
    opened: Instant,
}

async fn serve(slot: usize, mut socket: Socket, shared: Arc<Shared>, replace: oneshot::Sender<End>) {
    let _busy = shared.sockets.enter();
    let (queue, mut acks) = mpsc::unbounded_channel();
    let now = Instant::now();
    let mut line = Line {
        own: shared.outlets.add(queue),
        replace: Some(replace),
        greeted: false,
        heard: now,
        turn: now + shared.pace.greeting,
        end: None,
        opened: now,
        shared,
    };
    let why = line.run(&mut socket, &mut acks).await;
    line.shared.outlets.remove(line.own);
    // What was queued and not sent goes out through another socket.
    let way_out = WayOut { own: line.own, outlets: &line.shared.outlets };
    while let Ok(text) = acks.try_recv() {
        if !way_out.send(text) {
            metrics::counter!("muster_slack_acks_lost_total").increment(1);
        }
    }
    if line.greeted {
        let left = line.shared.live.fetch_sub(1, Ordering::Relaxed) - 1;
        gauge(left);
    }
    tracing::debug!(slot, why, "a slack socket is closed");
    line.turn_over(why);
}

fn gauge(live: usize) {
    metrics::gauge!("muster_slack_sockets").set(u32::try_from(live).unwrap_or(u32::MAX));
}

impl Line {
    /// Reads until the end; says why it ended.
    async fn run(&mut self, socket: &mut Socket, acks: &mut mpsc::UnboundedReceiver<String>) -> &'static str {
        let pace = self.shared.pace.clone();
        let mut phase = self.shared.phase.clone();
        let mut ping = interval(pace.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            let now = *phase.borrow_and_update();
            if now == Phase::Over {
                // Everything that was accepted is queued by now.
                while let Ok(text) = acks.try_recv() {
                    say(socket, Message::text(text), &pace).await;
                }
                let _ = timeout(Duration::from_millis(500), socket.close(None)).await;
                return "muster stops";
            }
            let due = self.end.unwrap_or(self.turn);
            tokio::select! {
                frame = socket.next(), if now == Phase::Running => {
                    self.heard = Instant::now();
                    match frame {
                        Some(Ok(Message::Text(text))) => self.text(text.as_str()).await,
                        // Slack does not always end the connection after its close frame: we do.
                        Some(Ok(Message::Close(_))) => {
                            let _ = timeout(Duration::from_millis(500), socket.flush()).await;
                            return "slack closed it";
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
                        Some(Err(error)) => return describe(&error),
                        None => return "slack closed it",
                    }
                }
                Some(text) = acks.recv() => {
                    if !say(socket, Message::text(text.clone()), &pace).await {
                        // Not gone out as far as we know: another socket takes it.
                        WayOut { own: self.own, outlets: &self.shared.outlets }.send(text);
                        return "it takes no more";
                    }
                }
                _ = ping.tick() => {
                    if self.heard.elapsed() > pace.dead {
                        return "it was silent for too long";
                    }
                    if !say(socket, Message::Ping(Vec::new().into()), &pace).await {
                        return "it takes no more";
                    }
                }
                () = tokio::time::sleep_until(due), if self.replace.is_some() || self.end.is_some() => {
                    if !self.greeted {
                        return "slack did not say hello";
                    }
                    if self.end.is_some() {
                        let _ = timeout(Duration::from_millis(500), socket.close(None)).await;
                        return "it was replaced and slack left it open";
                    }
                    let lived = self.opened.elapsed();
                    self.end = Some(Instant::now() + lived.max(pace.linger));
                    self.turn_over("its time is nearly over");
                }
                changed = phase.changed() => if changed.is_err() { return "muster stops" },
            }
        }
    }

    /// Tells the slot to open the next socket. Only the first time counts.
    fn turn_over(&mut self, why: &'static str) {
        if let Some(replace) = self.replace.take() {
            let _ = replace.send(End { greeted: self.greeted, why });
        }
    }

    async fn text(&mut self, text: &str) {
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            metrics::counter!("muster_slack_envelopes_total", "what" => "not_json").increment(1);
            tracing::warn!(bytes = text.len(), "slack sent a frame that cannot be read");
            return;
        };
        match frame.kind.as_str() {
            "hello" => self.hello(&frame),
            "disconnect" => self.disconnect(frame.reason.as_deref().unwrap_or_default()).await,
            _ => {
                let shared = Arc::clone(&self.shared);
                let own = self.own;
                let busy = shared.envelopes.enter();
                tokio::spawn(async move {
                    let _busy = busy;
                    shared.intake.handle(frame, &WayOut { own, outlets: &shared.outlets }).await;
                });
            }
        }
    }

    fn hello(&mut self, frame: &Frame) {
        if self.greeted {
            return;
        }
        self.greeted = true;
        gauge(self.shared.live.fetch_add(1, Ordering::Relaxed) + 1);
        let promised = frame.debug_info.as_ref().and_then(|d| d.approximate_connection_time).unwrap_or(3_600);
        self.turn = self.opened + Duration::from_secs(promised).min(Duration::from_secs(86_400)).mul_f64(0.8);
        tracing::info!(promised_secs = promised, "a slack socket is open");
        if frame.num_connections.is_some_and(|n| n >= SOCKETS_PER_APP) {
            tracing::warn!(
                "this Slack app has {SOCKETS_PER_APP} sockets open, the most that Slack allows: stop other copies of muster"
            );
        }
    }

    async fn disconnect(&mut self, reason: &str) {
        match reason {
            "link_disabled" => {
                let alarm = Alarm(
                    "Socket Mode is switched off for the Slack app: switch it on on the app's page under Socket Mode, then                      start muster again"
                        .into(),
                );
                let _ = self.shared.alarm.send(alarm).await;
            }
            "warning" | "refresh_requested" => self.retire("slack asked for it"),
            "too_many_websockets" => {
                // Opening the next one at once would only be refused again, so this counts as a failure.
                if let Some(replace) = self.replace.take() {
                    let _ = replace.send(End { greeted: false, why: "the app has too many websockets" });
                }
                self.retire("the app has too many websockets");
            }
            _ => self.retire("slack gave an unknown reason"),
        }
    }

    fn retire(&mut self, why: &'static str) {
        self.end = Some(Instant::now() + self.shared.pace.linger);
        self.turn_over(why);
    }
}

/// False where the socket does not take it in time.
async fn say(socket: &mut Socket, message: Message, pace: &Pace) -> bool {
    matches!(timeout(pace.greeting, socket.send(message)).await, Ok(Ok(())))
}

/// What broke, without the address: it carries the ticket.
fn describe(error: &tungstenite::Error) -> &'static str {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => "slack closed it",
        tungstenite::Error::Io(_) => "the connection broke",
        tungstenite::Error::Tls(_) => "the TLS handshake failed; is a proxy in between?",
        tungstenite::Error::Protocol(_) => "the peer broke the websocket protocol",
        tungstenite::Error::Http(_) | tungstenite::Error::HttpFormat(_) => "the peer refused the websocket",
        tungstenite::Error::Url(_) => "its address is not one for a websocket",
        tungstenite::Error::Capacity(_) => "a frame was too large",
        _ => "the websocket failed",
    }
}

#[cfg(test)]
mod tests;
