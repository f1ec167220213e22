//! What people do when the bot may be dead: they try again, but look first whether it went through.

use std::time::Duration;

use serde_json::json;

use super::stage::{SOON, Stage, until, word};

/// So long a person looks at the channel before they type the same again.
const LOOKS_FOR: Duration = Duration::from_secs(8);

pub struct Person<'a>(pub &'a Stage);

impl Person<'_> {
    async fn bot_is_there(&self) -> Result<(), String> {
        until("a connected bot", SOON, async || self.0.connections().await > 0).await
    }

    /// @support types into #ops. Returns the thread that the bot opens for it.
    pub async fn types(&self, text: &str) -> Result<String, String> {
        let known = self.0.roots().await;
        let new = async || self.0.roots().await.into_iter().find(|root| !known.contains(root));
        for _ in 0..4 {
            self.bot_is_there().await?;
            let body = json!({ "as": "support", "channel": "#ops", "text": text });
            let answer = self.0.slack.post("/commands", &body).await?;
            // Acknowledged is promised; of anything else Slack says only that it failed.
            let patience = if answer["acked"] == true { SOON } else { LOOKS_FOR };
            let opened = until("a card", patience, async || new().await.is_some()).await;
            match (opened, new().await) {
                (Ok(()), Some(root)) => return Ok(root),
                (Err(fault), _) if answer["acked"] == true => return Err(format!("acknowledged, but {fault}: {text}")),
                _ => {}
            }
        }
        Err(format!("typed four times without a card: {text}"))
    }

    /// @approver presses [Approve] until the thread says that they did.
    pub async fn approves(&self, root: &str) -> Result<(), String> {
        let approved = async || self.0.thread(root).await.join("\n").contains("Approved by @arne");
        for _ in 0..4 {
            self.bot_is_there().await?;
            let mut button = None;
            until("a button [Approve]", SOON, async || {
                let seen = self.0.slack("/buttons?as=approver").await;
                let mut all = seen["buttons"].as_array().cloned().unwrap_or_default().into_iter();
                button = all.find(|b| b["label"] == "Approve" && b["root"] == root);
                button.is_some() || approved().await
            })
            .await?;
            if let Some(button) = button {
                let body = json!({ "as": "approver", "channel": button["channel"], "ts": button["ts"],
                    "action_id": button["action_id"] });
                // The button may have gone between looking and pressing.
                let acked = self.0.slack.post("/clicks", &body).await.is_ok_and(|answer| answer["acked"] == true);
                let patience = if acked { SOON } else { LOOKS_FOR };
                let shown = until("the approval", patience, approved).await;
                if acked {
                    shown?;
                }
            }
            if approved().await {
                return Ok(());
            }
        }
        Err(format!(
            "[Approve] was pressed four times in vain; the thread {root} shows\n{}",
            self.0.thread(root).await.join("\n\n")
        ))
    }

    /// The messages of a thread as soon as it is complete: so many, the root in its last form, the last word said.
    pub async fn reads(&self, root: &str, messages: usize) -> Result<Vec<String>, String> {
        let mut thread = Vec::new();
        let complete = until("a complete thread", SOON, async || {
            thread = self.0.thread(root).await;
            thread.len() >= messages && thread[0].contains("[Run again]") && thread.iter().any(|m| is_closing(m))
        });
        complete.await.map(|()| thread.clone()).map_err(|fault| format!("{fault}; it shows\n{}", thread.join("\n\n")))
    }

    /// Nothing is said for a while that is longer than the bot's own pauses.
    pub async fn hears_nothing_more(&self) -> Result<(), String> {
        const QUIET: Duration = Duration::from_millis(2500);
        let mut last = (String::new(), tokio::time::Instant::now());
        until("silence", SOON, async || {
            let now = self.0.slack("/calls").await["calls"].to_string();
            if now != last.0 {
                last = (now, tokio::time::Instant::now());
            }
            last.1.elapsed() > QUIET && self.0.connections().await > 0
        })
        .await
    }
}

/// The last word of a run mentions who asked, because edits notify nobody.
pub fn is_closing(message: &str) -> bool {
    message.lines().take(2).any(|line| line.trim_start().starts_with("@susan"))
}

/// Addresses one node everywhere: account, region, node.
pub fn place(value: &serde_json::Value, node: &str) -> (String, String, String) {
    (word(value, "account"), word(value, "region"), node.to_owned())
}
