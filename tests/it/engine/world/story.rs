//! One run as its journal tells it, judged event by event: by the plan, by what people did, and by the rules that were in
//! force, never by what the engine believes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use muster::domain::{NodeId, NotStarted, Outcome, Principal, RunId, Timestamp};
use muster::message::Verb;
use muster::plan::Plan;
use muster::policy::Decision;
use muster::run::{Approval, Event, HoldCause, Proposal, Run, SendState};
use muster::runbook::{HoldAfter, Risk};

use super::society::{Deed, Society};

/// Planning reads the inventory, which AWS may throttle; by then the rules that it began with may have changed.
const PLANNED_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Between looking up who somebody is and the commit of what they did.
pub const DECIDED_WITHIN: SignedDuration = SignedDuration::from_secs(10);
/// An approval covers retries for so long.
const COVERS_FOR: SignedDuration = SignedDuration::from_hours(4);

pub struct Story {
    pub events: Vec<Event>,
    pub at: Vec<Timestamp>,
    pub run: Run,
    told: Told,
    /// What was under way just before the error budget was crossed.
    pub crossing: Option<UnderWay>,
}

/// Nodes that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnderWay {
    /// Something was sent to them, or is being sent.
    pub in_flight: u32,
    /// They stand between two steps; a run of one step has none.
    pub between: u32,
}

impl UnderWay {
    pub fn all(self) -> u32 {
        self.in_flight + self.between
    }
}

/// What the journal says so far.
#[derive(Default)]
struct Told {
    started: bool,
    over: bool,
    /// Nothing may be sent from here on, and why. A rollback begins anew.
    closed: Option<&'static str>,
    /// Nothing may be begun from here on.
    spent: bool,
    back: bool,
    /// An open hold: its cause, and the revision of the run when it began.
    hold: Option<(HoldCause, u32)>,
    released: BTreeSet<u32>,
    gate_votes: BTreeMap<(u32, u32), BTreeSet<Principal>>,
}

impl Story {
    /// A run is proposed: only what the rules permit, with as many yeses as they ask for (I2), and with approvals of an
    /// earlier run only where they cover it.
    pub fn begin(
        proposal: &Proposal,
        now: Timestamp,
        others: &BTreeMap<RunId, Story>,
        society: &Society,
    ) -> (Story, Vec<String>) {
        let mut broken = Vec::new();
        let run = Run::proposed(proposal.clone());
        let plan = &proposal.plan;
        let asked: u32 = proposal.decision.quorum.iter().map(|s| s.count).sum();
        if !society.needed(plan, &proposal.by, PLANNED_WITHIN, now).contains(&Some(asked)) {
            broken.push(format!("I2: {} was proposed with {asked} yeses by nobody's rule", proposal.run));
        }
        if proposal.digest != plan.digest() {
            broken.push(format!("{}: the digest is not the plan's", proposal.run));
        }
        for Approval { by, at, .. } in proposal.retry.iter().flat_map(|retry| &retry.sealed) {
            let old = proposal.retry.as_ref().and_then(|retry| others.get(&retry.of));
            let given = |old: &Story| old.run.approvals.iter().any(|a| &a.by == by && a.at == *at);
            let covers = old.is_some_and(|old| given(old) && is_part(&old.run.proposal.plan, plan));
            // By the host's clock, which gave both times.
            let fresh = proposal.at.duration_since(*at) <= COVERS_FOR + PLANNED_WITHIN;
            let still = society.was_in(&by.user, "sre", now - PLANNED_WITHIN, now);
            if !(covers && fresh && still && by != &proposal.by) {
                broken.push(format!("I1: the old approval of {by} does not cover {}", proposal.run));
            }
        }
        let story = Story {
            events: vec![Event::Proposed(Box::new(proposal.clone()))],
            at: vec![now],
            run,
            told: Told::default(),
            crossing: None,
        };
        (story, broken)
    }

    /// One more event; returns the promises that it breaks.
    pub fn follow(&mut self, event: &Event, now: Timestamp, society: &Society) -> Vec<String> {
        let mut broken: Vec<String> = Vec::new();
        self.judge(event, now, society, &mut |promise: String| broken.push(promise));
        let errors = self.run.counts.errors();
        let under_way = self.under_way(event);
        if let Err(misfit) = self.run.evolve(event) {
            broken.push(format!("I6: {misfit}"));
        }
        let run = &self.run;
        if errors <= run.proposal.plan.max_errors && run.counts.errors() > run.proposal.plan.max_errors {
            self.crossing.get_or_insert(under_way);
        }
        if run.in_flight() > run.proposal.plan.max_in_flight {
            broken.push(format!("{} nodes in flight", run.in_flight()));
        }
        let ended = run.targets.iter().filter_map(|t| t.outcome);
        if run.counts != muster::domain::Counts::of(run.counts.total, ended) {
            broken.push("the counts do not add up".into());
        }
        self.remember(event);
        self.events.push(event.clone());
        self.at.push(now);
        let (name, id) = (event.name(), self.run.id);
        broken
            .into_iter()
            .map(|promise| format!("{promise} (`{name}`, event {} of {id})", self.events.len() - 1))
            .collect()
    }

