//! A refusal in Discord's shape: status, code, message and, for a body that does not fit, what is wrong where.
//!
//! Source: Discord's reference, "Error Messages" and "JSON Error Codes".

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct Refused {
    pub status: StatusCode,
    pub code: u32,
    message: String,
    errors: Option<Value>,
    retry_after: Option<f64>,
}

/// The codes that this simulation gives, with their status and words.
const CODES: &[(u32, u16, &str)] = &[
    (10003, 404, "Unknown Channel"),
    (10004, 404, "Unknown Guild"),
    (10007, 404, "Unknown Member"),
    (10008, 404, "Unknown Message"),
    (10011, 404, "Unknown Role"),
    (10013, 404, "Unknown User"),
    (10015, 404, "Unknown Webhook"),
    (10062, 404, "Unknown interaction"),
    (10063, 404, "Unknown application command"),
    (20028, 429, "The write action you are performing on the channel has hit the write rate limit"),
    (30032, 400, "Maximum number of application commands reached (100)"),
    (30033, 400, "Maximum number of thread participants reached (1000)"),
    (30034, 429, "Maximum number of daily application command creates has been reached (200)"),
    (40005, 413, "Request entity too large"),
    (40060, 400, "Interaction has already been acknowledged."),
    (50001, 403, "Missing Access"),
    (50003, 403, "Cannot execute action on a DM channel"),
    (50005, 403, "Cannot edit a message authored by another user"),
    (50006, 400, "Cannot send an empty message"),
    (50007, 403, "Cannot send messages to this user"),
    (50013, 403, "Missing Permissions"),
    (50024, 400, "Cannot execute action on this channel type"),
    (50027, 401, "Invalid Webhook Token"),
    (50035, 400, "Invalid Form Body"),
    (50041, 400, "Invalid API version"),
    (50083, 400, "Thread is archived"),
    (50109, 400, "The request body contains invalid JSON."),
    (130_000, 503, "API resource is currently overloaded. Try again a little later"),
    (160_002, 400, "Cannot reply without permission to read message history"),
    (160_004, 400, "A thread has already been created for this message"),
    (160_005, 400, "Thread is locked"),
];

