//! Every no: what was asked, why it is refused, and the door that stays open. The remedy stands last.

use std::collections::BTreeMap;

use crate::domain::fault::closest;
use crate::domain::{AccountId, ChatPlatform, GroupName, RunbookName, Unread};
use crate::plan::Coverage;
use crate::policy::Decision;
use crate::run::{Phase, Run};
use crate::runbook::Runbook;

use super::browse::usage;
use super::door::{self, Door};
use super::root::{ended, open_seats, seats};
use super::words::{Line, count, cut, list, nodes, number, say, sentence, size};
use super::{Block, Card, Span, Tone, View, plan, verdict};

/// A refusal: one sentence, the reasons, and what to do instead.
#[must_use]
pub fn refusal(title: impl Into<String>, reasons: Vec<Vec<Span>>, doors: Vec<Vec<Span>>) -> Card {
    let block = |all: Vec<Vec<Span>>| {
        let mut spans: Vec<Span> = Vec::new();
        for line in all {
            if !spans.is_empty() {
                spans.push(Span::plain("\n"));
            }
            spans.extend(line);
        }
        (!spans.is_empty()).then_some(Block::Text(spans))
    };
    Card {
        tone: Tone::Warning,
        title: cut(&title.into(), verdict::TITLE_MAX),
        blocks: [block(reasons), block(doors)].into_iter().flatten().collect(),
        buttons: Vec::new(),
    }
}

fn bad(card: Card) -> Card {
    Card { tone: Tone::Bad, ..card }
}

/// The policy said no. `targets` is `None` where it already said so before planning.
#[must_use]
pub fn denied(
    runbook: &RunbookName,
    targets: Option<u32>,
    decision: &Decision,
    door: Option<Door>,
    view: &View,
) -> Card {
    let mut on = targets.map_or_else(String::new, |n| format!(" on {}", nodes(n)));
    if let Some(part) = door.map(|d| d.part).filter(|n| *n > 0) {
        on.push_str(&format!(", but on {} of them", number(part)));
    }
    let reasons = plan::reasons(decision).into_iter().map(Line::spans).collect();
    let mut doors: Vec<Vec<Span>> = plan::could(decision).into_iter().map(Line::spans).collect();
    let why = say("See what you may run: ").code(format!("{} list", view.command));
    doors.push(why.spans());
    let card = bad(refusal(format!("You may not run {}{on}", cut(runbook.as_str(), 64)), reasons, doors));
    Card { buttons: door.map(|d| door::buttons(d, &decision.could)).unwrap_or_default(), ..card }
}

/// No such runbook among `known`, which holds those that this person may know of.
#[must_use]
pub fn unknown_runbook(asked: &str, known: &[RunbookName], view: &View) -> Card {
    let mut doors = Vec::new();
    if let Some(close) = closest(asked, known.iter().map(RunbookName::as_str)) {
        doors.push(say("Did you mean ").code(format!("{} run {close}", view.command)).plain("?").spans());
    }
    doors.push(say("All that you may run: ").code(format!("{} list", view.command)).spans());
    refusal(format!("There is no runbook {}", cut(asked, 64)), Vec::new(), doors)
}

/// Arguments that do not fit the runbook's parameters; every fault at once, values in backticks.
#[must_use]
pub fn argument_faults(runbook: &Runbook, faults: &[String], view: &View) -> Card {
    let n = size(faults.len());
    let title =
        format!("{} in the arguments of {}: nothing was run", count(n, "mistake"), cut(runbook.name.as_str(), 48));
    let reasons = faults.iter().map(|f| say("• ").prose(f).spans()).collect();
    let doors = vec![
        say("For example: ").code(usage(runbook, view)).spans(),
        say("What it takes: ").code(format!("{} show {}", view.command, runbook.name)).spans(),
    ];
    refusal(title, reasons, doors)
}

/// A command that the grammar does not know, with what was expected.
#[must_use]
pub fn not_understood(fault: &str, view: &View) -> Card {
    let doors = vec![say("Examples: ").code(format!("{} help", view.command)).spans()];
    refusal("I did not understand that", vec![super::words::prose(&sentence(fault))], doors)
}

/// A run without `on …`.
#[must_use]
pub fn no_selector(runbook: &Runbook, view: &View) -> Card {
    refusal(
        format!("Where should {} run?", cut(runbook.name.as_str(), 64)),
        vec![say("Nothing runs everywhere by default, so every run says where.").spans()],
        vec![say("Add where: ").code(usage(runbook, view)).spans()],
    )
}

