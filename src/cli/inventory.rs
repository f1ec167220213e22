//! The accounts as they are now, for subcommands that look and send nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use indicatif::ProgressBar;

use crate::adapters::aws::Aws;
use crate::adapters::clock::SystemClock;
use crate::config::Config;
use crate::domain::{Selector, Snapshot};
use crate::engine::cloud::Limited;
use crate::engine::limits::{Limits, Rate};
use crate::engine::planner::{self, Progress};
use crate::ports::{Clock, Inventory};

/// Progress is drawn anew this often.
const LOOK_EVERY: Duration = Duration::from_millis(120);

/// Reads with the configured roles, at the configured pace.
pub(super) async fn connect(config: &Config) -> (Arc<dyn Inventory>, Arc<dyn Clock>) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rate = Rate { per_second: config.aws.reads_per_second, burst: 3 };
    let limits = Arc::new(Limits::new(rate));
    let aws = Aws::connect_paced(super::setup::aws_settings(config), clock.clone(), limits.clone()).await;
    let inner: Arc<dyn Inventory> = Arc::new(aws);
    (Arc::new(Limited { limits, inner }), clock)
}

/// What `selector` can match, with its progress on standard error.
pub(super) async fn read(config: &Config, selector: &Selector) -> Snapshot {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (inventory, _) = connect(config).await;
    let progress = Arc::new(Progress::default());
    let shown = show(progress.clone());
    let accounts = inventory.accounts().await;
    let snapshot = planner::read(inventory, accounts, selector, progress).await;
    shown.end();
    snapshot
}

/// Says on standard error, while the inventory is read, how much of it has been; until it is ended.
pub(super) fn show(progress: Arc<Progress>) -> Shown {
    let bar = super::terminal::progress("reading the inventory");
    let shown = bar.clone();
    let task = tokio::spawn(async move {
        loop {
            shown.set_length(progress.of.load(Ordering::Relaxed) as u64);
            shown.set_position(progress.read.load(Ordering::Relaxed) as u64);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    Shown { bar, task }
}

pub(super) struct Shown {
    bar: ProgressBar,
    task: tokio::task::JoinHandle<()>,
}

impl Shown {
    pub(super) fn end(self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
