//! What `evolve` keeps of shards and effects, told once more without it.

use super::*;

/// What a running run owes at its shards, told from targets and shards alone, the long way.
fn owed_at_shards(run: &Run) -> BTreeSet<Effect> {
    let mut owed = BTreeSet::new();
    if run.phase != Phase::Running {
        return owed;
    }
    let plan = &run.proposal.plan;
    let shards = || plan.shards.iter().zip(&run.shards).zip(0u32..);
    let lives = |t: &&u32| run.targets[**t as usize].outcome.is_none();
    let flies = |t: &&u32, step: u32| lives(t) && !run.targets[**t as usize].reports.iter().any(|(s, _)| *s == step);
    let in_flight: usize = shards()
        .map(|((_, progress), _)| match &progress.state {
            SendState::Intent { targets, .. } | SendState::Unsure { targets, .. } => targets.len(),
            SendState::Sent { targets, .. } => targets.iter().filter(|t| flies(t, progress.step)).count(),
            SendState::Waiting | SendState::Over => 0,
        })
        .sum();
    let unstarted = shards().any(|((_, p), _)| p.step == 0 && p.state == SendState::Waiting);
    let ended = run.targets.iter().all(|t| t.outcome.is_some());
    if ended || (!run.budget_spent && run.counts.errors() > plan.max_errors && unstarted) {
        owed.insert(Effect::Settle);
    }
    let wave = shards().filter(|((_, p), _)| p.state != SendState::Over).map(|((s, _), _)| s.wave).min();
    let mut room = (plan.max_in_flight as usize).saturating_sub(in_flight);
    for ((planned, progress), shard) in shards() {
        let (step, send) = (progress.step, progress.sends);
        match &progress.state {
            SendState::Waiting if Some(planned.wave) == wave && !owed.contains(&Effect::Settle) => {
                let size = planned.targets.iter().filter(lives).count();
                if size <= room {
                    room -= size;
                    owed.insert(Effect::Send { shard, step, send: send + 1 });
                }
            }
            SendState::Waiting | SendState::Over => {}
            SendState::Intent { .. } => drop(owed.insert(Effect::Answer { shard, step, send })),
            SendState::Unsure { .. } => drop(owed.insert(Effect::LookUp { shard, step, send })),
            SendState::Sent { .. } => {
                owed.insert(Effect::Watch { shard, step, send });
                if run.cancelled_by.is_some() {
                    owed.insert(Effect::CancelCommand { shard, step, send });
                }
            }
        }
    }
    owed
}

/// What is kept along the way is what is told the long way.
pub fn assert_kept_right(run: &Run, seed: u64) {
    assert_eq!(run.motion, Motion::of(run), "seed {seed}: what is kept of the motion is not what it is");
    let is_at_shard = |e: &Effect| {
        !matches!(e, Effect::Post(_) | Effect::SettlePost(_) | Effect::TellUnposted | Effect::Start | Effect::Expire(_))
    };
    let effects = run.effects();
    let at_shards: BTreeSet<Effect> = effects.iter().filter(|e| is_at_shard(e)).cloned().collect();
    assert_eq!(at_shards, owed_at_shards(run), "seed {seed}");
}
