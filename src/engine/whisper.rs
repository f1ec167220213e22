//! Saying something to one person, until it is said.

use std::time::Duration;

use crate::domain::Digest;
use crate::message::Card;
use crate::ports::{ChatError, Reply};

use super::{Services, posting};

/// An answer is tried for so long; the inbox row keeps it across restarts.
const WHISPER_FOR: Duration = Duration::from_secs(30 * 60);

/// Says it to the person, in the channel or, where that is refused, directly. `false`: nobody could be told for half an
/// hour.
pub(super) async fn whisper(services: &Services, reply: &Reply, card: &Card) -> bool {
    let card = &posting::fitted(card.clone(), reply.platform);
    let began = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(300);
    let mut directly = false;
    while began.elapsed() < WHISPER_FOR {
        let said =
            if directly { say_directly(services, reply, card).await } else { services.chat.whisper(reply, card).await };
        let wait = match said {
            Ok(()) => return true,
            Err(ChatError::Refused(cause)) if directly => {
                tracing::error!(cause, "an answer can be given neither in the channel nor directly");
                return true;
            }
            Err(ChatError::Refused(cause)) => {
                tracing::warn!(cause, "an answer cannot be given in the channel; it goes to the person directly");
                directly = true;
                continue;
            }
            // Saying it twice to the one person who asked is harmless.
            Err(ChatError::Unknown(_)) => pause,
            Err(ChatError::NotSaid { retry_after, .. }) => retry_after.unwrap_or(pause),
        };
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
    false
}

async fn say_directly(services: &Services, reply: &Reply, card: &Card) -> Result<(), ChatError> {
    let direct = services.chat.direct(&reply.person).await?;
    let key = format!("whisper:{}", Digest::of(format!("{card:?}").as_bytes()).short(12));
    services.chat.post(&direct, card, &key).await.map(|_| ())
}
