//! A bucket with those who wait at it. Pure: what the time is, it is told.

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::Bucket;
use super::queue::{Queue, Ticket};
use super::{Rate, Whom};

/// A bucket that nobody used for so long is dropped with what it had learned.
const IDLE: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Line {
    pub(super) bucket: Bucket,
    queue: Queue,
    used: Instant,
}

/// Why a call does not go yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// It is first, and a slot may be there then.
    Until(Instant),
    /// Another is first; the ticket is called when that changes.
    Called,
}

impl Line {
    pub(super) fn new(start: Rate, now: Instant) -> Self {
        Line { bucket: Bucket::new(start, now), queue: Queue::default(), used: now }
    }

    pub(super) fn join(&mut self, whom: Whom) -> Ticket {
        self.queue.join(whom)
    }

    /// Gives a slot to this call if it is its turn and one is there. What has been served is in the line no more.
    pub(super) fn serve(&mut self, ticket: &Ticket, now: Instant) -> Result<(), Wait> {
        if !self.queue.is_first(ticket) {
            return Err(Wait::Called);
        }
        self.bucket.take(now).map_err(Wait::Until)?;
        self.queue.serve();
        self.used = now;
        Ok(())
    }

    /// Somebody no longer wants to wait.
    pub(super) fn leave(&mut self, ticket: &Ticket) {
        self.queue.leave(ticket);
    }

    /// Nobody waits, and nobody has come for a long while.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        self.queue.is_empty() && now.duration_since(self.used) >= IDLE
    }
}
