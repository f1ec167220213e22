//! Plays a conversation over the control interfaces alone, as a person with the page would, and tells what it sees.

mod act;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::normalise::normalise;
use super::pings::pings;
use super::ran::{Before, nothing_ran, ran_once, sent_since};
use super::selector::Selector;
use super::{Address, Http};
use super::{Conversation, How, Line, Place, Simulator, Step};

/// Where a person usually types.
pub(super) const USUAL: &str = "#ops";
/// How long a button, a form or an expected text may take to appear.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(40);

#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The simulated Slack or Discord.
    pub chat: Address,
    /// Needed for `expect ran once …` and `expect nothing ran` only.
    pub aws: Option<Address>,
}

/// What was said and seen, line by line, and the snapshots taken.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    pub lines: Vec<String>,
    pub snapshots: Vec<Snapshot>,
    /// What was sent to the simulated AWS meanwhile, where there is one.
    pub sent: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Line of the conversation file that took it.
    pub line: u32,
    /// Normalised by the rules of `normalise`.
    pub text: String,
}

/// The step that was not fulfilled.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: `{step}`\nexpected: {expected}\n{shows}")]
pub struct PlayFault {
    pub file: String,
    pub line: u32,
    pub step: String,
    pub expected: String,
    /// What stands in the thread instead, or what the other side answered.
    pub shows: String,
    pub transcript: Transcript,
}

/// A failed step: what was expected, and what is there.
pub(super) type Unmet = (String, String);

pub async fn play(
    conversation: &Conversation,
    endpoints: &Endpoints,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Transcript, Box<PlayFault>> {
    let mut player = Player {
        chat: Http::new(endpoints.chat.clone()),
        aws: endpoints.aws.clone().map(Http::new),
        tell,
        transcript: Transcript::default(),
        command: None,
        actor: String::new(),
        found: String::new(),
        before: None,
        shown: Vec::new(),
        planted: Vec::new(),
    };
    let unheard = |shows: String| {
        Box::new(PlayFault {
            file: conversation.file.display().to_string(),
            line: 0,
            step: "what was sent".to_owned(),
            expected: "a simulated AWS to ask".to_owned(),
            shows,
            transcript: Transcript::default(),
        })
    };
    let sent_before = match &player.aws {
        Some(aws) => Some(Before::now(aws).await.map_err(unheard)?),
        None => None,
    };
    for line in &conversation.lines {
        if let Err((expected, shows)) = player.step(line).await {
            player.lift_all().await;
            return Err(Box::new(PlayFault {
                file: conversation.file.display().to_string(),
                line: line.number,
                step: line.text.clone(),
                expected,
                shows,
                transcript: player.transcript,
            }));
        }
    }
    player.lift_all().await;
    if let (Some(aws), Some(before)) = (&player.aws, &sent_before) {
        player.transcript.sent = sent_since(aws, before).await.map_err(unheard)?;
    }
    Ok(player.transcript)
}

/// The last thing typed: who, where, and when in Slack's time.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) who: String,
    pub(super) name: String,
    pub(super) channel: String,
    pub(super) ts: String,
    /// A mention or a shortcut: the thread that it opened or stands in.
    pub(super) own_thread: Option<String>,
    /// Begun in the App Home or by a global shortcut: the answer may come into any channel.
    pub(super) anywhere: bool,
    /// The thread of the command before, in the same channel.
    pub(super) earlier: Option<String>,
    /// The last word or click; the closing reply comes after it.
    pub(super) since: String,
    /// What Slack itself said to the words, where the app did not hear them.
    pub(super) unheard: String,
}

pub(super) struct Player<'a> {
    pub(super) chat: Http,
    aws: Option<Http>,
    tell: &'a mut (dyn FnMut(&str) + Send),
    transcript: Transcript,
    pub(super) command: Option<Command>,
    /// Who did the last thing.
    pub(super) actor: String,
    /// Options found by the last search; gone with the next step but an expectation.
    pub(super) found: String,
    before: Option<Before>,
    /// Messages already told, by `ts`, as they were.
    shown: Vec<(String, String)>,
    /// Faults that the next conversation must not meet.
    planted: Vec<(Simulator, Value)>,
}