/// The selector found no target in `accounts`. What it did find that cannot be reached is told, since it is the
/// likely reason.
#[must_use]
pub fn nothing_matched(
    selector: &str,
    coverage: &Coverage,
    accounts: &BTreeMap<AccountId, String>,
    view: &View,
) -> Card {
    let mut reasons = vec![say("Asked: ").code(selector).spans()];
    let c = coverage;
    if c.narrowed > 0 {
        let why: Vec<String> = c.narrowed_by.iter().map(|(why, n)| format!("{} {why}", number(*n))).collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", list(&why, "and")) };
        reasons.push(say(format!("{} matched, but not what the runbook is made for{why}.", nodes(c.narrowed))).spans());
    }
    if !c.unmanaged.is_empty() {
        let n = size(c.unmanaged.len());
        let names: Vec<String> = c.unmanaged.iter().map(|(_, region, name)| format!("{name} ({region})")).collect();
        let verb = if n == 1 { "matches but is" } else { "match but are" };
        reasons.push(
            say(format!(
                "{} {verb} not managed by SSM: {}.",
                count(n, "running instance"),
                super::words::some(&names, 6)
            ))
            .spans(),
        );
    }
    reasons.extend(unread(&c.unread, accounts));
    let doors = vec![say("See what a selector finds: ").code(format!("{} targets {selector}", view.command)).spans()];
    // Where nothing could be read, nobody knows whether anything matches.
    let whole = c.unread.iter().filter(|u| u.region.is_none()).count();
    if !accounts.is_empty() && whole >= accounts.len() && c.narrowed == 0 && c.unmanaged.is_empty() {
        let title = if accounts.len() == 1 { "The account" } else { "None of the accounts" };
        let could = if accounts.len() == 1 { "could not be read" } else { "could be read" };
        reasons.remove(0);
        return bad(refusal(format!("{title} {could}, so nothing was run"), reasons, Vec::new()));
    }
    refusal("No node matches, so nothing was run", reasons, doors)
}

/// Accounts and regions that could not be read, those with the same cause in one line, and at most three lines.
fn unread(all: &[Unread], accounts: &BTreeMap<AccountId, String>) -> Vec<Vec<Span>> {
    const SHOWN: usize = 3;
    let mut causes: Vec<(&str, Vec<String>)> = Vec::new();
    for u in all {
        let name = accounts.get(&u.account).map_or(u.account.as_str(), String::as_str);
        let place = u.region.as_ref().map_or_else(|| name.to_owned(), |r| format!("{name} {r}"));
        match causes.iter_mut().find(|(cause, _)| *cause == u.cause) {
            Some((_, places)) => places.push(place),
            None => causes.push((&u.cause, vec![place])),
        }
    }
    let line = |(cause, places): &(&str, Vec<String>)| {
        // The account's name stands in most causes already.
        match all.iter().find(|u| u.cause == *cause && cause.contains(u.account.as_str())) {
            Some(_) => super::words::prose(&sentence(cause)),
            None => {
                say("Could not read ").bold(super::words::some(places, 4)).plain(": ").prose(cause).plain(".").spans()
            }
        }
    };
    let mut lines: Vec<Vec<Span>> = causes.iter().take(SHOWN).map(line).collect();
    let left = size(causes.len().saturating_sub(SHOWN));
    if left > 0 {
        lines.push(say(format!("{} more could not be read.", count(left, "place"))).spans());
    }
    lines
}

