//! Who may approve, whether a quorum is met, and whom it waits for.
//!
//! A quorum is seats of groups. One person fills one seat, whichever of theirs leaves the most seats filled in all; the
//! requester fills none. Accounts that the policy links are one person. An approver of another platform or tenant than the
//! requester's counts only where the policy links that account to one in the requester's tenant: any other could be the
//! requester's own second account.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{GroupName, Principal};

use super::request::Asker;
use super::words::members;
use super::{Decision, Seats, Verdict};

/// One person's yes to the plan, with the groups that the person is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote<'a> {
    pub by: &'a Principal,
    /// The person's account in the requester's tenant, where it is not `by`.
    pub stands_for: Option<&'a Principal>,
    pub groups: &'a [GroupName],
}

impl<'a> Vote<'a> {
    /// Who fills the seat: the person, by the account in the requester's tenant.
    fn person(&self) -> &'a Principal {
        self.stands_for.unwrap_or(self.by)
    }
}

/// A yes that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yes {
    /// Those of the groups that are asked for that the person is in.
    pub groups: Vec<GroupName>,
    /// As of [`Vote`].
    pub stands_for: Option<Principal>,
}

/// Why a yes does not count. One sentence fragment for the person who clicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotApprove {
    #[error("it needs no approval")]
    NotNeeded,
    #[error("it is forbidden, and no approval changes that")]
    Forbidden,
    #[error("you proposed this run, so someone else has to approve it")]
    Requester,
    #[error("you proposed this run with your other account, so someone else has to approve it")]
    OwnTwin,
    #[error("bots and workflows approve nothing, only people do")]
    Bot,
    #[error("people of another organisation approve nothing here")]
    Foreign,
    #[error("a shell on the host approves nothing, people in chat do")]
    Operator,
    #[error(
        "it was asked in another workspace than yours, where Muster does not know you: let somebody of that workspace \
         approve it, or have your accounts linked under `[people]` of the policy"
    )]
    OtherTenant,
    #[error("you have approved it already")]
    Already,
    #[error("only {} can approve it", members(.0))]
    NotInGroup(BTreeSet<GroupName>),
    #[error("your approval would fill no seat that is open: it waits for {}", waits(.0))]
    SeatsTaken(Vec<Seats>),
}

fn waits(open: &[Seats]) -> String {
    if open.is_empty() {
        return "nobody any more".into();
    }
    let open: Vec<String> = open.iter().map(|s| format!("{} of `{}`", s.count, s.group)).collect();
    open.join(" and ")
}

