//! The engine on ports that the test holds in its hands.

mod cards;
mod memory;
#[cfg(all(feature = "ec2", feature = "playground"))]
mod pace;
mod planning;
mod stage;
