//! Opening forms before their trigger dies, changing them while they are filled in, and taking what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::command::Request;
use crate::domain::{Digest, Place, RunId, RunbookName, Selector};
use crate::message::form::{ACCOUNTS, CHANNEL, Draft, Faults, LABELS, REGIONS, RUNBOOK, Read, TAGS, notes};
use crate::message::{self, Card, Form, FormKind, Values, View, form};
use crate::policy::Asker;
use crate::ports::{Ack, Delivery, Inbound, InboxRow, Reply};
use crate::run::Run;
use crate::runbook::Runbook;

use super::offers::Offers;
use super::runner::Handle;
use super::{Services, desk, propose};

/// The trigger of a form lives for three seconds: after so long without knowing who the person is, one opens that says
/// to wait.
const PATIENCE: Duration = Duration::from_millis(500);
/// What an acknowledgement may wait for the values of an earlier run.
const LAST_SOON: Duration = Duration::from_millis(60);
/// A trigger of this age is dead, whatever the clock of the platform says.
const TRIGGER_LIFE: jiff::SignedDuration = jiff::SignedDuration::from_secs(3);
/// Regions read so that their tags can be offered. More would cost AWS's patience for a menu.
const READ_MAX: usize = 24;

/// What a form starts from.
pub enum Start {
    /// The picker.
    Pick,
    /// The runbook of this run, with its values.
    Again(Handle),
}

/// Opens a form for the person of `row`. `Some`: what to tell them where it could not be opened.
pub async fn open(services: &Arc<Services>, row: &InboxRow, start: Start) -> Option<Card> {
    let delivery = &row.delivery;
    let view = services.view_for(row);
    let runbook = match &start {
        Start::Pick => None,
        Start::Again(handle) => Some(handle.read(|run| run.proposal.plan.runbook.clone())),
    };
    let not_opened = |cause: &str| Some(notes::not_opened(cause, runbook.as_ref(), row.run, &view));
    if services.clock.now().duration_since(row.at) > TRIGGER_LIFE {
        return not_opened(&notes::too_late());
    }
    let making = make(services, delivery, &start, &view);
    let mut making = std::pin::pin!(making);
    let quick = tokio::time::timeout(PATIENCE, making.as_mut()).await;
    match quick {
        Ok(Ok(form)) => match services.chat.open_form(&delivery.reply, &form).await {
            Ok(_) => None,
            Err(fault) => not_opened(&fault.to_string()),
        },
        Ok(Err(refused)) => Some(refused),
        Err(_) => match services.chat.open_form(&delivery.reply, &form::waiting_form()).await {
            Err(fault) => not_opened(&fault.to_string()),
            Ok(id) => {
                let form = match making.await {
                    Ok(form) => form,
                    Err(refused) => form::nothing_to_pick(&refused.title, &view),
                };
                let updated = services.chat.update_form(&delivery.reply, &id, &form).await;
                updated.err().and_then(|fault| not_opened(&fault.to_string()))
            }
        },
    }
}

/// The form, or why there is none.
async fn make(services: &Arc<Services>, delivery: &Delivery, start: &Start, view: &View) -> Result<Form, Card> {
    let asker = desk::asker(services, &delivery.actor, &delivery.place)
        .await
        .map_err(|fault| message::trouble::directory_down(&fault.to_string()))?;
    if !services.atlas.chart().asked {
        services.inventory.accounts().await;
    }
    match start {
        Start::Pick if desk::runbooks(services, &asker).await.is_empty() => Err(message::browse::list(&[], view)),
        Start::Pick => Ok(form::pick_form(view)),
        Start::Again(handle) => {
            let run = handle.read(Run::clone);
            let name = &run.proposal.plan.runbook;
            let known = || propose::allowed(&services.rulebook.current(), &asker);
            let book = services.rulebook.current().runbooks.get(name).cloned();
            let Some(book) = book else { return Err(message::refusal::unknown_runbook(name.as_str(), &known(), view)) };
            let offers = desk::offers(services, &asker, &delivery.place, &book).await;
            if offers.is_empty() {
                return Err(message::browse::list(&[], view));
            }
            // What somebody else gave is not shown to whoever clicks.
            let is_mine = asker.is(&run.proposal.by);
            let opened = Opened { asker: &asker, place: &delivery.place };
            let values = if is_mine {
                values_of(&run, &book, &offers, &opened)
            } else {
                last_values(services, &book, &offers, opened).await
            };
            read_for(services, &offers, &values);
            Ok(filled(&book, &offers, &values, &delivery.place, &asker, None, &Faults::new(), view))
        }
    }
}

