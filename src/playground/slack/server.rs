//! Starts the workspace on one address: Web API, sockets, uploads, response URLs, page and control interface.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::faults::{Faults, Plant};
use super::workspace::{Settings, Workspace};
use super::{APP_TOKEN, BOT_TOKEN, control, response_url, web_api};
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
    /// The control interface of a simulated organisation that the page shows beside the workspace.
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

/// A running workspace. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    pub addr: SocketAddr,
    /// `http://127.0.0.1:PORT/api`: what a bot calls in place of `https://slack.com/api`.
    pub api_url: String,
    /// Opens the page and the control interface.
    pub control_token: String,
    pub app_token: String,
    pub bot_token: String,
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
            api_url: format!("{base}/api"),
            control_token,
            app_token: APP_TOKEN.to_owned(),
            bot_token: BOT_TOKEN.to_owned(),
            workspace,
            task,
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        self.api_url.trim_end_matches("/api").to_owned()
    }

    /// The address for a browser; it carries the token.
    pub fn page_url(&self) -> String {
        format!("{}/?token={}", self.base_url(), self.control_token)
    }

    /// Stops accepting and cuts the sockets.
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
        .route("/api/{method}", any(web_api::call))
        .route("/link/", get(link))
        .route("/upload/v1/{key}", post(web_api::upload))
        .route("/files-pri/{*path}", get(web_api::download))
        .route("/commands/{team}/{key}", post(response_url::answer))
        .route("/actions/{team}/{key}", post(response_url::answer))
        .route("/app/{team}/{key}", post(response_url::answer))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .with_state(workspace)
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    ticket: String,
}

/// The websocket behind the address that `apps.connections.open` returned.
async fn link(
    State(workspace): State<Arc<Workspace>>,
    Query(link): Query<Link>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Browsers send an origin; apps do not.
    if headers.contains_key(header::ORIGIN) && headers.contains_key(header::COOKIE) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if workspace.world().faults.down() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !workspace.hub.redeem(&link.ticket) {
        return (StatusCode::UNAUTHORIZED, "the ticket is used, old or unknown; ask apps.connections.open")
            .into_response();
    }
    upgrade.on_upgrade(move |socket| workspace.serve_socket(socket))
}
