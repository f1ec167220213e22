//! The arguments of one Web API call: query, form or JSON body, and the token from header or body.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::playground::http::form_pairs;

/// Slack reads only query and form for these; a JSON body is as good as none.
const FORM_ONLY: &[&str] = &[
    "chat.getPermalink",
    "conversations.info",
    "conversations.replies",
    "files.getUploadURLExternal",
    "files.info",
    "usergroups.list",
    "usergroups.users.list",
    "users.info",
    "users.lookupByEmail",
];

#[derive(Debug, Default)]
pub struct Args {
    values: Map<String, Value>,
    pub token: Option<String>,
}

/// A refusal with Slack's own error name. HTTP 200 as at Slack, but for the rate limit.
#[derive(Debug)]
pub struct ApiError {
    pub error: String,
    pub messages: Vec<String>,
    pub retry_after: Option<u64>,
    /// The scope that is missing, and those that were granted.
    pub scopes: Option<(String, String)>,
}

impl ApiError {
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), messages: Vec::new(), retry_after: None, scopes: None }
    }

    pub fn with(error: &str, messages: Vec<String>) -> Self {
        Self { error: error.to_owned(), messages, retry_after: None, scopes: None }
    }

    pub fn rate_limited(retry_after: u64) -> Self {
        Self { error: "ratelimited".to_owned(), messages: Vec::new(), retry_after: Some(retry_after), scopes: None }
    }

    pub fn missing_scope(needed: String, granted: &std::collections::BTreeSet<String>) -> Self {
        let provided = granted.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        Self { scopes: Some((needed, provided)), ..Self::new("missing_scope") }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "ok": false, "error": self.error });
        if !self.messages.is_empty() {
            body["errors"] = json!(self.messages);
            body["response_metadata"] =
                json!({ "messages": self.messages.iter().map(|m| format!("[ERROR] {m}")).collect::<Vec<_>>() });
        }
        if let Some((needed, provided)) = &self.scopes {
            (body["needed"], body["provided"]) = (json!(needed), json!(provided));
        }
        match self.retry_after {
            Some(seconds) => {
                let head = [(header::RETRY_AFTER, seconds.to_string())];
                (StatusCode::TOO_MANY_REQUESTS, head, axum::Json(body)).into_response()
            }
            None => axum::Json(body).into_response(),
        }
    }
}

impl Args {
    pub fn read(method: &str, query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        let mut args = Self::default();
        args.pairs(query.unwrap_or_default().as_bytes());
        let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") {
            if !body.is_empty() && !FORM_ONLY.contains(&method) {
                let json: Value = serde_json::from_slice(body).map_err(|_| ApiError::new("invalid_json"))?;
                let Value::Object(values) = json else { return Err(ApiError::new("json_not_object")) };
                args.values.extend(values);
            }
        } else if kind.starts_with("application/x-www-form-urlencoded") || kind.is_empty() {
            args.pairs(body);
        } else if !body.is_empty() {
            return Err(ApiError::new("invalid_post_type"));
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        args.token = match bearer.and_then(|v| v.strip_prefix("Bearer ")) {
            Some(token) => Some(token.trim().to_owned()),
            None => args.text("token").map(str::to_owned),
        };
        Ok(args)
    }

    fn pairs(&mut self, encoded: &[u8]) {
        let pairs: Vec<(String, String)> = form_pairs(encoded);
        self.values.extend(pairs.into_iter().map(|(k, v)| (k, Value::String(v))));
    }

    /// Everything but the token, as JSON. What came as JSON inside a form field is parsed.
    pub fn body(&self) -> Value {
        let parsed = |(name, value): (&String, &Value)| {
            let inner = value.as_str().filter(|_| matches!(name.as_str(), "blocks" | "view" | "metadata"));
            let value = inner.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone());
            (name.clone(), value)
        };
        self.values.iter().filter(|(name, _)| *name != "token").map(parsed).collect()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str).filter(|s| !s.is_empty())
    }

    pub fn required(&self, name: &str, error: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| {
            ApiError::with(error, vec![format!("missing required field: {name} [json-pointer:/{name}]")])
        })
    }

    pub fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(b)) => *b,
            Some(Value::String(s)) => s == "true" || s == "1",
            Some(Value::Number(n)) => n.as_u64() == Some(1),
            _ => false,
        }
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(name)? {
            Value::Number(n) => n.as_u64(),
            Value::String(s) => s.parse().ok(),
            _ => None,
        }
    }

    /// A structured argument: itself in a JSON body, JSON text in a form.
    pub fn json(&self, name: &str, error: &str) -> Result<Option<Value>, ApiError> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(s)) if s.is_empty() => Ok(None),
            Some(Value::String(s)) => serde_json::from_str(s).map(Some).map_err(|_| ApiError::new(error)),
            Some(other) => Ok(Some(other.clone())),
        }
    }
}
