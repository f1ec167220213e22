//! The engine on ports that the test holds in its hands.

mod cards;
#[cfg(feature = "paused-time")]
mod fairness;
#[cfg(feature = "paused-time")]
mod found;
#[cfg(feature = "paused-time")]
mod histories;
mod memory;
mod planning;
mod stage;
#[cfg(feature = "paused-time")]
mod world;
