//! What is in motion and what is owed: counts and sets that `evolve` keeps, so that nobody walks a run's targets to tell
//! what it owes.
//!
//! An event that touches one shard measures that shard anew, which is at most 50 targets; sums and effects follow from
//! the difference. Only the start, whatever stops the run, and a rollback touch every shard.

use std::collections::BTreeSet;

use crate::domain::NotStarted;

use super::effects::Effect;
use super::event::HoldCause;
use super::holds::Turn;
use super::state::{Phase, Run, SendState, ShardProgress};

/// Derived from the rest of the run; never stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Motion {
    /// What the run owes.
    due: BTreeSet<Effect>,
    /// Those of them that are sends, ascending.
    sends: Vec<Effect>,
    /// Those of them that belong to no shard.
    of_the_run: BTreeSet<Effect>,
    shards: Vec<Shard>,
    /// Nodes that something was sent to and that have not ended.
    in_flight: u32,
    /// Waiting shards that nothing was sent to yet.
    unstarted: u32,
    waves: Vec<Wave>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shard {
    stands: Stands,
    /// Targets that take part in its step and have not ended it.
    left: u32,
    /// Targets of the open send that have neither ended nor reported this step.
    in_flight: u32,
    unstarted: bool,
    /// What its open send owes.
    owed: Vec<Effect>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stands {
    Waiting,
    Open,
    #[default]
    Over,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Wave {
    waiting: BTreeSet<u32>,
    /// Shards that are not over.
    unfinished: u32,
}

impl Motion {
    /// Measured from the whole run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let count = run.shards.len();
        let mut motion = Motion {
            shards: vec![Shard::default(); count],
            waves: vec![Wave::default(); run.proposal.plan.waves as usize],
            ..Motion::default()
        };
        (0u32..).take(count).for_each(|shard| motion.measure(run, shard));
        motion.owe(run);
        motion
    }

    #[must_use]
    pub fn due(&self) -> &BTreeSet<Effect> {
        &self.due
    }

    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The first wave with a shard that is not over.
    fn first_open_wave(&self) -> Option<usize> {
        self.waves.iter().position(|w| w.unfinished > 0)
    }

    /// What is due when nothing else moves the run. Told from sums, so that asking costs nothing.
    #[must_use]
    pub fn turn(&self, run: &Run) -> Option<Turn> {
        if run.phase != Phase::Running || run.hold().is_some() {
            return None;
        }
        if let Some(back) = &run.rollback {
            return (back.counts.pending() == 0).then_some(Turn::Finish);
        }
        if run.counts.pending() == 0 {
            let way_back = run.went_wrong() && !run.no_way_back && run.has_way_back();
            let by_itself = run.wants_rollback && run.has_too_many_errors() && run.cancelled_by.is_none();
            return Some(match (way_back, by_itself) {
                (false, _) => Turn::Finish,
                (true, true) => Turn::RollBack,
                (true, false) => Turn::Hold(HoldCause::WayBack),
            });
        }
        if run.has_too_many_errors() && !run.budget_spent && self.unstarted > 0 {
            return Some(Turn::StopForErrors);
        }
        self.hold_due(run).map(Turn::Hold)
    }

    /// The stop that the run has come to: before a wave that people decide on, or at a gate that all of the wave waits
    /// at.
    fn hold_due(&self, run: &Run) -> Option<HoldCause> {
        let index = self.first_open_wave()?;
        let wave = self.waves.get(index)?;
        if wave.unfinished as usize > wave.waiting.len() {
            return None;
        }
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        if run.holds_before(number) {
            return Some(HoldCause::Wave { wave: number, errors: run.counts.errors() });
        }
        let steps = || wave.waiting.iter().filter_map(|shard| run.shards.get(*shard as usize)).map(|s| s.step);
        let step = steps().min()?;
        steps().all(|step| run.is_gated(number, step)).then_some(HoldCause::Gate { wave: number, step })
    }

    /// Follows a change of one shard.
    fn measure(&mut self, run: &Run, shard: u32) {
        let now = measured(run, shard);
        let Some(slot) = self.shards.get_mut(shard as usize) else { return };
        let before = std::mem::replace(slot, now.clone());
        self.in_flight = self.in_flight - before.in_flight + now.in_flight;
        self.unstarted = self.unstarted - u32::from(before.unstarted) + u32::from(now.unstarted);
        for over in &before.owed {
            self.due.remove(over);
        }
        let unfinished = |shard: &Shard| u32::from(shard.stands != Stands::Over);
        let wave = run.proposal.plan.shards.get(shard as usize).map_or(0, |s| s.wave);
        if let Some(wave) = self.waves.get_mut(wave as usize) {
            match now.stands {
                Stands::Waiting => wave.waiting.insert(shard),
                Stands::Open | Stands::Over => wave.waiting.remove(&shard),
            };
            wave.unfinished = wave.unfinished - unfinished(&before) + unfinished(&now);
        }
        self.due.extend(now.owed);
    }

    /// What the run owes beside its open sends: posts, the start, the end, and new sends.
    fn owe(&mut self, run: &Run) {
        let mut of_the_run = run.owed_on_the_way();
        let running = run.phase == Phase::Running;
        let settles = self.turn(run).is_some();
        if settles {
            of_the_run.insert(Effect::Settle);
        }
        if of_the_run != self.of_the_run {
            for over in &self.of_the_run {
                self.due.remove(over);
            }
            self.due.extend(of_the_run.iter().cloned());
            self.of_the_run = of_the_run;
        }
        let goes_on = running && !settles && run.hold().is_none();
        let most = if goes_on { run.proposal.plan.max_in_flight } else { 0 };
        let sends = self.fitting(run, most.saturating_sub(self.in_flight));
        // From one event to the next few of them change.
        let same = sends.iter().zip(&self.sends).take_while(|(a, b)| a == b).count();
        let tail = sends[same..].iter().rev().zip(self.sends[same..].iter().rev()).take_while(|(a, b)| a == b).count();
        for over in &self.sends[same..self.sends.len() - tail] {
            self.due.remove(over);
        }
        self.due.extend(sends[same..sends.len() - tail].iter().cloned());
        self.sends = sends;
    }

    /// Sends of the wave being run that have room for their nodes, in the order of the shards. One that does not fit lets
    /// later ones pass.
    fn fitting(&self, run: &Run, mut room: u32) -> Vec<Effect> {
        let mut sends = Vec::new();
        let Some(index) = self.first_open_wave() else { return sends };
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        for &shard in &self.waves[index].waiting {
            // Then nothing can fit: a waiting shard has at least one target.
            if room == 0 {
                break;
            }
            let left = self.shards[shard as usize].left;
            let ShardProgress { step, sends: made, .. } = &run.shards[shard as usize];
            if left <= room && !run.is_gated(number, *step) {
                room -= left;
                sends.push(Effect::Send { shard, step: *step, send: made + 1 });
            }
        }
        sends
    }
}

fn measured(run: &Run, shard: u32) -> Shard {
    let (Some(planned), Some(progress)) =
        (run.proposal.plan.shards.get(shard as usize), run.shards.get(shard as usize))
    else {
        return Shard::default();
    };
    let awaits = |target: &&u32| run.awaits(**target, progress.step);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (stands, in_flight) = match &progress.state {
        SendState::Waiting => (Stands::Waiting, 0),
        // Until AWS has told of its nodes one by one, all of them count.
        SendState::Intent { targets, .. } | SendState::Unsure { targets, .. } => (Stands::Open, targets.len()),
        SendState::Sent { targets, .. } => (Stands::Open, targets.iter().filter(awaits).count()),
        SendState::Over => (Stands::Over, 0),
    };
    Shard {
        stands,
        left: number(planned.targets.iter().filter(awaits).count()),
        in_flight: number(in_flight),
        unstarted: stands == Stands::Waiting && progress.step == 0 && run.rollback.is_none(),
        owed: owed(run, shard, progress),
    }
}

/// What an open send owes.
fn owed(run: &Run, shard: u32, progress: &ShardProgress) -> Vec<Effect> {
    let (step, send) = (progress.step, progress.sends);
    match &progress.state {
        SendState::Waiting | SendState::Over => Vec::new(),
        SendState::Intent { .. } => vec![Effect::Answer { shard, step, send }],
        SendState::Unsure { .. } => vec![Effect::LookUp { shard, step, send }],
        SendState::Sent { .. } if matches!(run.stopping, Some(NotStarted::Cancelled | NotStarted::Deadline)) => {
            vec![Effect::Watch { shard, step, send }, Effect::CancelCommand { shard, step, send }]
        }
        SendState::Sent { .. } => vec![Effect::Watch { shard, step, send }],
    }
}

/// The shards that an event may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    None,
    Shard(u32),
    All,
}

impl Run {
    /// Follows an event. Which wave is being run follows from it too.
    pub(super) fn follow(&mut self, touched: Touched) {
        let mut motion = std::mem::take(&mut self.motion);
        match touched {
            Touched::All => motion = Motion::of(self),
            Touched::Shard(shard) => {
                motion.measure(self, shard);
                motion.owe(self);
            }
            Touched::None => motion.owe(self),
        }
        let last = self.proposal.plan.waves.saturating_sub(1);
        self.wave = motion.first_open_wave().and_then(|wave| u32::try_from(wave).ok()).unwrap_or(last);
        self.motion = motion;
    }
}
