//! plan, decision, refusal, progress, summary -> [`Card`]; every sentence the bot says.
//!
//! A card is platform-neutral: adapters render it and add nothing. Text from people and machines only
//! ever stands in [`Span::Plain`], [`Span::Code`] or [`Block::Code`], which renderers escape. One file for each
//! occasion: a plan, the living card, the request for approval, a hold, results, refusals, what people look up.
//! [`fit()`] brings a card under the platforms' limits, [`text`] prints it for terminals and logs.

pub mod approvals;
pub mod ask;
mod back;
mod blast;
pub mod browse;
pub mod card;
pub mod detail;
pub mod door;
pub mod drawn;
pub mod export;
pub mod fit;
pub mod form;
pub mod glass;
pub mod hold;
pub mod halt;
pub mod home;
mod notice;
pub mod outputs;
mod pace;
pub mod plain;
pub mod plan;
pub mod reference;
pub mod refusal;
pub mod results;
pub mod retry;
pub mod root;
pub mod rows;
pub mod text;
pub mod trouble;
pub mod verdict;
mod view;
pub mod since;
mod spread;
mod words;

#[cfg(test)]
mod tests;

pub use approvals::approvals;
pub use ask::ask;
pub use card::{Block, Button, Card, Chart, Span, Style, Table, Tone, Verb};
pub use export::exports;
pub use fit::{Limits, fit};
pub use form::{
    Choice, FieldKind, Form, FormField, FormKind, Suggestions, Values, deny_form, narrow_form, review_form,
};
pub use glass::{alert, overdue, review, review_closed, reviewed};
pub use hold::hold;
pub use home::{Home, home};
pub use notice::notice;
pub use plan::{plan_card, planning};
pub use results::{OutputFile, closing, output_file, results};
pub use root::root;
pub use rows::summary_input;
pub use text::render as to_text;
pub use view::View;
pub use words::{count, number, were};