    fn under_way(&self, event: &Event) -> UnderWay {
        let begun = self.run.targets.iter().filter(|t| t.outcome.is_none() && !t.reports.is_empty() && t.step > 0);
        UnderWay { in_flight: self.run.in_flight() + self.being_sent(event), between: begun.count() as u32 }
    }

    /// Of these two only one at a time may work on a node.
    pub fn excludes(&self, other: &Story) -> bool {
        let (mine, theirs) = (&self.run.proposal.plan, &other.run.proposal.plan);
        let both_change = [mine, theirs].iter().all(|plan| plan.risk != Risk::Read);
        both_change && (mine.exclusive || theirs.exclusive)
    }

    /// It has started and is not over, and something of it is still to happen on the node, or may be: what it touched it may
    /// roll back.
    pub fn stands_on(&self, node: &NodeId) -> bool {
        let plan = &self.run.proposal.plan;
        let Some(at) = plan.targets.iter().position(|t| t.target.node == *node) else { return false };
        let state = &self.run.targets[at];
        let may_turn_back = plan.rollback.is_some() && state.touched && state.rolled_back.is_none();
        self.told.started && !self.told.over && (state.outcome.is_none() || may_turn_back)
    }

    /// Nodes of a send that was refused before its intent was written: it was being made.
    fn being_sent(&self, event: &Event) -> u32 {
        match event {
            Event::SendRefused { shard, .. } if self.run.shards[*shard as usize].state == SendState::Waiting => {
                self.run.due_targets(*shard).len() as u32
            }
            _ => 0,
        }
    }

