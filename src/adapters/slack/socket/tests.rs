//! The loop against a websocket server of our own on 127.0.0.1, which behaves as badly as Slack may.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_tungstenite::accept_async;

use super::*;
use crate::adapters::slack::Identity;
use crate::adapters::slack::intake::{Answered, Tell};
use crate::message::Suggestions;
use crate::ports::{Ack, Delivery, Inbox, InboxError, Reply, Search};

/// What a test tells one server-side socket.
enum Order {
    Say(Value),
    /// The close frame; what still comes is read, and the connection is left open for ever, as Slack does.
    CloseFrame,
    /// The connection is dropped without a word.
    Hang,
    /// Nothing is read or answered any more.
    Freeze,
}

struct Peer {
    orders: mpsc::UnboundedSender<Order>,
}

impl Peer {
    fn say(&self, value: Value) {
        let _ = self.orders.send(Order::Say(value));
    }
    fn envelope(&self, id: &str) {
        self.say(json!({
            "envelope_id": id, "type": "slash_commands", "accepts_response_payload": true,
            "payload": {
                "team_id": "T0MUSTER", "channel_id": "C0OPS", "user_id": "U0SUSAN", "command": "/runbook", "text": id,
                "response_url": "https://hooks.slack.com/commands/1", "trigger_id": id
            }
        }));
    }
    fn disconnect(&self, reason: &str) {
        self.say(json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "x" } }));
    }
    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

/// A server that greets (or not), and hands every socket and every acknowledgement to the test.
struct Server {
    address: String,
    opens: Arc<AtomicUsize>,
    peers: mpsc::UnboundedReceiver<Peer>,
    acks: mpsc::UnboundedReceiver<Value>,
}

async fn server(hello: Option<Value>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}/link?ticket=secret", listener.local_addr().unwrap());
    let (peers_in, peers) = mpsc::unbounded_channel();
    let (acks_in, acks) = mpsc::unbounded_channel();
    let opens = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opens);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let Ok(mut socket) = accept_async(stream).await else { continue };
            let (orders, mut inbox) = mpsc::unbounded_channel();
            if let Some(hello) = &hello {
                let _ = socket.send(Message::text(hello.to_string())).await;
            }
            if peers_in.send(Peer { orders }).is_err() {
                return;
            }
            let acks_in = acks_in.clone();
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        order = inbox.recv() => match order {
                            Some(Order::Say(value)) => {
                                let _ = socket.send(Message::text(value.to_string())).await;
                            }
                            Some(Order::CloseFrame) => {
                                let _ = socket.send(Message::Close(None)).await;
                                while let Some(Ok(frame)) = socket.next().await {
                                    if let Message::Text(text) = frame {
                                        let _ = acks_in.send(serde_json::from_str(&text).unwrap());
                                    }
                                }
                                std::future::pending::<()>().await;
                            }
                            Some(Order::Freeze) => std::future::pending::<()>().await,
                            Some(Order::Hang) | None => return,
                        },
                        frame = socket.next() => match frame {
                            Some(Ok(Message::Text(text))) => {
                                let _ = acks_in.send(serde_json::from_str(&text).unwrap());
                            }
                            Some(Ok(_)) => {}
                            Some(Err(_)) | None => return,
                        },
                    }
                }
            });
        }
    });
    Server { address, opens, peers, acks }
}

fn hello() -> Value {
    json!({
        "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A1" },
        "debug_info": { "host": "x", "approximate_connection_time": 18060 }
    })
}

const SOON: Duration = Duration::from_secs(10);

impl Server {
    async fn peer(&mut self) -> Peer {
        timeout(SOON, self.peers.recv()).await.expect("the bot opened no socket").unwrap()
    }
    async fn ack(&mut self) -> String {
        let ack = timeout(SOON, self.acks.recv()).await.expect("no acknowledgement came").unwrap();
        ack["envelope_id"].as_str().unwrap().to_owned()
    }
    fn opens(&self) -> usize {
        self.opens.load(Ordering::SeqCst)
    }
}

struct Here(String);

#[async_trait]
impl Opener for Here {
    async fn open(&self) -> Result<String, OpenError> {
        Ok(self.0.clone())
    }
}

/// Takes everything at once, except for texts that start with `stuck`, which wait to be freed.
#[derive(Default)]
struct Desk {
    keys: Mutex<Vec<String>>,
    free: Notify,
}

