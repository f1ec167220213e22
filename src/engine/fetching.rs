//! Reading whole what was chosen for it ([`super::whole`]), without holding up the rest.
//!
//! What needs no further read comes first. Then a few outputs are read at once, and each few are handed on as they come, so
//! that nobody waits for the last of them. A look spends a minute on this at most; what has not come by then is told as it
//! is, cut.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;

use crate::domain::NodeId;
use crate::ports::Invocation;

use super::Services;
use super::runner::Handle;
use super::watching::Watched;
use super::whole::{OF_COMMAND, Results};

/// Outputs that one command reads at once.
const AT_ONCE: usize = 8;
/// What one look spends on whole outputs at most.
const WITHIN: Duration = Duration::from_secs(60);

/// Invocations, each with its output as far as it was read beyond the list, and whether that is still cut.
pub(super) type Batch = Vec<(Invocation, Option<(String, bool)>)>;

/// Reads for one command, as long as it is watched.
pub(super) struct Whole<'a> {
    services: &'a Services,
    handle: &'a Handle,
    watched: &'a Watched,
    /// How many more SSM may be asked for.
    left: usize,
    /// What was read and could not be stored.
    kept: BTreeMap<NodeId, (String, bool)>,
}

impl<'a> Whole<'a> {
    pub fn new(services: &'a Services, handle: &'a Handle, watched: &'a Watched) -> Self {
        Whole { services, handle, watched, left: OF_COMMAND, kept: BTreeMap::new() }
    }

    /// All results of a look, in the order in which they are known.
    pub fn batches<'b>(&'b mut self, results: &'b Results<'b>) -> Batches<'a, 'b> {
        let mut chosen = self.handle.allowance().choose(results, &mut self.left);
        chosen.retain(|n| !self.kept.contains_key(&results.ended[*n].node));
        let rest: Vec<usize> = (0..results.ended.len()).filter(|n| !chosen.contains(n)).collect();
        let known = |n: usize| (results.ended[n].clone(), self.kept.remove(&results.ended[n].node));
        let first: Batch = rest.into_iter().map(known).collect();
        let first = (!first.is_empty()).then_some(first);
        Batches { whole: self, results, first, chosen, until: tokio::time::Instant::now() + WITHIN }
    }

    /// From the account's bucket where it has one, else from SSM; `None` where neither has more than the list.
    async fn read(&self, results: &Results<'_>, n: usize, left: &Mutex<usize>) -> Option<(String, bool)> {
        let (services, watched, invocation) = (self.services, self.watched, &results.ended[n]);
        if !invocation.objects.is_empty() {
            let streams = invocation.objects.len();
            if self.handle.allowance().reserve(streams) {
                let found = services.cloud.uploaded(&watched.account, invocation).await;
                self.handle.allowance().refund(streams, found.as_ref().map_or(0, |(text, _)| text.len()));
                if found.is_some() {
                    return found;
                }
            }
            // What was to come from the bucket was not counted, so it takes its place among those that SSM is asked for.
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.handle.allowance().instead(results, n, &mut left) {
                return None;
            }
        }
        let id = invocation.execution.as_ref().unwrap_or(&watched.command);
        match services.cloud.output(&watched.account, &watched.region, watched.service, id, &invocation.node).await {
            Ok(found) => Some(found),
            Err(fault) => {
                tracing::warn!(run = %self.handle.id, %fault, "the full output could not be read");
                None
            }
        }
    }
}

pub(super) struct Batches<'a, 'b> {
    whole: &'b mut Whole<'a>,
    results: &'b Results<'b>,
    first: Option<Batch>,
    /// Still to be read.
    chosen: Vec<usize>,
    until: tokio::time::Instant,
}

impl Batches<'_, '_> {
    /// It could not be stored: it stands ready for the next look.
    pub fn keep(&mut self, node: &NodeId, whole: Option<(String, bool)>) {
        self.whole.kept.extend(whole.map(|whole| (node.clone(), whole)));
    }

    pub async fn next(&mut self) -> Option<Batch> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.chosen.is_empty() {
            return None;
        }
        let now: Vec<usize> = self.chosen.drain(..self.chosen.len().min(AT_ONCE)).collect();
        let left = Mutex::new(self.whole.left);
        let read = async |n: usize| {
            let read = tokio::time::timeout_at(self.until, self.whole.read(self.results, n, &left)).await;
            (self.results.ended[n].clone(), read.unwrap_or_default())
        };
        let batch = join_all(now.into_iter().map(read)).await;
        self.whole.left = left.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(batch)
    }
}
