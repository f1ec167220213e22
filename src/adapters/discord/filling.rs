//! Forms while they are filled in: a page is opened, comes back, and what all pages say goes to the inbox as one form.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use crate::message::form::{Faults, Form, FormKind};
use crate::message::{FieldKind, Suggestions, Values};
use crate::ports::{Ack, Delivery, Inbound, Inbox, Search};

use super::asked::Asked;
use super::custom::{PageRef, What};
use super::dialog;
use super::drafts::Draft;
use super::form::{self, Input, Inputs};
use super::intake::{Intake, settle};
use super::receive::{Person, Source};

impl Intake {
    /// The draft that a page belongs to. After a restart, one that says all that is needed is made anew.
    fn draft(&self, page: &PageRef, person: &Person) -> Option<Draft> {
        let draft = self.shared.drafts.get(&page.draft);
        draft.filter(|draft| draft.actor.principal.user == person.actor.principal.user)
    }

    pub(super) async fn page(&self, page: &PageRef, person: &Person, asked: &Asked, arrived: Instant) {
        let answer = match self.draft(page, person) {
            Some(draft) => open(self.inbox.as_ref(), self.watchdog, &page.draft, &draft, page.page).await,
            None => dialog::in_place(Source::Private, dialog::lost(&page.what, &self.command)),
        };
        self.front.answer(asked, answer, arrived).await;
    }

    pub(super) async fn filled(
        &self,
        page: &PageRef,
        person: Person,
        asked: &Asked,
        inputs: Inputs,
        from: Source,
        arrived: Instant,
    ) {
        let Some(mut draft) = self.draft(page, &person) else {
            // One text is a whole form in itself, and its page says of what.
            let form = match page.what {
                What::Deny { run, revision } => bare(FormKind::Deny { run, revision }),
                What::Review { run, revision } => bare(FormKind::Review { run, revision }),
                What::Narrow { .. } | What::Pick | What::Run { .. } => {
                    let lost = dialog::in_place(from, dialog::lost(&page.what, &self.command));
                    return self.front.answer(asked, lost, arrived).await;
                }
            };
            let mut draft = Draft::new(form, person.actor, person.place);
            draft.values = raw(&inputs);
            return self.submit(page, draft, asked, from, arrived).await;
        };
        let faults = self.take(&mut draft, page.page, inputs).await;
        draft.seen.insert(page.page);
        self.shared.drafts.put(&page.draft, draft.clone());
        if !faults.is_empty() {
            let body = dialog::faulty(&draft.form, &page.draft, &faults);
            return self.front.answer(asked, dialog::in_place(from, body), arrived).await;
        }
        let missing = (0..form::pages(&draft.form)).find(|page| !draft.seen.contains(page));
        if let Some(next) = missing {
            let body = dialog::next_page(&draft.form, &page.draft, next);
            return self.front.answer(asked, dialog::in_place(from, body), arrived).await;
        }
        self.submit(page, draft, asked, from, arrived).await;
    }

    /// Puts what was filled in on a page into the draft. What is wrong with names is the answer.
    async fn take(&self, draft: &mut Draft, page: usize, mut inputs: Inputs) -> Faults {
        let mut faults = Faults::new();
        for field in form::fields(&draft.form, page).to_vec() {
            let input = inputs.0.remove(&field.name);
            let searched = matches!(field.kind, FieldKind::Search { .. });
            let values = match input {
                None => Vec::new(),
                Some(Input::Picked(values)) => values,
                Some(Input::Typed(text)) if !searched => {
                    Some(text).filter(|t| !t.trim().is_empty()).into_iter().collect()
                }
                Some(Input::Typed(text)) => {
                    // All at once: the acknowledgement waits for them.
                    let names = form::names(&text);
                    let found = join_all(names.iter().map(|name| self.search(draft, &field.name, name))).await;
                    let mut meant = Vec::new();
                    for (name, found) in names.into_iter().zip(found) {
                        match form::meant(name, &found) {
                            Ok(value) => meant.push(value),
                            Err(fault) => {
                                faults.entry(field.name.clone()).or_insert(fault);
                                // Kept as it was written, to be corrected.
                                meant.push(name.to_owned());
                            }
                        }
                    }
                    meant
                }
            };
            if values.is_empty() {
                // Emptied on purpose: what stood there before does not come back.
                draft.values.insert(field.name, Vec::new());
            } else {
                draft.values.insert(field.name, values);
            }
        }
        faults
    }