/// Who opens a form, and where.
struct Opened<'a> {
    asker: &'a Asker,
    place: &'a Place,
}

/// What a run was given, as far as it is still offered.
fn values_of(run: &Run, book: &Runbook, offers: &Offers, opened: &Opened<'_>) -> Values {
    let plan = &run.proposal.plan;
    let mut values = Selector::parse(&plan.selector).map(|s| offers.values_of(book, &s.clauses)).unwrap_or_default();
    let good = plan.arguments.iter().filter(|(name, value)| {
        let fits = book.parameters.get(*name).is_some_and(|p| p.kind.canonical(value).is_ok());
        fits && offers.narrowed.get(*name).is_none_or(|few| few.contains(value))
    });
    values.extend(good.map(|(name, value)| (name.clone(), vec![value.clone()])));
    // Where a form is opened in a channel, its card stands there, wherever the last one stood.
    if opened.place.is_nowhere(&opened.asker.principal) && !run.proposal.place.is_nowhere(&run.proposal.by) {
        values.insert(CHANNEL.to_owned(), vec![run.proposal.place.channel.clone()]);
    }
    values
}

/// What this person gave the runbook last.
async fn last_values(services: &Services, book: &Runbook, offers: &Offers, opened: Opened<'_>) -> Values {
    let last = services.runs.of(&opened.asker.principal).into_iter().find(|(_, runbook)| *runbook == book.name);
    let Some((id, _)) = last else { return Values::default() };
    let handle = services.handle(id).await;
    handle.map(|handle| handle.read(|run| values_of(run, book, offers, &opened))).unwrap_or_default()
}

#[allow(clippy::too_many_arguments, reason = "one caller's parts of one form")]
fn filled(
    book: &Runbook,
    offers: &Offers,
    values: &Values,
    place: &Place,
    asker: &Asker,
    note: Option<String>,
    faults: &Faults,
    view: &View,
) -> Form {
    let draft = Draft {
        runbook: book,
        narrowed: &offers.narrowed,
        values,
        picked: &offers.picked(book, values),
        names: &offers.names,
        // The form that is open has it, whatever was chosen in it.
        asks_channel: place.is_nowhere(&asker.principal) || values.contains_key(CHANNEL),
        note,
        faults,
    };
    form::run_form(&draft, view)
}

/// Reads what is not known yet of the regions in question, behind the person's back, if they are few.
fn read_for(services: &Arc<Services>, offers: &Offers, values: &Values) {
    let chart = services.atlas.chart();
    let mut unknown = offers.to_read(values);
    unknown.retain(|(account, region)| {
        let known = chart.regions.get(&(account.id.clone(), region.clone()));
        known.is_none_or(|known| known.fault.is_none() && known.sorts().is_none())
    });
    if unknown.is_empty() || unknown.len() > READ_MAX {
        return;
    }
    for (account, region) in unknown {
        let services = services.clone();
        tokio::spawn(async move {
            if let Err(fault) = services.inventory.read(&account.id, &region).await {
                tracing::debug!(%fault, "the tags of a region cannot be offered");
            }
        });
    }
}