#[async_trait]
impl Inbox for Desk {
    async fn accept(&self, delivery: Delivery) -> Result<Ack, InboxError> {
        if delivery.key.contains("stuck") {
            self.free.notified().await;
        }
        self.keys.lock().unwrap().push(delivery.key);
        Ok(Ack::Plain)
    }
    async fn suggest(&self, _: Search) -> Suggestions {
        Suggestions::nothing()
    }
}

#[async_trait]
impl Tell for Desk {
    async fn tell(&self, _: &Reply, _: &str) {}
}

struct Bot {
    desk: Arc<Desk>,
    live: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<Result<(), Alarm>>,
}

/// No watchdog within a test's time, no waits between sockets.
fn quick() -> Pace {
    Pace {
        watchdog: Duration::from_secs(60),
        settled: Duration::ZERO,
        backoff_first: Duration::from_millis(20),
        ..Pace::default()
    }
}

fn bot(address: &str, pace: Pace) -> Bot {
    let desk = Arc::new(Desk::default());
    let intake = Arc::new(Intake {
        inbox: Arc::clone(&desk) as _,
        tell: Arc::clone(&desk) as _,
        me: Identity { team: "T0MUSTER".into(), enterprise: None, bot_user: "U0BOT".into() },
        command: "/runbook".into(),
        watchdog: pace.watchdog,
        answered: Answered::default(),
    });
    let live = Arc::new(AtomicUsize::new(0));
    let (stop, stopped) = oneshot::channel::<()>();
    let opener = Arc::new(Here(address.to_owned()));
    let counter = Arc::clone(&live);
    let done = tokio::spawn(async move {
        keep(opener, intake, pace, counter, async {
            let _ = stopped.await;
        })
        .await
    });
    Bot { desk, live, stop, done }
}

