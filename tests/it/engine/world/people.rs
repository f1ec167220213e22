//! What people do: ask, click on whatever stands on their screens, however old it is, and type.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use muster::domain::Principal;
use muster::engine::Engine;
use muster::message::{Button, Card, FormKind, Verb, form};
use muster::ports::{Control as _, Inbound, Order};

use super::World;
use super::society::{ANA, BO, CY, DI, EVE, FAY, PEOPLE, person, place};

/// Where everybody works.
const CHANNEL: &str = "C0OPS";

#[derive(Default)]
pub struct People {
    /// Runs that were asked for in words.
    asked: AtomicU32,
    /// Forms that were filled in.
    filled: Mutex<usize>,
}

impl World {
    /// People and the world around them, until dropped.
    pub async fn turn(&self) {
        loop {
            let pause = match self.fortune.below(10) {
                0 => self.fortune.millis(20_000..600_000),
                1..4 => self.fortune.millis(3_000..30_000),
                _ => self.fortune.millis(200..5_000),
            };
            tokio::time::sleep(pause).await;
            self.act();
        }
    }

    /// Nothing happens by itself any more, but somebody still decides what waits for a decision.
    pub async fn help_out(&self, engine: &Engine) {
        loop {
            tokio::time::sleep(Duration::from_secs(45)).await;
            if self.ledger.is_halted() {
                // Those who may resume from chat may all have left their group.
                let operator = Principal::host("muster-1", "root");
                let told = engine.order(&operator, Order::Resume).await;
                assert!(told.done, "{:#?}", told.card);
            }
            if self.fortune.one_in(3) {
                self.click();
            }
        }
    }

    fn act(&self) {
        let asked = self.people.asked.load(Ordering::Relaxed);
        match self.fortune.below(40) {
            _ if asked == 0 => self.ask(),
            0..3 if asked < self.most_runs => self.ask(),
            3 => self.look_up(),
            4 => self.cancel(),
            5 => self.retry(),
            6 => self.society.change_members(),
            7 if self.fortune.one_in(2) => self.society.change_rules(),
            8 => self.step_the_clock(),
            9..12 => self.fill_in(),
            12 if self.fortune.one_in(2) => self.halt(),
            13..23 if self.ledger.is_halted() => self.resume(),
            _ => self.click(),
        }
    }

    fn say(&self, who: &str, text: String) {
        self.office.post(&person(who), &place(CHANNEL), Inbound::Command { text });
    }

    fn ask(&self) {
        let runbook = *self.fortune.pick(&["job", "job", "job", "job", "job", "job", "job", "job", "look", "wipe"]);
        let on = *self.fortune.pick(&[
            "accounts=acme-staging",
            "accounts=acme-prod",
            "accounts=acme-prod",
            "accounts=*",
            "env=prod",
        ]);
        let who = *self.fortune.pick(&[ANA, ANA, ANA, ANA, ANA, BO, BO, EVE]);
        self.people.asked.fetch_add(1, Ordering::Relaxed);
        self.say(who, format!("run {runbook} on {on}"));
    }

    fn look_up(&self) {
        let who = *self.fortune.pick(&PEOPLE);
        let text = match self.fortune.below(6) {
            0 => "status".to_owned(),
            1 => "list".to_owned(),
            2 => "why job on accounts=acme-prod".to_owned(),
            3 => "plan job on accounts=*".to_owned(),
            4 => "rnu job".to_owned(),
            _ => match self.some_run() {
                Some(run) => format!("{} {run}", self.fortune.pick(&["status", "output"])),
                None => "runs".to_owned(),
            },
        };
        self.say(who, text);
    }

    fn cancel(&self) {
        if let Some(run) = self.some_run() {
            let who = *self.fortune.pick(&[ANA, BO, EVE]);
            self.say(who, format!("cancel {run}"));
        }
    }

    fn halt(&self) {
        let who = *self.fortune.pick(&[ANA, BO, CY, EVE]);
        let why = *self.fortune.pick(&["halt", "halt", "halt because \"the storage array fails\""]);
        self.say(who, why.to_owned());
    }

    fn resume(&self) {
        let who = *self.fortune.pick(&[BO, CY, DI, ANA]);
        self.say(who, "resume".to_owned());
    }