/// More targets than the runbook allows at once.
#[must_use]
pub fn too_many_targets(
    runbook: &RunbookName,
    found: u32,
    max: u32,
    plan_accounts: &[(String, u32)],
    view: &View,
) -> Card {
    let mut reasons =
        vec![say(format!("The selector finds {}, the runbook allows {} at once.", nodes(found), number(max))).spans()];
    if !plan_accounts.is_empty() {
        let told: Vec<String> = plan_accounts.iter().map(|(name, n)| format!("{} {name}", number(*n))).collect();
        reasons.push(say(format!("By account: {}.", super::words::some(&told, 8))).spans());
    }
    let example = plan_accounts.iter().find(|(_, n)| *n <= max);
    let narrow = match example {
        Some((name, n)) => say("Narrow it, for example to ")
            .code(format!("accounts={name}"))
            .plain(format!(" ({}), or by ", nodes(*n)))
            .code("regions=…")
            .plain(" or ")
            .code("tag:…=…")
            .plain("."),
        None if plan_accounts.len() == 1 => {
            say("Narrow it by ").code("regions=…").plain(", ").code("tag:…=…").plain(" or ").code("nodes=…").plain(".")
        }
        None => say("Narrow it by ")
            .code("accounts=…")
            .plain(", ")
            .code("regions=…")
            .plain(" or ")
            .code("tag:…=…")
            .plain("."),
    };
    let see = say("See what it finds: ").code(format!("{} targets …", view.command));
    refusal(
        format!(
            "{} where {} {} allowed: {} was not run",
            nodes(found),
            number(max),
            super::words::are(max),
            cut(runbook.as_str(), 48)
        ),
        reasons,
        vec![narrow.spans(), see.spans()],
    )
}

/// A click or a word of somebody whose workspace is not ours.
#[must_use]
pub fn foreign_click() -> Card {
    bad(refusal(
        "Only people of this organisation can use me, so nothing was changed",
        vec![say("This channel is shared, and your account belongs to another organisation.").spans()],
        vec![say("Ask the person who started the run, or anybody else of this organisation.").spans()],
    ))
}

/// A workspace or guild of which no group in the policy has anybody: whoever invited the bot there, nobody in it may do
/// anything.
#[must_use]
pub fn unknown_tenant(platform: ChatPlatform, tenant: &str) -> Card {
    let (here, key, ask) = match platform {
        ChatPlatform::Discord => ("server", "discord_roles", format!("discord:{tenant}:ROLE")),
        ChatPlatform::Slack | ChatPlatform::Host => {
            ("workspace", "slack_usergroups", format!("{}:{tenant}:GROUP", platform.as_str()))
        }
    };
    bad(refusal(
        format!("No group in my policy has anybody of this {here}, so nothing was done"),
        vec![
            say("Who may do what is told by groups, and none of them names ")
                .code(format!("{}:{tenant}", platform.as_str()))
                .plain(".")
                .spans(),
        ],
        vec![
            say("If it should, ask the operators of this bot to add it to a group of the policy: ")
                .code(format!("{key} = [\"{ask}\"]"))
                .plain(".")
                .spans(),
        ],
    ))
}

/// A yes that does not count, and why, as the policy says it.
#[must_use]
pub fn cannot_approve(why: &str, run: &Run, view: &View) -> Card {
    let open = open_seats(run);
    let mut doors = Vec::new();
    if !open.is_empty() {
        doors.push(say(format!("{} waits for {}.", view.short, seats(&open))).spans());
    }
    refusal("Your approval does not count here", vec![super::words::prose(&sentence(why))], doors)
}

/// A no of somebody who may not decide.
#[must_use]
pub fn cannot_deny(groups: &[GroupName]) -> Card {
    let groups: Vec<String> = groups.iter().map(|g| format!("@{g}")).collect();
    let who = if groups.is_empty() { "an approver".to_owned() } else { format!("a member of {}", list(&groups, "or")) };
    refusal(
        "You cannot deny this request",
        vec![say(format!("Only {who}, or the person who asked, can end it.")).spans()],
        Vec::new(),
    )
}

/// A cancel of somebody who may not.
#[must_use]
pub fn cannot_cancel(run: &Run, why: &str) -> Card {
    refusal(
        "You cannot cancel this run",
        vec![super::words::prose(&sentence(why))],
        vec![say("Ask ").person(&run.proposal.by).plain(", who started it.").spans()],
    )
}

/// A click on a hold by somebody who may not decide it.
#[must_use]
pub fn cannot_decide_hold(run: &Run, view: &View) -> Card {
    let gate = run.hold().and_then(|hold| run.gate_of(hold)).map(|gate| gate.from.clone());
    let approvers = run.proposal.decision.quorum.iter().map(|s| s.group.clone());
    let groups: std::collections::BTreeSet<String> = gate.into_iter().chain(approvers).collect();
    let mut who = say("Ask ").person(&run.proposal.by);
    for group in groups {
        who = who.plain(format!(", or one of @{group}"));
    }
    refusal(
        "You cannot decide this",
        vec![say("The person who asked for the run decides, and those who may approve it.").spans()],
        vec![
            who.plain(".").spans(),
            say("How it stands: ").code(format!("{} status {}", view.command, view.short)).spans(),
        ],
    )
}

