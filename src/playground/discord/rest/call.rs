//! One call as it came: method, path, query, and a body of JSON or of a form with files.

use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{Method, header};
use serde_json::Value;

use super::refused::Refused;
use crate::playground::http::form_pairs;

/// Of a whole request.
const BODY_MAX: usize = 25 * 1024 * 1024;
/// Of one file, for a guild without boosts; told in every interaction as `attachment_size_limit`.
pub const FILE_MAX: usize = 10 * 1024 * 1024;

#[derive(Debug)]
pub struct Upload {
    /// The `n` of `files[n]`, by which `attachments` in the body names it.
    pub index: String,
    pub name: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub struct Call {
    pub method: Method,
    /// The path behind the version, cut at its slashes.
    pub path: Vec<String>,
    query: Vec<(String, String)>,
    /// `null` if there was none.
    pub body: Value,
    pub files: Vec<Upload>,
}

impl Call {
    pub async fn read(request: Request, path: Vec<String>) -> Result<Self, Refused> {
        let method = request.method().clone();
        let query = form_pairs(request.uri().query().unwrap_or_default().as_bytes());
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let mut call = Self { method, path, query, body: Value::Null, files: Vec::new() };
        if kind.starts_with("multipart/form-data") {
            call.read_form(request).await?;
            return Ok(call);
        }
        let is_json = kind.starts_with("application/json");
        let too_large = |_| Refused::code(40005);
        let bytes: Bytes = axum::body::to_bytes(request.into_body(), BODY_MAX).await.map_err(too_large)?;
        if !bytes.is_empty() {
            if !is_json {
                return Err(Refused::code(50035));
            }
            call.body = serde_json::from_slice(&bytes).map_err(|_| Refused::code(50109))?;
        }
        Ok(call)
    }

    async fn read_form(&mut self, request: Request) -> Result<(), Refused> {
        let broken = || Refused::code(50035);
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| broken())?;
        let mut total = 0;
        while let Some(field) = form.next_field().await.map_err(|_| broken())? {
            let name = field.name().unwrap_or_default().to_owned();
            let file = field.file_name().map(str::to_owned);
            let bytes = field.bytes().await.map_err(|_| Refused::code(40005))?;
            total += bytes.len();
            if bytes.len() > FILE_MAX || total > BODY_MAX {
                return Err(Refused::code(40005));
            }
            if name == "payload_json" {
                self.body = serde_json::from_slice(&bytes).map_err(|_| Refused::code(50109))?;
            } else if let Some(file) = file {
                let index = name.trim_start_matches("files[").trim_end_matches(']').to_owned();
                self.files.push(Upload { index, name: file, bytes: bytes.to_vec() });
            }
        }
        Ok(())
    }

    /// The part of the path at this place; the routes have made sure that it is there.
    pub fn part(&self, at: usize) -> &str {
        self.path.get(at).map_or("", String::as_str)
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn flag(&self, name: &str) -> bool {
        self.query(name).is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1")
    }
}
