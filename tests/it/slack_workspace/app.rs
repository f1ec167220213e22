//! A small app of our own for these tests: Web API calls, and a socket that hands over envelopes. Its websocket is
//! written out here, so that the simulator is not tested with its own library.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use muster::playground::conversation::{Address, Http};
use muster::playground::slack::workspace::Settings;
use muster::playground::slack::{Options, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct World {
    pub server: Server,
    pub play: Http,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub body: Value,
}

impl World {
    pub async fn start(settings: Settings, breaks: &[&str]) -> Self {
        let breaks = breaks.iter().map(|b| (*b).to_owned()).collect();
        let server = Server::start(Options { settings, breaks, ..Options::default() }).await.unwrap();
        let address = Address { url: server.base_url(), token: Some(server.control_token.clone()) };
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { play: Http::new(address), server, client }
    }

    pub fn address(&self) -> Address {
        Address { url: self.server.base_url(), token: Some(self.server.control_token.clone()) }
    }

    /// One call with the bot's token and a JSON body; `Err` if the connection broke.
    pub async fn api(&self, method: &str, body: Value) -> Result<Answer, String> {
        self.api_as("xoxb-play", method, body).await
    }

    pub async fn api_as(&self, token: &str, method: &str, body: Value) -> Result<Answer, String> {
        let url = format!("{}/{method}", self.server.api_url);
        let request = Request::post(url).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json; charset=utf-8");
        self.send(request.body(Full::new(Bytes::from(body.to_string()))).unwrap()).await
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let answer = self.client.request(request).await.map_err(|e| e.to_string())?;
        let status = answer.status();
        let retry_after = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        let bytes = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        Ok(Answer { status, retry_after, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    pub async fn post(&self, channel: &str, text: &str, thread: Option<&str>) -> String {
        let mut body = json!({ "channel": channel, "text": text });
        if let Some(ts) = thread {
            body["thread_ts"] = json!(ts);
        }
        let answer = self.api("chat.postMessage", body).await.unwrap().body;
        answer["ts"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub async fn text(&self, channel: &str, root: &str) -> String {
        self.play.get(&format!("/threads/{channel}/{root}")).await.unwrap()["text"].as_str().unwrap().to_owned()
    }

    pub async fn socket_url(&self) -> String {
        let opened = self.api_as("xapp-play", "apps.connections.open", json!({})).await.unwrap().body;
        opened["url"].as_str().unwrap().to_owned()
    }

    /// A connection that has said hello.
    pub async fn socket(&self) -> Socket {
        let mut socket = Socket::open(&self.socket_url().await).await.unwrap();
        assert_eq!(socket.next().await.unwrap()["type"], "hello");
        socket
    }
}

/// A websocket client that knows text, ping and close.
pub struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// `Err` is the status line of a refusal.
    pub async fn open(url: &str) -> Result<Self, String> {
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
        let seen = String::from_utf8_lossy(&seen);
        let status = seen.lines().next().unwrap_or_default();
        if status.starts_with("HTTP/1.1 101") { Ok(Self { stream }) } else { Err(status.to_owned()) }
    }

    /// The next text frame, or `None` when the other side is gone.
    pub async fn next(&mut self) -> Option<Value> {
        tokio::time::timeout(Duration::from_secs(10), self.read()).await.expect("a frame within ten seconds")
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
                8 => return None,
                _ => {}
            }
        }
    }

    pub async fn ack(&mut self, envelope: &Value, payload: Option<Value>) {
        let mut ack = json!({ "envelope_id": envelope["envelope_id"] });
        if let Some(payload) = payload {
            ack["payload"] = payload;
        }
        let text = ack.to_string();
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
        self.stream.write_all(&frame).await.unwrap();
    }
}
