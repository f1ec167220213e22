//! What is in motion and what is owed: counts and sets that `evolve` keeps, so that nobody walks a run's targets to tell
//! what it owes.
//!
//! An event that touches one shard measures that shard anew, which is at most 50 targets; sums and effects follow from
//! the difference. Only the start, a cancel and the end of the error budget touch every shard.

use std::collections::BTreeSet;

use super::effects::Effect;
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
    /// Targets that have not ended.
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
        let too_many = run.counts.errors() > run.proposal.plan.max_errors;
        let settles = running && (run.counts.pending() == 0 || (!run.budget_spent && too_many && self.unstarted > 0));
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
        let most = if running && !settles { run.proposal.plan.max_in_flight } else { 0 };
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
        let Some(wave) = self.first_open_wave().and_then(|wave| self.waves.get(wave)) else { return sends };
        for &shard in &wave.waiting {
            // Then nothing can fit: a waiting shard has at least one target.
            if room == 0 {
                break;
            }
            let left = self.shards[shard as usize].left;
            if left <= room {
                room -= left;
                let ShardProgress { step, sends: made, .. } = &run.shards[shard as usize];
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
    let ended = |target: u32| run.targets.get(target as usize).is_none_or(|t| t.outcome.is_some());
    let reported = |target: u32| {
        let target = run.targets.get(target as usize);
        target.is_some_and(|t| t.reports.iter().any(|(step, _)| *step == progress.step))
    };
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (stands, in_flight) = match &progress.state {
        SendState::Waiting => (Stands::Waiting, 0),
        // Until AWS has told of its nodes one by one, all of them count.
        SendState::Intent { targets, .. } | SendState::Unsure { targets, .. } => (Stands::Open, targets.len()),
        SendState::Sent { targets, .. } => {
            (Stands::Open, targets.iter().filter(|t| !ended(**t) && !reported(**t)).count())
        }
        SendState::Over => (Stands::Over, 0),
    };
    Shard {
        stands,
        left: number(planned.targets.iter().filter(|t| !ended(**t)).count()),
        in_flight: number(in_flight),
        unstarted: stands == Stands::Waiting && progress.step == 0,
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
        SendState::Sent { .. } if run.cancelled_by.is_some() => {
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
