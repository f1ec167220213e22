//! The token in a command's `Comment`: how a send whose answer was lost is found again.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::RunId;

/// One attempt to send one shard of one step. `attempt` is the try: 1, or more for a
/// person's retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Send {
    pub run: RunId,
    pub step: u32,
    pub shard: u32,
    pub attempt: u32,
    pub send: u32,
}

/// `muster:<run>:<step>:<shard>:<try>.<send>:<8 hex digits of HMAC>`: at most 75 characters of the 100 that
/// `Comment` takes. The HMAC keeps anybody who may call SendCommand from forging one.
#[must_use]
pub fn token(key: &[u8; 32], send: Send) -> String {
    let Send { run, step, shard, attempt, send } = send;
    let text = format!("muster:{run}:{step}:{shard}:{attempt}.{send}");
    // A key of any length is good for HMAC, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return text };
    mac.update(text.as_bytes());
    let tag = mac.finalize().into_bytes();
    format!("{text}:{:02x}{:02x}{:02x}{:02x}", tag[0], tag[1], tag[2], tag[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_the_comment_and_cannot_be_guessed() {
        let run: RunId = "01J9ZX0000000000000000AB7F".parse().unwrap();
        let send = Send { run, step: u32::MAX, shard: u32::MAX, attempt: 1, send: u32::MAX };
        let mine = token(&[7; 32], send);
        assert!(mine.len() <= 100, "{mine}");
        assert_ne!(mine, token(&[8; 32], send));
        assert_eq!(mine, token(&[7; 32], send));
    }
}
