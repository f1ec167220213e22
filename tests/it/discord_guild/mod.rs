//! The simulated Discord guild: what Discord promises a bot, and what it refuses.

mod acting;
mod app;
mod conversations;
mod gateway;
mod messages;
#[cfg(feature = "discord")]
mod serenity_client;
