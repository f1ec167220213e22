//! Outputs that are read as they come, by whichever thread has them at hand: before all are there, and before it is known who
//! else printed them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::domain::Digest;

use super::lines::{LONG, Lexicon};
use super::mask::own;
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
    pub(super) number: u32,
    pub(super) lexicon: Lexicon,
    pub(super) names: Names,
    /// What it was asked to read lately.
    asked: HashSet<u64, RandomState>,
}

/// What was read of an output, with the key of that.
pub type ReadAhead = (Digest, Box<Reading>);

/// Outputs of which it is remembered that they were read. One that is not is read once more for nothing.
const ASKED: usize = 1 << 16;

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
        hands.iter_mut().for_each(|hand| hand.asked = HashSet::default());
        hands
    }
}

impl Hand {
    /// Outputs of so many lines are not to be read: of those some may be left out once it is known of which logs they are.
    pub const LINES: usize = LONG;

    /// Reads what a node of this name printed, once: equal outputs have one `hash`. Only where there is nothing to take out of
    /// it: otherwise it has to be redacted first.
    pub fn read(&mut self, name: &str, output: &str, hash: u64) -> Option<ReadAhead> {
        if self.asked.len() >= ASKED {
            self.asked.clear();
        }
        if !self.asked.insert(hash) {
            return None;
        }
        // As normalised, if it is plain.
        let text = output.trim_end();
        if output.strip_suffix('\n') != Some(text) {
            return None;
        }
        let own = own(name, text);
        // Nothing is learnt of what is suspect.
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
    use super::super::{Input, Reader, Row, Summary, summarise};
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

    /// Of nodes that print these texts, those that fail marked.
    fn input<'t>(nodes: impl Iterator<Item = (&'t str, bool)>) -> Input {
        let mut input = Input::default();
        for ((text, fails), target) in nodes.zip(0..) {
            let output = Digest::of(text.as_bytes());
            input.outputs.insert(output, text.into());
            let name = format!("web-{target}").into();
            let outcome = Some(if fails { Outcome::Failed } else { Outcome::Succeeded });
            input.rows.push(Row { target, outcome, output: Some(output), name, ..Row::default() });
        }
        input
    }

    /// What is told if the outputs come in this order; `by_other`: those that a second hand reads.
    fn told(input: &Input, order: &[usize], by_other: impl Fn(usize) -> bool) -> Summary {
        let (ahead, mut all) = (Ahead::default(), Vec::<ReadAhead>::new());
        for at in order {
            let Row { name, output: Some(output), .. } = &input.rows[*at] else { continue };
            let text = &input.outputs[output];
            let read = |hand: &mut Hand| hand.read(name, text, output.first_bits());
            let read = ahead.with(|hand| if by_other(*at) { ahead.with(read) } else { read(hand) });
            assert!(read.is_none() || text.lines().all(Redactor::lets_pass), "{text:?}");
            match all.iter_mut().find(|(key, _)| key == output) {
                Some((_, reading)) => reading.is_also_of_another(),
                None => all.extend(read),
            }
        }
        let mut reader = Reader::default();
        reader.take_over(ahead, all);
        let Ok(summary) = reader.summarise_from(input, &input.outputs);
        summary
    }

    /// Backwards, and those of odd numbers first.
    fn orders(nodes: usize) -> [Vec<usize>; 2] {
        [(0..nodes).rev().collect(), (1..nodes).step_by(2).chain((0..nodes).step_by(2)).collect()]
    }

    proptest! {
        #[test]
        fn what_is_read_ahead_by_any_hand_in_any_order_is_told_as_if_it_had_been_read_at_once(
            nodes in proptest::collection::vec((text(), any::<bool>(), any::<u8>(), proptest::bool::weighted(0.2)), 1..40),
        ) {
            let input = input(nodes.iter().map(|(text, _, _, fails)| (text.as_str(), *fails)));
            let mut order: Vec<usize> = (0..nodes.len()).collect();
            order.sort_by_key(|at| nodes[*at].2);
            prop_assert_eq!(told(&input, &order, |at| nodes[at].1), summarise(&input));
        }
    }

    #[test]
    fn which_kind_of_line_came_first_decides_nothing() {
        let lines = |what: &str, count: usize| -> String {
            (0..count).map(|n| format!("{what} status=200 took {n}ms\n")).collect()
        };
        let text = |n: usize| {
            let both = [lines("GET /a", 4 + n % 5), lines("POST /b", 4 + n * 3 % 7)];
            let bad = ["GET /a status=500 took 9ms\n", "POST /b status=500 took 9ms\n"];
            let bad = if n == 20 { bad.concat() } else { String::new() };
            if n.is_multiple_of(2) { both.concat() + &bad } else { both.into_iter().rev().collect::<String>() }
        };
        let texts: Vec<String> = (0..41).map(text).collect();
        let input = input(texts.iter().map(|text| (text.as_str(), false)));
        let summary = summarise(&input);
        assert!(summary.findings.iter().any(|found| found.title == "GET /a status=500 took …"), "{summary:?}");
        for order in orders(41) {
            assert_eq!(told(&input, &order, |_| false), summary);
        }
    }

    #[test]
    fn what_a_node_reads_of_itself_is_read_with_its_own_name_in_mind() {
        let nodes = [("leader is web-1\n", true), ("leader is web-1\n", false), ("leader is web-2\n", false)];
        let nodes = nodes
            .into_iter()
            .chain((3..9).map(|n| [("leader is web-3\n", false), ("leader is web-4\n", false)][n % 2]));
        let input = input(nodes);
        let summary = summarise(&input);
        for order in orders(9).into_iter().chain([(0..9).collect()]) {
            assert_eq!(told(&input, &order, |_| false), summary);
        }
    }

    #[test]
    fn where_there_are_too_many_names_to_follow_it_is_not_arrival_that_decides_which() {
        let letters = |n: usize| (0..3).map(|at| char::from(b'g' + (n >> (at * 4) & 15) as u8)).collect::<String>();
        let text = |n: usize| match n {
            // The last ones have something to tell.
            380.. => format!("GPU temp: {} C\n", if n == 399 { 95 } else { 40 + n % 3 }),
            _ => (0..60).map(|at| format!("key {} {at}: {}\n", letters(n), n % 3)).collect(),
        };
        let texts: Vec<String> = (0..400).map(text).collect();
        let input = input(texts.iter().map(|text| (text.as_str(), false)));
        let summary = summarise(&input);
        assert!(summary.measures.is_empty(), "{:?}", summary.measures);
        for order in orders(400) {
            assert_eq!(told(&input, &order, |at| at % 3 == 0), summary);
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
        // What is suspect is never known.
        let mut hand = Hand::default();
        assert!((0..4).all(|n| read(&mut hand, &format!("fine\npassword: {n}\n"), n).is_none()));
    }
}
