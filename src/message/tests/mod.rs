//! Every card as a person reads it, on small hand-built plans and runs.

mod forms;
mod holds;
mod layouts;
mod halts;
mod lookups;
mod make;
mod notices;
mod plans;
mod refusals;
mod runs;

use super::{Card, Limits, fit, to_text};

/// The card as text, once it has been seen to fit as it is.
fn read(card: &Card) -> String {
    let (fitted, left) = fit(card.clone(), &Limits::default());
    assert_eq!((&fitted, left), (card, None), "it does not fit");
    to_text(card)
}
