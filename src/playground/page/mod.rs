//! The page on which a person plays with the workspace: plain HTML, style and script, embedded in the binary.
//!
//! It has no privilege: everything it does goes through `/play/v1/`. Its policy allows scripts and styles from here
//! only, so that text from machines cannot become a program even if escaping failed.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

fn serve(kind: &'static str, text: &'static str) -> Response {
    let head = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (head, text).into_response()
}

pub async fn index() -> Response {
    serve("text/html; charset=utf-8", include_str!("index.html"))
}

pub async fn file(Path(name): Path<String>) -> Response {
    let (script, style) = ("text/javascript; charset=utf-8", "text/css; charset=utf-8");
    match name.as_str() {
        "style.css" => serve(style, include_str!("style.css")),
        "discord.css" => serve(style, include_str!("discord.css")),
        "parts.css" => serve(style, include_str!("parts.css")),
        "app.js" => serve(script, include_str!("app.js")),
        "blocks.js" => serve(script, include_str!("blocks.js")),
        "composer.js" => serve(script, include_str!("composer.js")),
        "discord.js" => serve(script, include_str!("discord.js")),
        "dom.js" => serve(script, include_str!("dom.js")),
        "fields.js" => serve(script, include_str!("fields.js")),
        "messages.js" => serve(script, include_str!("messages.js")),
        "modal.js" => serve(script, include_str!("modal.js")),
        "world.js" => serve(script, include_str!("world.js")),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
