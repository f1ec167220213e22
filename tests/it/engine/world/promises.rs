//! What holds at the end of a history, when everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use futures::FutureExt as _;
use muster::audit::{GENESIS, chain};
use muster::domain::{Digest, GroupRef, Outcome, Principal, RunId};
use muster::message::{self, Card, Limits, Verb, View, fit, rows};
use muster::ports::{Inbound, Journal as _, Outputs as _};
use muster::run::{Event, Fact, Phase, PostKey, Run};
use muster::summary::{Summary, summarise};

use super::World;
use super::aws::Twins;
use super::ledger::Row;
use super::society::Deed;
use super::story::{Story, UnderWay};

/// What one history came to.
#[derive(Debug, Default)]
pub struct Ended {
    pub broken: Vec<String>,
    pub deliveries: u64,
    pub runs: u64,
    pub events: u64,
    pub lives: u64,
    pub crashes: u64,
    pub sends: u64,
    pub holds: u64,
    pub rollbacks: u64,
    pub retries: u64,
    /// Virtual seconds.
    pub seconds: u64,
    pub halts: u64,
    /// The worst of errors beyond the budget, with what was under way when it was crossed: of runs of one step, and of others.
    pub overshoot: [Option<(u32, UnderWay)>; 2],
    /// How the runs ended.
    pub phases: BTreeMap<String, u64>,
    pub faults: BTreeMap<&'static str, u64>,
    /// The last hash of each run's chain: the same for the same seed.
    pub mark: String,
}

impl World {
    /// The promises that hold for the history as a whole.
    pub fn judge(&self, quiet: bool) -> Ended {
        let mut ended = Ended {
            lives: self.lives.load(Ordering::Relaxed).into(),
            crashes: self.crashes.load(Ordering::Relaxed).into(),
            sends: self.aws.commands_taken() as u64,
            faults: self.fortune.struck(),
            halts: self.ledger.facts_told().iter().filter(|f| matches!(f, Fact::Halted { .. })).count() as u64,
            seconds: self.time.lived().as_secs() as u64,
            ..Ended::default()
        };
        if !quiet {
            self.ledger.broke("something waits for ever, or the calm life did not live".into());
        }
        let ids = self.ledger.runs();
        for id in &ids {
            ended.mark.push_str(&self.judge_chain(*id));
        }
        self.ledger.stories(|stories| {
            for story in stories.values() {
                ended.runs += 1;
                ended.events += story.events.len() as u64;
                ended.holds += story.run.holds.len() as u64;
                ended.rollbacks += u64::from(story.run.rollback.is_some());
                ended.retries += u64::from(story.run.proposal.retry.is_some());
                *ended.phases.entry(format!("{:?}", story.run.phase)).or_default() += 1;
                let over = story.run.counts.errors().saturating_sub(story.run.proposal.plan.max_errors);
                if let Some(crossing) = story.crossing {
                    let worst = &mut ended.overshoot[usize::from(story.run.proposal.plan.steps.len() > 1)];
                    *worst = (*worst).max(Some((over, crossing)));
                }
            }
        });
        if quiet {
            for id in &ids {
                self.judge_run(*id);
            }
            self.judge_answers();
        }
        ended.deliveries = self.society.deeds().values().filter(|deed| deed.accepted).count() as u64;
        ended.broken = self.ledger.broken();
        ended
    }

    /// I5: the hash chain verifies, computed here from the events themselves. I6 and I10: what is read back folds to the
    /// same state as what was written.
    fn judge_chain(&self, id: RunId) -> String {
        let stored = match self.ledger.load(id).now_or_never().unwrap() {
            Ok(stored) => stored,
            Err(fault) => {
                self.ledger.broke(format!("I5: {fault}"));
                return String::new();
            }
        };
        let mut prev = GENESIS;
        for (event, seq) in stored.iter().zip(0u64..) {
            let hash = chain(&prev, &serde_json::to_vec(&event.event).unwrap());
            if (event.seq, event.prev, event.hash) != (seq, prev, hash) {
                self.ledger.broke(format!("I5: the chain of {id} is broken at event {seq}"));
                break;
            }
            prev = hash;
        }
        self.ledger
            .stories(|stories| {
                let story = &stories[&id];
                let same = stored.iter().map(|s| &s.event).eq(&story.events);
                let folded = Run::replay(stored.iter().map(|s| &s.event));
                (!same).then_some("what is read back is not what was written").or_else(|| {
                    (folded != Ok(Some(story.run.clone()))).then_some("the fold of the journal is not the state")
                })
            })
            .into_iter()
            .for_each(|what| self.ledger.broke(format!("I6, I10: {id}: {what}")));
        prev.short(12)
    }

