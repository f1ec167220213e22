//! Outputs that are read as they come, by whichever thread has them at hand: before all are there, and before it is known who
//! else printed them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::domain::Digest;

use super::lines::{LONG, Lexicon};
use super::reading::Reading;
use super::said::Names;

/// Reads short outputs of nodes that succeeded, on any number of threads. A [`super::Reader`] takes over what came of it.
#[derive(Default)]
pub struct Ahead {
    /// Those that no thread has now: as many as were ever at work at once.
    hands: Mutex<Vec<Hand>>,
    made: AtomicU32,
}

/// What one thread at a time reads with, and what it has learnt of the outputs before.
#[derive(Default)]
pub struct Hand {
    /// Which of all.
    number: u32,
    pub(super) lexicon: Lexicon,
    pub(super) names: Names,
    /// What it was asked to read.
    asked: HashSet<u64, RandomState>,
}

/// What was read of an output, with the key of that.
pub type Read = (Digest, Box<Reading>);

impl Ahead {
    /// Lends a hand.
    pub fn with<R>(&self, work: impl FnOnce(&mut Hand) -> R) -> R {
        let hands = || self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        let free = hands().pop();
        let mut hand =
            free.unwrap_or_else(|| Hand { number: self.made.fetch_add(1, Ordering::Relaxed), ..Hand::default() });
        let done = work(&mut hand);
        hands().push(hand);
        done
    }

    /// By their number.
    pub(super) fn into_hands(self) -> Vec<Hand> {
        let mut hands = self.hands.into_inner().unwrap_or_else(PoisonError::into_inner);
        hands.sort_by_key(|hand| hand.number);
        hands
    }
}

impl Hand {
    /// Outputs of so many lines are not to be read: of those some may be left out once it is known of which logs they are.
    pub const LINES: usize = LONG;

    /// Reads what a node of this name printed, once: equal outputs have one `hash`. Only where there is nothing to take out of
    /// it: otherwise it has to be redacted first.
    pub fn read(&mut self, name: &str, output: &str, hash: u64) -> Option<Read> {
        if !self.asked.insert(hash) {
            return None;
        }
        // As normalised, if it is plain.
        let text = output.trim_end();
        if output.strip_suffix('\n') != Some(text) {
            return None;
        }
        let own = if text.contains(name) { name } else { "" };
        // Nothing is learnt of a secret.
        self.lexicon.look_up(text, own);
        if !self.lexicon.is_harmless(text) {
            return None;
        }
        let reading = Reading::of_found(text, own, self.number, &mut self.lexicon, &mut self.names);
        Some((Digest::of(output.as_bytes()), Box::new(reading)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Input, Reader, Row, summarise};
    use super::*;
    use crate::domain::Outcome;
    use crate::redact::Redactor;
    use proptest::prelude::*;

    /// Few texts with few lines, so that most of them are known; some have something to take out.
    fn text() -> impl Strategy<Value = String> {
        let line = "(used [0-9]{1,2}% of /|State: (up|down)|web-[0-3] is up|n = 0{0,2}[1-3]|nginx/1\\.(18|24)\\.0|alpha|beta [0-9]|\
                    password=hunter[0-9]|\u{1b}\\[1mred| *|----------ERROR-------)\n";
        proptest::collection::vec(line, 1..6).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn what_is_read_ahead_by_any_hand_in_any_order_is_told_as_if_it_had_been_read_at_once(
            nodes in proptest::collection::vec((text(), any::<bool>(), any::<u8>()), 1..40),
        ) {
            let (mut input, ahead) = (Input::default(), Ahead::default());
            for ((text, ..), target) in nodes.iter().zip(0..) {
                let output = Digest::of(text.as_bytes());
                input.outputs.insert(output, text.as_str().into());
                let name = format!("web-{target}").into();
                let outcome = Some(Outcome::Succeeded);
                input.rows.push(Row { target, outcome, output: Some(output), name, ..Row::default() });
            }
            let mut order: Vec<usize> = (0..nodes.len()).collect();
            order.sort_by_key(|at| nodes[*at].2);
            let mut all = Vec::new();
            for at in order {
                let (text, by_other, _) = &nodes[at];
                let hash = u64::from_str_radix(&Digest::of(text.as_bytes()).short(16), 16).unwrap();
                let read = |hand: &mut Hand| hand.read(&input.rows[at].name, text, hash);
                let read = ahead.with(|hand| if *by_other { ahead.with(read) } else { read(hand) });
                prop_assert!(read.is_none() || text.lines().all(Redactor::finds_nothing), "{:?}", text);
                all.extend(read);
            }
            let mut reader = Reader::default();
            reader.take_over(ahead, all);
            prop_assert_eq!(reader.summarise(&input), summarise(&input));
        }
    }

    #[test]
    fn a_text_is_read_once_and_not_where_something_is_to_be_taken_out_of_it() {
        let mut hand = Hand::default();
        let read = |hand: &mut Hand, text: &str, hash: u64| hand.read("web-1", text, hash).map(|(key, _)| key);
        assert_eq!(read(&mut hand, "up\nsince 10:02\n", 1), Some(Digest::of(b"up\nsince 10:02\n")));
        assert_eq!(read(&mut hand, "up\nsince 10:02\n", 1), None);
        for (hash, text) in (2..).zip(["DB_PASSWORD=hunter2\n", "\u{1b}[1mup\n", "up", "up\n\n", ""]) {
            assert_eq!(read(&mut hand, text, hash), None, "{text:?}");
        }
        // What was suspect before is suspect once it is known.
        let mut hand = Hand::default();
        assert!((0..4).all(|n| read(&mut hand, &format!("fine\npassword: {n}\n"), n).is_none()));
    }
}