/// What the acknowledgement of a form, or of something done in one, must carry. `None`: the delivery is to be made
/// durable and worked on.
pub async fn received(services: &Arc<Services>, delivery: &mut Delivery) -> Option<Ack> {
    let Delivery { actor, place, inbound, reply, .. } = delivery;
    match inbound {
        Inbound::Command { .. } | Inbound::Mention { .. } | Inbound::Click { .. } | Inbound::Pick => None,
        // Told so when the delivery is worked on.
        Inbound::Form { .. } if actor.foreign => None,
        Inbound::Form { form: FormKind::Deny { .. }, values } => {
            let why = values.get(form::WHY).and_then(|v| v.first());
            let fault = form::why_fault(why.map_or("", String::as_str))?;
            Some(Ack::FormErrors(Faults::from([(form::WHY.to_owned(), fault)])))
        }
        Inbound::Form { form: FormKind::Review { .. }, values } => {
            let found = values.get(form::WHY).and_then(|v| v.first());
            let fault = form::found_fault(found.map_or("", String::as_str))?;
            Some(Ack::FormErrors(Faults::from([(form::WHY.to_owned(), fault)])))
        }
        Inbound::Form { form: FormKind::Narrow { run, .. }, values } => {
            // Of a run that is no longer held it is told why when the delivery is worked on.
            let handle = services.runs.held_whole(*run)?;
            let faults = form::read_narrow(&handle.snapshot(), values).err()?;
            Some(Ack::FormErrors(faults))
        }
        Inbound::Form { form: FormKind::Pick, values } => {
            let name = values.get(RUNBOOK).and_then(|v| v.first()).cloned();
            Some(next(services, actor, place, name.as_deref()).await)
        }
        Inbound::Form { form: FormKind::Run { runbook, revision }, values } => {
            if place.is_nowhere(&actor.principal) {
                let Some(channel) = values.get(CHANNEL).and_then(|v| v.first()) else {
                    return Some(Ack::FormErrors(Faults::from([(CHANNEL.to_owned(), notes::no_channel())])));
                };
                // Another person's direct messages are no place for a card.
                if !channel.starts_with('C') && !channel.starts_with('G') {
                    return Some(Ack::FormErrors(Faults::from([(CHANNEL.to_owned(), notes::no_channel())])));
                }
                place.channel.clone_from(channel);
                reply.place = place.clone();
            }
            let asker = desk::asker_soon(services, actor, place).await.map(|asker| judged_as(asker, values));
            match taken(services, asker.as_ref(), place, runbook, revision, values).await {
                Ok(_) => None,
                Err(Rejected::Faults(faults)) => Some(Ack::FormErrors(faults)),
                Err(Rejected::Changed(form)) => Some(Ack::NextForm(form)),
            }
        }
        Inbound::Choice { .. } if actor.foreign => Some(Ack::Plain),
        Inbound::Choice { id, form, field, values } => {
            let number = services.desk.touch(id);
            tokio::spawn({
                let (services, id, form, field) = (services.clone(), id.clone(), form.clone(), field.clone());
                let (actor, reply, values) = (actor.clone(), reply.clone(), values.clone());
                async move {
                    let Some(form) = changed(&services, &actor, &reply, form, &field, values).await else { return };
                    if services.desk.is_newest(&id, number)
                        && let Err(fault) = services.chat.update_form(&reply, &id, &form).await
                    {
                        // It may be closed by now; pressing its button does the same.
                        tracing::debug!(%fault, "a form could not be changed");
                    }
                }
            });
            Some(Ack::Plain)
        }
        Inbound::Home => {
            if !actor.foreign {
                services.homes.opened(actor.clone());
            }
            Some(Ack::Plain)
        }
    }
}

/// Who chooses a channel in a form did not ask in it, and may not even be in it: no grant for that channel applies.
pub fn judged_as(asker: Asker, values: &Values) -> Asker {
    if values.contains_key(CHANNEL) { Asker { channel: None, ..asker } } else { asker }
}

/// The form of the picked runbook, in place of the picker.
async fn next(services: &Arc<Services>, actor: &crate::ports::Actor, place: &Place, name: Option<&str>) -> Ack {
    let view = View::new("", services.clock.now(), &services.settings.command);
    let fault = |text: String| Ack::FormErrors(Faults::from([(RUNBOOK.to_owned(), text)]));
    let Some(asker) = desk::asker_soon(services, actor, place).await else { return fault(notes::not_yet()) };
    if !services.atlas.chart().asked {
        return fault(notes::not_yet());
    }
    let Some(books) = desk::runbooks_soon(services, &asker).await else { return fault(notes::not_yet()) };
    let book = books.into_iter().find(|b| Some(b.name.as_str()) == name);
    let Some(book) = book else { return fault(notes::cannot_run(&view)) };
    let Some(offers) = desk::offers_soon(services, &asker, place, &book).await else { return fault(notes::not_yet()) };
    if offers.is_empty() {
        return fault(notes::cannot_run(&view));
    }
    // A large run of the past takes longer than an acknowledgement may; the form is then empty.
    let last =
        tokio::time::timeout(LAST_SOON, last_values(services, &book, &offers, Opened { asker: &asker, place })).await;
    let values = last.unwrap_or_default();
    read_for(services, &offers, &values);
    Ack::NextForm(Box::new(filled(&book, &offers, &values, place, &asker, None, &Faults::new(), &view)))
}