#[tokio::test]
async fn two_sockets_are_open_and_both_are_read() {
    let mut slack = server(Some(hello())).await;
    let bot = bot(&slack.address, quick());
    let (one, two) = (slack.peer().await, slack.peer().await);
    one.envelope("e1");
    assert_eq!(slack.ack().await, "e1");
    two.envelope("e2");
    assert_eq!(slack.ack().await, "e2");
    assert_eq!(bot.live.load(Ordering::SeqCst), 2);
    bot.stop.send(()).unwrap();
    assert_eq!(bot.done.await.unwrap(), Ok(()));
    assert_eq!(bot.live.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn fifty_reconnects_lose_no_envelope_not_even_on_the_dying_socket() {
    let mut slack = server(Some(hello())).await;
    let bot = bot(&slack.address, quick());
    let mut peers = vec![slack.peer().await, slack.peer().await];
    let mut sent = BTreeSet::new();
    for round in 0..50 {
        let old = peers.remove(0);
        let mut send = |peer: &Peer, what: &str| {
            let id = format!("{round}-{what}");
            peer.envelope(&id);
            sent.insert(id);
        };
        send(&old, "before");
        old.disconnect(["warning", "refresh_requested", "something_new"][round % 3]);
        send(&old, "after");
        // The next one is there before the old one has ended.
        peers.push(slack.peer().await);
        send(&old, "late");
        send(&peers[0], "other");
        send(&peers[1], "new");
        match round % 2 {
            0 => old.order(Order::CloseFrame),
            _ => {
                // A connection that breaks may swallow an acknowledgement, so wait for those of this socket first.
                while !["before", "after", "late"].iter().all(|w| !sent.contains(&format!("{round}-{w}"))) {
                    let id = slack.ack().await;
                    sent.remove(&id);
                }
                old.order(Order::Hang);
            }
        }
    }
    while !sent.is_empty() {
        let id = slack.ack().await;
        sent.remove(&id);
    }
    assert_eq!(bot.desk.keys.lock().unwrap().len(), 250);
    assert_eq!(slack.opens(), 52);
}

#[tokio::test]
async fn a_command_that_is_stuck_does_not_hold_up_the_next_one() {
    let mut slack = server(Some(hello())).await;
    let bot = bot(&slack.address, quick());
    let one = slack.peer().await;
    one.envelope("stuck");
    one.envelope("e2");
    assert_eq!(slack.ack().await, "e2");
    bot.desk.free.notify_one();
    assert_eq!(slack.ack().await, "stuck");
}

#[tokio::test]
async fn an_acknowledgement_whose_socket_is_gone_takes_another_one() {
    let mut slack = server(Some(hello())).await;
    let bot = bot(&slack.address, quick());
    let (one, two) = (slack.peer().await, slack.peer().await);
    one.envelope("stuck");
    two.envelope("e2");
    assert_eq!(slack.ack().await, "e2");
    one.order(Order::Hang);
    let _replacement = slack.peer().await;
    bot.desk.free.notify_one();
    assert_eq!(slack.ack().await, "stuck");
}

#[tokio::test]
async fn stopping_waits_for_what_is_being_accepted() {
    let mut slack = server(Some(hello())).await;
    let bot = bot(&slack.address, quick());
    let one = slack.peer().await;
    one.envelope("stuck");
    one.envelope("e2");
    assert_eq!(slack.ack().await, "e2");
    bot.stop.send(()).unwrap();
    bot.desk.free.notify_one();
    assert_eq!(slack.ack().await, "stuck");
    assert_eq!(bot.done.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_socket_is_replaced_before_the_time_that_slack_promised_is_over() {
    let mut greeting = hello();
    greeting["debug_info"]["approximate_connection_time"] = json!(1);
    let mut slack = server(Some(greeting)).await;
    let started = Instant::now();
    let _bot = bot(&slack.address, quick());
    let (one, _two) = (slack.peer().await, slack.peer().await);
    let _three = slack.peer().await;
    let replaced = started.elapsed();
    assert!(replaced >= Duration::from_millis(700), "{replaced:?}");
    one.envelope("e1");
    assert_eq!(slack.ack().await, "e1", "the old one is still read");
}

#[tokio::test]
async fn a_silent_socket_is_replaced() {
    let mut slack = server(Some(hello())).await;
    let pace = Pace { ping: Duration::from_millis(30), dead: Duration::from_millis(150), ..quick() };
    let _bot = bot(&slack.address, pace);
    let (one, two) = (slack.peer().await, slack.peer().await);
    one.order(Order::Freeze);
    let three = slack.peer().await;
    three.envelope("e3");
    assert_eq!(slack.ack().await, "e3");
    two.envelope("e2");
    assert_eq!(slack.ack().await, "e2", "the other one answers pings and stays");
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_not_hammered() {
    let mut slack = server(Some(hello())).await;
    let pace = Pace { settled: Duration::from_secs(5), backoff_first: Duration::from_millis(200), ..quick() };
    let _bot = bot(&slack.address, pace);
    let until = Instant::now() + Duration::from_secs(1);
    while let Ok(peer) = tokio::time::timeout_at(until, slack.peer()).await {
        peer.disconnect("refresh_requested");
    }
    // Two slots, each at about 0, 0.1 to 0.2, 0.3 to 0.6, 0.7 to 1.4 s.
    assert!((4..=8).contains(&slack.opens()), "{}", slack.opens());
}

#[tokio::test]
async fn a_server_that_never_says_hello_is_given_up() {
    let mut slack = server(None).await;
    let _bot = bot(&slack.address, Pace { greeting: Duration::from_millis(100), ..quick() });
    let (_one, _two, _three) = (slack.peer().await, slack.peer().await, slack.peer().await);
}

#[tokio::test]
async fn socket_mode_switched_off_ends_the_loop_with_the_remedy() {
    let mut slack = server(Some(hello())).await;
    let bot = bot(&slack.address, quick());
    slack.peer().await.disconnect("link_disabled");
    let alarm = timeout(SOON, bot.done).await.unwrap().unwrap().unwrap_err();
    assert!(alarm.0.contains("switch it on on the app's page"), "{alarm}");
}

#[tokio::test]
async fn frames_that_are_not_json_do_no_harm() {
    let mut slack = server(Some(hello())).await;
    let _bot = bot(&slack.address, quick());
    let one = slack.peer().await;
    one.say(json!("ping"));
    one.say(json!([1, 2]));
    one.say(json!({ "type": 5 }));
    one.envelope("e1");
    assert_eq!(slack.ack().await, "e1");
}

#[test]
fn waits_double_up_to_the_longest_and_are_spread() {
    let pace = Pace::default();
    for (failures, full) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (100, 60)] {
        let wait = backoff(failures, &pace);
        let full = Duration::from_secs(full);
        assert!(wait >= full / 2 && wait <= full, "{failures}: {wait:?}");
    }
}
