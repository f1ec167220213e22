//! What becomes of a permission while a run waits: the rules may change, people may leave their groups, and an approver
//! may agree to a part only. What was agreed to never grows, and the stricter decision stands.

use serde::{Deserialize, Serialize};

use crate::domain::{Digest, Principal, Timestamp};
use crate::plan::Plan;
use crate::policy::{Asker, CannotApprove, Decision, Reason, Verdict, Vote, Yes, may_approve, quorum_met, stricter};

use super::decide::Refusal;
use super::event::Event;
use super::glass::Glass;
use super::retry::is_part;
use super::state::{Approval, Phase, Run};

/// What the rules and the memberships of this moment say to a run that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Today {
    /// To the same plan of the same requester.
    pub decision: Decision,
    /// Revision of the policy files that decided.
    pub policy: Digest,
    /// Those who have agreed, as they are now. An approval whose person is not among them came later, and stands.
    pub approvers: Vec<Asker>,
    /// What breaking the glass owes by the rules of this moment.
    pub glass: Option<Glass>,
}

/// An approval that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapsed {
    pub by: Principal,
    /// Why, in a fragment about that person.
    pub why: String,
}

/// Something that whoever waits has to hear of while it waits: an edit of a card notifies nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Rules or people have changed, and more approvals are needed than before.
    MoreAsked { lapsed: Vec<Lapsed> },
    /// An approver agreed to so many of the targets only.
    Narrowed { by: Principal, targets: u32, of: u32 },
    /// Everybody who may approve, together, is too few.
    TooFew,
    /// Half of the time is over.
    HalfTime { at: Timestamp },
}

/// The permission as it would stand.
struct Standing {
    decision: Decision,
    approvals: Vec<Approval>,
    lapsed: Vec<Lapsed>,
}

impl Run {
    /// The rules or the people have changed: the stricter decision stands, and approvals of people who could no longer give
    /// them lapse.
    pub(super) fn reconsider(&self, today: &Today, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        if self.phase != Phase::AwaitingApproval || now >= self.start_by() {
            return Err(Refusal::Stale);
        }
        if let Some(withdrawn) = self.withdrawn(today, now) {
            return Ok(vec![withdrawn]);
        }
        self.standing(today).event(self, today, now).map(|event| vec![event]).ok_or(Refusal::Stale)
    }

    /// The last look before the start.
    pub(super) fn start(&self, today: &Today, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let told = self.root_posted() && self.glass_is_told();
        if self.phase != Phase::AwaitingApproval || !self.is_agreed() || !told {
            return Err(Refusal::Stale);
        }
        if now >= self.start_by() {
            return Ok(vec![Event::Expired { at: now }]);
        }
        if self.proposal.plan.digest() != self.proposal.digest {
            let why = "the plan is not the one that was agreed to; ask for it again".to_owned();
            return Ok(vec![Event::Withdrawn { why, at: now }]);
        }
        if let Some(why) = self.untold() {
            return Ok(vec![Event::Withdrawn { why, at: now }]);
        }
        if let Some(withdrawn) = self.withdrawn(today, now) {
            return Ok(vec![withdrawn]);
        }
        let standing = self.standing(today);
        let mut events: Vec<Event> = standing.event(self, today, now).into_iter().collect();
        if standing.is_agreed(&self.proposal.by) {
            events.push(Event::Started { at: now });
        }
        Ok(events)
    }

    fn withdrawn(&self, today: &Today, now: Timestamp) -> Option<Event> {
        if self.proposal.glass.is_some()
            && today.decision.verdict != Verdict::Forbid
            && today.glass != self.proposal.glass
        {
            let why = "who has to be told or to look at it has changed in the rules; ask for it again".to_owned();
            return Some(Event::Withdrawn { why, at: now });
        }
        let why = today.decision.reasons.first().map_or("no rule permits it any more", |r| r.text.as_str());
        let why = format!("the policy no longer permits it: {why}");
        (today.decision.verdict == Verdict::Forbid).then_some(Event::Withdrawn { why, at: now })
    }

    /// A rule that would be overridden now and that nobody was told of.
    pub(super) fn more_overridden(&self, now: &Decision) -> Option<String> {
        let known = &self.proposal.decision.overridden;
        let new = now.overridden.iter().find(|rule| !known.iter().any(|other| other.rule == rule.rule));
        new.map(|rule| rule.rule.clone())
    }

    fn standing(&self, today: &Today) -> Standing {
        let decision = joined(&self.proposal.decision, &today.decision);
        let (mut approvals, mut lapsed): (Vec<Approval>, Vec<Lapsed>) = (Vec::new(), Vec::new());
        // Whoever agreed has not seen what would be overridden besides.
        let more = self.more_overridden(&today.decision);
        for approval in &self.approvals {
            if let Some(rule) = &more {
                lapsed.push(Lapsed { by: approval.by.clone(), why: format!("`{rule}` would be overridden too now") });
                continue;
            }
            let person = today.approvers.iter().find(|person| person.principal == approval.by);
            let Some(person) = person.filter(|_| decision.verdict == Verdict::PermitWithApproval) else {
                approvals.push(approval.clone());
                continue;
            };
            let votes: Vec<Vote<'_>> = approvals.iter().map(Approval::vote).collect();
            match may_approve(&decision, &self.proposal.by, &votes, person) {
                Ok(Yes { groups, stands_for }) => approvals.push(Approval { groups, stands_for, ..approval.clone() }),
                // Others fill its seats now. It stays, for a seat that may open again.
                Err(CannotApprove::SeatsTaken(_)) => {
                    let asked = decision.quorum.iter().map(|seats| &seats.group);
                    let groups = asked.filter(|group| person.groups.contains(*group)).cloned().collect();
                    approvals.push(Approval { groups, ..approval.clone() });
                }
                Err(why) => lapsed.push(Lapsed { by: approval.by.clone(), why: of_whom(&why).to_owned() }),
            }
        }
        Standing { decision, approvals, lapsed }
    }

