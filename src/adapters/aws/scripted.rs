//! An HTTP server that answers as a test says, on a real socket, and remembers every request that arrived.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `SendCommand`, `AssumeRole`, …
    pub operation: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Seen {
    /// A field of a query-protocol body, decoded.
    pub fn field(&self, name: &str) -> Option<String> {
        self.body.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| percent_decoded(value))
        })
    }
    /// A JSON-protocol body.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What the server does with one request.
pub enum Reply {
    Json(u16, serde_json::Value),
    Xml(u16, String),
    /// Any body, with headers.
    Raw(u16, Vec<(&'static str, String)>, String),
    /// The connection is reset after the request was read.
    Reset,
    /// The connection is closed without a word.
    Close,
    /// No answer, for as long as the client waits.
    Hang,
}

/// An AWS error in the JSON protocol.
pub fn json_error(status: u16, code: &str, message: &str) -> Reply {
    Reply::Json(status, serde_json::json!({ "__type": code, "message": message }))
}

/// An AWS error in the query protocol.
pub fn xml_error(status: u16, code: &str, message: &str) -> Reply {
    Reply::Xml(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        ),
    )
}

/// Credentials until `expiry`, an ISO-8601 time.
pub fn credentials(key: &str, expiry: &str) -> Reply {
    Reply::Xml(
        200,
        format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
             <SecretAccessKey>fake</SecretAccessKey><SessionToken>token-{key}</SessionToken>\
             <Expiration>{expiry}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

pub struct Scripted {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: tokio::task::JoinHandle<()>,
}

type Script = dyn FnMut(&Seen) -> Reply + Send;

impl Scripted {
    /// Listens on a free port of this host.
    pub async fn start(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let script: Arc<Mutex<Box<Script>>> = Arc::new(Mutex::new(Box::new(script)));
        let log = seen.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, log.clone(), script.clone()));
            }
        });
        Scripted { url, seen, accepting }
    }

    /// No connection is taken from now on.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn of(&self, operation: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|s| s.operation == operation).collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<Seen>>>, script: Arc<Mutex<Box<Script>>>) {
    let Some(seen) = request(&mut stream).await else { return };
    log.lock().unwrap().push(seen.clone());
    let reply = (script.lock().unwrap())(&seen);
    let (status, headers, body) = match reply {
        Reply::Json(status, value) => {
            (status, vec![("content-type", "application/x-amz-json-1.1".to_owned())], value.to_string())
        }
        Reply::Xml(status, body) => (status, vec![("content-type", "text/xml".to_owned())], body),
        Reply::Raw(status, headers, body) => (status, headers, body),
        Reply::Reset => {
            let _ = stream.set_zero_linger();
            return;
        }
        Reply::Close => return,
        Reply::Hang => return std::future::pending().await,
    };
    let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 16 * 1024];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let headers: HashMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|l| l.split_once(':'))
        .map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
    let body = String::from_utf8_lossy(&bytes[end + 4..end + 4 + length]).into_owned();
    let mut seen = Seen { operation: String::new(), headers, body };
    seen.operation = match seen.headers.get("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => seen.field("Action").unwrap_or_default(),
    };
    Some(seen)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