    fn judge_run(&self, id: RunId) {
        let (broken, run) = self.ledger.stories(|stories| (self.at_its_end(&stories[&id]), stories[&id].run.clone()));
        broken.into_iter().for_each(|promise| self.ledger.broke(format!("{promise} (run {id})")));
        self.judge_messages(&run);
    }

    /// What the run says against what AWS did.
    fn at_its_end(&self, story: &Story) -> Vec<String> {
        let mut broken = Vec::new();
        let run = &story.run;
        let plan = &run.proposal.plan;
        if run.phase == Phase::Finished && run.counts.pending() > 0 {
            broken.push("it finished with nodes to go".to_owned());
        }
        let executions = self.aws.executions(run.id);
        if !executions.is_empty() && run.started.is_none() {
            broken.push(format!("I9: something ran, and it is {:?}", run.phase));
        }
        let over = run.counts.errors().saturating_sub(plan.max_errors);
        // Between two steps stands nobody where there is one.
        let most = |crossing: UnderWay| if plan.steps.len() == 1 { crossing.in_flight } else { crossing.all() };
        if let Some(crossing) = story.crossing.filter(|crossing| over > most(*crossing)) {
            broken.push(format!("{over} errors beyond the budget, with {crossing:?}"));
        }
        broken.extend(self.of_two_commands(story));
        let back = plan.rollback_index();
        for (number, planned) in (0u32..).zip(&plan.targets) {
            let ran: BTreeSet<u32> = executions
                .iter()
                .filter(|(_, node, begun)| *node == planned.target.node && *begun)
                .map(|(step, ..)| *step)
                .collect();
            let state = &run.targets[number as usize];
            let name = &planned.name;
            let forward = ran.iter().any(|step| *step < back);
            if let (Some(why), true) = (story.never_started(number), forward) {
                broken.push(format!("{name} is told as not started ({}), and steps {ran:?} ran", why.as_str()));
            }
            let reported = state.reports.iter().filter(|(_, r)| r.outcome == Outcome::Succeeded).map(|(s, _)| *s);
            for step in reported {
                if !ran.contains(&step) {
                    broken.push(format!("{name} is told to have succeeded in step {step}, which did not run"));
                }
            }
            if run.rollback.is_some() && forward && state.rolled_back.is_none() {
                broken.push(format!("{name} ran steps {ran:?} and was not rolled back"));
            }
            if run.rollback.is_none() && ran.contains(&back) {
                broken.push(format!("{name} was rolled back, which nobody asked for"));
            }
        }
        broken.extend(self.given_up_early(story));
        let strangers = executions.iter().filter(|(_, node, _)| !plan.targets.iter().any(|t| t.target.node == *node));
        if strangers.count() > 0 {
            broken.push("I7: it ran on a node that is not in the plan".to_owned());
        }
        broken
    }

    /// Where AWS made two commands of one send, the earlier counts, and whoever finds both cancels the other.
    fn of_two_commands(&self, story: &Story) -> Vec<String> {
        let mut broken = Vec::new();
        for event in &story.events {
            let Event::Sent { command, adopted, .. } = event else { continue };
            match self.aws.twins_of(command) {
                Twins::None => {}
                Twins::Earlier => broken.push(format!("{command} is the later of two commands of one send")),
                Twins::Later { cancelled } if *adopted && !cancelled => {
                    broken.push(format!("{command} was found, and the second command of its send was left alone"));
                }
                Twins::Later { .. } => {}
            }
        }
        broken
    }

