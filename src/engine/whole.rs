//! Which of the outputs that SSM cut at 2,500 characters are read whole.
//!
//! Each costs a read of its own, of which AWS allows about one a second in an account and region, so they are chosen:
//! first where the cut may have taken away a value that the runbook extracts, then failures, then one of each text among
//! those that went well. Where an account names a bucket for outputs, a read costs SSM nothing, and only bytes are counted.
//!
//! What is left of a run's allowance is in memory: after a restart it is whole again.

use std::collections::BTreeSet;

use crate::domain::Digest;
use crate::ports::{Invocation, InvocationStatus, STREAM_MAX};
use crate::runbook::Step;
use crate::runbook::extract::{Extractor, certain};

/// Outputs of one command: a person reads no more of fifty nodes, and these are seconds of waiting for all of them.
pub const OF_COMMAND: usize = 3;
/// As many of them wait for failures while nodes of the command still run.
const FOR_FAILURES: usize = 2;
/// Outputs of one run, at most 32 kB each.
const OF_RUN: usize = 200;
/// As many of them are for texts of nodes that went well.
const EXEMPLARS_OF_RUN: usize = 100;
/// Outputs of one run that were read from a bucket: what a summary can still hold in memory.
const BYTES_OF_RUN: usize = 64 * STREAM_MAX;

/// What one run has read so far.
#[derive(Debug, Default)]
pub struct Allowance {
    outputs: usize,
    bytes: usize,
    /// Cut texts of which one was read whole.
    groups: BTreeSet<Digest>,
}

/// One step's results of one look, as far as the choice concerns them.
pub struct Results<'a> {
    pub ended: &'a [Invocation],
    pub step: &'a Step,
    /// Nodes of the command have not ended yet.
    pub running: bool,
}

impl Results<'_> {
    fn well(&self, n: usize) -> bool {
        self.ended[n].status == InvocationStatus::Success
    }

    /// A value of it may stand behind the cut, or half before it.
    fn wanting(&self, n: usize, extractor: &Extractor) -> bool {
        let one = &self.ended[n];
        self.well(n) && one.cut && !extractor.is_settled_by(&certain(&one.output))
    }
}

impl Allowance {
    /// The indices of those to read whole, the most wanted first. `left` is what the command may still read of SSM.
    pub fn choose(&mut self, results: &Results<'_>, left: &mut usize) -> Vec<usize> {
        let Results { ended, step, .. } = *results;
        let extractor = Extractor::of(step);
        // What the steps of an automation gave out stands in no list, so where a value is extracted from it every node has
        // to be asked, and each failure for its reason.
        let every = |i: &Invocation| i.execution.is_some() && !step.extract.is_empty();
        let more = |n: &usize| {
            let one = &ended[*n];
            one.cut || every(one) || (one.execution.is_some() && !results.well(*n))
        };
        let mut order: Vec<usize> = (0..ended.len()).filter(more).collect();
        order.sort_by_cached_key(|n| (!results.wanting(*n, &extractor), results.well(*n), ended[*n].node.clone()));
        let mut chosen = Vec::new();
        let mut again = Vec::new();
        for n in order {
            let one = &ended[n];
            let from_bucket = !one.objects.is_empty() && self.bytes < BYTES_OF_RUN;
            if every(one) || from_bucket || self.may_ask(results, n, &extractor, left) {
                chosen.push(n);
            } else if !results.well(n) {
                again.push(n);
            }
        }
        // Failures of a text that was read already, as far as something is left.
        for n in again {
            if *left > 0 && self.outputs < OF_RUN {
                self.outputs += 1;
                *left -= 1;
                chosen.push(n);
            }
        }
        chosen
    }

    /// Whether SSM may be asked for one that was to come from a bucket and is not there.
    pub fn instead(&mut self, results: &Results<'_>, n: usize, left: &mut usize) -> bool {
        self.may_ask(results, n, &Extractor::of(results.step), left)
    }

    fn may_ask(&mut self, results: &Results<'_>, n: usize, extractor: &Extractor, left: &mut usize) -> bool {
        let group = Digest::of(results.ended[n].output.as_bytes());
        let is_new = !self.groups.contains(&group);
        let wanting = results.wanting(n, extractor);
        let may = match (wanting, results.well(n)) {
            // It would be called a failure for what SSM cut off, so a command's share does not bound it.
            (true, _) => self.outputs < OF_RUN,
            (false, false) => is_new && *left > 0 && self.outputs < OF_RUN,
            (false, true) => {
                let kept = if results.running { FOR_FAILURES } else { 0 };
                is_new && *left > kept && self.outputs < EXEMPLARS_OF_RUN
            }
        };
        if may {
            self.outputs += 1;
            *left = left.saturating_sub(usize::from(!wanting));
            self.groups.insert(group);
        }
        may
    }

    /// Sets so many streams' worth of bytes aside before they are read from a bucket; false where they are used up.
    pub fn reserve(&mut self, streams: usize) -> bool {
        let free = self.bytes < BYTES_OF_RUN;
        self.bytes += if free { streams * STREAM_MAX } else { 0 };
        free
    }

