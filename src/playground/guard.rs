//! Who may use the page and the control interface: whoever knows the random token, from this machine's own pages.
//!
//! A page on the internet can make a browser send requests to 127.0.0.1. So the `Host` must be an address or
//! `localhost` (a foreign name means DNS rebinding), an `Origin`, where there is one, must be our own, and the token
//! comes in a header or in a cookie that other sites' requests do not carry (`SameSite=Lax`: a click on the address in
//! a web terminal still opens the page; `Strict` would lose the cookie on the way through the redirect).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The token and the cookie's name. Cookies are shared by all ports of a host, so the name carries the port.
#[derive(Debug)]
pub struct Guard {
    pub token: String,
    pub cookie: String,
}

impl Guard {
    pub fn new(token: String, port: u16) -> Arc<Self> {
        Arc::new(Self { token, cookie: format!("muster_playground_{port}") })
    }

    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let bearer = text(headers, header::AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer "));
        let cookies = text(headers, header::COOKIE).unwrap_or_default().split(';');
        let cookie = cookies.filter_map(|c| c.trim().split_once('=')).find(|(name, _)| *name == self.cookie);
        bearer.is_some_and(|t| same(t, &self.token)) || cookie.is_some_and(|(_, t)| same(t, &self.token))
    }
}

pub async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let refuse =
        |what: &str| (StatusCode::FORBIDDEN, axum::Json(json!({ "ok": false, "error": what }))).into_response();
    let host = text(headers, header::HOST).unwrap_or_default();
    if !local(host) {
        return refuse("this page answers to an address or `localhost` only, not to other host names");
    }
    if let Some(origin) = text(headers, header::ORIGIN)
        && origin != format!("http://{host}")
    {
        return refuse("the request comes from another site");
    }
    let query = request.uri().query().unwrap_or_default();
    if request.uri().path() == "/" {
        let given = super::http::form_pairs(query.as_bytes()).into_iter().find(|(name, _)| name == "token");
        if given.is_some_and(|(_, token)| same(&token, &guard.token)) {
            // The token leaves the address bar and the history.
            let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Lax", guard.cookie, guard.token);
            let head = [(header::SET_COOKIE, cookie), (header::LOCATION, "/".to_owned())];
            return (StatusCode::SEE_OTHER, head).into_response();
        }
    }
    if !guard.knows_token(headers) {
        return refuse("open the address that `muster playground` printed: it carries the token");
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// `localhost` or an IP address, with or without a port.
fn local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

/// Takes the same time wherever the first difference is.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |seen, (x, y)| seen | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_our_names() {
        for host in ["127.0.0.1:8080", "localhost:1", "[::1]:8080", "192.168.1.4"] {
            assert!(local(host), "{host}");
        }
        for host in ["", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"] {
            assert!(!local(host), "{host}");
        }
    }
}