impl Refused {
    /// One of Discord's codes.
    pub fn code(code: u32) -> Self {
        let known = CODES.iter().find(|(known, ..)| *known == code);
        let (status, message) = known.map_or((400, "Unknown Error"), |(_, status, message)| (*status, *message));
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, code, message: message.to_owned(), errors: None, retry_after: None }
    }

    /// A refusal without a code of its own: `401: Unauthorized`.
    pub fn status(status: StatusCode) -> Self {
        let message = format!("{}: {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        Self { status, code: 0, message, errors: None, retry_after: None }
    }

    /// What this simulation does not know, though Discord does.
    pub fn not_simulated(what: &str) -> Self {
        let message = format!("{what} is not simulated");
        Self { status: StatusCode::NOT_IMPLEMENTED, code: 0, message, errors: None, retry_after: None }
    }

    pub fn rate_limited(retry_after: f64) -> Self {
        let message = "You are being rate limited.".to_owned();
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { status, code: 0, message, errors: None, retry_after: Some(retry_after) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut body = json!({ "message": self.message, "code": self.code });
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        let Some(retry_after) = self.retry_after else { return (self.status, axum::Json(body)).into_response() };
        body = json!({ "message": self.message, "retry_after": retry_after, "global": false });
        let head = [
            (header::RETRY_AFTER.as_str(), (retry_after.ceil() as u64).to_string()),
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset-after", format!("{retry_after:.3}")),
            ("x-ratelimit-scope", "user".to_owned()),
        ];
        (self.status, head, axum::Json(body)).into_response()
    }
}

/// What is wrong in a body, each with its path (`embeds/0/title`), Discord's name for it and its words.
#[derive(Debug, Default)]
pub struct Wrong {
    found: Vec<(String, &'static str, String)>,
}

impl Wrong {
    pub fn at(&mut self, path: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.found.push((path.into(), code, message.into()));
    }

    pub fn required(&mut self, path: impl Into<String>) {
        self.at(path, "BASE_TYPE_REQUIRED", "This field is required");
    }

    /// A text from `min` to `max` characters. A missing one is wrong if `min` is not 0.
    pub fn text(&mut self, value: &Value, path: impl Into<String>, min: usize, max: usize) {
        match value {
            Value::Null if min == 0 => {}
            Value::Null => self.required(path),
            Value::String(text) => {
                let length = text.chars().count();
                if length < min && length == 0 {
                    self.required(path);
                } else if length < min || (length > max && min > 0) {
                    self.at(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
                } else if length > max {
                    self.at(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
                }
            }
            other => self.at(path, "STRING_TYPE_CONVERT", format!("Could not interpret \"{other}\" as string.")),
        }
    }

    /// A list of `min` to `max` things; what is in it.
    pub fn list<'a>(&mut self, value: &'a Value, path: &str, min: usize, max: usize) -> &'a [Value] {
        match value {
            Value::Null => {
                if min > 0 {
                    self.required(path);
                }
                &[]
            }
            Value::Array(items) => {
                if items.len() < min || (items.len() > max && min > 0) {
                    self.at(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
                } else if items.len() > max {
                    self.at(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
                }
                items
            }
            _ => {
                self.at(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
                &[]
            }
        }
    }

    /// A whole number from `min` to `max`, if it is there.
    pub fn number(&mut self, value: &Value, path: impl Into<String>, min: i64, max: i64) {
        match (value, value.as_i64()) {
            (Value::Null, _) => {}
            (_, None) => self.at(path, "NUMBER_TYPE_COERCE", format!("Value {value} is not int.")),
            (_, Some(n)) if n < min => {
                self.at(path, "NUMBER_TYPE_MIN", format!("int value should be greater than or equal to {min}."));
            }
            (_, Some(n)) if n > max => {
                self.at(path, "NUMBER_TYPE_MAX", format!("int value should be less than or equal to {max}."));
            }
            _ => {}
        }
    }

    /// One of these numbers.
    pub fn choice(&mut self, value: &Value, path: impl Into<String>, known: &[u64]) {
        if !value.as_u64().is_some_and(|v| known.contains(&v)) {
            let known: Vec<String> = known.iter().map(u64::to_string).collect();
            let message = format!("Value must be one of {{{}}}.", known.join(", "));
            self.at(path, "BASE_TYPE_CHOICES", message);
        }
    }

    pub fn object(&mut self, value: &Value, path: impl Into<String>) -> bool {
        if value.is_object() {
            return true;
        }
        self.at(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
        false
    }

    /// `Err` with everything that was found, under 50035.
    pub fn refuse(self) -> Result<(), Refused> {
        if self.found.is_empty() {
            return Ok(());
        }
        let mut errors = json!({});
        for (path, code, message) in self.found {
            let place = path.split('/').filter(|part| !part.is_empty()).fold(&mut errors, |at, part| &mut at[part]);
            if !place["_errors"].is_array() {
                place["_errors"] = json!([]);
            }
            if let Some(list) = place["_errors"].as_array_mut() {
                list.push(json!({ "code": code, "message": message }));
            }
        }
        Err(Refused { errors: Some(errors), ..Refused::code(50035) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_at_its_path() {
        let mut wrong = Wrong::default();
        wrong.text(&json!("x".repeat(2001)), "content", 0, 2000);
        wrong.text(&Value::Null, "embeds/0/fields/1/name", 1, 256);
        let errors = wrong.refuse().unwrap_err().errors.unwrap();
        assert_eq!(
            errors,
            json!({
                "content": { "_errors": [{ "code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length." }] },
                "embeds": { "0": { "fields": { "1": { "name": { "_errors": [
                    { "code": "BASE_TYPE_REQUIRED", "message": "This field is required" }] } } } } },
            })
        );
    }
}