    async fn search(&self, draft: &Draft, field: &str, typed: &str) -> Suggestions {
        let search = search(draft, field, typed);
        timeout(self.watchdog, self.inbox.suggest(search)).await.unwrap_or_default()
    }

    /// All pages are there.
    async fn submit(&self, page: &PageRef, draft: Draft, asked: &Asked, from: Source, arrived: Instant) {
        let (actor, place) = (draft.actor.clone(), draft.place.clone());
        // A message for the person alone is the first answer, except where a card is left as it is.
        let original = from != Source::Public;
        let reply = asked.reply(&place, &actor.principal, original);
        let mut values = draft.values.clone();
        values.retain(|_, values| !values.is_empty());
        let inbound = Inbound::Form { form: draft.form.kind.clone(), values };
        // A form is taken once. While it is refused with its faults it is not taken.
        let key = match &draft.form.kind {
            FormKind::Run { .. } => format!("discord:form:{}", page.draft),
            FormKind::Deny { .. } | FormKind::Narrow { .. } | FormKind::Review { .. } | FormKind::Pick => {
                format!("discord:interaction:{}", asked.id)
            }
        };
        self.shared.waiting.expect(&asked.id, false);
        let mut accepting = self.accept(Delivery { key, actor, place, inbound, reply: reply.clone() });
        let early = timeout_at(arrived + self.watchdog, &mut accepting).await;
        let (acked, done) = match early {
            Ok(done) => (false, settle(done)),
            Err(_) => {
                metrics::counter!("muster_discord_watchdog_acks_total").increment(1);
                let first = if original { dialog::in_place(from, dialog::taken(&draft.form)) } else { dialog::seen() };
                self.front.answer(asked, first, arrived).await;
                (true, settle(accepting.await))
            }
        };
        let body = match done {
            Ok(Ack::Plain) => {
                if form::pages(&draft.form) > 0 {
                    self.shared.drafts.remove(&page.draft);
                }
                if !acked {
                    let first =
                        if original { dialog::in_place(from, dialog::taken(&draft.form)) } else { dialog::seen() };
                    self.front.answer(asked, first, arrived).await;
                }
                return;
            }
            Ok(Ack::FormErrors(faults)) => dialog::faulty(&draft.form, &page.draft, &faults),
            Ok(Ack::NextForm(next)) => {
                let next = Draft::new(*next, draft.actor.clone(), draft.place.clone());
                let (form, name) = (next.form.clone(), self.shared.drafts.add(next));
                dialog::offered(&form, &name)
            }
            Err(sentence) => dialog::sentence(&sentence),
        };
        if !acked {
            self.front.answer(asked, dialog::in_place(from, body), arrived).await;
        } else if original {
            self.front.amend(asked, body).await;
        } else {
            // The card that it was opened from stays as it is.
            self.front.follow(asked, body).await;
        }
    }
}

/// The page as a first answer, with what there is to pick in it at this moment.
pub(super) async fn open(inbox: &dyn Inbox, patience: Duration, name: &str, draft: &Draft, page: usize) -> Value {
    let searched = form::fields(&draft.form, page).iter().filter(|f| matches!(f.kind, FieldKind::Search { .. }));
    let asking = searched.map(|field| async {
        let asked = search(draft, &field.name, "");
        (field.name.clone(), timeout(patience, inbox.suggest(asked)).await.unwrap_or_default())
    });
    let found: BTreeMap<String, Suggestions> = join_all(asking).await.into_iter().collect();
    let custom_id = PageRef { draft: name.to_owned(), page, what: What::from(&draft.form.kind) }.to_string();
    dialog::modal(form::modal(&draft.form, page, &draft.values, &found, &custom_id))
}

fn search(draft: &Draft, field: &str, typed: &str) -> Search {
    let mut values = draft.values.clone();
    values.retain(|_, values| !values.is_empty());
    Search {
        actor: draft.actor.clone(),
        place: draft.place.clone(),
        form: draft.form.kind.clone(),
        field: field.to_owned(),
        typed: typed.to_owned(),
        values,
    }
}

pub(super) fn bare(kind: FormKind) -> Form {
    Form { kind, title: String::new(), submit: None, intro: Vec::new(), fields: Vec::new(), footer: Vec::new() }
}

fn raw(inputs: &Inputs) -> Values {
    let values = inputs.0.iter().map(|(name, input)| {
        let values = match input {
            Input::Typed(text) => vec![text.clone()],
            Input::Picked(values) => values.clone(),
        };
        (name.clone(), values)
    });
    values.collect()
}
