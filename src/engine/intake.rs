//! One answer to each input: a result, a refusal with its reason and the next step, or a fault with the run's id.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::command::{self, Command};
use crate::domain::{Digest, RunbookName, Target};
use crate::message::{self, Card, FormKind, Verb, browse, form};
use crate::policy::{self, Asker, Moment, RunbookFacts, Verdict, may_show_in_shared, targets_of};
use crate::ports::{Commit, CommitError, Inbound, InboxRow};
use crate::redact::Redactor;
use crate::run::{Event, Input, Proposal, Retry, Run, Which};

use super::planner::Progress;
use super::propose::{self, NotProposed, Proposed};
use super::whisper::whisper;
use super::{
    Services, approvers, clicks, desk, doors, forms, halting, homes, lookups, posting, rechecking, retrying, reviews,
    runner,
};

/// A request that was not worked on for so long, because Muster was down, is not started without asking.
const STALE_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);
/// A person who waits this long without a word thinks that nothing happens.
const FIRST_WORD: Duration = Duration::from_millis(700);

/// What came of an input.
pub(super) enum Answer {
    /// Said to the person alone.
    Whisper(Card),
    /// A run was proposed: its card is the answer, and the row was settled with the proposal.
    Run,
    /// The click's effect is visible in the card it was made on.
    Shown,
}

/// Answers one row, whatever happens: a panic on the way is a fault that names the run.
pub async fn answer(services: Arc<Services>, row: InboxRow) {
    let work = tokio::spawn({
        let services = services.clone();
        let row = row.clone();
        async move { respond(&services, &row).await }
    });
    let answer = match work.await {
        Ok(answer) => answer,
        Err(fault) => {
            tracing::error!(run = %row.run, %fault, "an input could not be worked on");
            Answer::Whisper(message::refusal::fault(
                "nothing was sent that is not in the journal; try it once more",
                &row.run.to_string(),
            ))
        }
    };
    match answer {
        Answer::Run => return,
        Answer::Whisper(card) => {
            if !whisper(&services, &row.delivery.reply, &card).await {
                // Still owed: it is answered after the next start.
                return;
            }
        }
        Answer::Shown => {}
    }
    let commit = Commit { answered: vec![row.delivery.key.clone()], ..Commit::default() };
    if let Err(fault) = services.journal.commit(commit).await {
        services.fail(&fault.to_string());
    }
}

async fn respond(services: &Arc<Services>, row: &InboxRow) -> Answer {
    let delivery = &row.delivery;
    if delivery.actor.foreign {
        return Answer::Whisper(message::refusal::foreign_click());
    }
    let (rules, principal) = (services.rulebook.current(), &delivery.actor.principal);
    let (platform, tenant) = (principal.platform, principal.tenant.as_str());
    if !rules.policy.groups.is_empty() && !rules.policy.knows(platform, tenant) {
        return Answer::Whisper(message::refusal::unknown_tenant(platform, tenant));
    }
    // Before anything is asked of anybody: a form's trigger lives for three seconds.
    if let Some(start) = opens(services, &delivery.inbound).await {
        return forms::open(services, row, start).await.map_or(Answer::Shown, Answer::Whisper);
    }
    let asker = match desk::asker(services, &delivery.actor, &delivery.place).await {
        Ok(asker) => asker,
        Err(fault) => return Answer::Whisper(message::trouble::directory_down(&fault.to_string())),
    };
    match &delivery.inbound {
        Inbound::Mention { text } if text.trim().is_empty() => Answer::Whisper(form::notes::mentioned(row.run)),
        Inbound::Command { text } | Inbound::Mention { text } => match command::parse(text) {
            Ok(command) => obey(services, row, &asker, command).await,
            Err(refusal) => {
                Answer::Whisper(message::refusal::not_understood(&refusal.to_string(), &services.view_for(row)))
            }
        },
        Inbound::Click { verb, run, revision } => {
            let Some(handle) = services.handle(*run).await else {
                return doors::click(services, row, *run, *verb).await;
            };
            clicks::click(services, row, &asker, &handle, *verb, *revision).await
        }
        Inbound::Form { form: FormKind::Deny { run, .. }, values } => {
            let Some(handle) = services.handle(*run).await else {
                return Answer::Whisper(message::refusal::unknown_run(&run.short(6), &services.view_for(row)));
            };
            let why = values.get(form::WHY).and_then(|v| v.first()).map(|w| w.trim().to_owned()).unwrap_or_default();
            let why = Redactor::new(&services.redaction_key(*run)).redact(&why).text;
            clicks::decided(services, &handle, Input::Deny { by: asker, why }).await
        }
        Inbound::Form { form: FormKind::Review { run, .. }, values } => {
            let Some(handle) = services.handle(*run).await else {
                return Answer::Whisper(message::refusal::unknown_run(&run.short(6), &services.view_for(row)));
            };
            let found = values.get(form::WHY).and_then(|v| v.first()).map(String::as_str).unwrap_or_default();
            reviews::close(services, &asker, &handle, found).await
        }
        Inbound::Form { form: FormKind::Narrow { run, revision }, values } => {
            let Some(handle) = services.handle(*run).await else {
                return Answer::Whisper(message::refusal::unknown_run(&run.short(6), &services.view_for(row)));
            };
            clicks::narrowed(services, &asker, &handle, *revision, values).await
        }
        Inbound::Form { form: FormKind::Run { runbook, revision }, values } => {
            let asker = forms::judged_as(asker, values);
            match forms::taken(services, Some(&asker), &delivery.place, runbook, revision, values).await {
                Ok(request) => run(services, row, &asker, request, None).await,
                Err(rejected) => Answer::Whisper(forms::outdated(rejected, row.run)),
            }
        }
        // Answered by their acknowledgement, or opened above.
        Inbound::Form { form: FormKind::Pick, .. } | Inbound::Pick | Inbound::Choice { .. } | Inbound::Home => {
            Answer::Shown
        }
    }
}

