//! Saying something to everybody in a channel that belongs to no run.

use std::time::Duration;

use crate::message::Card;
use crate::ports::{ChatError, InboxRow};

use super::Services;
use super::intake::Answer;
use super::posting::fitted;

/// It is tried for so long; then it goes to the person alone.
const POST_FOR: Duration = Duration::from_secs(10 * 60);

/// Posts the card where the person typed. Where others must not or cannot read it, the person alone is told.
/// `look_first`: it may have been posted before a crash.
pub(super) async fn announce(services: &Services, row: &InboxRow, card: Card, key: &str, look_first: bool) -> Answer {
    let place = &row.delivery.place;
    match services.directory.channel(place).await {
        // Names of runs are not for another organisation.
        Ok(channel) if channel.member && !channel.shared => {}
        Ok(_) => return Answer::Whisper(card),
        Err(fault) => {
            tracing::warn!(%fault, "it cannot be told who reads a channel; the person alone is answered");
            return Answer::Whisper(card);
        }
    }
    let shown = fitted(card.clone(), place.platform);
    let began = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(300);
    let mut look = look_first;
    while began.elapsed() < POST_FOR {
        let posted = if look {
            match services.chat.find(place, key).await {
                Ok(Some(_)) => return Answer::Shown,
                Ok(None) => services.chat.post(place, &shown, key).await,
                // History may not be read: once too often is better than never.
                Err(ChatError::Refused(_)) => services.chat.post(place, &shown, key).await,
                Err(fault) => Err(fault),
            }
        } else {
            services.chat.post(place, &shown, key).await
        };
        let wait = match posted {
            Ok(_) => return Answer::Shown,
            Err(ChatError::Refused(cause)) => {
                tracing::warn!(cause, "nothing can be said in the channel; the person alone is answered");
                return Answer::Whisper(card);
            }
            Err(ChatError::NotSaid { retry_after, .. }) => retry_after.unwrap_or(pause),
            Err(ChatError::Unknown(_)) => {
                look = true;
                pause
            }
        };
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
    Answer::Whisper(card)
}
