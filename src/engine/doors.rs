//! Clicks on what a refusal offers: run the part that is allowed, or put the request to those who may run all of it.
//!
//! Every way ends in the same planning and decision as a typed command, with the rights of whoever clicks.

use std::sync::Arc;

use crate::command;
use crate::domain::RunId;
use crate::message::door::{self, Asked, Door};
use crate::message::{self, Card, Verb};
use crate::policy::{Asker, Decision};
use crate::ports::InboxRow;
use crate::redact::Redactor;

use super::intake::{self, Answer};
use super::propose::Proposed;
use super::refused::RefusedRequest;
use super::{Services, desk, posting};

/// Keeps a refused request and says no, with its doors. `is_part`: the selector means more than was planned for, so it is
/// no way to ask for the same.
pub fn refuse(
    services: &Services,
    row: &InboxRow,
    request: command::Request,
    refused: Proposed,
    is_part: bool,
) -> Card {
    let Proposed { plan, decision, part, breakable, .. } = refused;
    let targets = u32::try_from(plan.targets.len()).unwrap_or(u32::MAX);
    let door = Door { request: row.run, part: u32::try_from(part.len()).unwrap_or(u32::MAX) };
    let redactor = Redactor::new(&services.redaction_key(row.run));
    let emergency = command::Request { emergency: true, reason: None, ..request.clone() };
    let Decision { could, .. } = &decision;
    if door.part > 0 || !could.is_empty() {
        services.refused.keep(
            row.run,
            RefusedRequest {
                by: row.delivery.actor.principal.clone(),
                place: row.delivery.place.clone(),
                typed: redactor.redact(&format!("{} on {}", request.without_place(), request.selector)).text,
                why: request.reason.as_deref().map(|reason| redactor.redact(reason).text),
                request,
                targets,
                part,
                could: could.clone(),
                at: services.clock.now(),
                asked: false,
                card: None,
                taken: None,
                part_taken: false,
            },
        );
    }
    let view = services.view_for(row);
    let card = message::refusal::denied(&plan.runbook, Some(targets), &decision, Some(door), &view);
    if !breakable || is_part {
        return card;
    }
    let typed = redactor.redact(&emergency.to_string()).text;
    message::glass::with_emergency(card, &typed, &view)
}

/// A click that names no run.
pub(super) async fn click(services: &Arc<Services>, row: &InboxRow, id: RunId, verb: Verb) -> Answer {
    let view = services.view_for(row);
    let Some(offer) = services.refused.get(id, services.clock.now()) else {
        return Answer::Whisper(match verb {
            Verb::RunPart | Verb::AskOthers | Verb::RunAgain => door::gone(&view),
            _ => message::refusal::unknown_run(&id.short(6), &view),
        });
    };
    match verb {
        Verb::RunPart => run_part(services, row, id, offer).await,
        Verb::AskOthers => ask(services, row, id, &offer).await,
        Verb::RunAgain => take(services, row, id, offer).await,
        _ => Answer::Whisper(message::refusal::unknown_run(&id.short(6), &view)),
    }
}

/// The row as if it had been typed where the request was, and who the person is there: a grant may name channels.
async fn there(services: &Services, row: &InboxRow, offer: &RefusedRequest) -> Result<(InboxRow, Asker), Answer> {
    let mut row = row.clone();
    row.delivery.place = offer.place.clone();
    match desk::asker(services, &row.delivery.actor, &offer.place).await {
        Ok(asker) => Ok((row, asker)),
        Err(fault) => Err(Answer::Whisper(message::trouble::directory_down(&fault.to_string()))),
    }
}

/// Runs the part that is allowed, once.
async fn run_part(services: &Arc<Services>, row: &InboxRow, id: RunId, offer: RefusedRequest) -> Answer {
    let (row, asker) = match there(services, row, &offer).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    match services.refused.change(id, |o| std::mem::replace(&mut o.part_taken, true)) {
        Some(false) => {}
        Some(true) => return Answer::Shown,
        None => return Answer::Whisper(door::gone(&services.view_for(&row))),
    }
    let answer = intake::run(services, &row, &asker, offer.request, Some(&offer.part)).await;
    if !matches!(answer, Answer::Run) {
        services.refused.change(id, |o| o.part_taken = false);
    }
    answer
}

/// Posts the request into its channel, once.
async fn ask(services: &Services, row: &InboxRow, id: RunId, offer: &RefusedRequest) -> Answer {
    let view = services.view_for(row);
    // What customers are called and what is wrong with them is not for another organisation.
    match services.directory.channel(&offer.place).await {
        Ok(channel) if channel.member && !channel.shared => {}
        Ok(channel) if channel.shared => return Answer::Whisper(message::refusal::shared_channel(&view)),
        Ok(_) => return Answer::Whisper(message::refusal::not_in_channel(offer.place.platform)),
        Err(fault) => return Answer::Whisper(message::trouble::cannot_post(&fault.to_string())),
    }
    match services.refused.change(id, |o| std::mem::replace(&mut o.asked, true)) {
        Some(false) => {}
        Some(true) => return Answer::Whisper(door::asked(&offer.could)),
        None => return Answer::Whisper(door::gone(&view)),
    }
    let card = door::asked_others(&asked(offer), Door { request: id, part: 0 }, &view);
    match services
        .chat
        .post(&offer.place, &posting::fitted(card, offer.place.platform), &format!("{id}:ask-others"))
        .await
    {
        Ok(message) => {
            services.refused.change(id, |o| o.card = Some(message));
            Answer::Whisper(door::asked(&offer.could))
        }
        Err(fault) => {
            services.refused.change(id, |o| o.asked = false);
            Answer::Whisper(message::trouble::not_posted(&fault.to_string()))
        }
    }
}

/// Somebody runs what another person asked for; the first one who may.
async fn take(services: &Arc<Services>, row: &InboxRow, id: RunId, offer: RefusedRequest) -> Answer {
    let (row, asker) = match there(services, row, &offer).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let me = asker.principal.clone();
    let before = services.refused.change(id, |o| {
        let before = o.taken.clone();
        o.taken.get_or_insert_with(|| me.clone());
        before
    });
    match before {
        Some(None) => {}
        Some(Some(by)) => return Answer::Whisper(door::already_taken(&by)),
        None => return Answer::Whisper(door::gone(&services.view_for(&row))),
    }
    let answer = intake::run(services, &row, &asker, offer.request.clone(), None).await;
    if !matches!(answer, Answer::Run) {
        // It was refused: the next one may try.
        services.refused.change(id, |o| o.taken = None);
        return answer;
    }
    if let Some(message) = &offer.card {
        let card = door::taken(&asked(&offer), &me, Door { request: id, part: 0 }, &services.view_for(&row));
        if let Err(fault) = services.chat.edit(message, &posting::fitted(card, message.platform)).await {
            tracing::warn!(%fault, "the card of a request that somebody runs could not be edited");
        }
    }
    answer
}

fn asked(offer: &RefusedRequest) -> Asked<'_> {
    Asked {
        by: &offer.by,
        runbook: &offer.request.runbook,
        command: &offer.typed,
        targets: offer.targets,
        reason: offer.why.as_deref(),
        could: &offer.could,
    }
}