    /// What has no end is told as unknown, and not before SSM's own deadlines: half a minute to reach the node, and half a
    /// minute for each step.
    fn given_up_early(&self, story: &Story) -> Vec<String> {
        let least = jiff::SignedDuration::from_secs(60);
        let mut broken = Vec::new();
        for (event, at) in story.events.iter().zip(&story.at) {
            let Event::Reported { step, results, .. } = event else { continue };
            for report in results.iter().filter(|r| r.outcome == Outcome::Unknown) {
                let planned = &story.run.proposal.plan.targets[report.target as usize];
                let taken = self.aws.taken_at(story.run.id, *step, &planned.target.node);
                if let Some(waited) = taken.map(|taken| at.duration_since(taken)).filter(|waited| *waited < least) {
                    broken.push(format!("{} is given up in step {step} after {waited:?}", planned.name));
                }
            }
        }
        broken
    }

    /// Each message was posted once; the living cards show the state; the last word tells the counts.
    fn judge_messages(&self, run: &Run) {
        let messages = self.slack.messages();
        let broke = |what: String| self.ledger.broke(format!("{what} (run {})", run.id));
        let keys = [PostKey::Root, PostKey::Ask, PostKey::Results, PostKey::Closing];
        for key in keys.into_iter().chain(run.holds.iter().map(|hold| PostKey::Hold(hold.number))) {
            let mark = format!("{}:{key}", run.id);
            let mine: Vec<_> = messages.iter().filter(|m| m.key == mark).collect();
            let is_posted = matches!(run.posts.get(&key), Some(Some(_)));
            if mine.len() != usize::from(is_posted) {
                broke(format!("the message `{key}` stands there {} times, and is posted: {is_posted}", mine.len()));
            }
            let Some(message) = mine.last().filter(|m| !m.stuck) else { continue };
            if let Some(drawn) = self.draw(run, &key)
                && let Some(shown) = message.cards.last()
                && !says_the_same(shown, &drawn)
                && !self.slack.is_archived()
            {
                let (shown, drawn) = (message::to_text(shown), message::to_text(&drawn));
                broke(format!("I6: the card `{key}` shows\n{shown}\nand the journal says\n{drawn}"));
            }
        }
        let last_word = run.posts.contains_key(&PostKey::Closing) || run.failed_posts.contains_key(&PostKey::Closing);
        if !last_word && !run.failed_posts.contains_key(&PostKey::Root) {
            broke("nobody was told that it is over".into());
        }
        let c = &run.counts;
        let parts =
            [c.succeeded, c.failed, c.timed_out, c.cancelled, c.undeliverable, c.denied, c.not_started, c.unknown];
        if run.phase == Phase::Finished && parts.iter().sum::<u32>() != run.proposal.plan.targets.len() as u32 {
            broke("the counts do not add up to the targets".into());
        }
        let closing = messages.iter().find(|m| m.key == format!("{}:closing", run.id));
        if let Some(card) = closing.and_then(|m| m.cards.first())
            && run.phase == Phase::Finished
            && !tells_counts(&card.title, run)
        {
            broke(format!("the last word does not tell the counts: {}", card.title));
        }
    }

    fn view(&self, run: &Run) -> View {
        let groups = self.society.rules().policy.groups;
        let place = &run.proposal.place;
        let is_here = |group: &&GroupRef| (group.platform, &group.tenant) == (place.platform, &place.tenant);
        let here = groups.iter().map(|(name, who)| (name.clone(), who.refs.iter().filter(is_here).cloned().collect()));
        View { groups: here.collect(), ..View::new(run.id.short(4), self.time.truth(), "/runbook") }
    }

    fn summary(&self, run: &Run) -> (Summary, BTreeMap<Digest, std::sync::Arc<str>>) {
        let texts = rows::output_keys(run).into_iter().filter_map(|key| {
            let text = self.outputs.get(run.id, &key).now_or_never().unwrap().unwrap()?;
            Some((key, text))
        });
        let texts: BTreeMap<_, _> = texts.collect();
        (summarise(&message::summary_input(run, texts.clone())), texts)
    }

    /// The message as it follows from the journal alone.
    fn draw(&self, run: &Run, key: &PostKey) -> Option<Card> {
        let view = self.view(run);
        let (summary, _) = self.summary(run);
        let card = match key {
            PostKey::Root => message::root(run, Some(&summary), &view),
            PostKey::Ask | PostKey::AskAt(_) => message::ask(run, &view),
            PostKey::Alert(_) => message::alert(run, run.phase.is_over().then_some(&summary), None, &view),
            PostKey::Hold(number) => message::hold(run, *number, &summary, &view),
            PostKey::Closing => message::closing(run, &summary, &view),
            PostKey::Notice(_) | PostKey::Review(_) | PostKey::Overdue(_) | PostKey::Reviewed | PostKey::Results => {
                return None;
            }
        };
        Some(fit(card, &Limits { file: false, ..Limits::default() }).0)
    }

