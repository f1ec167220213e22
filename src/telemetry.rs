//! Logs and metrics of the process.
//!
//! The names of the metrics stand here: counters are `muster_…_total`. Logs go to standard error as
//! lines, or as JSON with `MUSTER_LOG_FORMAT=json`; `MUSTER_LOG` filters them as `RUST_LOG` would.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

/// HTTP requests that left for AWS, by operation.
pub const AWS_CALLS: &str = "muster_aws_calls_total";
/// Requests that AWS throttled, by operation.
pub const AWS_THROTTLED: &str = "muster_aws_throttled_total";
/// Calls in a second that AWS is asked at most, by operation, account and region: only where it has throttled, from then
/// on. STS is asked for all accounts together, so its account is `all`.
pub const AWS_RATE: &str = "muster_aws_calls_per_second_max";
/// Commands that AWS held twice for one send, found and cancelled. Anything but 0 is an alarm.
pub const DOUBLE_SENDS: &str = "muster_double_sends_total";
/// 1 while the runbooks or policies on the disk are not valid, so that those before stay in force.
pub const RULES_STALE: &str = "muster_rules_stale";
/// 1 while everything is halted.
pub const HALTED: &str = "muster_halted";
/// Runs that are held whole; the others are read back from the journal when somebody asks.
pub const RUNS_IN_MEMORY: &str = "muster_runs_in_memory";

/// Libraries that would print bodies or addresses with tickets in them are held at a level that does not.
const QUIET: &str = "warn,muster=info,sled=warn";
const CAPPED: &[&str] = &[
    "slack_morphism",
    "hyper",
    "reqwest",
    "serenity",
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
