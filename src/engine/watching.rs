//! Reading what became of one command or automation, and turning it into reports.
//!
//! One list of invocations answers for fifty nodes with exit code and output. Nothing is read per node, except the
//! full text of a few outputs that SSM cut, and what an automation's steps gave out where the step extracts from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{AccountId, CommandId, NodeId, Outcome, Region};
use crate::ports::{Invocation, InvocationStatus, Service};
use crate::run::{Input, NodeReport, SendState};
use crate::runbook::{Action, Step};

use super::fetching::Whole;
use super::reports::report;
use super::runner::Handle;
use super::whole::Results;
use super::{Services, sending};

/// SSM shows a result about this long after a quick script ended.
const FIRST_LOOK: Duration = Duration::from_millis(700);
/// The longest pause between two looks at one command.
const LOOK_AFTER_MAX: Duration = Duration::from_secs(10);
/// After SSM's own deadlines, and all the reboots that a step may take: what has no end by then is told as unknown.
const GRACE: Duration = Duration::from_secs(60);
/// Results that cannot be read are tried for so long after the deadline.
const READ_FOR: Duration = Duration::from_secs(30 * 60);
/// The longest execution that SSM knows.
const DOCUMENT_MAX: Duration = Duration::from_secs(48 * 3600);

/// What one look needs to know of the command.
pub(super) struct Watched {
    pub account: AccountId,
    pub region: Region,
    pub service: Service,
    pub command: CommandId,
    /// Node to its index in the plan.
    pub nodes: BTreeMap<NodeId, u32>,
    pub step: Step,
    /// Values of this step on which it depends whether a node takes a later one.
    pub needed: BTreeSet<String>,
    /// The step runs a named document, which has its own time limits.
    is_document: bool,
    /// After so long SSM itself has given up on every node, and then some.
    limit: Duration,
    /// By AWS's clock the latest time at which it can have taken the command.
    taken_by: jiff::Timestamp,
    /// When this process began to look.
    since: tokio::time::Instant,
}

impl Watched {
    /// SSM gave up so long ago. Told by the time that this process has watched, which nobody sets, or by AWS's clock: what
    /// an earlier process sent was taken within its request's expiry.
    fn is_past(&self, now: jiff::Timestamp, by: Duration) -> bool {
        let limit = self.limit + by;
        let span = jiff::SignedDuration::try_from(limit).unwrap_or(jiff::SignedDuration::MAX);
        self.since.elapsed() >= limit || now >= self.taken_by.saturating_add(span).unwrap_or(jiff::Timestamp::MAX)
    }
}

