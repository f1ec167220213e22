//! What people do in a modal: submit it, pick in it, search in it. Its place and kind stand in its `private_metadata`.

use serde_json::Value;
use slack_morphism::prelude::*;

use crate::domain::{Place, Principal};
use crate::message::Values;
use crate::ports::{Inbound, Search};

use super::Identity;
use super::form::FormRef;
use super::receive::{Kind, Reading, actor, deed, text};
use super::text::unescape;

pub(super) fn submission(event: SlackInteractionViewSubmissionEvent, raw: &Value, me: &Identity) -> Reading {
    let SlackView::Modal(modal) = &event.view.view else { return Reading::Skip("foreign_view") };
    let Some(form) = modal.private_metadata.as_deref().and_then(|text| text.parse::<FormRef>().ok()) else {
        return Reading::Skip("foreign_view");
    };
    let params = &event.view.state_params;
    let values = params.state.as_ref().map(values_of).unwrap_or_default();
    let actor = actor(me, &event.user, raw);
    let place = form.place(&actor.principal, me);
    let first_field = params.state.iter().flat_map(|s| s.values.keys()).map(|block| block.value().clone()).min();
    deed(
        // One modal is taken once: it closes then. While it is refused with its faults it is not taken.
        format!("slack:form:{}", params.id.value()),
        Inbound::Form { form: form.kind, values },
        actor,
        place,
        None,
        event.trigger_id.as_ref().map(|t| t.value().clone()),
        Kind::Form { first_field },
    )
}

/// What stands in the inputs. A block holds one, named like the block; empty ones are left out.
fn values_of(state: &SlackViewState) -> Values {
    let fields = state.values.iter().filter_map(|(block, inputs)| {
        let input = inputs.values().next()?;
        let one = input.value.clone().or_else(|| input.selected_option.as_ref().map(|o| o.value.clone()));
        let one = one.or_else(|| input.selected_conversation.as_ref().map(|c| c.value().clone()));
        let many = input.selected_options.iter().flatten().map(|o| o.value.clone());
        let values: Vec<String> = one.into_iter().chain(many).collect();
        (!values.is_empty()).then(|| (block.value().clone(), values))
    });
    fields.collect()
}

/// The inputs of a modal in which something was done; the models drop them. Unreadable ones are none.
fn raw_values(raw: &Value) -> Values {
    let state = serde_json::from_value::<SlackViewState>(raw["view"]["state"].clone());
    state.map(|state| values_of(&state)).unwrap_or_default()
}

/// Something was picked in a modal.
pub(super) fn choice(
    event: &SlackInteractionBlockActionsEvent,
    modal: &SlackModalView,
    user: &SlackBasicUserInfo,
    raw: &Value,
    me: &Identity,
) -> Reading {
    let form = modal.private_metadata.as_deref().and_then(|text| text.parse::<FormRef>().ok());
    let field = event.actions.iter().flatten().find_map(|a| a.block_id.as_ref());
    let (Some(form), Some(field), Some(id)) = (form, field, text(&raw["view"]["id"])) else {
        return Reading::Skip("foreign_view");
    };
    let actor = actor(me, user, raw);
    let place = form.place(&actor.principal, me);
    let trigger = event.trigger_id.value().clone();
    let key = format!("slack:choice:{id}:{trigger}");
    let inbound = Inbound::Choice { id, form: form.kind, field: field.value().clone(), values: raw_values(raw) };
    deed(key, inbound, actor, place, None, Some(trigger), Kind::Click)
}

pub(super) fn search(payload: Value, me: &Identity) -> Option<Reading> {
    let Ok(SlackInteractionEvent::BlockSuggestion(event)) = serde_json::from_value(payload.clone()) else {
        return None;
    };
    let Some(SlackView::Modal(modal)) = &event.view else { return None };
    let form: FormRef = modal.private_metadata.as_deref()?.parse().ok()?;
    let actor = actor(me, &event.user, &payload);
    let place = form.place(&actor.principal, me);
    let (field, typed) = (event.block_id.value().clone(), unescape(&event.value));
    Some(Reading::Asked(Box::new(Search { actor, place, form: form.kind, field, typed, values: raw_values(&payload) })))
}

impl FormRef {
    /// Where the form was opened. Whatever a form says, the person is the one who submits it.
    fn place(&self, person: &Principal, me: &Identity) -> Place {
        if self.channel.is_empty() {
            return Place::nowhere(person, me.tenant());
        }
        me.place(&self.channel, self.thread.clone())
    }
}
