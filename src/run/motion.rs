//! What is in motion: counts and sets over shards that `evolve` keeps, so that nobody walks a run's targets to tell
//! what it owes.
//!
//! An event that touches one shard measures that shard anew, which is at most 50 targets; the sums follow from the
//! difference. Only the start, a cancel and the end of the error budget touch every shard.

use std::collections::BTreeSet;

use super::state::{Run, SendState};

/// Derived from the rest of the run; never stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Motion {
    shards: Vec<Shard>,
    /// Shards whose send is open: its answer, its fate or its results are awaited.
    open: BTreeSet<u32>,
    /// Nodes that something was sent to and that have not ended.
    in_flight: u32,
    /// Waiting shards that nothing was sent to yet.
    unstarted: u32,
    waves: Vec<Wave>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Shard {
    stands: Stands,
    /// Targets that have not ended.
    left: u32,
    /// Targets of the open send that have neither ended nor reported this step.
    in_flight: u32,
    unstarted: bool,
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
        motion
    }

    /// Follows a change of one shard.
    fn measure(&mut self, run: &Run, shard: u32) {
        let now = measured(run, shard);
        let Some(slot) = self.shards.get_mut(shard as usize) else { return };
        let before = std::mem::replace(slot, now);
        self.in_flight = self.in_flight - before.in_flight + now.in_flight;
        self.unstarted = self.unstarted - u32::from(before.unstarted) + u32::from(now.unstarted);
        match now.stands {
            Stands::Open => self.open.insert(shard),
            Stands::Waiting | Stands::Over => self.open.remove(&shard),
        };
        let wave = run.proposal.plan.shards.get(shard as usize).map_or(0, |s| s.wave);
        let Some(wave) = self.waves.get_mut(wave as usize) else { return };
        match now.stands {
            Stands::Waiting => wave.waiting.insert(shard),
            Stands::Open | Stands::Over => wave.waiting.remove(&shard),
        };
        let unfinished = |shard: Shard| u32::from(shard.stands != Stands::Over);
        wave.unfinished = wave.unfinished - unfinished(before) + unfinished(now);
    }

    /// Shards whose send is open, ascending.
    pub fn open(&self) -> impl Iterator<Item = u32> {
        self.open.iter().copied()
    }

    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    #[must_use]
    pub fn has_unstarted(&self) -> bool {
        self.unstarted > 0
    }

    /// The first wave with a shard that is not over.
    #[must_use]
    pub fn first_open_wave(&self) -> Option<u32> {
        self.waves.iter().position(|w| w.unfinished > 0).and_then(|w| u32::try_from(w).ok())
    }

    /// Shards of the wave that can be sent now with room for so many nodes, in their order. One that does not fit lets
    /// later ones pass.
    pub fn fitting(&self, wave: u32, room: u32) -> impl Iterator<Item = u32> {
        let waiting = self.waves.get(wave as usize).into_iter().flat_map(|w| w.waiting.iter().copied());
        // With no room left nothing can fit: a waiting shard has at least one target.
        waiting
            .scan(room, |room, shard| {
                let size = self.shards.get(shard as usize).map_or(u32::MAX, |s| s.left);
                let fits = size <= *room;
                let more = *room > 0;
                *room -= if fits { size } else { 0 };
                more.then_some(fits.then_some(shard))
            })
            .flatten()
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
    }
}

impl Run {
    /// Follows a change of one shard, or of all of them.
    pub(super) fn follow(&mut self, shard: Option<u32>) {
        match shard {
            Some(shard) => {
                let mut motion = std::mem::take(&mut self.motion);
                motion.measure(self, shard);
                self.motion = motion;
            }
            None => self.motion = Motion::of(self),
        }
    }
}