/// Reads results until every target of the send has one.
pub async fn watch(services: &Arc<Services>, handle: &Handle, shard: u32, step: u32, send: u32) {
    let Some((watched, mut reported)) = handle.read(|run| {
        let plan = &run.proposal.plan;
        let place = &plan.shards[shard as usize];
        let progress = &run.shards[shard as usize];
        let SendState::Sent { command, targets, signed_at, .. } = &progress.state else { return None };
        if progress.step != step || progress.sends != send {
            return None;
        }
        let definition = plan.step(step)?.clone();
        let limit = definition.longest().std() + GRACE;
        let later = plan.steps.iter().skip(step as usize + 1);
        let conditions = later.flat_map(|later| later.when.keys().chain(later.unless.keys()));
        let needed = conditions.filter(|name| definition.extract.contains_key(*name)).cloned().collect();
        let node_of = |t: u32| plan.targets[t as usize].target.node.clone();
        // By an earlier life of this process.
        let has_report =
            |t: &u32| run.targets.get(*t as usize).is_some_and(|s| s.reports.iter().any(|(n, _)| *n == step));
        let reported: BTreeSet<NodeId> = targets.iter().filter(|t| has_report(t)).map(|t| node_of(*t)).collect();
        let watched = Watched {
            account: place.account.clone(),
            region: place.region.clone(),
            service: sending::work(&definition.action).service(),
            command: command.clone(),
            nodes: targets.iter().map(|t| (node_of(*t), *t)).collect(),
            needed,
            is_document: matches!(definition.action, Action::Document { .. } | Action::Automation { .. }),
            step: definition,
            limit,
            taken_by: signed_at.saturating_add(services.settings.settle_after()).unwrap_or(jiff::Timestamp::MAX),
            since: tokio::time::Instant::now(),
        };
        Some((watched, reported))
    }) else {
        return;
    };
    let mut pause = FIRST_LOOK;
    let mut news = tokio::time::Instant::now();
    let mut whole = Whole::new(services, handle, &watched);
    let mut late_before = false;
    loop {
        tokio::time::sleep(pause).await;
        // In step with how long nothing has ended: a result is at most half as late as it took to come.
        pause = (news.elapsed() / 2).clamp(FIRST_LOOK, LOOK_AFTER_MAX);
        let now = services.cloud.aws_now();
        let mut late = watched.is_past(now, Duration::ZERO);
        match services.cloud.invocations(&watched.account, &watched.region, watched.service, &watched.command).await {
            Ok(invocations) => {
                // A document has time limits of its own, which SSM keeps; while it says that a node runs, it does.
                let running = invocations.iter().any(|i| i.status == InvocationStatus::Running);
                late &= !(watched.is_document && running && !watched.is_past(now, DOCUMENT_MAX));
                let mut ended: Vec<Invocation> = invocations
                    .into_iter()
                    .filter(|i| i.status != InvocationStatus::Running && !reported.contains(&i.node))
                    .filter(|i| watched.nodes.contains_key(&i.node))
                    .collect();
                ended.sort_by_key(|i| (i.status == InvocationStatus::Success, i.node.clone()));
                let running = reported.len() + ended.len() < watched.nodes.len();
                let results = Results { ended: &ended, step: &watched.step, running };
                let mut batches = whole.batches(&results);
                // Where outputs could not be stored for so long, the ends are told without them.
                let without_output = watched.is_past(now, READ_FOR);
                while let Some(batch) = batches.next().await {
                    let mut results = Vec::with_capacity(batch.len());
                    for (invocation, whole) in batch {
                        match report(services, handle.id, &watched, &invocation, whole.as_ref(), without_output).await {
                            Ok(report) => results.push(report),
                            Err(fault) => {
                                late = false;
                                batches.keep(&invocation.node, whole);
                                tracing::error!(run = %handle.id, %fault, "an output could not be stored; it is read again");
                            }
                        }
                    }
                    if results.is_empty() {
                        continue;
                    }
                    news = tokio::time::Instant::now();
                    pause = FIRST_LOOK;
                    let told: BTreeSet<u32> = results.iter().map(|r| r.target).collect();
                    let _ = handle.input(Input::Reported { shard, step, results }).await;
                    reported
                        .extend(watched.nodes.iter().filter(|(_, t)| told.contains(t)).map(|(node, _)| node.clone()));
                }
            }
            Err(fault) => {
                // SSM has the results: a failed read is no reason to call them unknown, for half an hour.
                late &= watched.is_past(now, READ_FOR);
                tracing::warn!(run = %handle.id, shard, %fault, "results could not be read; trying again");
            }
        }
        let missing: Vec<u32> = watched.nodes.iter().filter(|(n, _)| !reported.contains(*n)).map(|(_, t)| *t).collect();
        if missing.is_empty() {
            return;
        }
        // The host's clock may have been set since AWS last corrected it: only two looks in a row show that it is late.
        if late && late_before {
            let cause = "SSM told no end for it within its own deadlines; look at the node before you run it again";
            let unknown = |target| NodeReport {
                target,
                outcome: Outcome::Unknown,
                cause: Some(cause.to_owned()),
                ..NodeReport::blank(target)
            };
            let results = missing.into_iter().map(unknown).collect();
            let _ = handle.input(Input::Reported { shard, step, results }).await;
            return;
        }
        late_before = late;
    }
}