/// What an open form has to say after something was picked in it.
async fn changed(
    services: &Arc<Services>,
    actor: &crate::ports::Actor,
    reply: &Reply,
    form: FormKind,
    field: &str,
    values: Values,
) -> Option<Form> {
    let view = View::new("", services.clock.now(), &services.settings.command);
    let place = &reply.place;
    let asker = desk::asker(services, actor, place).await.ok()?;
    let name = match &form {
        FormKind::Deny { .. } | FormKind::Narrow { .. } | FormKind::Review { .. } => return None,
        FormKind::Pick => values.get(RUNBOOK)?.first()?.clone(),
        FormKind::Run { runbook, .. } => runbook.to_string(),
    };
    let book = desk::runbooks(services, &asker).await.into_iter().find(|b| b.name.as_str() == name)?;
    let offers = desk::offers(services, &asker, place, &book).await;
    if offers.is_empty() {
        return None;
    }
    let (values, note) = match form {
        FormKind::Run { revision, .. } => (values, (revision != book.revision).then(notes::changed)),
        FormKind::Pick | FormKind::Deny { .. } | FormKind::Narrow { .. } | FormKind::Review { .. } => {
            (last_values(services, &book, &offers, Opened { asker: &asker, place }).await, None)
        }
    };
    if [RUNBOOK, ACCOUNTS, LABELS, REGIONS].contains(&field) {
        read_for(services, &offers, &values);
    }
    Some(filled(&book, &offers, &values, place, &asker, note, &Faults::new(), &view))
}

/// Why a submitted form is not taken.
pub enum Rejected {
    Faults(Faults),
    /// It stands there once more, as it is now.
    Changed(Box<Form>),
}

/// The request that a submitted form is. Without an asker only what the form itself says is checked: the policy is
/// asked before anything is run in any case.
pub async fn taken(
    services: &Arc<Services>,
    asker: Option<&Asker>,
    place: &Place,
    runbook: &RunbookName,
    revision: &Digest,
    values: &Values,
) -> Result<Request, Rejected> {
    let view = View::new("", services.clock.now(), &services.settings.command);
    let beside = |field: &str, text: String| Rejected::Faults(Faults::from([(field.to_owned(), text)]));
    let rules = services.rulebook.current();
    let Some(book) = rules.runbooks.get(runbook) else {
        return Err(beside(ACCOUNTS, notes::removed(runbook, &view)));
    };
    let offers = match asker {
        Some(asker) => desk::offers_soon(services, asker, place, book).await,
        None => None,
    };
    // Who may not run it at all is told why by the decision itself.
    let offers = offers.filter(|offers| !offers.is_empty());
    if &book.revision != revision {
        let (Some(asker), Some(offers)) = (asker, offers) else { return Err(beside(ACCOUNTS, notes::not_yet())) };
        let faults = read_faults(book, &offers.names, &offers.narrowed, values);
        let form = filled(book, &offers, values, place, asker, Some(notes::changed()), &faults, &view);
        return Err(Rejected::Changed(Box::new(form)));
    }
    let none = BTreeMap::new();
    let chart = services.atlas.chart();
    let names: BTreeMap<String, String> = chart.accounts.iter().map(|a| (a.id.to_string(), a.name.clone())).collect();
    let narrowed = offers.as_ref().map_or(&none, |o| &o.narrowed);
    let against = Read { runbook: book, names: &names, narrowed };
    let request = form::read(against, values).map_err(Rejected::Faults)?;
    if let Some(field) = propose::secret_in(&request) {
        let field = if book.parameters.contains_key(&field) { field } else { TAGS.to_owned() };
        return Err(beside(&field, notes::secret()));
    }
    if let Some(offers) = offers {
        let offered = offers.picked(book, values);
        for field in [ACCOUNTS, LABELS] {
            let given = values.get(field).into_iter().flatten();
            let kept = offered.get(field);
            let lost: Vec<String> = given
                .filter(|v| !kept.is_some_and(|kept| kept.iter().any(|c| &c.value == *v)))
                .map(|v| names.get(v).unwrap_or(v).clone())
                .collect();
            if !lost.is_empty() {
                return Err(beside(field, notes::not_offered(&lost)));
            }
        }
    }
    Ok(request)
}

fn read_faults(
    book: &Runbook,
    names: &BTreeMap<String, String>,
    narrowed: &BTreeMap<String, Vec<String>>,
    values: &Values,
) -> Faults {
    form::read(Read { runbook: book, names, narrowed }, values).err().unwrap_or_default()
}

/// The refusal for a form that was taken and fits no more, such as after a restart with other rules.
pub fn outdated(rejected: Rejected, nobody: RunId) -> Card {
    match rejected {
        Rejected::Faults(faults) => notes::outdated(&faults.into_values().collect::<Vec<_>>(), nobody),
        Rejected::Changed(_) => notes::outdated(&[notes::changed()], nobody),
    }
}