/// The form that this opens, if it does.
async fn opens(services: &Services, inbound: &Inbound) -> Option<forms::Start> {
    match inbound {
        Inbound::Command { text } => text.trim().is_empty().then_some(forms::Start::Pick),
        Inbound::Pick | Inbound::Click { verb: Verb::Pick, .. } => Some(forms::Start::Pick),
        Inbound::Click { verb: Verb::Fill, run, .. } => services.handle(*run).await.map(forms::Start::Again),
        Inbound::Mention { .. }
        | Inbound::Click { .. }
        | Inbound::Form { .. }
        | Inbound::Choice { .. }
        | Inbound::Home => None,
    }
}

async fn obey(services: &Arc<Services>, row: &InboxRow, asker: &Asker, command: Command) -> Answer {
    let rules = services.rulebook.current();
    let view = services.view_for(row);
    match command {
        Command::Help(topic) => Answer::Whisper(browse::help(&command::help(topic), &view)),
        Command::Accounts | Command::Targets { .. } | Command::Show { .. } | Command::WhoCan { .. }
            if asker.bot || propose::allowed(&rules, asker).is_empty() =>
        {
            Answer::Whisper(browse::list(&[], &view))
        }
        Command::List => {
            let names = propose::allowed(&rules, asker);
            let books =
                names.iter().filter_map(|n| rules.runbooks.runbooks.get(n)).map(AsRef::as_ref).collect::<Vec<_>>();
            Answer::Whisper(browse::list(&books, &view))
        }
        Command::Show { runbook } => match rules.runbooks.runbooks.get(&runbook) {
            Some(book) => Answer::Whisper(browse::show(book, &view)),
            None => {
                let known = propose::allowed(&rules, asker);
                Answer::Whisper(message::refusal::unknown_runbook(runbook.as_str(), &known, &view))
            }
        },
        Command::Plan(request) => match plan(services, row, asker, &request, None).await {
            Ok(Proposed { plan, decision, .. }) => {
                Answer::Whisper(message::plan_card(&plan, &plan.digest(), &decision))
            }
            Err(refused) => Answer::Whisper(refused),
        },
        Command::Why { runbook, request } => why(services, row, asker, &runbook, request.as_deref()).await,
        Command::Run(request) | Command::BreakGlass(request) => run(services, row, asker, request, None).await,
        Command::Review { run, found } => match lookups::find(services, asker, &run).await {
            Ok(handle) => reviews::typed(services, row, asker, &handle, &found).await,
            Err(refused) => Answer::Whisper(refused),
        },
        Command::Approvals => Answer::Whisper(homes::approvals(services, asker, &view).await),
        Command::Status { run: None } => Answer::Whisper(lookups::status(services, asker, &view).await),
        Command::Runs(filter) => Answer::Whisper(lookups::runs(services, asker, &filter, &view).await),
        Command::Status { run: Some(reference) } => match lookups::find(services, asker, &reference).await {
            Ok(handle) => Answer::Whisper(
                lookups::one(services, &handle, &services.view_of(handle.id, Some(&row.delivery.place))).await,
            ),
            Err(refused) => Answer::Whisper(refused),
        },
        Command::Retry { run, which } => match lookups::find(services, asker, &run).await {
            Ok(handle) => retrying::retry(services, row, asker, &handle, Which::of(which)).await,
            Err(refused) => Answer::Whisper(refused),
        },
        Command::Cancel { run } => match lookups::find(services, asker, &run).await {
            Ok(handle) => clicks::cancel(services, asker, &handle).await,
            Err(refused) => Answer::Whisper(refused),
        },
        Command::Halt { because } => halting::halt(services, row, asker, because).await,
        Command::Resume => halting::resume(services, row, asker).await,
        Command::Output { run, node } => match lookups::find(services, asker, &run).await {
            Ok(handle) => lookups::output(services, row, &handle, node.as_deref()).await,
            Err(refused) => Answer::Whisper(refused),
        },
        Command::Accounts => {
            let (accounts, unread) = services.inventory.accounts().await;
            Answer::Whisper(browse::accounts(&accounts, &unread, &view))
        }
        Command::WhoCan { runbook, selector } => lookups::who_can(services, asker, &runbook, &selector, &view).await,
        Command::Targets { selector } => lookups::targets(services, &selector, &view).await,
    }
}

