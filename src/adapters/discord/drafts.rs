//! Forms that are being filled in: what a modal cannot carry itself, for fifteen minutes.
//!
//! A modal's `custom_id` holds a hundred characters and a modal one page, so the rest waits here. After a restart it is
//! gone, and whoever submits is told what to type instead.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Place;
use crate::message::{Form, Values};
use crate::ports::Actor;

/// As long as an interaction's token, after which nobody can be answered any more.
const LIFE: Duration = Duration::from_secs(15 * 60);
const DRAFTS_MAX: usize = 1_024;

#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub form: Form,
    pub actor: Actor,
    /// Where the form was opened; a run that comes of it stands there.
    pub place: Place,
    pub values: Values,
    /// Pages that were submitted.
    pub seen: BTreeSet<usize>,
}

impl Draft {
    pub(super) fn new(form: Form, actor: Actor, place: Place) -> Self {
        Draft { form, actor, place, values: Values::new(), seen: BTreeSet::new() }
    }
}

#[derive(Default)]
pub(super) struct Drafts(Mutex<HashMap<String, (Instant, Draft)>>);

impl Drafts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, Draft)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a new draft; the answer names it.
    pub(super) fn add(&self, draft: Draft) -> String {
        let name = format!("{:010x}", rand::random::<u64>() >> 24);
        self.put(&name, draft);
        name
    }

    pub(super) fn put(&self, name: &str, draft: Draft) {
        let mut drafts = self.lock();
        drafts.retain(|_, (touched, _)| touched.elapsed() < LIFE);
        if drafts.len() >= DRAFTS_MAX && !drafts.contains_key(name) {
            let oldest = drafts.iter().min_by_key(|(_, (touched, _))| *touched).map(|(name, _)| name.clone());
            oldest.map(|name| drafts.remove(&name));
        }
        drafts.insert(name.to_owned(), (Instant::now(), draft));
    }

    pub(super) fn get(&self, name: &str) -> Option<Draft> {
        let drafts = self.lock();
        drafts.get(name).filter(|(touched, _)| touched.elapsed() < LIFE).map(|(_, draft)| draft.clone())
    }

    pub(super) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Principal;
    use crate::message::FormKind;

    fn draft() -> Draft {
        let principal = Principal::discord("1", "2");
        let place = Place::nowhere(&principal, "1");
        let form = Form {
            kind: FormKind::Pick,
            title: "x".into(),
            submit: None,
            intro: vec![],
            fields: vec![],
            footer: vec![],
        };
        Draft::new(form, Actor { principal, foreign: false }, place)
    }

    #[test]
    fn the_newest_drafts_are_kept_and_each_has_its_name() {
        let drafts = Drafts::default();
        let names: Vec<String> = (0..DRAFTS_MAX + 3).map(|_| drafts.add(draft())).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| name.len() == 10));
        assert_eq!(drafts.lock().len(), DRAFTS_MAX);
        let last = names.last().unwrap();
        assert!(drafts.get(last).is_some());
        drafts.remove(last);
        assert!(drafts.get(last).is_none());
    }
}
