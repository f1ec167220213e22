//! The few requests to a control interface that the player and the page need, JSON in and out.

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Where one simulator's control interface is: `http://127.0.0.1:PORT` and its token, if it wants one.
#[derive(Debug, Clone)]
pub struct Address {
    pub url: String,
    pub token: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    address: Address,
}

impl Http {
    pub fn new(address: Address) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), address }
    }

    pub async fn get(&self, path: &str) -> Result<Value, String> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, String> {
        self.send(Method::DELETE, path, None).await
    }

    /// `Err` carries the refusal's own sentence.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}/play/v1{path}", self.address.url.trim_end_matches('/'));
        let unreachable =
            |cause: &dyn std::fmt::Display| format!("cannot reach `{url}`: {cause}; is the simulator running?");
        let mut request = Request::builder().method(method).uri(&url).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.address.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let bytes = body.map(|b| Bytes::from(b.to_string())).unwrap_or_default();
        let request = request.body(Full::new(bytes)).map_err(|e| unreachable(&e))?;
        let answer = self.client.request(request).await.map_err(|e| unreachable(&e))?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(|e| unreachable(&e))?.to_bytes();
        let json: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status == StatusCode::OK {
            return Ok(json);
        }
        let said = json["error"].as_str().or(json["fault"].as_str());
        Err(said.map_or_else(|| format!("`{url}` answered {status}"), str::to_owned))
    }
}

/// `a=b&c=d`, percent-decoded.
pub fn form_pairs(encoded: &[u8]) -> Vec<(String, String)> {
    fn decode(part: &[u8]) -> String {
        let mut out = Vec::with_capacity(part.len());
        let mut at = 0;
        while at < part.len() {
            let hex = |i: usize| part.get(i).and_then(|b| (*b as char).to_digit(16));
            match (part[at], hex(at + 1), hex(at + 2)) {
                (b'%', Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    at += 2;
                }
                (b'+', ..) => out.push(b' '),
                (byte, ..) => out.push(byte),
            }
            at += 1;
        }
        String::from_utf8_lossy(&out).into_owned()
    }
    encoded
        .split(|b| *b == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.iter().position(|b| *b == b'=') {
            Some(at) => (decode(&pair[..at]), decode(&pair[at + 1..])),
            None => (decode(pair), String::new()),
        })
        .collect()
}