/// Whether the person may, and by which rules; nothing is sent. Without a selector only the runbook's name is judged.
async fn why(
    services: &Arc<Services>,
    row: &InboxRow,
    asker: &Asker,
    runbook: &RunbookName,
    request: Option<&command::Request>,
) -> Answer {
    let view = services.view_for(row);
    if let Some(request) = request {
        return Answer::Whisper(match plan(services, row, asker, request, None).await {
            Ok(Proposed { plan, decision, part, .. }) => message::plan::why(&plan, &decision, part.len()),
            Err(refused) => refused,
        });
    }
    let rules = services.rulebook.current();
    Answer::Whisper(match rules.runbooks.runbooks.get(runbook) {
        Some(book) => {
            let decision = policy::may_run_at_all(&rules.policy, asker, RunbookFacts::from(book.as_ref()));
            match decision.verdict {
                Verdict::Forbid => message::refusal::denied(runbook, None, &decision, None, &view),
                Verdict::Permit | Verdict::PermitWithApproval => message::plan::why_at_all(book, &decision, &view),
            }
        }
        None => {
            let known = propose::allowed(&rules, asker);
            message::refusal::unknown_runbook(runbook.as_str(), &known, &view)
        }
    })
}

/// Plans for a person who waits: a first word if it takes long, and a refusal as the card that says it.
async fn plan(
    services: &Arc<Services>,
    row: &InboxRow,
    asker: &Asker,
    request: &command::Request,
    only: Option<&BTreeSet<Target>>,
) -> Result<Proposed, Card> {
    // No file of ours is valid, so there is nothing to compare a name with.
    if services.rulebook.current().runbooks.runbooks.is_empty() {
        return Err(message::refusal::no_policy());
    }
    let planned = planned(services, row, asker, request, only).await;
    planned.map_err(|refused| refused.card(request, &services.view_for(row)))
}

pub(super) async fn planned(
    services: &Arc<Services>,
    row: &InboxRow,
    asker: &Asker,
    request: &command::Request,
    only: Option<&BTreeSet<Target>>,
) -> Result<Proposed, NotProposed> {
    let rules = services.rulebook.current();
    let recent = services.recent_targets(asker, &request.runbook, row.run);
    let moment = Moment { recent: &recent, now: services.clock.now() };
    let progress = Arc::new(Progress::default());
    let planning = propose::propose(services.inventory.clone(), &rules, asker, request, moment, only, progress.clone());
    let telling = tell_progress(services, row, &request.runbook, &progress);
    let planning = std::pin::pin!(planning);
    let telling = std::pin::pin!(telling);
    // Telling never ends by itself.
    match futures::future::select(planning, telling).await {
        futures::future::Either::Left((proposed, _)) => proposed,
        futures::future::Either::Right((never, _)) => match never {},
    }
}

/// Says that the inventory is being read, and how far it is, until dropped.
async fn tell_progress(
    services: &Arc<Services>,
    row: &InboxRow,
    runbook: &RunbookName,
    progress: &Progress,
) -> std::convert::Infallible {
    let mut told = usize::MAX;
    let mut pause = FIRST_WORD;
    loop {
        tokio::time::sleep(pause).await;
        pause = Duration::from_secs(3);
        let (read, of) = (progress.read.load(Ordering::Relaxed), progress.of.load(Ordering::Relaxed));
        if read != told {
            told = read;
            whisper(services, &row.delivery.reply, &message::planning(runbook, whole(of), whole(read))).await;
        }
    }
}

