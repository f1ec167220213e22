//! The control interface: plant faults, and ask what is there and what really happened.
//!
//! `POST /play/v1/faults`, `GET /play/v1/{faults,nodes,accounts,sends,executions,calls,revision}`. A bearer token
//! guards it where one is set, and the Host header must be a local one, so that no web page can reach it by another
//! name. `GET revision?after=N` waits until something has changed since revision N, at most 10 s.

use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::faults::FaultSpec;
use super::organisation::{World, lock};

/// How long `revision` waits for news.
const NEWS_WAIT: Duration = Duration::from_secs(10);

/// Like [`answer`], but `revision?after=N` waits for a later one.
pub(super) async fn answer_in_time(world: &World, parts: &Parts, body: &[u8]) -> Response<Body> {
    let after = parts.uri.query().and_then(|q| q.strip_prefix("after=")?.parse::<u64>().ok());
    if let (Some(after), "/play/v1/revision") = (after, parts.uri.path())
        && answer(world, parts, body).status() == StatusCode::OK
    {
        let mut news = lock(&world.log).news();
        // Without news in time the old revision is the answer.
        let _ = tokio::time::timeout(NEWS_WAIT, news.wait_for(|now| *now > after)).await;
    }
    answer(world, parts, body)
}

pub(super) fn answer(world: &World, parts: &Parts, body: &[u8]) -> Response<Body> {
    let (status, value) = route(world, parts, body);
    let mut response = Response::new(Body::from(format!("{value}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn route(world: &World, parts: &Parts, body: &[u8]) -> (StatusCode, Value) {
    let fault = |status, what: &str| (status, json!({"fault": what}));
    let text = |name| parts.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default();
    if !local(text(header::HOST)) {
        return fault(StatusCode::FORBIDDEN, "the Host header is not a local address");
    }
    if let Some(token) = &world.settings.control_token
        && text(header::AUTHORIZATION).strip_prefix("Bearer ") != Some(token)
    {
        return fault(
            StatusCode::UNAUTHORIZED,
            "send `authorization: Bearer` with the control token of the start line",
        );
    }
    match (&parts.method, parts.uri.path()) {
        (&Method::POST, "/play/v1/faults") => match serde_json::from_slice::<FaultSpec>(body) {
            Err(e) => fault(StatusCode::BAD_REQUEST, &e.to_string()),
            Ok(spec) => match world.plant(spec) {
                Err(e) => fault(StatusCode::BAD_REQUEST, &e.to_string()),
                Ok(()) => (StatusCode::OK, json!({"faults": lock(&world.faults).all()})),
            },
        },
        (&Method::GET, "/play/v1/faults") => (StatusCode::OK, json!({"faults": lock(&world.faults).all()})),
        (&Method::GET, "/play/v1/nodes") => (StatusCode::OK, json!({"nodes": nodes(world)})),
        (&Method::GET, "/play/v1/accounts") => (StatusCode::OK, json!({"accounts": accounts(world)})),
        (&Method::GET, "/play/v1/sessions") => (StatusCode::OK, json!({"sessions": lock(&world.log).sessions()})),
        (&Method::GET, "/play/v1/sends") => (StatusCode::OK, json!({"sends": lock(&world.log).sends()})),
        (&Method::GET, "/play/v1/executions") => (StatusCode::OK, json!({"executions": lock(&world.log).executions()})),
        (&Method::GET, "/play/v1/calls") => (StatusCode::OK, json!({"calls": lock(&world.log).calls()})),
        (&Method::GET, "/play/v1/revision") => (StatusCode::OK, json!({"revision": *lock(&world.log).news().borrow()})),
        _ => fault(
            StatusCode::NOT_FOUND,
            "there are faults, nodes, accounts, sessions, sends, executions, calls and revision under /play/v1/",
        ),
    }
}

fn local(host: &str) -> bool {
    let name = host
        .strip_prefix('[')
        .and_then(|h| h.split_once(']'))
        .map_or_else(|| host.split(':').next().unwrap_or_default(), |(name, _)| name);
    ["127.0.0.1", "localhost", "::1"].contains(&name)
}

fn nodes(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for ((account, region), cell) in &world.cells {
        let name = world.member(account).map(|m| m.name.as_str());
        all.extend(lock(cell).machines.iter().map(|m| {
            json!({
                "account": account,
                "account_name": name,
                "region": region,
                "node": m.id.as_str(),
                "name": m.name,
                "tags": m.tags,
                "platform": m.platform.as_str(),
                "agent_version": m.agent_version,
                "managed": m.managed,
                "online": m.online,
                "state": super::ec2::state(m).1,
                "boots": m.boots,
                "condition": {
                    "root_used": m.condition.root_used,
                    "var_used": m.condition.var_used,
                    "unit": m.condition.unit,
                    "failed": m.condition.failed,
                },
            })
        }));
    }
    all
}

fn accounts(world: &World) -> Vec<Value> {
    let account = |m: &super::generate::Member| {
        json!({
            "id": m.id.as_str(),
            "name": m.name,
            "role": m.role_arn,
            "regions": m.regions,
            "labels": m.labels,
            "configured": m.configured,
        })
    };
    world.members.iter().map(account).collect()
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_local_names_reach_the_control_interface() {
        for good in ["127.0.0.1:8080", "localhost", "[::1]:9", "localhost:1"] {
            assert!(local(good), "{good}");
        }
        for bad in ["", "example.com", "127.0.0.1.example.com:80", "localhost.example", "[::2]:9"] {
            assert!(!local(bad), "{bad}");
        }
    }
}
