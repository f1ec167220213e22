//! The engine on ports that the test holds in its hands.

mod cards;
mod halting;
mod memory;
mod planning;
mod retries;
mod stage;
mod watching;
