//! The simulated Slack workspace keeps Slack's rules, and the conversation player tells the truth about what it sees.

mod app;
mod conversations;
mod forms_played;
mod rules;
mod views;
