//! How AWS says no, in the form of the protocol that asked.
//!
//! SSM and Organizations speak JSON, STS the query protocol's XML, EC2 and S3 an XML of their own.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::xml::escape;

/// A refusal in AWS's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Refusal {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Refusal { status, code: code.to_owned(), message: message.into() }
    }
    /// One or more violated constraints, in AWS's wording.
    pub fn constraints(code: &str, faults: &[String]) -> Self {
        let count = faults.len();
        let plural = if count == 1 { "error" } else { "errors" };
        Refusal::new(400, code, format!("{count} validation {plural} detected: {}", faults.join("; ")))
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Stop {
    Refused(Refusal),
    /// The connection is closed without an answer (fault `lost-answer`).
    Lost,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Json,
    Query,
    Ec2,
    S3,
}

/// An answer of any of the services.
#[derive(Debug)]
pub enum Reply {
    Json(Value),
    Xml(String),
    Object(Object),
}

/// Of an object of S3.
#[derive(Debug)]
pub struct Object {
    pub bytes: Vec<u8>,
    /// `Content-Range`, where a part was asked for.
    pub range: Option<String>,
}

/// A text of the form of an AWS request id.
#[must_use]
pub fn request_id() -> String {
    uuid(rand::random())
}

/// A version 4 UUID from random bits.
#[must_use]
pub fn uuid(bits: u128) -> String {
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

pub fn render(result: Result<Reply, Refusal>, protocol: Protocol, date: &str) -> Response<Body> {
    let id = request_id();
    let mut range = None;
    let (status, kind, body) = match result {
        Ok(Reply::Object(object)) => {
            range = object.range;
            let status = if range.is_some() { 206 } else { 200 };
            (status, "binary/octet-stream", object.bytes)
        }
        Ok(Reply::Json(value)) => (200, "application/x-amz-json-1.1", value.to_string().into_bytes()),
        Ok(Reply::Xml(text)) => (200, "text/xml;charset=UTF-8", text.replace("{request-id}", &id).into_bytes()),
        Err(refusal) => match protocol {
            Protocol::Json => (
                refusal.status,
                "application/x-amz-json-1.1",
                json!({"__type": refusal.code, "message": refusal.message}).to_string().into_bytes(),
            ),
            Protocol::Query => (
                refusal.status,
                "text/xml",
                format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>{}</Code>\n    <Message>{}</Message>\n  </Error>\n  <RequestId>{id}</RequestId>\n</ErrorResponse>\n",
                    escape(&refusal.code),
                    escape(&refusal.message)
                )
                .into_bytes(),
            ),
            Protocol::S3 => (
                refusal.status,
                "application/xml",
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>{id}</RequestId><HostId>playground</HostId></Error>",
                    escape(&refusal.code),
                    escape(&refusal.message)
                )
                .into_bytes(),
            ),
            Protocol::Ec2 => (
                refusal.status,
                "text/xml;charset=UTF-8",
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{id}</RequestID></Response>",
                    escape(&refusal.code),
                    escape(&refusal.message)
                )
                .into_bytes(),
            ),
        },
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    let range = range.as_deref().map(|range| ("content-range", range));
    for (name, value) in [("x-amzn-requestid", id.as_str()), ("date", date)].into_iter().chain(range) {
        if let Ok(value) = header::HeaderValue::from_str(value) {
            headers.insert(header::HeaderName::from_static(name), value);
        }
    }
    response
}