    fn judge(&self, event: &Event, now: Timestamp, society: &Society, broke: &mut dyn FnMut(String)) {
        let proposal = &self.run.proposal;
        let (id, by_all) = (self.run.id, &proposal.by);
        let since = now - DECIDED_WITHIN;
        let is_in = |who: &Principal, group: &str| society.was_in(&who.user, group, since, now);
        let did = |who: &Principal, what: &dyn Fn(&Deed) -> bool| society.has_done(who, what);
        // The requester, or somebody who could have approved it.
        let may_stop = |who: &Principal| who == by_all || (!proposal.decision.quorum.is_empty() && is_in(who, "sre"));
        let of_the_gate =
            |who: &Principal| matches!(self.told.hold, Some((HoldCause::Gate { .. }, _))) && is_in(who, "dba");
        let on_this_screen = |deed: &Deed, verb: Verb| {
            let since = self.told.hold.as_ref().map_or(u32::MAX, |(_, revision)| *revision);
            let new = matches!(&deed.inbound, muster::ports::Inbound::Click { revision, .. } if *revision >= since);
            deed.clicks(verb, id) && new
        };
        match event {
            Event::Approved { by, digest, groups, .. } => {
                if by == by_all {
                    broke("I8: the requester approved it".into());
                }
                if *digest != proposal.digest || self.run.approvals.iter().any(|a| &a.by == by) {
                    broke("I1: an approval of another plan, or a second one".into());
                }
                let asked = did(by, &|d| d.clicks(Verb::Approve, id) || d.narrows(id));
                if groups != &["sre"] || !is_in(by, "sre") || !asked {
                    broke(format!("I1: {by} did not approve it, or may not"));
                }
            }
            Event::Narrowed { by, plan, digest, .. } => {
                let whole: BTreeSet<_> = proposal.plan.targets.iter().map(|t| &t.target).collect();
                let is_part =
                    plan.targets.len() < whole.len() && plan.targets.iter().all(|t| whole.contains(&t.target));
                if !is_part || *digest != plan.digest() || self.told.started {
                    broke("I1: it was narrowed to what is no part of it".into());
                }
                if by == by_all || !is_in(by, "sre") || !did(by, &|d| d.narrows(id)) {
                    broke(format!("I1: {by} did not narrow it, or may not"));
                }
            }
            Event::Reconsidered { decision, approvals, .. } => {
                let seats = |decision: &Decision| decision.quorum.iter().map(|s| s.count).sum::<u32>();
                let is_old = |a: &Approval| self.run.approvals.iter().any(|old| old.by == a.by && old.at == a.at);
                if decision.verdict < proposal.decision.verdict || seats(decision) < seats(&proposal.decision) {
                    broke("I1: less is asked for than before".into());
                }
                if !approvals.iter().all(is_old) || self.told.started {
                    broke("I1: somebody approved by a change of the rules".into());
                }
            }
            Event::Denied { by, .. } if by == by_all || !is_in(by, "sre") || !did(by, &|d| d.denies(id)) => {
                broke(format!("{by} did not deny it, or may not"));
            }
            Event::Cancelled { by, .. }
                if !may_stop(by) || !did(by, &|d| d.clicks(Verb::Cancel, id) || d.cancels(id)) =>
            {
                broke(format!("{by} did not cancel it, or may not"));
            }
            Event::Started { .. } => {
                let people: BTreeSet<&Principal> = self.run.approvals.iter().map(|a| &a.by).collect();
                let asked: u32 = proposal.decision.quorum.iter().map(|s| s.count).sum();
                let today = society.needed(&proposal.plan, by_all, DECIDED_WITHIN, now);
                let enough = today.iter().flatten().any(|needed| people.len() as u32 >= *needed.max(&asked));
                if !enough {
                    broke(format!(
                        "I1: it started with {} yeses; {asked} were asked for, today {today:?}",
                        people.len()
                    ));
                }
                if people.contains(by_all) {
                    broke("I8: the requester is among those who approved".into());
                }
                // Sealed approvals of an earlier run are looked at as well.
                if asked > 0
                    && let Some(gone) = people.iter().find(|by| !is_in(by, "sre"))
                {
                    broke(format!("I1: it started with the yes of {gone}, who had left the group"));
                }
            }
            Event::Continued { by, .. } => {
                if !may_stop(by) || !did(by, &|d| on_this_screen(d, Verb::Continue)) {
                    broke(format!("{by} did not let it go on, or may not"));
                }
                self.judge_still_permitted(now, society, broke);
            }
            Event::GateApproved { by, .. } => {
                if by == by_all {
                    broke("I8: the requester let it through a gate".into());
                }
                if !is_in(by, "dba") || !did(by, &|d| on_this_screen(d, Verb::Continue)) {
                    broke(format!("{by} did not agree at the gate, or may not"));
                }
                self.judge_still_permitted(now, society, broke);
            }
            Event::Stopped { by: Some(by), .. } => {
                let may = may_stop(by) || of_the_gate(by);
                if !may || !did(by, &|d| on_this_screen(d, Verb::Stop)) {
                    broke(format!("{by} did not stop it, or may not"));
                }
            }
            Event::RollbackStarted { by: Some(by), .. } => {
                let may = may_stop(by) || of_the_gate(by);
                if !may || !did(by, &|d| on_this_screen(d, Verb::RollBack)) {
                    broke(format!("{by} did not ask for the way back, or may not"));
                }
            }
            Event::SendIntent { shard, step, targets, .. } => self.judge_intent(*shard, *step, targets, broke),
            Event::Finished { .. } if self.run.counts.pending() > 0 => broke("it finished with nodes to go".into()),
            _ => {}
        }
    }

    /// What is left is permitted by the rules of this moment.
    fn judge_still_permitted(&self, now: Timestamp, society: &Society, broke: &mut dyn FnMut(String)) {
        let proposal = &self.run.proposal;
        let today = society.needed(&proposal.plan, &proposal.by, DECIDED_WITHIN, now);
        if !today.iter().flatten().any(|needed| self.run.approvals.len() as u32 >= *needed) {
            broke(format!("I2: it went on though the rules of today say {today:?}"));
        }
    }

