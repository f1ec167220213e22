//! What the player does besides typing: presses, fills in forms, plants faults and takes them away.

use std::time::Instant;

use serde_json::{Value, json};

use super::{LOOK_EVERY, PATIENCE, Player, Unmet, unmet};
use crate::playground::conversation::{How, Http, Simulator};

impl Player<'_> {
    /// Presses the button where the person finds it: in the open form, else in the thread, else in the App Home, else
    /// wherever they see the newest one.
    pub(super) async fn click(&mut self, who: &str, label: &str, how: How) -> Result<(), Unmet> {
        let gone = if how == How::Late { "&gone=true" } else { "" };
        let after = self.command.as_ref().map_or("0".to_owned(), |c| c.ts.clone());
        let started = Instant::now();
        loop {
            let root = self.root().await?;
            let seen =
                self.chat.get(&format!("/buttons?as={who}&after={after}{gone}")).await.map_err(unmet("the buttons"))?;
            let all = seen["buttons"].as_array().cloned().unwrap_or_default();
            let named: Vec<&Value> = all.iter().filter(|b| b["label"] == label).collect();
            // An open form covers everything else.
            let open = named.iter().find(|b| b["home"] == false);
            let here = open.or_else(|| named.iter().find(|b| root.as_deref().is_some_and(|r| b["root"] == r)));
            if let Some(button) = here.or(named.first()) {
                let mut body = json!({ "as": who, "action_id": button["action_id"], "stale": how == How::Late });
                if button["view"].is_string() {
                    body["view"] = button["view"].clone();
                } else {
                    body["channel"] = button["channel"].clone();
                    body["ts"] = button["ts"].clone();
                }
                let press = || self.chat.post("/clicks", &body);
                let answer = match how {
                    How::Twice => {
                        let (first, second) = tokio::join!(press(), press());
                        first.and(second)
                    }
                    How::Once | How::Late => press().await,
                };
                match answer {
                    Ok(answer) => {
                        self.acted(&answer);
                        self.tell_shown(who, &answer);
                        return Ok(());
                    }
                    // Gone between looking and pressing, as it happens to people.
                    Err(_) if started.elapsed() <= PATIENCE => {}
                    Err(refused) => return Err((format!("a click on [{label}]"), refused)),
                }
            }
            if started.elapsed() > PATIENCE {
                let labels: Vec<String> =
                    all.iter().filter_map(|b| b["label"].as_str()).map(|l| format!("[{l}]")).collect();
                let thread = self.thread_text().await?.unwrap_or_else(|| "no thread".to_owned());
                return Err((format!("a button [{label}]"), format!("@{who} sees {}\n{thread}", labels.join(" "))));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(super) async fn fill(&mut self, who: &str, values: &[(String, String)]) -> Result<(), Unmet> {
        self.until(PATIENCE, "an open form", async |p| {
            let open = p.chat.get(&format!("/forms?as={who}")).await.map_err(unmet("the form"))?;
            Ok(!open["view"].is_null())
        })
        .await?;
        let values: serde_json::Map<String, Value> =
            values.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let answer = self.chat.post("/forms", &json!({ "as": who, "values": values })).await;
        let answer = answer.map_err(unmet("the form to be filled"))?;
        for (field, fault) in answer["errors"].as_object().into_iter().flatten() {
            self.tell_line(&format!("  ({field}) {}", fault.as_str().unwrap_or_default()));
        }
        Ok(())
    }

    pub(super) async fn plant(&self, at: Simulator, fault: &Value) -> Result<(), Unmet> {
        let simulator = self.simulator(at).await?;
        simulator.post("/faults", fault).await.map(drop).map_err(unmet("the fault to be planted"))
    }

    pub(super) async fn lift(&self, at: Simulator, fault: &Value) -> Result<(), Unmet> {
        match at {
            Simulator::Aws => {
                let mut cleared = fault.clone();
                cleared["clear"] = json!(true);
                // Where it struck and how is no part of what is taken away.
                if let Some(fields) = cleared.as_object_mut() {
                    fields.retain(|name, _| name != "times" && name != "value");
                }
                self.plant(at, &cleared).await
            }
            Simulator::Slack | Simulator::Discord => {
                self.chat.delete("/faults").await.map(drop).map_err(unmet("the faults to be lifted"))
            }
        }
    }

    /// Whatever happened, the next conversation meets no fault of this one.
    pub(super) async fn lift_all(&mut self) {
        for (at, fault) in std::mem::take(&mut self.planted) {
            if let Err((_, why)) = self.lift(at, &fault).await {
                self.tell_line(&format!("(a fault could not be lifted: {why})"));
            }
        }
    }

    async fn simulator(&self, at: Simulator) -> Result<&Http, Unmet> {
        match at {
            Simulator::Slack | Simulator::Discord => {
                let workspace = self.chat.get("/workspace").await.map_err(unmet("the workspace"))?;
                let wanted = if at == Simulator::Slack { "slack" } else { "discord" };
                if workspace["platform"] == wanted {
                    return Ok(&self.chat);
                }
                Err((format!("a simulated {wanted}"), format!("this conversation plays at {}", workspace["platform"])))
            }
            Simulator::Aws => {
                let missing = || ("a simulated AWS".to_owned(), "the player was given none".to_owned());
                self.aws.as_ref().ok_or_else(missing)
            }
        }
    }
}