/// Whether `votes` are enough: always for a permit, never for a forbid.
#[must_use]
pub fn quorum_met(decision: &Decision, requester: &Principal, votes: &[Vote<'_>]) -> bool {
    match decision.verdict {
        Verdict::Permit => true,
        Verdict::Forbid => false,
        // An approval that asks for nobody would be a mistake of ours, and is not taken for a yes.
        Verdict::PermitWithApproval => {
            !decision.quorum.is_empty() && waiting_for(&decision.quorum, requester, votes).is_empty()
        }
    }
}

/// The seats still open. Where people could sit in one way or another, this is one of the ways with fewest open.
#[must_use]
pub fn waiting_for(quorum: &[Seats], requester: &Principal, votes: &[Vote<'_>]) -> Vec<Seats> {
    let seated = Seating::of(quorum, requester, votes).taken;
    let open = quorum.iter().zip(seated).map(|(seats, taken)| {
        let taken = u32::try_from(taken.len()).unwrap_or(u32::MAX);
        Seats { count: seats.count.saturating_sub(taken), ..seats.clone() }
    });
    open.filter(|seats| seats.count > 0).collect()
}

/// Whether a yes of `person` counts, and as what.
pub fn may_approve(
    decision: &Decision,
    requester: &Principal,
    votes: &[Vote<'_>],
    person: &Asker,
) -> Result<Yes, CannotApprove> {
    match decision.verdict {
        Verdict::Permit => return Err(CannotApprove::NotNeeded),
        Verdict::Forbid => return Err(CannotApprove::Forbidden),
        Verdict::PermitWithApproval => {}
    }
    let by = &person.principal;
    if person.bot {
        return Err(CannotApprove::Bot);
    }
    if person.foreign {
        return Err(CannotApprove::Foreign);
    }
    if by.is_operator() {
        return Err(CannotApprove::Operator);
    }
    if by == requester {
        return Err(CannotApprove::Requester);
    }
    if person.twins.contains(requester) {
        return Err(CannotApprove::OwnTwin);
    }
    // One account of each person stands for all: the first in the requester's tenant.
    let own = person.twins.iter().chain([by]).filter(|account| same_tenant(account, requester)).min();
    let Some(own) = own else { return Err(CannotApprove::OtherTenant) };
    if votes.iter().any(|v| v.by == by || v.person() == own || person.twins.contains(v.by)) {
        return Err(CannotApprove::Already);
    }
    let quorum = &decision.quorum;
    let asked: BTreeSet<GroupName> = quorum.iter().map(|s| s.group.clone()).collect();
    let theirs: Vec<GroupName> = asked.intersection(&person.groups).cloned().collect();
    if theirs.is_empty() {
        return Err(CannotApprove::NotInGroup(asked));
    }
    let stands_for = (own != by).then_some(own);
    let more = [votes, &[Vote { by, stands_for, groups: &theirs }]].concat();
    if Seating::of(quorum, requester, &more).filled() == Seating::of(quorum, requester, votes).filled() {
        return Err(CannotApprove::SeatsTaken(waiting_for(quorum, requester, votes)));
    }
    Ok(Yes { groups: theirs, stands_for: stands_for.cloned() })
}

fn same_tenant(a: &Principal, b: &Principal) -> bool {
    (a.platform, &a.tenant) == (b.platform, &b.tenant)
}

/// A largest possible assignment of people to seats.
struct Seating<'a> {
    quorum: &'a [Seats],
    /// The groups of each person who may sit at all.
    people: Vec<&'a [GroupName]>,
    /// For each entry of the quorum the people who sit there, by index.
    taken: Vec<Vec<usize>>,
}

impl<'a> Seating<'a> {
    fn of(quorum: &'a [Seats], requester: &Principal, votes: &[Vote<'a>]) -> Self {
        let mut people: BTreeMap<&Principal, &[GroupName]> = BTreeMap::new();
        let sits = |v: &&Vote<'_>| v.by != requester && v.person() != requester && same_tenant(v.person(), requester);
        for vote in votes.iter().filter(sits) {
            // The first yes counts; a second one of the same person adds nothing.
            people.entry(vote.person()).or_insert(vote.groups);
        }
        let mut seating =
            Seating { quorum, people: people.into_values().collect(), taken: vec![Vec::new(); quorum.len()] };
        for person in 0..seating.people.len() {
            seating.seat(person, &mut vec![false; quorum.len()]);
        }
        seating
    }

    /// Seats one more person, moving others to another of their seats where that makes room.
    fn seat(&mut self, person: usize, tried: &mut [bool]) -> bool {
        for at in 0..self.quorum.len() {
            if tried[at] || !self.people[person].contains(&self.quorum[at].group) {
                continue;
            }
            tried[at] = true;
            let room = usize::try_from(self.quorum[at].count).unwrap_or(usize::MAX);
            if self.taken[at].len() < room {
                self.taken[at].push(person);
                return true;
            }
            for chair in 0..self.taken[at].len() {
                if self.seat(self.taken[at][chair], tried) {
                    self.taken[at][chair] = person;
                    return true;
                }
            }
        }
        false
    }

    fn filled(&self) -> usize {
        self.taken.iter().map(Vec::len).sum()
    }
}
