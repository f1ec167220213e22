//! What operators on the host ask: the same answers as in chat, without a chat.

use std::sync::Arc;

use async_trait::async_trait;

use crate::command::RunRef;
use crate::domain::{Principal, RunId};
use crate::message::halt::{Halted, noticed};
use crate::message::{self, Card, View, browse};
use crate::ports::{Control, Order, Told};
use crate::redact::Redactor;
use crate::run::halt::Want;
use crate::run::{Input, Run, Wish};

use super::runner::Handle;
use super::{Engine, Services, halting, lookups};

/// What operators type in place of the slash command.
const COMMAND: &str = "muster";

#[async_trait]
impl Control for Engine {
    async fn order(&self, by: &Principal, order: Order) -> Told {
        let services = &self.services;
        match order {
            Order::Status { run: None } => done(status(services).await),
            Order::Status { run: Some(reference) } => match find(services, &reference).await {
                Ok(handle) => done(lookups::one(services, &handle, &view(services, handle.id)).await),
                Err(refused) => Told { done: false, card: refused },
            },
            Order::Cancel { run } => match find(services, &run).await {
                Ok(handle) => cancel(services, by, &handle).await,
                Err(refused) => Told { done: false, card: refused },
            },
            Order::Halt { because } => {
                let reason = because.map(|why| why.trim().to_owned()).filter(|why| !why.is_empty());
                let why = reason.map(|why| Redactor::new(&services.redaction_key(nobody())).redact(&why).text);
                change(services, by, Want::Halt { why }).await
            }
            Order::Resume => change(services, by, Want::Resume).await,
        }
    }
}

fn done(card: Card) -> Told {
    Told { done: true, card }
}

/// No run has this id.
fn nobody() -> RunId {
    RunId(ulid::Ulid::nil())
}

/// What cards say to whoever reads them in a shell.
fn view(services: &Services, id: RunId) -> View {
    let view = services.view_of(id, None);
    // They can resume themselves; whom they could ask in chat helps nobody while it is down.
    let halted = view.halted.map(|halted| Halted { resume: None, ..halted });
    View { command: COMMAND.to_owned(), halted, ..view }
}

async fn status(services: &Services) -> Card {
    let mut latest = Vec::new();
    for id in services.runs.ids().into_iter().take(lookups::STATUS_MAX) {
        latest.extend(services.handle(id).await);
    }
    let runs: Vec<(Arc<Run>, String)> = latest.iter().map(|h| (h.snapshot(), services.runs.short(h.id))).collect();
    let shown: Vec<(&Run, String)> = runs.iter().map(|(run, short)| (run.as_ref(), short.clone())).collect();
    let view = view(services, nobody());
    // Runs are begun in chat only.
    let command = if shown.is_empty() { services.settings.command.clone() } else { view.command.clone() };
    noticed(browse::status(&shown, &View { command, ..view.clone() }), &view)
}

async fn find(services: &Services, reference: &RunRef) -> Result<Handle, Card> {
    let mut found = Vec::new();
    for id in services.runs.ids().into_iter().filter(|id| reference.matches(id)) {
        found.extend(services.handle(id).await);
    }
    lookups::only(services, found, reference, &view(services, nobody()))
}

/// The answer is the run's card, which says what may still run.
async fn cancel(services: &Arc<Services>, by: &Principal, handle: &Handle) -> Told {
    match handle.input(Input::Cancel { by: by.clone(), allowed: true }).await {
        Ok(()) => {
            tracing::warn!(run = %handle.id, %by, "cancelled from the host");
            done(lookups::one(services, handle, &view(services, handle.id)).await)
        }
        Err(_) => {
            let run = handle.read(Run::clone);
            Told { done: false, card: message::refusal::already_over(&run, &view(services, run.id)) }
        }
    }
}

async fn change(services: &Services, by: &Principal, what: Want) -> Told {
    let wish = Wish { by: by.clone(), what, input: None };
    let changed = match halting::change(services, &wish).await {
        Ok(changed) => changed,
        Err(fault) => return Told { done: false, card: message::refusal::fault(&fault, "the log") },
    };
    let view = view(services, nobody());
    done(match &changed.fact {
        Some((_, fact)) => halting::open(services, |_| true).told(fact, changed.before.as_deref(), &view),
        None => halting::already(&wish.what, &view),
    })
}