    /// An approver agrees to a part of the plan, and nobody to the whole any more: it is another plan, and earlier approvals
    /// are void.
    pub(super) fn narrow(&self, by: Asker, digest: Digest, plan: &Plan, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        self.is_waiting(now)?;
        let whole = &self.proposal.plan;
        if digest != self.proposal.digest || !is_part(whole, plan) || plan.targets.len() >= whole.targets.len() {
            return Err(Refusal::OtherPlan);
        }
        let Yes { groups, stands_for } = self.may_decide(&by, &[])?;
        let digest = plan.digest();
        let plan = Box::new(plan.clone());
        Ok(vec![
            Event::Narrowed { by: by.principal.clone(), plan, digest, at: now },
            Event::Approved { by: by.principal, stands_for, groups, digest, at: now },
        ])
    }

    /// What a button of a card of this revision was about: the digest of the plan that stood there.
    #[must_use]
    pub fn digest_shown(&self, revision: u32) -> Digest {
        let earlier = self.narrowed.iter().find(|narrowed| revision < narrowed.revision);
        earlier.map_or(self.proposal.digest, |narrowed| narrowed.from)
    }

    /// It waits for somebody's yes.
    #[must_use]
    pub fn awaits_approval(&self) -> bool {
        self.phase == Phase::AwaitingApproval && !self.is_agreed()
    }

    /// When those who may approve are reminded: at half of the time, once.
    #[must_use]
    pub fn reminds_at(&self) -> Option<Timestamp> {
        let wait = self.expires_at().duration_since(self.waits_since);
        let half = self.waits_since.saturating_add(wait / 2).unwrap_or(Timestamp::MAX);
        (self.awaits_approval() && self.reminded().is_none()).then_some(half)
    }
}

impl Run {
    /// When those who may approve were reminded.
    #[must_use]
    pub fn reminded(&self) -> Option<Timestamp> {
        self.notices.iter().find_map(|notice| match notice {
            Notice::HalfTime { at } => Some(*at),
            Notice::MoreAsked { .. } | Notice::Narrowed { .. } | Notice::TooFew => None,
        })
    }
}

/// Of a rule that speaks in both, what it says now.
fn joined(before: &Decision, now: &Decision) -> Decision {
    let is_old = |reason: &&Reason| !now.reasons.iter().any(|other| other.rule == reason.rule);
    let before = Decision { reasons: before.reasons.iter().filter(is_old).cloned().collect(), ..before.clone() };
    stricter(&before, now)
}

impl Standing {
    fn is_agreed(&self, requester: &Principal) -> bool {
        let votes: Vec<Vote<'_>> = self.approvals.iter().map(Approval::vote).collect();
        quorum_met(&self.decision, requester, &votes)
    }

    /// What to write down, if anything is different. Other words for the same are not.
    fn event(&self, run: &Run, today: &Today, now: Timestamp) -> Option<Event> {
        let old = &run.proposal.decision;
        let people = |decision: &Decision| -> Vec<_> {
            decision.quorum.iter().map(|seats| (seats.group.clone(), seats.count)).collect()
        };
        let same = (old.verdict, old.expires, people(old))
            == (self.decision.verdict, self.decision.expires, people(&self.decision));
        let same = same && run.more_overridden(&self.decision).is_none();
        if same && self.approvals == run.approvals {
            return None;
        }
        Some(Event::Reconsidered {
            decision: Box::new(self.decision.clone()),
            policy: today.policy,
            approvals: self.approvals.clone(),
            lapsed: self.lapsed.clone(),
            at: now,
        })
    }
}

/// Why the approval of a person no longer counts, of that person.
fn of_whom(why: &CannotApprove) -> &'static str {
    match why {
        CannotApprove::NotNeeded | CannotApprove::Forbidden | CannotApprove::SeatsTaken(_) => {
            "it is no longer asked for"
        }
        CannotApprove::Requester | CannotApprove::OwnTwin => "the account is linked to the one that asked",
        CannotApprove::Bot => "the account is no longer that of a person",
        CannotApprove::Foreign => "the account belongs to another organisation now",
        CannotApprove::Operator => "a shell on the host approves nothing",
        CannotApprove::OtherTenant => "the account is no longer linked to one in the workspace where it was asked",
        CannotApprove::Already => "the account is linked to another one that approved",
        CannotApprove::NotInGroup(_) => "no longer in a group that is asked",
    }
}
