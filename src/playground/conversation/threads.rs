//! Finds the thread that belongs to the last command, and reads it.
//!
//! The thread of a command is the first root message of the app that came after it, in the command's channel; for a
//! mention and for a shortcut on a message it is the message's own thread as soon as the app speaks there; for a
//! command begun in the App Home or by a global shortcut the channel may be any, direct messages last. The closing
//! reply is a message of the app in that thread, later than the last word or click, that begins (a headline aside) with
//! a mention of who asked: edits do not notify, so this is how a person learns it. A command that opens no thread of
//! its own, such as a retry, belongs to the thread before it as soon as the app speaks there again.

use serde_json::Value;

use super::player::{Command, PATIENCE, Player, Unmet, squeeze, unmet};

impl Player<'_> {
    pub(super) async fn thread_at(&self, channel: &str, ts: &str) -> Result<Value, Unmet> {
        self.chat.get(&format!("/threads/{}/{ts}", encoded(channel))).await.map_err(unmet("the thread"))
    }

    /// The root of the thread that belongs to the last command, if the app has begun one.
    pub(super) async fn root(&self) -> Result<Option<String>, Unmet> {
        Ok(self.place().await?.map(|(_, root)| root))
    }

    /// Channel and root of that thread.
    async fn place(&self) -> Result<Option<(String, String)>, Unmet> {
        let Some(command) = &self.command else { return Ok(None) };
        let here = |root: &str| Some((command.channel.clone(), root.to_owned()));
        if let Some(own) = &command.own_thread {
            let thread = self.thread_at(&command.channel, own).await?;
            if spoke_after(&thread, &command.ts) {
                return Ok(thread["root"].as_str().and_then(here));
            }
        }
        if let Some(root) = self.first_root(&command.channel, &command.ts).await? {
            return Ok(here(&root));
        }
        if command.anywhere
            && let Some(found) = self.elsewhere(command).await?
        {
            return Ok(Some(found));
        }
        match &command.earlier {
            Some(root) if spoke_after(&self.thread_at(&command.channel, root).await?, &command.ts) => Ok(here(root)),
            Some(_) | None => Ok(None),
        }
    }

    /// The first root message of the app in this channel after `ts`.
    async fn first_root(&self, channel: &str, ts: &str) -> Result<Option<String>, Unmet> {
        Ok(self.roots(channel, ts).await?.into_iter().next())
    }

    /// The root messages of the app in this channel after `ts`, in order.
    async fn roots(&self, channel: &str, ts: &str) -> Result<Vec<String>, Unmet> {
        let path = format!("/channels/{}?after={ts}", encoded(channel));
        let seen = self.chat.get(&path).await.map_err(unmet("the channel"))?;
        let roots = seen["messages"].as_array().into_iter().flatten().filter(|m| m["bot_id"].is_string());
        Ok(roots.filter_map(|m| m["ts"].as_str()).map(str::to_owned).collect())
    }

    /// From here on the thread is that of the newest message that the app has posted in this channel since the last command
    /// and that shows the text.
    pub(super) async fn look_in(&mut self, channel: &str, text: &str) -> Result<(), Unmet> {
        let Some(after) = self.command.as_ref().map(|c| c.ts.clone()) else {
            return Err(("a command first".to_owned(), "nothing was typed yet".to_owned()));
        };
        let wanted = format!("a message in {channel} that shows `{text}`");
        self.until(PATIENCE, &wanted, async |p| Ok(p.showing(channel, &after, text).await?.is_some())).await?;
        let found = self.showing(channel, &after, text).await?;
        if let Some(command) = &mut self.command {
            (command.channel, command.own_thread, command.anywhere) = (channel.to_owned(), found, false);
        }
        Ok(())
    }

    async fn showing(&self, channel: &str, ts: &str, text: &str) -> Result<Option<String>, Unmet> {
        for root in self.roots(channel, ts).await?.into_iter().rev() {
            let thread = self.thread_at(channel, &root).await?;
            if squeeze(thread["text"].as_str().unwrap_or_default()).contains(&squeeze(text)) {
                return Ok(Some(root));
            }
        }
        Ok(None)
    }

    /// In another channel, those of many people before direct messages.
    async fn elsewhere(&self, command: &Command) -> Result<Option<(String, String)>, Unmet> {
        let workspace = self.chat.get("/workspace").await.map_err(unmet("the workspace"))?;
        let mut channels: Vec<&Value> = workspace["channels"].as_array().into_iter().flatten().collect();
        channels.sort_by_key(|c| c["im"].is_string());
        for id in channels.into_iter().filter_map(|c| c["id"].as_str()) {
            if let Some(root) = self.first_root(id, &command.ts).await? {
                return Ok(Some((id.to_owned(), root)));
            }
        }
        Ok(None)
    }

    pub(super) async fn thread(&self) -> Result<Option<Value>, Unmet> {
        match self.place().await? {
            Some((channel, root)) => Ok(Some(self.thread_at(&channel, &root).await?)),
            None => Ok(None),
        }
    }

    pub(super) async fn thread_text(&self) -> Result<Option<String>, Unmet> {
        Ok(self.thread().await?.and_then(|t| t["text"].as_str().map(str::to_owned)))
    }

    /// What only this person sees. Where the platform has no other way, an answer to one person is a direct message.
    /// That does not say what it answers: one that comes late counts as an answer to whatever was typed meanwhile.
    pub(super) async fn ephemerals(&self, who: &str) -> Result<String, Unmet> {
        let after = self.command.as_ref().map_or("0", |c| c.ts.as_str());
        let seen = self.chat.get(&format!("/ephemerals?as={who}&after={after}&direct=true")).await;
        let seen = seen.map_err(unmet("what only one person sees"))?;
        let seen = seen["text"].as_str().unwrap_or_default();
        let unheard = self.command.as_ref().filter(|c| c.who == who && !c.unheard.is_empty());
        Ok(unheard.map_or_else(|| seen.to_owned(), |c| format!("{}\n{seen}", c.unheard)))
    }

    /// The closing reply stands there, and the cards above it show how it ended: a platform that takes few edits shows
    /// their last form later.
    pub(super) async fn closing(&self) -> Result<bool, Unmet> {
        let (Some(thread), Some(command)) = (self.thread().await?, &self.command) else { return Ok(false) };
        let address = format!("@{}:", command.name);
        let closes = |m: &Value| {
            m["bot_id"].is_string()
                && m["ts"] != thread["root"]
                && m["ts"].as_str().is_some_and(|ts| ts > command.since.as_str())
                && m["as_text"].as_str().is_some_and(|t| {
                    // A question that waits for the person mentions them too, and closes nothing.
                    !t.contains("Without a decision by") && t.lines().take(3).any(|l| l.starts_with(&address))
                })
        };
        let asks = |m: &Value| {
            m["ts"].as_str().is_some_and(|ts| ts >= command.ts.as_str())
                && m["as_text"].as_str().is_some_and(|t| UNDECIDED.iter().any(|button| t.contains(button)))
        };
        let messages = || thread["messages"].as_array().into_iter().flatten();
        Ok(messages().any(closes) && !messages().any(asks))
    }
}

/// Buttons of a run that is not over.
const UNDECIDED: [&str; 4] = ["[Cancel]", "[Approve]", "[Continue]", "[Stop]"];

/// Whether the app has spoken in this thread after `ts`.
fn spoke_after(thread: &Value, ts: &str) -> bool {
    let mut messages = thread["messages"].as_array().into_iter().flatten();
    messages.any(|m| m["bot_id"].is_string() && m["ts"].as_str().is_some_and(|at| at > ts))
}

fn encoded(channel: &str) -> &str {
    channel.trim_start_matches('#')
}
