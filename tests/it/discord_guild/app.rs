//! A small bot of our own for these tests: REST calls, and a gateway client that hands over events. Its websocket is
//! written out here, so that the simulator is not tested with its own library.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use muster::playground::conversation::{Address, Http};
use muster::playground::discord::{BOT_TOKEN, Options, Server, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const OPS: &str = "1100000000000000201";
pub const RANDOM: &str = "1100000000000000203";
/// Guilds and messages in them and in direct messages; the members too.
pub const INTENTS: u64 = 1 | (1 << 9) | (1 << 12);

pub struct World {
    pub server: Server,
    pub play: Http,
    client: Client<HttpConnector, Full<Bytes>>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub head: hyper::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// Status and Discord's code.
    pub fn refusal(&self) -> (u16, u64) {
        (self.status.as_u16(), self.body["code"].as_u64().unwrap_or_default())
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

impl World {
    pub async fn start(settings: Settings) -> Self {
        let server = Server::start(Options { settings, ..Options::default() }).await.unwrap();
        let address = Address { url: server.base_url(), token: Some(server.control_token.clone()) };
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { play: Http::new(address), server, client }
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        self.call_as(&format!("Bot {BOT_TOKEN}"), method, path, body).await
    }

    pub async fn call_as(&self, authorization: &str, method: Method, path: &str, body: Value) -> Answer {
        let url = format!("{}/api/v10{path}", self.server.base_url());
        let request = Request::builder().method(method).uri(url).header("authorization", authorization);
        let request = request.header("content-type", "application/json");
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.send(request.body(Full::new(bytes)).unwrap()).await.unwrap()
    }

    /// `Err` if the connection broke.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let answer = self.client.request(request).await.map_err(|e| e.to_string())?;
        let (status, head) = (answer.status(), answer.headers().clone());
        let bytes = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        Ok(Answer { status, head, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, body).await
    }

    pub async fn say(&self, channel: &str, body: Value) -> Answer {
        self.post(&format!("/channels/{channel}/messages"), body).await
    }

    /// The first response to an interaction.
    pub async fn respond(&self, event: &Value, response: Value) -> Answer {
        let path = format!("/interactions/{}/{}/callback", word(&event["id"]), word(&event["token"]));
        self.call_as("", Method::POST, &path, response).await
    }

    /// What follows it: `@original`, or a new message where `rest` is empty.
    pub async fn follow(&self, method: Method, event: &Value, rest: &str, body: Value) -> Answer {
        let path = format!("/webhooks/{}/{}{rest}", self.server.application_id, word(&event["token"]));
        self.call_as("", method, &path, body).await
    }

    pub async fn plant(&self, fault: Value) {
        self.play.post("/faults", &fault).await.unwrap();
    }

    pub async fn text(&self, channel: &str, root: &str) -> String {
        self.play.get(&format!("/threads/{channel}/{root}")).await.unwrap()["text"].as_str().unwrap().to_owned()
    }

    pub async fn ephemerals(&self, who: &str) -> String {
        self.play.get(&format!("/ephemerals?as={who}")).await.unwrap()["text"].as_str().unwrap().to_owned()
    }

    pub async fn gateway_url(&self) -> String {
        format!("{}/?v=10&encoding=json", word(&self.get("/gateway/bot").await.body["url"]))
    }

    /// A connection that has identified and knows its guilds.
    pub async fn connect(&self) -> Gateway {
        let mut gateway = Gateway::open(&self.gateway_url().await).await;
        assert_eq!(gateway.next().await.unwrap()["op"], 10);
        gateway.identify(INTENTS).await;
        let ready = gateway.event("READY").await;
        gateway.session = word(&ready["session_id"]);
        gateway.event("GUILD_CREATE").await;
        gateway.event("GUILD_CREATE").await;
        gateway
    }

    /// Makes people act while the bot answers: `act` is a body for the control interface, `answer` the response.
    pub async fn acting(&self, gateway: &mut Gateway, path: &str, act: Value, answer: Value) -> (Value, Value) {
        let acting = self.play.post(path, &act);
        let answering = async {
            let event = gateway.event("INTERACTION_CREATE").await;
            let said = self.respond(&event, answer).await;
            assert_eq!(said.status, StatusCode::NO_CONTENT, "{said:?}");
            event
        };
        let (acted, event) = tokio::join!(acting, answering);
        (acted.unwrap(), event)
    }

    /// Registers `/runbook` with the options that a bot of this kind has, and a command for messages.
    pub async fn register(&self) {
        let text = |name: &str, required: bool| json!({ "type": 3, "name": name, "description": "x", "required": required, "autocomplete": name == "runbook" });
        let subcommand =
            |name: &str, options: Value| json!({ "type": 1, "name": name, "description": "x", "options": options });
        let run = json!([text("runbook", true), text("with", false), text("on", false), text("because", false)]);
        let all = json!([
            { "name": "runbook", "description": "Run a runbook", "options": [
                subcommand("run", run), subcommand("show", json!([text("words", true)])),
                subcommand("list", json!([])), subcommand("form", json!([])) ] },
            { "name": "Run a runbook here", "type": 3 },
        ]);
        let path = format!("/applications/{}/commands", self.server.application_id);
        let answer = self.call(Method::PUT, &path, all).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
}

pub fn word(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A gateway client over a websocket that knows text, ping and close.
pub struct Gateway {
    stream: TcpStream,
    pub session: String,
    pub sequence: u64,
    /// The code with which the other side closed.
    pub closed: Option<u16>,
}

impl Gateway {
    pub async fn open(url: &str) -> Self {
        let (host, path) = url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            seen.push(stream.read_u8().await.unwrap());
        }
        assert!(seen.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&seen));
        Self { stream, session: String::new(), sequence: 0, closed: None }
    }

    /// The next payload, or `None` when the other side is gone.
    pub async fn next(&mut self) -> Option<Value> {
        let read = tokio::time::timeout(Duration::from_secs(10), self.read()).await;
        let payload = read.expect("a frame within ten seconds")?;
        self.sequence = payload["s"].as_u64().unwrap_or(self.sequence);
        Some(payload)
    }

    async fn read(&mut self) -> Option<Value> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).await.ok()?;
            let length = match head[1] & 0x7f {
                126 => u64::from(self.stream.read_u16().await.ok()?),
                127 => self.stream.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut body = vec![0; length as usize];
            self.stream.read_exact(&mut body).await.ok()?;
            match head[0] & 0x0f {
                1 => return Some(serde_json::from_slice(&body).unwrap()),
                8 => {
                    self.closed = body.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
                    return None;
                }
                _ => {}
            }
        }
    }

    /// The data of the next event of this kind; others are skipped.
    pub async fn event(&mut self, kind: &str) -> Value {
        loop {
            let payload = self.next().await.unwrap_or_else(|| panic!("closed while waiting for {kind}"));
            if payload["t"] == kind {
                return payload["d"].clone();
            }
        }
    }

    pub async fn tell(&mut self, op: u8, data: Value) {
        let text = json!({ "op": op, "d": data }).to_string();
        // Client frames are masked; a mask of zeros leaves the bytes as they are.
        let mut frame = vec![0x81];
        match text.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        // A side that has gone is noticed by whoever reads next.
        let _ = self.stream.write_all(&frame).await;
    }

    pub async fn identify(&mut self, intents: u64) {
        self.identify_with(BOT_TOKEN, intents).await;
    }

    pub async fn identify_with(&mut self, token: &str, intents: u64) {
        let properties = json!({ "os": "linux", "browser": "test", "device": "test" });
        self.tell(2, json!({ "token": token, "intents": intents, "compress": true, "properties": properties })).await;
    }

    pub async fn resume(&mut self, session: &str, sequence: u64) {
        self.tell(6, json!({ "token": BOT_TOKEN, "session_id": session, "seq": sequence })).await;
    }

    /// Closes as a client does that wants to come back (4000) or not (1000).
    pub async fn close(mut self, code: u16) {
        let mut frame = vec![0x88, 0x82, 0, 0, 0, 0];
        frame.extend(code.to_be_bytes());
        self.stream.write_all(&frame).await.unwrap();
        while self.read().await.is_some() {}
    }
}
