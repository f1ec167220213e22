//! What `evolve` keeps of shards and effects, told once more without it.

use super::*;
use crate::domain::NotStarted;
use crate::runbook::HoldAfter;

/// What a running run owes at its shards, told from targets and shards alone, the long way.
fn owed_at_shards(run: &Run) -> BTreeSet<Effect> {
    let mut owed = BTreeSet::new();
    if run.phase != Phase::Running {
        return owed;
    }
    let plan = &run.proposal.plan;
    let back = run.rollback.is_some();
    let shards = || plan.shards.iter().zip(&run.shards).zip(0u32..);
    let takes_part = |t: &u32, step: u32| {
        let state = &run.targets[*t as usize];
        match back {
            true => step as usize == plan.steps.len() && state.touched && state.rolled_back.is_none(),
            false => state.outcome.is_none() && state.step == step,
        }
    };
    let in_flight: usize = shards()
        .map(|((_, progress), _)| match &progress.state {
            SendState::Intent { targets, .. } | SendState::Unsure { targets, .. } => targets.len(),
            SendState::Sent { targets, .. } => targets.iter().filter(|t| takes_part(t, progress.step)).count(),
            SendState::Waiting | SendState::Over => 0,
        })
        .sum();
    let wave = shards().filter(|((_, p), _)| p.state != SendState::Over).map(|((s, _), _)| s.wave).min();
    let gated = |step: u32| {
        !back
            && plan.steps.get(step as usize).is_some_and(|s| s.gate.is_some())
            && wave.is_some_and(|w| !run.gates.contains(&(w, step)))
    };
    let held = run.holds.last().is_some_and(|h| h.ended.is_none());
    if !held && turns(run, wave, &gated) {
        owed.insert(Effect::Settle);
    }
    let mut room = (plan.max_in_flight as usize).saturating_sub(in_flight);
    for ((planned, progress), shard) in shards() {
        let (step, send) = (progress.step, progress.sends);
        match &progress.state {
            SendState::Waiting if Some(planned.wave) == wave && !held && !owed.contains(&Effect::Settle) => {
                let size = planned.targets.iter().filter(|t| takes_part(t, step)).count();
                if size <= room && !gated(step) {
                    room -= size;
                    owed.insert(Effect::Send { shard, step, send: send + 1 });
                }
            }
            SendState::Waiting | SendState::Over => {}
            SendState::Intent { .. } => drop(owed.insert(Effect::Answer { shard, step, send })),
            SendState::Unsure { .. } => drop(owed.insert(Effect::LookUp { shard, step, send })),
            SendState::Sent { .. } => {
                owed.insert(Effect::Watch { shard, step, send });
                if matches!(run.stopping, Some(NotStarted::Cancelled | NotStarted::Deadline)) {
                    owed.insert(Effect::CancelCommand { shard, step, send });
                }
            }
        }
    }
    owed
}

/// Whether something is to be said in the journal: the end, too many errors, a hold, the way back.
fn turns(run: &Run, wave: Option<u32>, gated: &dyn Fn(u32) -> bool) -> bool {
    let plan = &run.proposal.plan;
    if run.rollback.is_some() {
        return run.targets.iter().all(|t| !t.touched || t.rolled_back.is_some());
    }
    if run.targets.iter().all(|t| t.outcome.is_some()) {
        return true;
    }
    let shards = || plan.shards.iter().zip(&run.shards);
    let unstarted = shards().any(|(_, p)| p.step == 0 && p.state == SendState::Waiting);
    if !run.budget_spent && run.counts.errors() > plan.max_errors && unstarted {
        return true;
    }
    let Some(wave) = wave else { return false };
    let mut mine = shards().filter(|(s, p)| s.wave == wave && p.state != SendState::Over).map(|(_, p)| p);
    let all_wait = mine.clone().all(|p| p.state == SendState::Waiting);
    let asks = match plan.hold {
        HoldAfter::Never => false,
        HoldAfter::Failure => run.counts.errors() > run.accepted_errors,
        HoldAfter::Always => true,
    };
    all_wait && ((asks && wave > run.released) || mine.all(|p| gated(p.step)))
}

/// What is kept along the way is what is told the long way.
pub fn assert_kept_right(run: &Run, seed: u64) {
    assert_eq!(run.motion, Motion::of(run), "seed {seed}: what is kept of the motion is not what it is");
    let is_at_shard = |e: &Effect| {
        !matches!(e, Effect::Post(_) | Effect::SettlePost(_) | Effect::TellUnposted | Effect::Start | Effect::Alarm(_))
    };
    let effects = run.effects();
    let at_shards: BTreeSet<Effect> = effects.iter().filter(|e| is_at_shard(e)).cloned().collect();
    assert_eq!(at_shards, owed_at_shards(run), "seed {seed}");
}