    /// What was set aside and turned out not to be needed.
    pub fn refund(&mut self, streams: usize, used: usize) {
        self.bytes = self.bytes.saturating_sub((streams * STREAM_MAX).saturating_sub(used));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing;

    /// Nodes by number, with the exit code and the cut text of each.
    fn ended(nodes: &[(u32, i32, &str)]) -> Vec<Invocation> {
        let one = |(node, code, text): &(u32, i32, &str)| Invocation {
            node: format!("i-{node:017x}").parse().unwrap(),
            status: if *code == 0 { InvocationStatus::Success } else { InvocationStatus::Failed },
            details: String::new(),
            execution: None,
            exit_code: Some(*code),
            output: (*text).to_owned(),
            cut: true,
            objects: Vec::new(),
        };
        nodes.iter().map(one).collect()
    }

    fn step(expect: Option<&str>) -> Step {
        let mut step = testing::step("one");
        step.extract.extend(expect.map(|_| ("verdict".to_owned(), "verdict: (\\w+)".to_owned())));
        step.expect.extend(expect.map(|value| ("verdict".to_owned(), value.to_owned())));
        step
    }

    fn choose(run: &mut Allowance, ended: &[Invocation], step: &Step, running: bool, left: &mut usize) -> Vec<usize> {
        run.choose(&Results { ended, step, running }, left)
    }

    #[test]
    fn failures_come_first_and_then_one_of_each_text() {
        let ended = ended(&[(1, 0, "a"), (2, 0, "a"), (3, 0, "b"), (4, 1, "x"), (5, 1, "x"), (6, 0, "c")]);
        let (mut run, mut left) = (Allowance::default(), 5);
        assert_eq!(
            choose(&mut run, &ended, &step(None), false, &mut left),
            [3, 0, 2, 5, 4],
            "two of `x` only at the end"
        );
        let mut left = OF_COMMAND;
        assert_eq!(choose(&mut run, &ended, &step(None), false, &mut left), [3, 4], "each text was read in this run");
    }

    #[test]
    fn what_is_left_of_a_command_waits_for_its_failures_while_nodes_still_run() {
        let (mut run, mut left) = (Allowance::default(), OF_COMMAND);
        let first = ended(&[(1, 0, "a"), (2, 0, "b"), (3, 0, "c")]);
        assert_eq!(choose(&mut run, &first, &step(None), true, &mut left), [0]);
        let last = ended(&[(4, 1, "x"), (5, 1, "y"), (6, 1, "z"), (7, 0, "d")]);
        assert_eq!(choose(&mut run, &last, &step(None), false, &mut left), [0, 1]);
        assert_eq!(left, 0);
    }

    #[test]
    fn what_a_step_expects_is_looked_for_in_the_whole_before_a_node_counts_as_failed() {
        let ended = ended(&[(1, 1, "x"), (2, 0, "verdict: ok"), (3, 0, "cut before it"), (4, 0, "cut before it")]);
        let (mut run, mut left) = (Allowance::default(), 0);
        assert_eq!(choose(&mut run, &ended, &step(Some("ok")), true, &mut left), [1, 2, 3]);
    }

    #[test]
    fn an_automation_is_asked_for_what_a_step_extracts_and_else_only_why_it_failed() {
        let mut ended = ended(&[(1, 0, ""), (2, 1, ""), (3, 0, "")]);
        for one in &mut ended {
            (one.cut, one.execution) = (false, Some("6d1cb32b-0000-4000-8000-000000000001".parse().unwrap()));
        }
        let mut run = Allowance::default();
        assert_eq!(choose(&mut run, &ended, &step(None), false, &mut 3), [1]);
        let mut all = choose(&mut run, &ended, &step(Some("ok")), false, &mut 0);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }

    #[test]
    fn an_object_that_is_not_there_leaves_its_node_as_well_off_as_without_a_bucket() {
        let nodes: Vec<(u32, i32, &str)> = (0..50).map(|n| (n, 0, "cut before it")).collect();
        let (mut ended, step) = (ended(&nodes), step(Some("ok")));
        ended.iter_mut().for_each(|i| i.objects.push("key".into()));
        let (mut run, mut left) = (Allowance::default(), OF_COMMAND);
        let results = Results { ended: &ended, step: &step, running: false };
        assert_eq!(run.choose(&results, &mut left).len(), 50);
        assert_eq!((0..50).filter(|n| run.instead(&results, *n, &mut left)).count(), 50);
    }

    #[test]
    fn a_value_that_may_stand_half_before_the_cut_is_wanted_whole() {
        let mut step = step(None);
        step.extract.insert("used".to_owned(), "(?m)^used=(\\d+)$".to_owned());
        let half = "used=9\n---Output truncated---";
        let ended = ended(&[(1, 0, half), (2, 0, "used=10\nmore\n---Output truncated---")]);
        assert_eq!(choose(&mut Allowance::default(), &ended, &step, true, &mut 0), [0]);
    }

    #[test]
    fn a_run_reads_so_many_and_no_more_and_buckets_are_bounded_by_bytes() {
        let mut run = Allowance::default();
        let texts: Vec<String> = (0..1000).map(|n| format!("text {n}")).collect();
        let many = |code: i32| {
            let nodes: Vec<(u32, i32, &str)> = (0u32..).zip(&texts).map(|(n, t)| (n, code, t.as_str())).collect();
            ended(&nodes)
        };
        assert_eq!(choose(&mut run, &many(0), &step(None), false, &mut 1000).len(), EXEMPLARS_OF_RUN);
        assert_eq!(choose(&mut run, &many(1), &step(None), false, &mut 1000).len(), OF_RUN - EXEMPLARS_OF_RUN);
        let mut stored = many(0);
        stored.iter_mut().for_each(|i| i.objects.push("key".into()));
        assert_eq!(choose(&mut run, &stored, &step(None), false, &mut 0).len(), 1000);
        assert!((0..64).all(|_| run.reserve(1)) && !run.reserve(1), "64 streams of the largest size");
        assert_eq!(choose(&mut run, &stored, &step(None), false, &mut 1000), [0; 0]);
    }
}
