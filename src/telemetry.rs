//! Logs and metrics of the process.
//!
//! Counters, all named `muster_…_total`: what is counted is named where it is counted. Logs go to standard error as
//! lines, or as JSON with `MUSTER_LOG_FORMAT=json`; `MUSTER_LOG` filters them as `RUST_LOG` would.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

/// Libraries that would print bodies or addresses with tickets in them are held at a level that does not.
const QUIET: &str = "warn,muster=info,sled=warn";
const CAPPED: &[&str] = &[
    "slack_morphism",
    "hyper",
    "tungstenite",
    "tokio_tungstenite",
    "aws_smithy_runtime",
    "aws_sdk",
    "rustls",
    "sled",
    "aws_config",
];

/// Starts logging. A second call does nothing.
pub fn log(default: Option<&str>) {
    let wanted = std::env::var("MUSTER_LOG").ok();
    let mut filter =
        EnvFilter::try_new(wanted.as_deref().or(default).unwrap_or(QUIET)).unwrap_or_else(|_| EnvFilter::new(QUIET));
    for library in CAPPED {
        if let Ok(directive) = format!("{library}=warn").parse() {
            filter = filter.add_directive(directive);
        }
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let _ = if std::env::var("MUSTER_LOG_FORMAT").is_ok_and(|f| f == "json") {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
}

/// Serves the metrics in Prometheus text form on `listen`.
///
/// # Errors
/// If the address cannot be bound; one sentence.
pub fn metrics(listen: SocketAddr) -> Result<(), String> {
    metrics_exporter_prometheus::PrometheusBuilder::new()
        .with_http_listener(listen)
        .install()
        .map_err(|fault| format!("metrics cannot be served on {listen}: {fault}"))
}
