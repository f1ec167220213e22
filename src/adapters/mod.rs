//! What touches the world: each adapter translates between one platform and the ports, and adds nothing.

#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
#[cfg(feature = "discord")]
pub mod discord;
pub mod host;
pub mod router;
#[cfg(feature = "slack")]
pub mod slack;
pub mod store;
