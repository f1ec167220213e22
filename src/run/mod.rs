//! The life-cycle of a run, pure: `decide(state, input, now) -> events`, `evolve(state, event)`,
//! `effects(state)`.
//!
//! The engine appends the events to the journal and carries out the effects; results come back as inputs.
//! Recovery is not a special case: fold the journal, carry out the effects. Nothing here is `async`, reads
//! a clock, draws a random number or does I/O. What is about all runs at once stands in [`halt`].

pub mod decide;
pub mod effects;
pub mod event;
pub mod evolve;
pub mod glass;
pub mod halt;
pub mod holds;
pub mod motion;
pub mod retry;
pub mod standing;
pub mod state;
#[cfg(test)]
mod tests;

pub use decide::{Answer, Input, Refusal};
pub use effects::Effect;
pub use event::{Event, HoldCause, NodeReport, PostKey};
pub use evolve::Misfit;
pub use glass::{Glass, Review};
pub use halt::{Fact, Halt, Wish};
pub use holds::Turn;
pub use motion::Motion;
pub use retry::{Retry, Which};
pub use standing::{Lapsed, Notice, Today};
pub use state::{
    Approval, AskAt, Asking, Hold, HoldEnd, Narrowed, Phase, Proposal, Rollback, Run, SendState, ShardProgress,
    TargetState,
};