fn whole(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Makes the proposal durable, with the row settled in the same commit, and starts the run's writer.
pub(super) async fn begin(
    services: &Arc<Services>,
    row: &InboxRow,
    request: command::Request,
    proposed: Proposed,
    retry: Option<Retry>,
) -> Answer {
    let delivery = &row.delivery;
    let rules = services.rulebook.current();
    let Proposed { plan, decision, policy, glass, .. } = proposed;
    let place = match services.directory.channel(&delivery.place).await {
        Ok(place) => place,
        // Outputs could go to another organisation: better closed than open.
        Err(fault) => return Answer::Whisper(message::trouble::cannot_post(&fault.to_string())),
    };
    // The card of a run stands where it was asked for, so a run that nobody could read is not begun.
    if !place.member {
        return Answer::Whisper(message::refusal::not_in_channel(delivery.place.platform));
    }
    let channel = super::membership::channel_of(&delivery.place);
    if place.shared && !may_show_in_shared(&rules.policy, &channel, &targets_of(&plan)) {
        return Answer::Whisper(message::refusal::shared_channel(&services.view_for(row)));
    }
    for notify in glass.iter().flat_map(|glass| &glass.notify) {
        // Better told now than after somebody has agreed. What cannot be looked up yet is tried again then.
        match services.directory.channel(&posting::place_in(notify)).await {
            Ok(found) if !found.member || found.shared => {
                return Answer::Whisper(message::glass::cannot_tell(&notify.to_string(), found.shared));
            }
            Ok(_) | Err(_) => {}
        }
    }
    let typed = match &delivery.inbound {
        Inbound::Command { text } | Inbound::Mention { text } => text.clone(),
        Inbound::Form { .. } | Inbound::Click { .. } | Inbound::Pick | Inbound::Choice { .. } | Inbound::Home => {
            request.to_string()
        }
    };
    let redactor = Redactor::new(&services.redaction_key(row.run));
    let digest: Digest = plan.digest();
    let by = &delivery.actor.principal;
    let asking = approvers::find(services, &rules.policy, &decision, by, &delivery.place).await;
    let proposal = Proposal {
        run: row.run,
        by: by.clone(),
        identity: rules.policy.identity(by).map(str::to_owned),
        place: delivery.place.clone(),
        request: redactor.redact(&typed).text,
        reason: request.reason.map(|r| redactor.redact(&r).text),
        plan: plan.into(),
        digest,
        decision,
        policy,
        asking,
        glass,
        retry,
        at: services.clock.now(),
    };
    let event = Event::Proposed(Box::new(proposal.clone()));
    let commit =
        Commit { events: Some((row.run, 0, vec![event])), answered: vec![delivery.key.clone()], ..Commit::default() };
    match services.journal.commit(commit).await {
        Ok(()) => {
            let handle = runner::spawn(services.clone(), Run::proposed(proposal), 1);
            services.runs.adopt(handle.clone());
            if services.rulebook.current().policy.revision != policy {
                // The rules changed while it was planned and written down, after everything that waits was looked at.
                tokio::spawn(rechecking::recheck(Arc::downgrade(services), handle));
            }
            Answer::Run
        }
        // The run was proposed before a crash, and its row was not settled: it goes on by itself.
        Err(CommitError::Conflict { .. } | CommitError::Duplicate) => Answer::Shown,
        Err(CommitError::Io(fault)) => {
            services.fail(&fault);
            Answer::Run
        }
    }
}

/// Plans, decides, and proposes or refuses. `only`: the part of an earlier request that the person may run.
pub(super) async fn run(
    services: &Arc<Services>,
    row: &InboxRow,
    asker: &Asker,
    request: command::Request,
    only: Option<&BTreeSet<Target>>,
) -> Answer {
    let waited = services.clock.now().duration_since(row.at);
    if waited > STALE_AFTER {
        return Answer::Whisper(message::trouble::was_away(waited));
    }
    match plan(services, row, asker, &request, only).await {
        Ok(refused) if refused.decision.verdict == Verdict::Forbid => {
            Answer::Whisper(doors::refuse(services, row, request, refused, only.is_some()))
        }
        Ok(proposed) => begin(services, row, request, proposed, None).await,
        Err(refused) => Answer::Whisper(refused),
    }
}