/// A yes at a gate that does not count.
#[must_use]
pub fn cannot_pass_gate(why: &str, run: &Run) -> Card {
    let gate = run.hold().and_then(|hold| run.gate_of(hold));
    let remedy = gate.map(|gate| say(format!("Ask one of @{}, who decide here.", gate.from)).spans());
    refusal("Your yes does not count here", vec![super::words::prose(&sentence(why))], remedy.into_iter().collect())
}

/// Somebody was faster, or the card is an old one.
#[must_use]
pub fn hold_decided(run: &Run, view: &View) -> Card {
    use crate::run::HoldEnd;
    let ended = run.holds.iter().rev().find_map(|hold| hold.ended.as_ref());
    let told = match ended {
        Some((end, Some(by), at)) => {
            let did = match end {
                HoldEnd::Continued => " let it go on at ",
                HoldEnd::Stopped => " stopped it at ",
                HoldEnd::RolledBack => " started the rollback at ",
                HoldEnd::TimedOut | HoldEnd::Overtaken => " ended it at ",
            };
            Line::default().person(by).plain(did).when(*at).plain(".")
        }
        Some((_, None, at)) => say("Nobody decided by ").when(*at).plain(", so nothing further was started."),
        None => say("It is not held: there is nothing to decide."),
    };
    let status = say("How it stands: ").code(format!("{} status {}", view.command, view.short));
    refusal("It was already decided", vec![told.spans()], vec![status.spans()])
}

/// The policy of today does not permit what is left of the run.
#[must_use]
pub fn cannot_go_on(run: &Run, why: &str) -> Card {
    let mut remedies = vec![say("Press ").bold("Stop").plain(" to leave the rest as it is.").spans()];
    if run.has_way_back() {
        remedies.push(say("Press ").bold("Roll back").plain(" to take back what was done.").spans());
    }
    refusal("It cannot go on: the policy no longer permits it", vec![super::words::prose(&sentence(why))], remedies)
}

/// There is nothing to roll back.
#[must_use]
pub fn no_way_back(run: &Run, view: &View) -> Card {
    let why = if run.proposal.plan.rollback.is_none() {
        "The runbook defines no rollback."
    } else if run.rollback.is_some() {
        "It was rolled back already."
    } else {
        "Nothing was touched yet."
    };
    let status = say("How it stands: ").code(format!("{} status {}", view.command, view.short));
    refusal("There is nothing to roll back", vec![say(why).spans()], vec![status.spans()])
}

/// The button stood under a plan that has been narrowed since.
#[must_use]
pub fn other_plan(run: &Run, view: &View) -> Card {
    let told = match run.narrowed.last() {
        Some(narrowed) => Line::default().person(&narrowed.by).plain(format!(
            " agreed to {} of the {} only.",
            number(run.counts.total),
            nodes(narrowed.targets)
        )),
        None => say("The plan is not the one that your card showed."),
    };
    let look = say(format!("Look at it once more ({}) and decide again.", view.short));
    refusal("It changed in the meantime: nothing was approved", vec![told.spans()], vec![look.spans()])
}

/// What was said of a part does not fit the plan, or no longer.
#[must_use]
pub fn cannot_narrow(faults: &[String]) -> Card {
    let reasons = faults.iter().map(|fault| say("• ").plain(cut(fault, 300)).spans()).collect();
    let again = say("Press Approve a part again.");
    refusal("That part does not fit the request: nothing was approved", reasons, vec![again.spans()])
}

