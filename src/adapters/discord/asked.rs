//! What Discord gave with an interaction to answer it by.
//!
//! A reply carries it as text, so that it survives a restart: `trigger` is `<interaction id>/<token>`, for the first
//! answer; `url` is `<application id>/<token>`, for those after it, with `/@original` behind it where the first answer is
//! a message of ours that later words take the place of.

use crate::domain::{ChatPlatform, Place, Principal};
use crate::ports::Reply;

const ORIGINAL: &str = "/@original";

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub id: String,
    pub application: String,
    /// Lives for fifteen minutes, and lets whoever has it speak as the bot to one person.
    pub token: String,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({})", self.id)
    }
}

/// Where later words go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Later<'a> {
    pub application: &'a str,
    pub token: &'a str,
    /// In place of the first answer.
    pub original: bool,
}

impl Asked {
    pub(super) fn trigger(&self) -> String {
        format!("{}/{}", self.id, self.token)
    }

    /// `original`: the first answer is a message of ours for this person alone.
    pub(super) fn url(&self, original: bool) -> String {
        format!("{}/{}{}", self.application, self.token, if original { ORIGINAL } else { "" })
    }

    pub(super) fn reply(&self, place: &Place, person: &Principal, original: bool) -> Reply {
        Reply {
            platform: ChatPlatform::Discord,
            place: place.clone(),
            person: person.clone(),
            url: Some(self.url(original)),
            trigger: Some(self.trigger()),
        }
    }

    /// The interaction that a reply is to.
    pub(super) fn of(reply: &Reply) -> Option<Asked> {
        let (id, token) = reply.trigger.as_deref()?.split_once('/')?;
        let application = reply.url.as_deref().and_then(later)?.application;
        Some(Asked { id: id.to_owned(), application: application.to_owned(), token: token.to_owned() })
    }
}

/// What a reply's `url` says.
pub(super) fn later(url: &str) -> Option<Later<'_>> {
    let (rest, original) = match url.strip_suffix(ORIGINAL) {
        Some(rest) => (rest, true),
        None => (url, false),
    };
    let (application, token) = rest.split_once('/')?;
    Some(Later { application, token, original })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_leads_back_to_its_interaction_and_its_token_is_not_printed() {
        let asked = Asked { id: "11".into(), application: "22".into(), token: "aW5-_x".into() };
        let person = Principal::discord("1", "2");
        let place = Place { platform: ChatPlatform::Discord, tenant: "1".into(), channel: "3".into(), thread: None };
        for original in [false, true] {
            let reply = asked.reply(&place, &person, original);
            assert_eq!(Asked::of(&reply), Some(asked.clone()));
            let said = later(reply.url.as_deref().unwrap()).unwrap();
            assert_eq!(said, Later { application: "22", token: "aW5-_x", original });
        }
        assert_eq!(format!("{asked:?}"), "Asked(11)");
    }
}
