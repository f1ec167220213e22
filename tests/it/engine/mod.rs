//! The engine on ports that the test holds in its hands.

#[cfg(all(feature = "slack", feature = "discord", feature = "playground"))]
mod both;
mod cards;
mod control;
mod details;
mod exclusive;
mod halting;
#[cfg(feature = "paused-time")]
mod fairness;
#[cfg(feature = "paused-time")]
mod found;
mod glass;
#[cfg(feature = "paused-time")]
mod histories;
mod memory;
#[cfg(all(feature = "ec2", feature = "playground"))]
mod pace;
mod planning;
mod retries;
mod seen;
mod stage;
mod waiting;
mod watching;
#[cfg(feature = "paused-time")]
mod world;
