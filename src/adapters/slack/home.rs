//! [`Home`] -> the App Home's view.

use slack_morphism::prelude::*;

use crate::message::Home;

use super::render::{self, note};

/// Blocks that Slack takes in a view.
const BLOCKS_MAX: usize = 100;

pub(super) fn view(home: &Home) -> SlackView {
    let mut seen = std::collections::HashMap::new();
    let mut blocks = Vec::new();
    let mut lost = 0;
    for section in &home.sections {
        let mut rendered = render::section_of_home(section, &mut seen);
        if !blocks.is_empty() {
            rendered.insert(0, SlackBlock::Divider(SlackDividerBlock::new()));
        }
        // One is kept for the note. A section stands there whole or not at all: half a request misleads.
        if blocks.len() + rendered.len() >= BLOCKS_MAX {
            lost += 1;
        } else {
            blocks.extend(rendered);
        }
    }
    if lost > 0 {
        blocks.push(note(&format!("… {lost} more parts do not fit here")));
    }
    SlackView::Home(SlackHomeView::new(blocks))
}
