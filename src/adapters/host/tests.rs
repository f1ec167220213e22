//! Both ends of the control socket, without an engine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::*;
use crate::domain::Principal;
use crate::message::{Card, Tone};
use crate::ports::{Control, Order, Told};

/// Says back what it was asked.
#[derive(Default)]
struct Echo {
    by: Mutex<Vec<Principal>>,
}

#[async_trait]
impl Control for Echo {
    async fn order(&self, by: &Principal, order: Order) -> Told {
        self.by.lock().unwrap().push(by.clone());
        let done = !matches!(order, Order::Cancel { .. });
        let card = Card { tone: Tone::Neutral, title: format!("{order:?}"), blocks: vec![], buttons: vec![] };
        Told { done, card }
    }
}

async fn served(store: &Path) -> (Arc<Echo>, tokio::task::JoinHandle<()>) {
    let echo = Arc::new(Echo::default());
    let socket = Socket::bind(store).await.unwrap();
    (echo.clone(), tokio::spawn(socket.serve(echo)))
}

/// What comes back for these very bytes.
async fn says(store: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path(store)).await.unwrap();
    // Whoever is refused early may find the other end closed.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn an_order_has_one_answer_and_the_kernel_says_who_gave_it() {
    let store = tempfile::tempdir().unwrap();
    let (echo, _server) = served(store.path()).await;
    let halt = Order::Halt { because: Some("the array fails".into()) };
    let cancel = Order::Cancel { run: "r-7F3K".parse().unwrap() };
    for (order, done) in [(Order::Status { run: None }, true), (halt, true), (Order::Resume, true), (cancel, false)] {
        let answer = call(store.path(), &order).await.unwrap();
        assert_eq!(answer, Answer { done, text: format!("{order:?}\n") });
    }
    let me = peer::user_name(peer::own_uid().unwrap());
    let by = echo.by.lock().unwrap();
    assert!(by.iter().all(|p| p.is_operator() && p.user == Principal::host("", &me).user), "{by:?}");
    assert_eq!(by.len(), 4);
}

#[tokio::test]
async fn what_is_no_order_is_refused_with_an_example_and_reaches_nobody() {
    let store = tempfile::tempdir().unwrap();
    let (echo, _server) = served(store.path()).await;
    let long = format!("{{\"order\":\"halt\",\"because\":\"{}\"}}\n", "x".repeat(20_000));
    for bytes in [
        "",
        "halt\n",
        "{\"order\":\"run\"}\n",
        "{\"order\":\"halt\",\"why\":\"x\"}\n",
        "{\"order\":\"cancel\",\"run\":\"x\"}\n",
        "\u{0}\n",
        &long,
    ] {
        let said: Answer = serde_json::from_str(&says(store.path(), bytes.as_bytes()).await).unwrap();
        assert!(!said.done, "{said:?}");
        assert!(said.text.contains("write for example") || said.text.contains("shorten the reason"), "{said:?}");
    }
    assert_eq!(echo.by.lock().unwrap().len(), 0);
    // Without the line end, as `echo -n` writes it, it is an order all the same.
    assert!(says(store.path(), br#"{"order":"resume"}"#).await.contains("Resume"));
}

#[tokio::test]
async fn the_socket_is_for_its_owner_and_goes_with_the_process() {
    let store = tempfile::tempdir().unwrap();
    let socket = Socket::bind(store.path()).await.unwrap();
    assert_eq!(fs::metadata(path(store.path())).unwrap().permissions().mode() & 0o777, 0o600);
    drop(socket);
    assert!(!path(store.path()).exists());
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_a_living_one_and_anything_else_is_not() {
    let store = tempfile::tempdir().unwrap();
    // What a killed process leaves: the file without anybody who listens.
    drop(std::os::unix::net::UnixListener::bind(path(store.path())).unwrap());
    assert!(path(store.path()).exists());
    assert_eq!(call(store.path(), &Order::Resume).await, Err(CallError::NotRunning(store.path().to_owned())));
    let (_echo, server) = served(store.path()).await;
    let refused = Socket::bind(store.path()).await.unwrap_err();
    assert!(matches!(refused, BindError::Answered(_)), "{refused}");
    assert!(call(store.path(), &Order::Resume).await.unwrap().done, "the living one goes on");
    server.abort();
    let _ = server.await;
    fs::write(path(store.path()), "mine").unwrap();
    let refused = Socket::bind(store.path()).await.unwrap_err();
    assert!(matches!(refused, BindError::NoSocket(_)), "{refused}");
    assert_eq!(fs::read_to_string(path(store.path())).unwrap(), "mine");
}

#[tokio::test]
async fn where_nobody_runs_it_is_said_how_to_start_or_find_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("none");
    let told = call(&store, &Order::Resume).await.unwrap_err().to_string();
    assert_eq!(
        told.replace(&store.display().to_string(), "STORE"),
        "no muster is running on the store `STORE`; start it with `muster serve`, or name the right one with --config or --store"
    );
    let closed = CallError::Closed { store: "/var/lib/muster".into(), owner: Some("muster".into()) };
    assert_eq!(
        closed.to_string(),
        "the store `/var/lib/muster` belongs to muster; use `sudo -u muster muster …`, or be root"
    );
    let long = folder.path().join("s".repeat(120));
    fs::create_dir(&long).unwrap();
    let told = Socket::bind(&long).await.unwrap_err().to_string();
    assert!(told.contains("shorter than 90 characters"), "{told}");
}
