//! Attachments, by the address that stands in their message. At Discord the address is signed; here it only has to name
//! the file.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::playground::discord::workspace::Workspace;

/// `GET /attachments/CHANNEL/FILE/NAME`, always as plain text: a file from a machine must never run in a page.
pub async fn attachment(
    State(workspace): State<Arc<Workspace>>,
    Path((_, id, _)): Path<(String, String, String)>,
) -> Response {
    let world = workspace.world();
    let Some(file) = world.files.get(&id) else { return StatusCode::NOT_FOUND.into_response() };
    let head = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
    ];
    (head, file.bytes.clone()).into_response()
}
