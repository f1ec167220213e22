//! Whose turn it is: runs and requests take turns, however many calls each of them waits with.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::Whom;

/// One waiting call.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    whom: Whom,
    number: u64,
    /// It is first now.
    pub(super) called: Arc<Notify>,
}

/// Served in turns by whom a call is for, and among the calls of one in the order in which they came. Whoever waits with
/// nothing takes no room.
#[derive(Debug, Default)]
pub(super) struct Queue {
    issued: u64,
    /// Everybody who waits, in the order of their turns.
    turns: VecDeque<Whom>,
    waiting: HashMap<Whom, BTreeMap<u64, Arc<Notify>>>,
}

impl Queue {
    pub(super) fn join(&mut self, whom: Whom) -> Ticket {
        self.issued += 1;
        let ticket = Ticket { whom, number: self.issued, called: Arc::default() };
        let mine = self.waiting.entry(whom).or_insert_with(|| {
            self.turns.push_back(whom);
            BTreeMap::new()
        });
        mine.insert(ticket.number, ticket.called.clone());
        ticket
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    pub(super) fn is_first(&self, ticket: &Ticket) -> bool {
        self.first().is_some_and(|(whom, number, _)| whom == ticket.whom && number == ticket.number)
    }

    /// The first has what it waited for: the turn goes to the next, and its own next call is behind everybody's.
    pub(super) fn serve(&mut self) {
        let Some((whom, number, _)) = self.first() else { return };
        self.turns.pop_front();
        if let Some(mine) = self.waiting.get_mut(&whom) {
            mine.remove(&number);
            if mine.is_empty() {
                self.waiting.remove(&whom);
            } else {
                self.turns.push_back(whom);
            }
        }
        self.call_first();
    }

    /// Somebody no longer wants to wait.
    pub(super) fn leave(&mut self, ticket: &Ticket) {
        let was_first = self.is_first(ticket);
        if let Some(mine) = self.waiting.get_mut(&ticket.whom) {
            mine.remove(&ticket.number);
            if mine.is_empty() {
                self.waiting.remove(&ticket.whom);
                self.turns.retain(|whom| *whom != ticket.whom);
            }
        }
        if was_first {
            self.call_first();
        }
    }

    fn call_first(&self) {
        if let Some((_, _, called)) = self.first() {
            called.notify_one();
        }
    }

    fn first(&self) -> Option<(Whom, u64, Arc<Notify>)> {
        let whom = *self.turns.front()?;
        let (number, called) = self.waiting.get(&whom)?.first_key_value()?;
        Some((whom, *number, called.clone()))
    }
}
