//! Starts the guilds on one address: REST, gateway, attachments, page and control interface.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::faults::{Faults, Plant};
use super::workspace::{Settings, Workspace};
use super::{APPLICATION, BOT_TOKEN, FOREIGN_GUILD, GUILD, control, rest};
use crate::playground::guard::{self, Guard};
use crate::playground::http::{Address, Http};
use crate::playground::page;

#[derive(Debug, Clone)]
pub struct Options {
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Faults planted from the start, by name.
    pub breaks: Vec<String>,
    pub settings: Settings,
    /// The control interface of a simulated organisation that the page shows beside the guild.
    pub organisation: Option<Address>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            breaks: Vec::new(),
            settings: Settings::default(),
            organisation: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error("cannot listen on `{address}`: {cause}; choose another address with `--listen`, port 0 takes any free one")]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error("{0}")]
    Break(String),
}

/// A running simulation. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    pub addr: SocketAddr,
    base: String,
    /// Opens the page and the control interface.
    pub control_token: String,
    pub bot_token: String,
    pub application_id: String,
    pub guild_id: String,
    /// Another guild that the bot is in.
    pub foreign_guild_id: String,
    pub workspace: Arc<Workspace>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(options: Options) -> Result<Self, StartFault> {
        let mut faults = Faults::default();
        for name in options.breaks {
            faults.plant(Plant { name, ..Plant::default() }).map_err(StartFault::Break)?;
        }
        let listening = |cause| StartFault::Listen { address: options.listen, cause };
        let listener = TcpListener::bind(options.listen).await.map_err(listening)?;
        let addr = listener.local_addr().map_err(listening)?;
        let ip = if addr.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { addr.ip() };
        let base = format!("http://{}", SocketAddr::new(ip, addr.port()));
        let workspace = Workspace::new(options.settings, faults, base.clone(), options.organisation.map(Http::new));
        let control_token = format!("{:032x}", rand::random::<u128>());
        let app = router(Arc::clone(&workspace), Guard::new(control_token.clone(), addr.port()));
        let task = tokio::spawn(async move {
            // Accepting goes on after errors; it ends only with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            addr,
            base,
            control_token,
            bot_token: BOT_TOKEN.to_owned(),
            application_id: APPLICATION.to_owned(),
            guild_id: GUILD.to_owned(),
            foreign_guild_id: FOREIGN_GUILD.to_owned(),
            workspace,
            task,
        })
    }

    /// `http://127.0.0.1:PORT`: what a bot calls in place of `https://discord.com`.
    pub fn base_url(&self) -> String {
        self.base.clone()
    }

    /// The address for a browser; it carries the token.
    pub fn page_url(&self) -> String {
        format!("{}/?token={}", self.base, self.control_token)
    }

    /// Stops accepting and cuts the connections.
    pub fn stop(&self) {
        self.workspace.hub.cut();
        self.task.abort();
    }

    /// Runs until stopped.
    pub async fn wait(mut self) {
        // A cancelled task is the wanted end.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn router(workspace: Arc<Workspace>, guard: Arc<Guard>) -> Router {
    let guarded = Router::new()
        .route("/", get(page::index))
        .route("/page/{file}", get(page::file))
        .nest("/play/v1", control::router())
        .layer(middleware::from_fn_with_state(guard, guard::check));
    Router::new()
        .route("/api/{*path}", any(rest::call))
        .route("/gateway", get(gateway))
        .route("/gateway/", get(gateway))
        .route("/attachments/{channel}/{file}/{name}", get(rest::files::attachment))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .with_state(workspace)
}

#[derive(Deserialize)]
struct Version {
    v: Option<String>,
    encoding: Option<String>,
}

async fn gateway(
    State(workspace): State<Arc<Workspace>>,
    Query(version): Query<Version>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Browsers send an origin; bots do not.
    if headers.contains_key(header::ORIGIN) && headers.contains_key(header::COOKIE) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if workspace.world().faults.down() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if version.encoding.as_deref().is_some_and(|e| e != "json") {
        return (StatusCode::NOT_IMPLEMENTED, "only `encoding=json` is simulated").into_response();
    }
    if version.v.as_deref().is_some_and(|v| v != "10") {
        return upgrade.on_upgrade(|mut socket| async move {
            let frame = axum::extract::ws::CloseFrame { code: 4012, reason: "Invalid API version.".into() };
            let _ = socket.send(axum::extract::ws::Message::Close(Some(frame))).await;
        });
    }
    upgrade.on_upgrade(move |socket| workspace.serve_gateway(socket))
}
