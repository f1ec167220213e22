//! Which of the outputs that SSM cut at 2,500 characters are read whole.
//!
//! Each costs a read of its own, of which AWS allows about one a second in an account and region, so they are chosen:
//! first where the cut may have taken away what the step expects, then failures, then one of each text among those that
//! went well. Where an account names a bucket for outputs, a read costs SSM nothing, and only bytes are counted.
//!
//! What is left of a run's allowance is in memory: after a restart it is whole again.

use std::collections::BTreeSet;

use crate::domain::Digest;
use crate::ports::{Invocation, InvocationStatus};
use crate::runbook::Step;
use crate::runbook::extract::Extractor;

/// Outputs of one command: a person reads no more of fifty nodes, and these are seconds of waiting for all of them.
pub const OF_COMMAND: usize = 3;
/// As many of them wait for failures while nodes of the command still run.
const FOR_FAILURES: usize = 2;
/// Outputs of one run, at most 32 kB each.
const OF_RUN: usize = 200;
/// As many of them are for texts of nodes that went well.
const EXEMPLARS_OF_RUN: usize = 100;
/// Outputs of one run that were read from a bucket, at most 1 MiB each: what a summary can still hold in memory.
const BYTES_OF_RUN: usize = 64 * 1024 * 1024;

/// What one run has read so far.
#[derive(Debug, Default)]
pub struct Allowance {
    outputs: usize,
    bytes: usize,
    /// Cut texts of which one was read whole.
    groups: BTreeSet<Digest>,
}

impl Allowance {
    /// Of the results that one look brought, the indices of those to read whole, the most wanted first. `left` is what
    /// the command may still read; `running`: nodes of it have not ended yet.
    pub fn choose(&mut self, ended: &[Invocation], step: &Step, running: bool, left: &mut usize) -> Vec<usize> {
        let extractor = Extractor::of(step);
        let well = |i: &Invocation| i.status == InvocationStatus::Success;
        let wanting = |i: &Invocation| well(i) && !extractor.evaluate(&i.output).1.is_empty();
        // What the steps of an automation gave out stands in no list, so where a value is extracted from it every node has
        // to be asked, and each failure for its reason.
        let every = |i: &Invocation| i.execution.is_some() && !step.extract.is_empty();
        let more = |i: &Invocation| i.cut || every(i) || (i.execution.is_some() && !well(i));
        let mut order: Vec<usize> = (0..ended.len()).filter(|n| more(&ended[*n])).collect();
        order.sort_by_key(|n| (!wanting(&ended[*n]), well(&ended[*n]), ended[*n].node.clone()));
        let mut chosen = Vec::new();
        let mut again = Vec::new();
        for n in order {
            let one = &ended[n];
            if every(one) || (!one.objects.is_empty() && self.has_bytes()) {
                chosen.push(n);
                continue;
            }
            let group = Digest::of(one.output.as_bytes());
            let is_new = !self.groups.contains(&group);
            let may = match (wanting(one), well(one)) {
                // It would be called a failure for what SSM cut off, so a command's share does not bound it.
                (true, _) => self.outputs < OF_RUN,
                (false, false) if !is_new => {
                    again.push(n);
                    false
                }
                (false, false) => *left > 0 && self.outputs < OF_RUN,
                (false, true) => {
                    let kept = if running { FOR_FAILURES } else { 0 };
                    is_new && *left > kept && self.outputs < EXEMPLARS_OF_RUN
                }
            };
            if may {
                self.outputs += 1;
                *left = left.saturating_sub(usize::from(!wanting(one)));
                self.groups.insert(group);
                chosen.push(n);
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

    /// A bucket may still be read from.
    pub fn has_bytes(&self) -> bool {
        self.bytes < BYTES_OF_RUN
    }

    /// So many were read from a bucket.
    pub fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
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

    #[test]
    fn failures_come_first_and_then_one_of_each_text() {
        let ended = ended(&[(1, 0, "a"), (2, 0, "a"), (3, 0, "b"), (4, 1, "x"), (5, 1, "x"), (6, 0, "c")]);
        let (mut run, mut left) = (Allowance::default(), 5);
        assert_eq!(run.choose(&ended, &step(None), false, &mut left), [3, 0, 2, 5, 4], "two of `x` only at the end");
        let mut left = OF_COMMAND;
        assert_eq!(run.choose(&ended, &step(None), false, &mut left), [3, 4], "each text was read in this run");
    }

    #[test]
    fn what_is_left_of_a_command_waits_for_its_failures_while_nodes_still_run() {
        let (mut run, mut left) = (Allowance::default(), OF_COMMAND);
        let first = ended(&[(1, 0, "a"), (2, 0, "b"), (3, 0, "c")]);
        assert_eq!(run.choose(&first, &step(None), true, &mut left), [0]);
        let last = ended(&[(4, 1, "x"), (5, 1, "y"), (6, 1, "z"), (7, 0, "d")]);
        assert_eq!(run.choose(&last, &step(None), false, &mut left), [0, 1]);
        assert_eq!(left, 0);
    }

    #[test]
    fn what_a_step_expects_is_looked_for_in_the_whole_before_a_node_counts_as_failed() {
        let ended = ended(&[(1, 1, "x"), (2, 0, "verdict: ok"), (3, 0, "cut before it"), (4, 0, "cut before it")]);
        let (mut run, mut left) = (Allowance::default(), 0);
        assert_eq!(run.choose(&ended, &step(Some("ok")), true, &mut left), [2, 3]);
    }

    #[test]
    fn an_automation_is_asked_for_what_a_step_extracts_and_else_only_why_it_failed() {
        let mut ended = ended(&[(1, 0, ""), (2, 1, ""), (3, 0, "")]);
        for one in &mut ended {
            (one.cut, one.execution) = (false, Some("6d1cb32b-0000-4000-8000-000000000001".parse().unwrap()));
        }
        let mut run = Allowance::default();
        assert_eq!(run.choose(&ended, &step(None), false, &mut 3), [1]);
        let mut all = run.choose(&ended, &step(Some("ok")), false, &mut 0);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }

    #[test]
    fn a_run_reads_so_many_and_no_more_and_buckets_are_bounded_by_bytes() {
        let mut run = Allowance::default();
        let texts: Vec<String> = (0..1000).map(|n| format!("text {n}")).collect();
        let many = |code: i32| {
            let nodes: Vec<(u32, i32, &str)> = (0u32..).zip(&texts).map(|(n, t)| (n, code, t.as_str())).collect();
            ended(&nodes)
        };
        assert_eq!(run.choose(&many(0), &step(None), false, &mut 1000).len(), EXEMPLARS_OF_RUN);
        assert_eq!(run.choose(&many(1), &step(None), false, &mut 1000).len(), OF_RUN - EXEMPLARS_OF_RUN);
        let mut stored = many(0);
        stored.iter_mut().for_each(|i| i.objects.push("key".into()));
        assert_eq!(run.choose(&stored, &step(None), false, &mut 0).len(), 1000);
        run.spend(BYTES_OF_RUN);
        assert_eq!(run.choose(&stored, &step(None), false, &mut 1000), [0; 0]);
    }
}