/// The loser of a race is told who decided, and when.
#[must_use]
pub fn already_decided(run: &Run, view: &View) -> Card {
    let starting = run.phase == Phase::AwaitingApproval && open_seats(run).is_empty();
    let told = match run.phase {
        // Everybody has said yes, and it has not begun yet.
        Phase::AwaitingApproval if starting => match run.approvals.last() {
            Some(a) => Line::default().person(&a.by).plain(" approved it at ").when(a.at).plain(". It starts now."),
            None => say("It starts now."),
        },
        Phase::AwaitingApproval => match run.approvals.last() {
            Some(a) => Line::default()
                .person(&a.by)
                .plain(" approved it at ")
                .when(a.at)
                .plain(". It still waits for ")
                .plain(seats(&open_seats(run)))
                .plain("."),
            None => say("It changed since your card was drawn. Look at it once more and decide again."),
        },
        Phase::Running | Phase::Finished => match run.approvals.last() {
            Some(a) => Line::default().person(&a.by).plain(" approved it at ").when(a.at).plain("."),
            None => say("It needed no approval and was started."),
        },
        Phase::Denied | Phase::Expired | Phase::Cancelled | Phase::Withdrawn => ended(run).unwrap_or_default(),
    };
    let title = match run.phase {
        Phase::AwaitingApproval if starting => "It was already approved",
        Phase::AwaitingApproval => "It changed in the meantime",
        Phase::Running | Phase::Finished => "It was already approved",
        Phase::Denied => "It was already denied",
        Phase::Expired => "It has expired",
        Phase::Cancelled => "It was already cancelled",
        Phase::Withdrawn => "It was withdrawn",
    };
    let status = say("How it stands: ").code(format!("{} status {}", view.command, view.short));
    refusal(title, vec![told.spans()], vec![status.spans()])
}

/// A cancel of something that is over.
#[must_use]
pub fn already_over(run: &Run, view: &View) -> Card {
    let told = ended(run).unwrap_or_else(|| say(sentence(&verdict::counts(&run.counts))));
    let status = say("How it stands: ").code(format!("{} status {}", view.command, view.short));
    refusal(format!("{} is already over", view.short), vec![told.spans()], vec![status.spans()])
}

/// No run has this id.
#[must_use]
pub fn unknown_run(asked: &str, view: &View) -> Card {
    let doors = vec![say("The latest runs: ").code(format!("{} status", view.command)).spans()];
    refusal(format!("There is no run {}", cut(asked, 40)), Vec::new(), doors)
}

/// More than one run ends in what was typed.
#[must_use]
pub fn ambiguous_run(asked: &str, candidates: &[String]) -> Card {
    let told = say("It could be ").plain(super::words::some(candidates, 6)).plain(".");
    refusal(
        format!("{} is more than one run", cut(asked, 40)),
        vec![told.spans()],
        vec![say("Type a few characters more.").spans()],
    )
}

/// There is no valid policy, so every run is denied.
#[must_use]
pub fn no_policy() -> Card {
    bad(refusal(
        "No valid runbooks and policy are loaded, so nothing may run",
        vec![say("There is no \"authorisation off\": without them every run is denied.").spans()],
        vec![
            say("Ask the operators of this bot to run ")
                .code("muster check")
                .plain("; it lists every fault in the files.")
                .spans(),
        ],
    ))
}

/// The policy does not let this person read it.
#[must_use]
pub fn may_not_view() -> Card {
    refusal(
        "You may not read this",
        vec![say("The policy's view permission does not cover you here.").spans()],
        vec![say("Ask the person who started the run, or an owner of the policy.").spans()],
    )
}

/// The channel is shared with another organisation.
#[must_use]
pub fn shared_channel(view: &View) -> Card {
    bad(refusal(
        "Not in a channel that is shared with another organisation",
        vec![say("The outputs of machines would be visible outside.").spans()],
        vec![
            say("Type it in an internal channel, or ask for a view permission for this one. ")
                .code(format!("{} list", view.command))
                .plain(" works everywhere.")
                .spans(),
        ],
    ))
}

/// The bot cannot post where it was asked.
#[must_use]
pub fn not_in_channel(platform: ChatPlatform) -> Card {
    let remedy = match platform {
        ChatPlatform::Slack | ChatPlatform::Host => {
            say("Type ").code("/invite @muster").plain(" in this channel, then ask again.")
        }
        ChatPlatform::Discord => say("Let me in: in this channel's settings under Permissions add me with ")
            .bold("View Channel, Send Messages, Create Public Threads")
            .plain(" and ")
            .bold("Send Messages in Threads")
            .plain(", then ask again."),
    };
    refusal(
        "I am not in this channel, so nothing was run",
        vec![say("The result of a run stands where it was asked for, and I cannot write here.").spans()],
        vec![remedy.spans()],
    )
}

/// Something broke on our side. `id` is what the operators search their logs for.
#[must_use]
pub fn fault(what: &str, id: &str) -> Card {
    bad(refusal(
        "Something went wrong on my side",
        vec![super::words::prose(&sentence(what))],
        vec![say("Try again in a minute. If it stays, give ").code(id).plain(" to the operators of this bot.").spans()],
    ))
}