    /// I6: what the engine holds of a run, as it tells somebody who asks, is what the journal says.
    pub fn judge_shown(&self, id: RunId, delivery: &str) {
        let run = self.ledger.run(id);
        let whispers = self.slack.whispers();
        let Some(whisper) = whispers.iter().rfind(|w| w.delivery == delivery) else {
            return self.ledger.broke(format!("I4: nobody was told what became of {id}"));
        };
        let Some(drawn) = self.draw(&run, &PostKey::Root) else { return };
        let drawn = Card { buttons: Vec::new(), ..drawn };
        if !says_the_same(&whisper.card, &drawn) {
            let (told, drawn) = (message::to_text(&whisper.card), message::to_text(&drawn));
            self.ledger.broke(format!("I6: the engine tells of {id}\n{told}\nand the journal\n{drawn}"));
        }
    }

    /// Somebody's earlier click ran the part that they may run.
    fn has_been_run(&self, by: &Principal, offer: RunId, rows: &BTreeMap<String, Row>) -> bool {
        let runs = self.ledger.runs();
        let clicks = |deed: &Deed| &deed.by == by && deed.clicks(Verb::RunPart, offer);
        let ran = |key: &str| rows.get(key).is_some_and(|row| runs.contains(&row.run));
        self.society.deeds().iter().any(|(key, deed)| clicks(deed) && ran(key))
    }

    /// Whoever halted or resumed and heard nothing in private did it, and everybody could read so once.
    fn judge_orders(&self, orders: BTreeMap<(Principal, bool), usize>) {
        let facts = self.ledger.facts_told();
        let messages = self.slack.messages();
        let posted = |number: usize| messages.iter().filter(|m| m.key == format!("fact-{number}")).count();
        for ((by, halts), silent) in orders {
            let is_theirs = |fact: &Fact| fact.by() == &by && halts != matches!(fact, Fact::Resumed { .. });
            let announced = facts.iter().enumerate().filter(|(n, fact)| is_theirs(fact) && posted(*n) > 0).count();
            if announced < silent {
                let what = if halts { "halts" } else { "resumes" };
                self.ledger
                    .broke(format!("I4: {silent} {what} of {by} without a word, and {announced} are to be seen"));
            }
        }
        for number in 0..facts.len() {
            if posted(number) > 1 {
                self.ledger.broke(format!("`fact-{number}` stands there {} times", posted(number)));
            }
        }
    }

    /// I4: each accepted input has its one answer: a word to the person, a run's card, or its effect for all to see.
    fn judge_answers(&self) {
        let rows = self.ledger.rows();
        let whispers = self.slack.whispers();
        let forms = self.slack.forms();
        let runs: BTreeSet<RunId> = self.ledger.runs().into_iter().collect();
        let mut effects: BTreeMap<(Principal, RunId, &str), u32> = BTreeMap::new();
        // Halts and resumes that are answered for all to see.
        let mut orders: BTreeMap<(Principal, bool), usize> = BTreeMap::new();
        for (key, deed) in self.society.deeds() {
            let Some(row) = rows.get(&key) else {
                if deed.accepted && !is_answered_by_its_ack(&deed) {
                    self.ledger.broke(format!("I4: {key} was acknowledged and is not in the journal"));
                }
                continue;
            };
            let words = whispers.iter().filter(|w| w.delivery == key && !is_progress(&w.card)).collect::<Vec<_>>();
            let opened = forms.iter().any(|f| f.delivery == key);
            let sure = words.iter().filter(|w| w.sure).count();
            // It was worked on again after a crash, or it was not known whether it had been said.
            let excused = row.answered != Some(row.since);
            if sure > 1 && !excused {
                self.ledger.broke(format!("I4: {key} was answered {sure} times"));
            }
            let answers = usize::from(!words.is_empty()) + usize::from(runs.contains(&row.run));
            if answers > 1 && !excused {
                self.ledger.broke(format!("I4: {key} was answered by words and by a run"));
            }
            if answers > 0 || opened {
                continue;
            }
            // The part that it runs, it runs once: its card is the answer to whoever clicks again.
            if let Inbound::Click { verb: Verb::RunPart, run, .. } = deed.inbound
                && self.has_been_run(&deed.by, run, &rows)
            {
                continue;
            }
            if deed.halts() || deed.resumes() {
                *orders.entry((deed.by.clone(), deed.halts())).or_default() += 1;
                continue;
            }
            match shown_as(&deed, &runs) {
                Some((run, effect)) => *effects.entry((deed.by.clone(), run, effect)).or_default() += 1,
                None => self.ledger.broke(format!("I4: nobody answered {key}: {:?} {row:?}", deed.inbound)),
            }
        }
        self.judge_orders(orders);
        self.ledger.stories(|stories| {
            for ((by, run, effect), clicks) in effects {
                let seen =
                    stories.get(&run).map_or(0, |s| s.events.iter().filter(|e| shows(e, &by) == Some(effect)).count());
                if (seen as u32) < clicks {
                    let what =
                        format!("I4: {by} clicked `{effect}` {clicks} times without a word, and {seen} are to be seen");
                    self.ledger.broke(format!("{what} (run {run})"));
                }
            }
        });
    }
}

