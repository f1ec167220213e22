//! Against a gateway of a few lines, one connection after the other.

use std::sync::Mutex;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::accept_async;

use super::*;

const SOON: Duration = Duration::from_secs(10);

struct Here {
    url: String,
    opened: Mutex<u32>,
}

#[async_trait]
impl Opener for Here {
    async fn open(&self) -> Result<String, OpenError> {
        *self.opened.lock().unwrap() += 1;
        Ok(self.url.clone())
    }
    fn token(&self) -> &str {
        "the-token"
    }
    fn encrypted(&self) -> bool {
        false
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<String>>);

impl Sink for Kept {
    fn take(&self, kind: String, _: Value) {
        self.0.lock().unwrap().push(kind);
    }
}

type Peer = WebSocketStream<TcpStream>;

struct Stage {
    peers: mpsc::UnboundedReceiver<Peer>,
    url: String,
    opener: Arc<Here>,
    kept: Arc<Kept>,
    stop: Option<oneshot::Sender<()>>,
    keeping: JoinHandle<Result<(), Alarm>>,
}

async fn stage() -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (found, peers) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(peer) = accept_async(stream).await {
                let _ = found.send(peer);
            }
        }
    });
    let opener = Arc::new(Here { url: url.clone(), opened: Mutex::new(0) });
    let kept = Arc::new(Kept::default());
    let pace = Pace {
        settled: Duration::ZERO,
        backoff_first: Duration::from_millis(5),
        backoff_max: Duration::from_millis(20),
        renewal: Duration::from_millis(5),
        ..Pace::default()
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let keeping = tokio::spawn(keep(Arc::clone(&opener) as _, Arc::clone(&kept) as _, pace, Arc::default(), async {
        let _ = stopped.await;
    }));
    Stage { peers, url, opener, kept, stop: Some(stop), keeping }
}

async fn say(peer: &mut Peer, frame: Value) {
    peer.send(Message::text(frame.to_string())).await.unwrap();
}

/// The next frame of this kind; heartbeats in between are passed over.
async fn hears(peer: &mut Peer, op: u64) -> Value {
    let next = async {
        loop {
            let Message::Text(text) = peer.next().await.expect("it hung up").unwrap() else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["op"] == op {
                return frame["d"].clone();
            }
        }
    };
    timeout(SOON, next).await.expect("nothing was said")
}

impl Stage {
    /// The next connection, greeted with this time between heartbeats.
    async fn peer(&mut self, beat: u64) -> Peer {
        let mut peer = timeout(SOON, self.peers.recv()).await.expect("nobody came").unwrap();
        say(&mut peer, json!({ "op": 10, "d": { "heartbeat_interval": beat } })).await;
        peer
    }

    /// The first session, with two events.
    async fn begun(&mut self) -> Peer {
        let mut peer = self.peer(60_000).await;
        let identify = hears(&mut peer, 2).await;
        assert_eq!(identify["token"], "the-token");
        assert_eq!(identify["intents"], (1 << 0) | (1 << 9));
        let ready = json!({ "session_id": "s1", "resume_gateway_url": self.url });
        say(&mut peer, json!({ "op": 0, "s": 1, "t": "READY", "d": ready })).await;
        say(&mut peer, json!({ "op": 0, "s": 2, "t": "ONE", "d": {} })).await;
        let kept = Arc::clone(&self.kept);
        timeout(SOON, async {
            while kept.0.lock().unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        peer
    }
}

#[tokio::test]
async fn whatever_ends_the_socket_the_session_is_resumed_behind_the_last_event() {
    let mut stage = stage().await;
    let mut peer = stage.begun().await;
    for how in ["asked", "cut", "closed", "zombie", "again"] {
        match how {
            "asked" => say(&mut peer, json!({ "op": 7, "d": null })).await,
            "closed" => {
                let frame = CloseFrame { code: CloseCode::from(4_000), reason: "".into() };
                peer.close(Some(frame)).await.unwrap();
            }
            "again" => say(&mut peer, json!({ "op": 9, "d": true })).await,
            // Nothing comes back any more: the first heartbeat is heard and not acknowledged.
            "zombie" => {
                hears(&mut peer, 1).await;
            }
            _ => drop(peer),
        }
        peer = stage.peer(if how == "closed" { 100 } else { 60_000 }).await;
        let resume = hears(&mut peer, 6).await;
        assert_eq!(resume, json!({ "token": "the-token", "session_id": "s1", "seq": 2 }), "{how}");
        say(&mut peer, json!({ "op": 0, "t": "RESUMED", "d": {} })).await;
    }
    assert_eq!(*stage.opener.opened.lock().unwrap(), 1, "resumed at the address that was given for it");
    stage.stop.take().unwrap().send(()).unwrap();
    assert_eq!(stage.keeping.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_session_that_is_over_is_begun_anew() {
    let mut stage = stage().await;
    let mut peer = stage.begun().await;
    say(&mut peer, json!({ "op": 9, "d": false })).await;
    let mut peer = stage.peer(60_000).await;
    hears(&mut peer, 2).await;
    let frame = CloseFrame { code: CloseCode::from(4_009), reason: "".into() };
    peer.close(Some(frame)).await.unwrap();
    hears(&mut stage.peer(60_000).await, 2).await;
}

#[tokio::test]
async fn a_heartbeat_that_is_asked_for_comes_at_once_and_is_no_sign_of_death() {
    let mut stage = stage().await;
    let mut peer = stage.begun().await;
    for _ in 0..3 {
        say(&mut peer, json!({ "op": 1, "d": null })).await;
        assert_eq!(hears(&mut peer, 1).await, 2);
    }
    say(&mut peer, json!({ "op": 11 })).await;
    say(&mut peer, json!({ "op": 1, "d": null })).await;
    assert_eq!(hears(&mut peer, 1).await, 2, "it is still the same socket");
}

#[tokio::test]
async fn what_no_reconnect_mends_is_an_alarm_with_its_remedy() {
    for (code, says) in [(4004, "make a new one"), (4014, "switch it on"), (4011, "fewer than 2,500 servers")] {
        let mut stage = stage().await;
        let mut peer = stage.peer(60_000).await;
        hears(&mut peer, 2).await;
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        peer.close(Some(frame)).await.unwrap();
        let alarm = timeout(SOON, stage.keeping).await.unwrap().unwrap().unwrap_err();
        assert!(alarm.0.contains(says), "{code}: {alarm}");
    }
    assert_eq!(alarm(4_000), None);
}

#[tokio::test]
async fn what_is_no_event_does_no_harm() {
    let mut stage = stage().await;
    let mut peer = stage.begun().await;
    peer.send(Message::text("not json")).await.unwrap();
    peer.send(Message::binary(vec![1, 2])).await.unwrap();
    say(&mut peer, json!({ "op": 77 })).await;
    say(&mut peer, json!({ "op": 0, "s": 3, "t": "TWO", "d": [] })).await;
    say(&mut peer, json!({ "op": 7 })).await;
    assert_eq!(hears(&mut stage.peer(60_000).await, 6).await["seq"], 3);
}

#[test]
fn the_address_says_which_version_is_spoken() {
    for (url, whole) in [
        ("wss://gateway.discord.gg", "wss://gateway.discord.gg/?v=10&encoding=json"),
        ("wss://gateway.discord.gg/", "wss://gateway.discord.gg/?v=10&encoding=json"),
        ("ws://127.0.0.1:1/gateway", "ws://127.0.0.1:1/gateway?v=10&encoding=json"),
    ] {
        assert_eq!(address(url), whole);
    }
}
