//! The doors that a refusal leaves open: the part that the person may run, and the people who may run the rest.

use crate::domain::{GroupName, Principal, RunId, RunbookName};

use super::refusal::refusal;
use super::words::{Line, cut, list, nodes, number, say};
use super::{Block, Button, Card, Style, Tone, Verb, View, verdict};

/// What a person whose request was refused can do by a click. It is kept for half an hour, and not across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// Names the refused request; no run has this id.
    pub request: RunId,
    /// Nodes of the request that this person may run; 0 for none.
    pub part: u32,
}

/// A refused request, as it is put to others.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub by: &'a Principal,
    pub runbook: &'a RunbookName,
    /// Without the name of the slash command and without the reason.
    pub command: &'a str,
    pub targets: u32,
    pub reason: Option<&'a str>,
    pub could: &'a [GroupName],
}

fn button(door: Door, verb: Verb, label: String, style: Style) -> Button {
    Button { verb, label, style, run: door.request, revision: 0 }
}

/// The buttons under a refusal.
pub(super) fn buttons(door: Door, could: &[GroupName]) -> Vec<Button> {
    let mut buttons = Vec::new();
    if door.part > 0 {
        buttons.push(button(door, Verb::RunPart, format!("Run on the {}", number(door.part)), Style::Primary));
    }
    match could {
        [] => {}
        [group] => buttons.push(button(door, Verb::AskOthers, cut(&format!("Ask @{group}"), 40), Style::Plain)),
        _ => buttons.push(button(door, Verb::AskOthers, "Ask those who may".to_owned(), Style::Plain)),
    }
    buttons
}

/// The refused request, put to the groups that could run it. Whoever clicks runs it with their own rights.
#[must_use]
pub fn asked_others(asked: &Asked<'_>, door: Door, view: &View) -> Card {
    let mut line = Line::default().person(asked.by).plain(" may not run this, and asks ");
    for (i, group) in asked.could.iter().enumerate() {
        if i > 0 {
            line = line.plain(" or ");
        }
        line = line.then(view.mention(group));
    }
    let mut fields = vec![(
        "Command".to_owned(),
        Line::default().code(format!("{} {}", view.command, cut(asked.command, 600))).spans(),
    )];
    if let Some(reason) = asked.reason {
        fields.push(("Why".to_owned(), say(reason).spans()));
    }
    Card {
        tone: Tone::Waiting,
        title: cut(
            &format!("Who runs {} on {}?", cut(asked.runbook.as_str(), 64), nodes(asked.targets)),
            verdict::TITLE_MAX,
        ),
        blocks: vec![
            line.plain(" to.").text(),
            Block::Fields(fields),
            say("It runs with the rights of whoever clicks: planned and decided afresh.").note(),
        ],
        buttons: vec![button(door, Verb::RunAgain, "Run it".to_owned(), Style::Primary)],
    }
}

/// The same card when somebody has run it: nobody clicks in vain.
#[must_use]
pub fn taken(asked: &Asked<'_>, by: &Principal, door: Door, view: &View) -> Card {
    let card = asked_others(asked, door, view);
    let told = Line::default().person(by).plain(" runs it.").text();
    Card { tone: Tone::Neutral, blocks: [vec![told], card.blocks].concat(), buttons: Vec::new(), ..card }
}

/// To the person who asked others.
#[must_use]
pub fn asked(could: &[GroupName]) -> Card {
    let groups: Vec<String> = could.iter().map(|g| format!("@{g}")).collect();
    Card {
        tone: Tone::Waiting,
        title: cut(&format!("I asked {} in the channel", list(&groups, "or")), verdict::TITLE_MAX),
        blocks: vec![say("One of them can run it by a click, with their own rights.").text()],
        buttons: Vec::new(),
    }
}

/// A click on a door that is closed by now.
#[must_use]
pub fn gone(view: &View) -> Card {
    refusal(
        "This offer is no longer there",
        vec![say("It stands for half an hour, and not across a restart of mine.").spans()],
        vec![say("Type the command again: ").code(format!("{} run …", view.command)).spans()],
    )
}

/// Somebody was faster.
#[must_use]
pub fn already_taken(by: &Principal) -> Card {
    refusal(
        "It is run already",
        vec![Line::default().person(by).plain(" was faster. Nothing was run twice.").spans()],
        vec![],
    )
}