/// Of forms that stay open, what is wrong with them is said in them.
fn is_answered_by_its_ack(deed: &Deed) -> bool {
    matches!(deed.inbound, Inbound::Form { .. } | Inbound::Choice { .. } | Inbound::Home)
}

/// The first words while a plan is made.
fn is_progress(card: &Card) -> bool {
    card.title.contains(": looking at ")
}

/// The effect by which others see that this was done.
fn shown_as(deed: &Deed, runs: &BTreeSet<RunId>) -> Option<(RunId, &'static str)> {
    match &deed.inbound {
        Inbound::Click { verb, run, .. } => match verb {
            Verb::Approve => Some((*run, "approved")),
            Verb::Cancel => Some((*run, "cancelled")),
            Verb::Continue => Some((*run, "continued")),
            Verb::Stop => Some((*run, "stopped")),
            Verb::RollBack => Some((*run, "rolled back")),
            _ => None,
        },
        Inbound::Form { form: message::FormKind::Deny { run, .. }, .. } => Some((*run, "denied")),
        Inbound::Form { form: message::FormKind::Narrow { run, .. }, .. } => Some((*run, "approved")),
        Inbound::Command { .. } => runs.iter().find(|run| deed.cancels(**run)).map(|run| (*run, "cancelled")),
        _ => None,
    }
}

fn shows(event: &Event, who: &Principal) -> Option<&'static str> {
    let (by, effect) = match event {
        Event::Approved { by, .. } => (by, "approved"),
        Event::Cancelled { by, .. } => (by, "cancelled"),
        Event::Continued { by, .. } | Event::GateApproved { by, .. } => (by, "continued"),
        Event::Stopped { by: Some(by), .. } => (by, "stopped"),
        Event::RollbackStarted { by: Some(by), .. } => (by, "rolled back"),
        Event::Denied { by, .. } => (by, "denied"),
        _ => return None,
    };
    (by == who).then_some(effect)
}

/// Every class of outcomes that has nodes is in the line, by its number or by "all", "both" or "the one".
fn tells_counts(title: &str, run: &Run) -> bool {
    let c = &run.counts;
    if c.succeeded == c.total {
        return title.contains("succeeded");
    }
    let fine = [(c.failed, "failed"), (c.undeliverable, "undeliverable"), (c.denied, "denied"), (c.unknown, "unknown")];
    let all = title.contains(&format!("{} of {} node", c.succeeded, c.total));
    all && fine.iter().all(|(n, word)| *n == 0 || title.contains(&format!("{n} {word}")))
}

/// Equal but for the revision that buttons carry, which nobody sees.
fn says_the_same(one: &Card, other: &Card) -> bool {
    let buttons = |card: &Card| card.buttons.iter().map(|b| (b.verb, b.label.clone(), b.run)).collect::<Vec<_>>();
    (one.tone, &one.title, &one.blocks) == (other.tone, &other.title, &other.blocks) && buttons(one) == buttons(other)
}
