//! A person's own page in the chat: what they run, what waits for them, what they ran of late, and how Muster is.

use crate::command::Request;
use crate::domain::{RunId, Selector, Timestamp};
use crate::run::{Hold, Run};

use super::browse::phase;
use super::root::{expires, open_seats, seats};
use super::verdict::{TITLE_MAX, subject};
use super::words::{Line, are, count, cut, lines, number, say, size};
use super::{Block, Button, Card, Style, Tone, Verb, View};

/// Runs told one by one, and buttons for runbooks.
pub const RUNS_MAX: usize = 8;
pub const WAITING_MAX: usize = 10;
pub const RECENT_MAX: usize = 5;

/// A page of several cards, top to bottom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    pub sections: Vec<Card>,
}

/// One run on the page.
#[derive(Debug, Clone)]
pub struct Told {
    pub run: Run,
    /// Its short id.
    pub short: String,
    /// Where its request stands, by the platform's own word.
    pub link: Option<String>,
}

/// How Muster is, as far as a person has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub accounts: u32,
    /// Accounts that could not be read when it was tried last, by name. Names are those of customers: not for everybody.
    pub unreadable: Vec<String>,
    pub names_shown: bool,
    /// The accounts have been asked for since Muster started.
    pub asked: bool,
    pub journal: bool,
    pub runbooks: u32,
    /// Since when the rules of today are in force.
    pub rules_since: Timestamp,
}

/// What the page is made of.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The person's own runs, newest first.
    pub mine: Vec<Told>,
    /// Requests that wait for this person's yes or no, oldest first.
    pub waiting: Vec<Told>,
    /// The person's newest run of each runbook that they may still run, newest first.
    pub recent: Vec<(RunId, String)>,
    pub health: Health,
    /// Carried by the button that picks a runbook; the id of no run.
    pub nobody: RunId,
}

#[must_use]
pub fn home(facts: &Facts, view: &View) -> Home {
    let mut sections = vec![start(facts, view)];
    // First of all, because it explains everything below.
    let halted = super::halt::notice(view);
    sections
        .splice(0..0, halted.map(|told| Card { blocks: vec![told], ..section(Tone::Warning, "Halted".to_owned()) }));
    if !facts.waiting.is_empty() {
        let n = size(facts.waiting.len());
        let verb = if n == 1 { "waits" } else { "wait" };
        let mut head = section(Tone::Waiting, format!("{} {verb} for you", count(n, "request")));
        if facts.waiting.len() > WAITING_MAX {
            let rest = number(size(facts.waiting.len() - WAITING_MAX));
            head.blocks.push(say(format!("The oldest {WAITING_MAX} stand here, {rest} more wait.")).note());
        }
        sections.push(head);
        sections.extend(facts.waiting.iter().take(WAITING_MAX).map(|told| request(told, view)));
    }
    sections.push(mine(facts, view));
    sections.push(health(&facts.health));
    Home { sections }
}

fn section(tone: Tone, title: String) -> Card {
    Card { tone, title: cut(&title, TITLE_MAX), blocks: Vec::new(), buttons: Vec::new() }
}

fn start(facts: &Facts, view: &View) -> Card {
    let pick = Button {
        verb: Verb::Pick,
        label: "Pick a runbook".to_owned(),
        style: Style::Primary,
        run: facts.nobody,
        revision: 0,
    };
    let fill = |(run, name): &(RunId, String)| Button {
        verb: Verb::Fill,
        label: cut(name, 75),
        style: Style::Plain,
        run: *run,
        revision: 0,
    };
    let told = if facts.recent.is_empty() {
        say("Or type ").code(format!("{} help", view.command)).plain(" in any channel that I am in.")
    } else {
        say("Or one that you ran of late, with its values. By hand: ").code(format!("{} help", view.command))
    };
    Card {
        blocks: vec![told.note()],
        buttons: [pick].into_iter().chain(facts.recent.iter().take(RECENT_MAX).map(fill)).collect(),
        ..section(Tone::Neutral, "Run something".to_owned())
    }
}

/// What a held run asks, in short.
fn held(told: &Told, hold: &Hold) -> Card {
    let run = &told.run;
    let mut told_lines = vec![
        say("Asked for by ").person(&run.proposal.by).plain(", waits until ").when(hold.until),
        say(super::verdict::counts(&run.counts)),
    ];
    if let Some(gate) = run.gate_of(hold).filter(|gate| !gate.ask.is_empty()) {
        told_lines.push(say("To look at: ").bold(cut(&gate.ask, 300)));
    }
    if let Some(url) = &told.link {
        let text = "Read what happened and what each answer does".to_owned();
        told_lines.push(Line::default().span(super::Span::Link { url: url.clone(), text }));
    }
    let title = format!("{} {} is held {}", told.short, run.proposal.plan.runbook, super::hold::place(run, hold));
    Card {
        blocks: vec![Block::Text(lines(told_lines))],
        buttons: super::hold::buttons(run, hold),
        ..section(Tone::Waiting, title)
    }
}