impl Player<'_> {
    async fn step(&mut self, line: &Line) -> Result<(), Unmet> {
        if let Step::Say { who, .. }
        | Step::Click { who, .. }
        | Step::Fill { who, .. }
        | Step::Use { who, .. }
        | Step::OpenHome { who }
        | Step::Search { who, .. }
        | Step::Pick { who, .. } = &line.step
        {
            who.clone_into(&mut self.actor);
            self.found.clear();
        }
        match &line.step {
            Step::Say { who, place, text } => self.say(who, place, text).await,
            Step::Click { who, label, how } => {
                let told = match how {
                    How::Once => format!("@{who} clicks [{label}]"),
                    How::Twice => format!("@{who} clicks [{label}] twice"),
                    How::Late => format!("@{who} clicks [{label}] on an old screen"),
                };
                self.tell_line(&told);
                self.click(who, label, *how).await
            }
            Step::Fill { who, values } => {
                let told: Vec<String> = values.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                self.tell_line(&format!("@{who} fills in {}", told.join(", ")));
                self.fill(who, values).await
            }
            Step::Use { who, shortcut, on_message } => self.use_shortcut(who, shortcut, *on_message).await,
            Step::OpenHome { who } => self.open_home(who).await,
            Step::Search { who, typed, field } => self.search(who, typed, field).await,
            Step::Pick { who, option, field } => self.pick(who, option, field).await,
            Step::FormHas { text } => self.form_has(text).await,
            Step::HomeHas { who, text } => self.home_has(who, text).await,
            Step::LookIn { channel, text } => self.look_in(channel, text).await,
            Step::WaitDone { timeout } => {
                let result = self.until(*timeout, "the closing reply", Self::closing).await;
                self.tell_news().await;
                result
            }
            Step::WaitFor { text, timeout } => {
                let result = self.thread_until(*timeout, text).await;
                self.tell_news().await;
                result
            }
            Step::WaitConnected { timeout } => {
                self.until(*timeout, "the app to listen", async |p| {
                    let workspace = p.chat.get("/workspace").await.map_err(unmet("the workspace"))?;
                    Ok(workspace["connections"].as_u64().is_some_and(|n| n > 0))
                })
                .await
            }
            Step::Plant { at, fault } => {
                self.tell_line(&format!("({})", line.text));
                self.plant(*at, fault).await?;
                self.planted.push((*at, fault.clone()));
                Ok(())
            }
            Step::Lift { at, fault } => {
                self.tell_line(&format!("({})", line.text));
                self.lift(*at, fault).await
            }
            Step::ThreadHas { text } => {
                let result = self.thread_until(PATIENCE, text).await;
                self.tell_news().await;
                result
            }
            Step::ThreadLacks { text } => {
                let thread = self.thread_text().await?.unwrap_or_default();
                if squeeze(&thread).contains(&squeeze(text)) {
                    return Err((format!("a thread without `{text}`"), thread));
                }
                Ok(())
            }
            Step::Sees { who, text } => self.sees(who, text).await,
            Step::NothingPings => {
                let after = self.command.as_ref().map_or("0", |c| c.ts.as_str());
                let said = self.chat.get(&format!("/bodies?after={after}")).await.map_err(unmet("the bodies"))?;
                match pings(&said["bodies"]) {
                    found if found.is_empty() => Ok(()),
                    found => Err(("nothing that notifies a channel".to_owned(), found.join("\n"))),
                }
            }
            Step::NoThread => match self.thread_text().await? {
                None => Ok(()),
                Some(thread) => Err(("no thread".to_owned(), thread)),
            },
            Step::RanOnce { selector } => {
                let selector = Selector::parse(selector).map_err(unmet("a selector"))?;
                let (aws, before) = self.witness()?;
                ran_once(aws, before, &selector)
                    .await
                    .map_err(unmet("each fitting online node to run once, no other"))?;
                self.tell_line("(each fitting node ran once, no other: by the simulator's log)");
                Ok(())
            }
            Step::NothingRan => {
                let (aws, before) = self.witness()?;
                nothing_ran(aws, before).await.map_err(unmet("nothing to run"))?;
                self.tell_line("(nothing ran: by the simulator's log)");
                Ok(())
            }
            Step::SnapshotThread => {
                let text = self.thread_text().await?.ok_or_else(|| self.no_thread())?;
                self.snapshot(line.number, &text);
                Ok(())
            }
            Step::SnapshotEphemeral { who } => {
                let typed_last = || self.command.as_ref().map(|c| c.who.clone()).unwrap_or_default();
                let who = who.clone().unwrap_or_else(typed_last);
                let text = self.ephemerals(&who).await?;
                self.snapshot(line.number, &text);
                Ok(())
            }
            Step::SnapshotForm => {
                let text = self.view_text("forms", &self.actor.clone()).await?;
                self.snapshot(line.number, &text);
                Ok(())
            }
            Step::SnapshotHome => {
                let text = self.view_text("home", &self.actor.clone()).await?;
                self.snapshot(line.number, &text);
                Ok(())
            }
        }
    }

    async fn say(&mut self, who: &str, place: &Place, text: &str) -> Result<(), Unmet> {
        self.tell_line(&format!("@{who}: {text}"));
        let (channel, thread) = match place {
            Place::Usual => (USUAL.to_owned(), None),
            Place::Channel(name) => (name.clone(), None),
            Place::Thread => {
                self.until(PATIENCE, "a thread to write into", async |p| Ok(p.root().await?.is_some())).await?;
                let root = self.root().await?.ok_or_else(|| self.no_thread())?;
                (self.command.as_ref().map_or(USUAL.to_owned(), |c| c.channel.clone()), Some(root))
            }
        };
        let slash = text.starts_with('/');
        if slash || self.before.is_none() {
            self.look_before().await?;
        }
        let mut body = json!({ "as": who, "channel": channel, "text": text });
        if let Some(root) = &thread {
            body["thread"] = json!(root);
        }
        let answer = self.chat.post("/commands", &body).await.map_err(unmet("the words to be typed"))?;
        self.tell_shown(who, &answer);
        // Words in the thread do not open another one.
        if thread.is_none() {
            let ts = answer["ts"].as_str().unwrap_or_default().to_owned();
            // Discord sends what is no registered command as a message to the app.
            let own_thread = (answer["kind"] != "slash").then(|| ts.clone());
            self.begin(who, channel, ts, own_thread, false).await?;
            if let Some(command) = &mut self.command
                && answer["acked"] == false
            {
                answer["shown"].as_str().unwrap_or_default().clone_into(&mut command.unheard);
            }
        } else {
            self.acted(&answer);
        }
        Ok(())
    }

    /// Asks the simulated AWS what ran before the next command.
    pub(super) async fn look_before(&mut self) -> Result<(), Unmet> {
        if let Some(aws) = &self.aws {
            self.before = Some(Before::now(aws).await.map_err(unmet("the simulated AWS"))?);
        }
        Ok(())
    }

    /// From here on the thread is that of another command.
    pub(super) async fn begin(
        &mut self,
        who: &str,
        channel: String,
        ts: String,
        own_thread: Option<String>,
        anywhere: bool,
    ) -> Result<(), Unmet> {
        let name = name_of(who).to_owned();
        let before = self.command.as_ref().filter(|c| c.channel == channel);
        let earlier = if before.is_some() { self.root().await? } else { None };
        let since = ts.clone();
        let who = who.to_owned();
        self.command =
            Some(Command { who, name, channel, ts, own_thread, anywhere, earlier, since, unheard: String::new() });
        self.shown.clear();
        Ok(())
    }

    /// Something was said or pressed just now.
    pub(super) fn acted(&mut self, answer: &Value) {
        if let (Some(command), Some(ts)) = (&mut self.command, answer["ts"].as_str()) {
            ts.clone_into(&mut command.since);
        }
    }

    async fn thread_until(&self, timeout: Duration, text: &str) -> Result<(), Unmet> {
        let wanted = squeeze(text);
        self.until(timeout, &format!("`{text}`"), async |p| {
            Ok(p.thread_text().await?.is_some_and(|t| squeeze(&t).contains(&wanted)))
        })
        .await
    }

    async fn sees(&mut self, who: &str, text: &str) -> Result<(), Unmet> {
        let wanted = squeeze(text);
        let started = Instant::now();
        loop {
            let seen = self.ephemerals(who).await?;
            if squeeze(&seen).contains(&wanted) {
                self.tell_block(&format!("(only @{who} sees)"), &seen);
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err((format!("@{who} to see `{text}`"), format!("@{who} sees:\n{seen}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn witness(&self) -> Result<(&Http, &Before), Unmet> {
        match (&self.aws, &self.before) {
            (Some(aws), Some(before)) => Ok((aws, before)),
            (None, _) => Err(("a simulated AWS to ask".to_owned(), "the player was given none".to_owned())),
            (_, None) => Err(("a command first".to_owned(), "nothing was typed yet".to_owned())),
        }
    }

    /// Looks until `met`, at most `timeout`; then says what the thread shows.
    pub(super) async fn until(
        &self,
        timeout: Duration,
        wanted: &str,
        mut met: impl AsyncFnMut(&Self) -> Result<bool, Unmet>,
    ) -> Result<(), Unmet> {
        let started = Instant::now();
        while !met(self).await? {
            if started.elapsed() > timeout {
                let expected = format!("{wanted} within {} s", timeout.as_secs());
                let shows = match self.thread_text().await? {
                    Some(thread) => format!("the thread shows:\n{thread}"),
                    None => self.no_thread().1,
                };
                return Err((expected, shows));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    pub(super) fn no_thread(&self) -> Unmet {
        let place = self.command.as_ref().map_or(USUAL, |c| &c.channel);
        ("a thread".to_owned(), format!("the app has posted nothing into `{place}` since the last command"))
    }

    fn snapshot(&mut self, line: u32, text: &str) {
        self.transcript.snapshots.push(Snapshot { line, text: normalise(text) });
    }

    pub(super) fn tell_line(&mut self, text: &str) {
        (self.tell)(text);
        self.transcript.lines.push(text.to_owned());
    }

    /// What Slack itself tells the person at once.
    pub(super) fn tell_shown(&mut self, who: &str, answer: &Value) {
        if let Some(shown) = answer["shown"].as_str().filter(|s| !s.is_empty()) {
            self.tell_line(&format!("  (only @{who} sees) {shown}"));
        }
    }

    pub(super) fn tell_block(&mut self, title: &str, text: &str) {
        let indented: Vec<String> = text.trim_end().lines().map(|l| format!("    {l}")).collect();
        self.tell_line(&format!("  {title}\n{}", indented.join("\n")));
    }

    /// Messages of the thread that are new or read differently since they were last told.
    async fn tell_news(&mut self) {
        let Ok(Some(thread)) = self.thread().await else { return };
        for message in thread["messages"].as_array().into_iter().flatten() {
            let ts = message["ts"].as_str().unwrap_or_default().to_owned();
            let text = message["as_text"].as_str().unwrap_or_default().to_owned();
            if self.shown.contains(&(ts.clone(), text.clone())) {
                continue;
            }
            self.shown.retain(|(known, _)| *known != ts);
            self.tell_block(if message["bot_id"].is_string() { "@muster" } else { "(a person)" }, &text);
            self.shown.push((ts, text));
        }
    }
}

/// The name behind the part that a person plays.
fn name_of(who: &str) -> &str {
    match who {
        "support" => "susan",
        "approver" => "arne",
        "approver2" => "priya",
        "outsider" => "omar",
        "foreign" => "fred",
        other => other,
    }
}

pub(super) fn unmet(expected: &str) -> impl Fn(String) -> Unmet + '_ {
    move |shows| (expected.to_owned(), shows)
}

/// Words with single spaces, so that a line break in a card does not matter.
pub(super) fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