    fn judge_intent(&self, shard: u32, step: u32, targets: &[u32], broke: &mut dyn FnMut(String)) {
        let (told, plan) = (&self.told, &self.run.proposal.plan);
        if !told.started {
            broke("I1: something is sent before the start".into());
        }
        if let Some(why) = told.closed {
            broke(format!("I9: something is sent after it was {why}"));
        }
        if told.hold.is_some() {
            broke("I9: something is sent while it is held".into());
        }
        let planned = &plan.shards[shard as usize];
        if targets.is_empty() || !targets.iter().all(|t| planned.targets.contains(t)) {
            broke("I7: something is sent to a stranger".into());
        }
        if step == plan.rollback_index() {
            if !told.back {
                broke("something is rolled back that nobody asked for".into());
            }
            if !targets.iter().all(|t| self.run.targets[*t as usize].touched) {
                broke("something is rolled back that was not touched".into());
            }
            return;
        }
        if told.back {
            broke("it goes forward on the way back".into());
        }
        if told.spent && step == 0 {
            broke("a node is begun after the error budget was spent".into());
        }
        let definition = &plan.steps[step as usize];
        for target in targets {
            let state = &self.run.targets[*target as usize];
            let values: BTreeMap<&str, &str> =
                state.reports.iter().flat_map(|(_, r)| &r.extracted).map(|(k, v)| (k.as_str(), v.as_str())).collect();
            if state.outcome.is_some() || !definition.concerns(&values) {
                broke(format!("I7: step {step} does not concern target {target}"));
            }
        }
        if let Some(gate) = &definition.gate {
            let yeses = told.gate_votes.get(&(planned.wave, step)).map_or(0, BTreeSet::len);
            if (yeses as u32) < gate.count {
                broke(format!("a gate is passed with {yeses} yeses of {}", gate.count));
            }
        }
        self.judge_wave(planned.wave, broke);
    }

    /// A wave begins when all before it have ended, and when people have let it.
    fn judge_wave(&self, wave: u32, broke: &mut dyn FnMut(String)) {
        let plan = &self.run.proposal.plan;
        let begun = self
            .events
            .iter()
            .any(|e| matches!(e, Event::SendIntent { shard, .. } if plan.shards[*shard as usize].wave == wave));
        if wave == 0 || begun {
            return;
        }
        let before = || plan.targets.iter().zip(&self.run.targets).filter(|(t, _)| t.wave < wave);
        if before().any(|(_, state)| state.outcome.is_none()) {
            broke("a wave begins before the last one has ended".into());
        }
        if plan.hold == HoldAfter::Always && !self.told.released.contains(&wave) {
            broke(format!("nobody let it go on to wave {wave}"));
        }
        let failed = before().any(|(_, state)| state.outcome.is_some_and(Outcome::is_failure));
        if plan.hold == HoldAfter::Failure && failed && self.told.released.is_empty() {
            broke("it went on by itself after a failure".into());
        }
    }

    fn remember(&mut self, event: &Event) {
        let revision = self.run.revision;
        let told = &mut self.told;
        match event {
            Event::Started { .. } => told.started = true,
            Event::Denied { .. } => told.closed = Some("denied"),
            Event::Expired { .. } => told.closed = Some("expired"),
            Event::Withdrawn { .. } => told.closed = Some("withdrawn"),
            Event::Finished { .. } => (told.closed, told.over) = (Some("finished"), true),
            Event::Cancelled { .. } => (told.closed, told.hold) = (Some("cancelled"), None),
            Event::Overdue { .. } => (told.closed, told.hold) = (Some("overdue"), None),
            Event::Stopped { .. } => (told.closed, told.hold) = (Some("stopped"), None),
            Event::BudgetSpent { .. } => told.spent = true,
            Event::RollbackStarted { .. } => {
                (told.closed, told.hold, told.back) = (None, None, true);
            }
            Event::Held { cause, .. } => told.hold = Some((cause.clone(), revision)),
            Event::Continued { .. } => {
                if let Some((HoldCause::Wave { wave, .. }, _)) = told.hold.take() {
                    told.released.insert(wave);
                }
            }
            Event::GateApproved { by, .. } => {
                let Some((HoldCause::Gate { wave, step }, _)) = told.hold else { return };
                let votes = told.gate_votes.entry((wave, step)).or_default();
                votes.insert(by.clone());
                let gate = self.run.proposal.plan.steps[step as usize].gate.as_ref();
                if gate.is_some_and(|gate| votes.len() as u32 >= gate.count) {
                    told.hold = None;
                }
            }
            _ => {}
        }
    }

    /// Why nothing of this target was ever sent, if the run says so.
    pub fn never_started(&self, target: u32) -> Option<NotStarted> {
        match self.run.targets[target as usize].outcome {
            Some(Outcome::NotStarted(why)) => Some(why),
            _ => None,
        }
    }
}

/// Whoever agreed to `whole` has agreed to `part`.
fn is_part(whole: &Plan, part: &Plan) -> bool {
    let targets: BTreeSet<_> = whole.targets.iter().map(|t| &t.target).collect();
    whole.revision == part.revision
        && whole.arguments == part.arguments
        && whole.steps == part.steps
        && part.max_errors <= whole.max_errors
        && part.max_in_flight <= whole.max_in_flight
        && part.targets.iter().all(|t| targets.contains(&t.target))
}