/// A run that overrode rules and waits for somebody to look at it.
fn review(told: &Told, view: &View) -> Card {
    let run = &told.run;
    let p = &run.proposal;
    let mut told_lines = vec![
        say("Asked by ").person(&p.by).plain(" ").when(p.at).plain(", agreed by ").then(super::root::approvers(run)),
        say("Why: ").plain(cut(p.reason.as_deref().unwrap_or_default(), 300)),
        say("It ended: ").plain(super::verdict::counts(&run.counts)),
    ];
    told_lines.extend(super::glass::looked(run, view));
    if let Some(url) = &told.link {
        let text = "Read what was done".to_owned();
        told_lines.push(Line::default().span(super::Span::Link { url: url.clone(), text }));
    }
    let title = format!("Review {} {}", told.short, subject(p.plan.runbook.as_str(), size(p.plan.targets.len())));
    Card {
        blocks: vec![Block::Text(lines(told_lines))],
        buttons: super::glass::buttons(run),
        ..section(Tone::Waiting, title)
    }
}

/// A request in short. Whoever wants to know everything follows the link: the card there tells the exact targets.
fn request(told: &Told, view: &View) -> Card {
    let run = &told.run;
    if let Some(hold) = run.hold() {
        return held(told, hold);
    }
    if run.owes_review() {
        return review(told, view);
    }
    let p = &run.proposal;
    let button =
        |verb, label: &str, style| Button { verb, label: label.to_owned(), style, run: run.id, revision: run.revision };
    let mut who = say("Asked by ").person(&p.by).plain(" ").when(p.at);
    if let Some(at) = expires(run) {
        who = who.plain(", expires ").when(at);
    }
    let mut told_lines =
        vec![who, say("Needs ").plain(seats(&open_seats(run))).plain(format!(", risk: {}", p.plan.risk.as_str()))];
    if let Some(why) = p.reason.as_deref().map(str::trim).filter(|r| !r.is_empty()) {
        told_lines.push(say("Why: ").plain(cut(why, 300)));
    }
    let asked = Request {
        runbook: p.plan.runbook.clone(),
        arguments: p.plan.arguments.clone(),
        selector: Selector::default(),
        reason: None,
        emergency: false,
    };
    let asked = format!("{} {} on {}", view.command, asked.without_place(), p.plan.selector);
    told_lines.push(Line::default().code(cut(&asked, 300)));
    told_lines.push(say(super::blast::reach(&p.plan)));
    if let Some(url) = &told.link {
        let text = "Read the whole request: script, values and exact targets".to_owned();
        told_lines.push(Line::default().span(super::Span::Link { url: url.clone(), text }));
    }
    Card {
        blocks: vec![Block::Text(lines(told_lines))],
        buttons: vec![button(Verb::Approve, "Approve", Style::Primary), button(Verb::Deny, "Deny", Style::Danger)],
        ..section(
            Tone::Waiting,
            format!("{} {}", told.short, subject(p.plan.runbook.as_str(), size(p.plan.targets.len()))),
        )
    }
}

fn mine(facts: &Facts, view: &View) -> Card {
    if facts.mine.is_empty() {
        let text = say("What you run stands here, wherever you started it.");
        return Card { blocks: vec![text.note()], ..section(Tone::Neutral, "You have run nothing yet".to_owned()) };
    }
    let open = size(facts.mine.iter().filter(|t| !t.run.phase.is_over()).count());
    let told = facts.mine.iter().take(RUNS_MAX).map(|t| {
        let p = &t.run.proposal;
        let mut line =
            Line::default().code(t.short.clone()).plain(format!(" {}: {}, ", p.plan.runbook, phase(&t.run))).when(p.at);
        if let Some(url) = &t.link {
            line = line.plain(" ").span(super::Span::Link { url: url.clone(), text: "card".to_owned() });
        }
        line
    });
    let title = match open {
        0 => "Your runs, all over".to_owned(),
        n => format!("Your runs, {} going on", number(n)),
    };
    let tone = if open == 0 { Tone::Neutral } else { Tone::Running };
    let more = say("More: ").code(format!("{} status", view.command));
    Card { blocks: vec![Block::Text(lines(told)), more.note()], ..section(tone, title) }
}

fn health(health: &Health) -> Card {
    let bad = size(health.unreadable.len());
    let accounts = if !health.asked {
        say("Accounts: not asked for yet")
    } else if bad == 0 {
        say(format!("Accounts: {} known, none unreadable", number(health.accounts)))
    } else {
        let names = format!(": {}", super::words::some(&health.unreadable, 5));
        let names = if health.names_shown { names.as_str() } else { "" };
        say(format!("Accounts: {} of {} could not be read{names}", number(bad), number(health.accounts)))
    };
    let journal =
        say(if health.journal { "Journal: ok" } else { "Journal: failed, nothing is run until it is repaired" });
    let rules = match health.runbooks {
        0 => say("Rules: no valid runbook or policy is loaded, so nothing may run; their owners see why by ")
            .code("muster check"),
        n => say(format!("Rules: {}, in force since ", count(n, "runbook"))).when(health.rules_since),
    };
    let well = health.journal && health.runbooks > 0;
    let (tone, title) = match (well, bad) {
        (false, _) => (Tone::Bad, "Muster cannot run anything at present".to_owned()),
        (true, 0) => (Tone::Good, "Muster is well".to_owned()),
        (true, n) => (Tone::Warning, format!("Muster is well, {} {} not readable", count(n, "account"), are(n))),
    };
    Card { blocks: vec![Block::Text(lines([accounts, journal, rules]))], ..section(tone, title) }
}
