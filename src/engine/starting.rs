//! From permission to the first send: the policy is asked again, with the memberships of this moment.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::Principal;
use crate::message;
use crate::plan::Plan;
use crate::policy::{self, Asker, Decision, Moment, Request};
use crate::ports::{ChatError, DirectoryError, Reply};
use crate::run::{Effect, Input, PostKey, Run, Today};

use super::membership::asker_again;
use super::rulebook::Rules;
use super::runner::Handle;
use super::{Services, propose};

/// Decides once more and starts or withdraws. A failed look-up starts nothing.
pub async fn start(services: &Arc<Services>, handle: &Handle) {
    if let Some(why) = handle.read(Run::untold) {
        // It waits for nothing else any more.
        let _ = handle.input(Input::Withdraw { why }).await;
        return;
    }
    let plan = handle.read(|run| run.proposal.plan.clone());
    // The runner drops this where the start is no longer owed.
    services.halting.lifted(|| true).await;
    if services.nodes_taken(handle.id, &plan).is_some() {
        // Another change runs on one of the nodes, and the card says which; the runner asks again.
        handle.changed.notify_one();
        return;
    }
    // Before the lock: whoever cannot be looked up keeps nobody else waiting.
    let rules = services.rulebook.current();
    let people = match people(services, handle, &rules).await {
        Ok(people) => people,
        Err(fault) => {
            tracing::warn!(run = %handle.id, %fault, "the groups of the people cannot be read; the run waits");
            tokio::time::sleep(Duration::from_secs(4)).await;
            return;
        }
    };
    // Whoever drops the start must not let the next one in while this one's word is on its way to the run's writer.
    let (services, handle) = (services.clone(), handle.clone());
    let _ = tokio::spawn(async move { last_look(&services, &handle, &plan, &rules, people).await }).await;
}

/// Alone, and to the end: what starts here is seen by whoever comes next.
async fn last_look(services: &Arc<Services>, handle: &Handle, plan: &Plan, rules: &Rules, people: People) {
    // Two runs that start at the same moment must see each other.
    let one_at_a_time = services.starting.lock().await;
    if !handle.read(|run| run.owes(&Effect::Start)) || services.nodes_taken(handle.id, plan).is_some() {
        return;
    }
    services.nodes_are_free_for_good(handle.id, plan).await;
    // What others started meanwhile counts.
    let today = people.today(services, handle, rules);
    // Halted meanwhile: the runner asks again.
    let Some(_passage) = services.halting.passage().await else { return };
    if services.rulebook.current().policy.revision != today.policy {
        return;
    }
    let _ = handle.input(Input::Start { today }).await;
    drop(one_at_a_time);
}

/// The people of a run, as they are at one moment.
struct People {
    requester: Asker,
    /// Those who have agreed.
    approvers: Vec<Asker>,
}

async fn people(services: &Services, handle: &Handle, rules: &Rules) -> Result<People, DirectoryError> {
    let (by, place, approved) = handle.read(|run| {
        let approved: Vec<Principal> = run.approvals.iter().map(|approval| approval.by.clone()).collect();
        (run.proposal.by.clone(), run.proposal.place.clone(), approved)
    });
    let requester = asker_again(services.directory.as_ref(), &rules.policy, &by, &place).await?;
    let mut approvers = Vec::with_capacity(approved.len());
    for by in &approved {
        approvers.push(asker_again(services.directory.as_ref(), &rules.policy, by, &place).await?);
    }
    Ok(People { requester, approvers })
}

impl People {
    fn today(self, services: &Services, handle: &Handle, rules: &Rules) -> Today {
        let decision = decide(services, handle, rules, &self.requester);
        let glass = rules.policy.glass.as_ref().map(propose::owed);
        Today { decision, policy: rules.policy.revision, approvers: self.approvers, glass }
    }
}

/// As [`decide_again`], with those who have agreed as they are now.
///
/// # Errors
/// If anybody's groups cannot be read.
pub(super) async fn today(services: &Services, handle: &Handle, rules: &Rules) -> Result<Today, DirectoryError> {
    Ok(people(services, handle, rules).await?.today(services, handle, rules))
}

/// What the policy and the memberships of this moment say to the run's plan.
///
/// # Errors
/// If the requester's groups cannot be read: then nothing starts or goes on.
pub(super) async fn decide_again(
    services: &Services,
    handle: &Handle,
    rules: &Rules,
) -> Result<Decision, DirectoryError> {
    let (by, place) = handle.read(|run| (run.proposal.by.clone(), run.proposal.place.clone()));
    let requester = asker_again(services.directory.as_ref(), &rules.policy, &by, &place).await?;
    Ok(decide(services, handle, rules, &requester))
}

fn decide(services: &Services, handle: &Handle, rules: &Rules, requester: &Asker) -> Decision {
    let (plan, justification) = handle.read(|run| {
        let p = &run.proposal;
        (p.plan.clone(), p.glass.as_ref().map(|_| p.reason.clone().unwrap_or_default()))
    });
    let recent = services.recent_targets(requester, &plan.runbook, handle.id);
    let moment = Moment { recent: &recent, now: services.clock.now() };
    let request = Request::of(requester, &plan, moment);
    match justification {
        Some(why) => policy::decide_in_emergency(&rules.policy, &request, &why),
        None => policy::decide(&rules.policy, &request),
    }
}

/// The root card cannot be posted, so the run must not start: the requester is told in private, and the request is
/// withdrawn.
pub async fn tell_unposted(services: &Arc<Services>, handle: &Handle) {
    let (by, place, cause) = handle.read(|run| {
        let cause = run.failed_posts.get(&PostKey::Root).cloned().unwrap_or_default();
        (run.proposal.by.clone(), run.proposal.place.clone(), cause)
    });
    let reply = Reply { platform: place.platform, place: place.clone(), person: by.clone(), url: None, trigger: None };
    let card = message::trouble::cannot_post(&cause);
    if services.chat.whisper(&reply, &card).await.is_err() {
        // Not even a whisper is possible there; a direct message is.
        match services.chat.direct(&by).await {
            Ok(direct) => {
                let key = format!("{}:unposted", handle.id);
                match services.chat.post(&direct, &card, &key).await {
                    Ok(_) => {}
                    Err(ChatError::Refused(cause)) => {
                        tracing::error!(run = %handle.id, cause, "the requester cannot be told");
                    }
                    // Owed until it is said; the runner asks again.
                    Err(_) => return,
                }
            }
            Err(ChatError::Refused(cause)) => tracing::error!(run = %handle.id, cause, "the requester cannot be told"),
            Err(_) => return,
        }
    }
    let _ = handle.input(Input::Withdraw { why: cause }).await;
}
