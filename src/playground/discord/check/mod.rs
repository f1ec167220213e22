//! What Discord refuses in a body before anything happens.
//!
//! `message` contents and embeds · `component` buttons and menus · `modal` forms · `command` slash commands.

pub mod command;
pub mod component;
pub mod message;
pub mod modal;
