//! Steps on forms, shortcuts and the App Home.

use std::time::Instant;

use serde_json::{Value, json};

use super::player::{LOOK_EVERY, PATIENCE, Player, USUAL, Unmet, squeeze, unmet};

impl Player<'_> {
    /// On the newest message that everybody sees: of the command's thread, else of its channel.
    pub(super) async fn use_shortcut(&mut self, who: &str, name: &str, on_message: bool) -> Result<(), Unmet> {
        let place = if on_message { " on the last message" } else { "" };
        self.tell_line(&format!("@{who} uses \"{name}\"{place}"));
        let mut body = json!({ "as": who, "callback_id": name });
        let channel = self.command.as_ref().map_or(USUAL, |c| &c.channel).to_owned();
        let mut own_thread = None;
        if on_message {
            let messages = match self.thread().await? {
                Some(thread) => thread["messages"].clone(),
                None => {
                    let path = format!("/channels/{}", channel.trim_start_matches('#'));
                    self.chat.get(&path).await.map_err(unmet("the channel"))?["messages"].clone()
                }
            };
            let mut public = messages.as_array().into_iter().flatten().filter(|m| m["only_for"].is_null());
            let last = public.next_back().ok_or_else(|| ("a message".to_owned(), format!("`{channel}` is empty")))?;
            body["channel"] = last["channel"].clone();
            body["ts"] = last["ts"].clone();
            own_thread = last["ts"].as_str().map(str::to_owned);
        }
        self.look_before().await?;
        let answer = self.chat.post("/shortcuts", &body).await.map_err(unmet("the shortcut"))?;
        self.tell_shown(who, &answer);
        let ts = answer["ts"].as_str().unwrap_or_default().to_owned();
        let channel = body["channel"].as_str().map_or(channel, str::to_owned);
        self.begin(who, channel, ts, own_thread, !on_message).await
    }

    pub(super) async fn open_home(&mut self, who: &str) -> Result<(), Unmet> {
        self.tell_line(&format!("@{who} opens home"));
        self.look_before().await?;
        let answer = self.chat.post("/home", &json!({ "as": who })).await.map_err(unmet("the App Home"))?;
        let ts = answer["ts"].as_str().unwrap_or_default().to_owned();
        self.begin(who, USUAL.to_owned(), ts, None, true).await
    }

    /// The options that the app answers are shown, and `expect form has` finds them.
    pub(super) async fn search(&mut self, who: &str, typed: &str, field: &str) -> Result<(), Unmet> {
        let home = self.has_field(who, field).await?;
        let body = json!({ "as": who, "field": field, "query": typed, "home": home });
        let answer = self.chat.post("/choices", &body).await.map_err(unmet("options"))?;
        if let Some(why) = answer["error"].as_str() {
            return Err((format!("options for \"{typed}\" in \"{field}\""), why.to_owned()));
        }
        let texts: Vec<&str> =
            answer["options"].as_array().into_iter().flatten().filter_map(|o| o["text"]["text"].as_str()).collect();
        let found = format!("@{who} types \"{typed}\" in \"{field}\" and finds: {}", texts.join(", "));
        self.tell_line(&found);
        self.found = texts.join("\n");
        Ok(())
    }

    pub(super) async fn pick(&mut self, who: &str, option: &str, field: &str) -> Result<(), Unmet> {
        self.tell_line(&format!("@{who} picks \"{option}\" in \"{field}\""));
        let home = self.has_field(who, field).await?;
        let body = json!({ "as": who, "field": field, "value": option, "home": home });
        let answer = self.chat.post("/choices", &body).await.map_err(unmet("the choice"))?;
        self.acted(&answer);
        Ok(())
    }

    /// Waits until the open form or the App Home shows `field`; whether it is the App Home.
    async fn has_field(&self, who: &str, field: &str) -> Result<bool, Unmet> {
        let started = Instant::now();
        loop {
            for (path, home) in [("forms", false), ("home", true)] {
                let shown = self.view(path, who).await?;
                let named = |b: &Value| {
                    let elements = b["elements"].as_array().into_iter().flatten();
                    let elements = elements.chain(b.get("accessory")).chain(b.get("element"));
                    let mut texts = vec![&b["label"]["text"], &b["block_id"]];
                    elements.for_each(|e| texts.extend([&e["placeholder"]["text"], &e["action_id"]]));
                    texts.into_iter().any(|t| t.as_str().is_some_and(|t| t.eq_ignore_ascii_case(field)))
                };
                if shown["view"]["blocks"].as_array().into_iter().flatten().any(named) {
                    return Ok(home);
                }
            }
            if started.elapsed() > PATIENCE {
                let form = self.view_text("forms", who).await.unwrap_or_else(|_| "no open form".to_owned());
                return Err((format!("a field \"{field}\""), format!("@{who} sees:\n{form}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn view(&self, path: &str, who: &str) -> Result<Value, Unmet> {
        self.chat.get(&format!("/{path}?as={who}")).await.map_err(unmet("what the person sees"))
    }

    /// The open form (`forms`) or the App Home (`home`) as text.
    pub(super) async fn view_text(&self, path: &str, who: &str) -> Result<String, Unmet> {
        let shown = self.view(path, who).await?;
        match shown["text"].as_str() {
            Some(text) if !shown["view"].is_null() => Ok(text.to_owned()),
            _ => Err(("something to read".to_owned(), format!("@{who} sees none"))),
        }
    }

    /// In the open form of who acted last, or among the options that were just found.
    pub(super) async fn form_has(&mut self, text: &str) -> Result<(), Unmet> {
        if squeeze(&self.found).contains(&squeeze(text)) {
            return Ok(());
        }
        let who = self.actor.clone();
        self.view_has("forms", &who, text, "(the form)").await
    }

    pub(super) async fn home_has(&mut self, who: &str, text: &str) -> Result<(), Unmet> {
        self.view_has("home", who, text, "(the App Home)").await
    }

    async fn view_has(&mut self, path: &str, who: &str, text: &str, title: &str) -> Result<(), Unmet> {
        let wanted = squeeze(text);
        let started = Instant::now();
        loop {
            let shown = self.view_text(path, who).await;
            if let Ok(shown) = &shown
                && squeeze(shown).contains(&wanted)
            {
                self.tell_block(title, shown);
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                let shown = shown.unwrap_or_else(|(_, none)| none);
                return Err((format!("`{text}` {title}"), format!("@{who} sees:\n{shown}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
