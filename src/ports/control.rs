//! What somebody with a shell on Muster's host can ask of it while chat is down.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::command::RunRef;
use crate::domain::Principal;
use crate::message::Card;

/// One thing that is asked; also its form on the wire. Nobody can ask for a run, or approve one, in this way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// One run, or what is going on.
    Status {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunRef>,
    },
    Cancel {
        run: RunRef,
    },
    Halt {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    Resume,
}

/// The one answer to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// It is as it was asked for, or was already.
    pub done: bool,
    pub card: Card,
}

/// The engine implements it; an adapter puts it where operators reach it, and says who they are.
#[async_trait]
pub trait Control: Send + Sync {
    /// What it changes is durable when it returns. `by` is an operator: it may do all this, and see every run.
    async fn order(&self, by: &Principal, order: Order) -> Told;
}