    fn retry(&self) {
        if let Some(run) = self.some_run() {
            let who = *self.fortune.pick(&[ANA, ANA, BO, EVE]);
            let which = *self.fortune.pick(&["failed", "not-started", "retryable"]);
            self.say(who, format!("retry {run} {which}"));
        }
    }

    fn some_run(&self) -> Option<String> {
        let runs = self.ledger.runs();
        (!runs.is_empty()).then(|| self.fortune.pick(&runs).short(6))
    }

    fn step_the_clock(&self) {
        let by = match self.fortune.below(4) {
            0 => SignedDuration::from_secs(-i64::from(self.fortune.below(1200))),
            1 => SignedDuration::from_secs(i64::from(self.fortune.below(1200))),
            _ => SignedDuration::from_millis(i64::from(self.fortune.below(60_000)) - 30_000),
        };
        // Now and then somebody has set it just before.
        let _ = self.time.step(by);
    }

    /// Somebody clicks a button: of a message that stands there, of an old form of it that the screen still shows, or of an
    /// answer that only they have seen.
    fn click(&self) {
        let messages = self.slack.messages();
        let whispers = self.slack.whispers();
        let count = (messages.len() + whispers.len()) as u32;
        if count == 0 {
            return;
        }
        // The newest are looked at most.
        let back = self.fortune.below(count).min(self.fortune.below(count));
        let at = (count - 1 - back) as usize;
        let (card, shown_to): (&Card, Option<Principal>) = match messages.get(at) {
            Some(message) => {
                let last = message.cards.len() as u32 - 1;
                let old = if self.fortune.one_in(5) { self.fortune.below(last + 1) } else { last };
                // A direct message is one person's own.
                let own = message.place.channel.strip_prefix('D').map(person);
                (&message.cards[old as usize], own)
            }
            None => {
                let whisper = &whispers[at - messages.len()];
                (&whisper.card, Some(whisper.to.clone()))
            }
        };
        // These open forms, and what is offered in a form is made on a thread of its own, in a time of its own.
        let buttons: Vec<&Button> =
            card.buttons.iter().filter(|b| !matches!(b.verb, Verb::Pick | Verb::Fill)).collect();
        if buttons.is_empty() {
            return;
        }
        // The first is the one that most people want.
        let button = if self.fortune.one_in(2) { *self.fortune.pick(&buttons) } else { buttons[0] };
        let may_ask = self.people.asked.load(Ordering::Relaxed) < self.most_runs;
        let asks = matches!(button.verb, Verb::RunAgain | Verb::RunPart | Verb::RetryFailed | Verb::RetryNotStarted);
        if asks && !may_ask || button.verb == Verb::Cancel && !self.fortune.one_in(8) {
            return;
        }
        if asks {
            self.people.asked.fetch_add(1, Ordering::Relaxed);
        }
        let who = match shown_to {
            Some(person) => person,
            None => person(self.fortune.pick::<&str>(&[ANA, BO, BO, CY, CY, CY, DI, DI, DI, EVE, FAY])),
        };
        let inbound = Inbound::Click { verb: button.verb, run: button.run, revision: button.revision };
        self.office.post(&who, &place(CHANNEL), inbound);
    }

    /// Somebody fills in the oldest form that is open, or closes it.
    fn fill_in(&self) {
        let forms = self.slack.forms();
        let mut filled = self.people.filled.lock().unwrap();
        let Some(opened) = forms.get(*filled) else { return };
        *filled += 1;
        if let FormKind::Deny { .. } = opened.form
            && !self.fortune.one_in(3)
        {
            let values = BTreeMap::from([(form::WHY.to_owned(), vec!["not now".to_owned()])]);
            self.office.post(&opened.by, &place(CHANNEL), Inbound::Form { form: opened.form.clone(), values });
        }
        if let FormKind::Narrow { .. } = opened.form
            && !self.fortune.one_in(4)
        {
            let only = *self.fortune.pick(&["accounts=acme-prod", "accounts=acme-staging", "accounts=*", "nodes=none"]);
            let values = BTreeMap::from([(form::narrow::ONLY.to_owned(), vec![only.to_owned()])]);
            self.office.post(&opened.by, &place(CHANNEL), Inbound::Form { form: opened.form.clone(), values });
        }
    }
}
