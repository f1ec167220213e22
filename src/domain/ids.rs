//! Names of things, each checked once when it is made.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Why a text is not the id it was taken for. One sentence, lower case, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let check: fn(&str) -> Result<(), Invalid> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

text_id!(
    /// An AWS account: 12 digits, always text, because a number would lose its leading zeros.
    AccountId,
    |t| {
        if t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(());
        }
        let digits = t.bytes().filter(u8::is_ascii_digit).count();
        Err(Invalid(if digits == t.len() {
            let s = if digits == 1 { "" } else { "s" };
            format!("`{t}` has {digits} digit{s}, an AWS account id has 12")
        } else {
            format!("`{t}` is not an AWS account id, which is 12 digits")
        }))
    }
);
text_id!(
    /// An AWS region such as `eu-west-1` or `us-gov-west-1`.
    Region,
    |t| {
        let parts: Vec<&str> = t.split('-').collect();
        let word = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase());
        let good = parts.len() >= 3
            && parts[0].len() == 2
            && parts[..parts.len() - 1].iter().all(|p| word(p))
            && parts[parts.len() - 1].bytes().all(|b| b.is_ascii_digit())
            && !parts[parts.len() - 1].is_empty();
        if good {
            Ok(())
        } else {
            Err(Invalid(format!("`{t}` is not an AWS region such as `eu-west-1`")))
        }
    }
);
text_id!(
    /// A machine that SSM knows: `i-` (EC2, 8 or 17 hex digits) or `mi-` (hybrid, 17 hex digits).
    NodeId,
    |t| {
        let hex = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let good = t.strip_prefix("i-").is_some_and(|s| (s.len() == 8 || s.len() == 17) && hex(s))
            || t.strip_prefix("mi-").is_some_and(|s| s.len() == 17 && hex(s));
        if good { Ok(()) } else { Err(Invalid(format!("`{t}` is not a node id such as `i-0a1b2c3d4e5f60718`"))) }
    }
);
text_id!(
    /// What SSM calls one SendCommand: a UUID in text form.
    CommandId,
    |t| {
        if t.len() == 36 && t.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            Ok(())
        } else {
            Err(Invalid(format!("`{t}` is not an SSM command id")))
        }
    }
);
text_id!(
    /// The name of a runbook: its file's name without `.toml`.
    RunbookName,
    |t| {
        let good = t.len() <= 64
            && t.starts_with(|c: char| c.is_ascii_lowercase())
            && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if good {
            Ok(())
        } else {
            Err(Invalid(format!("`{t}` is not a runbook name: lower-case letters, digits and `-`, starting with a letter, at most 64")))
        }
    }
);

impl NodeId {
    /// Hybrid nodes (`mi-…`) are outside EC2 and have another ARN.
    #[must_use]
    pub fn is_hybrid(&self) -> bool {
        self.0.starts_with("mi-")
    }
}

/// One run. A ULID: sorts by the time it was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub ulid::Ulid);

impl RunId {
    /// The form people see: `r-` and the last `length` characters, at least 4.
    ///
    /// The caller chooses a length at which the suffix is unique among the runs it knows.
    #[must_use]
    pub fn short(&self, length: usize) -> String {
        let text = self.0.to_string();
        let length = length.clamp(4, text.len());
        format!("r-{}", &text[text.len() - length..])
    }
}
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}
impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
impl FromStr for RunId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        ulid::Ulid::from_string(text).map(RunId).map_err(|_| Invalid(format!("`{text}` is not a run id")))
    }
}

/// A SHA-256, shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }
    /// A digest that was computed elsewhere, such as by an incremental hasher.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }
    /// The first `digits` hex digits, for people.
    #[must_use]
    pub fn short(&self, digits: usize) -> String {
        let mut text = self.to_string();
        text.truncate(digits);
        text
    }
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// Its first bytes, which are as good a hash as any.
    #[must_use]
    pub fn first_bits(&self) -> u64 {
        self.0.first_chunk().map_or(0, |first| u64::from_ne_bytes(*first))
    }
}
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short(12))
    }
}
impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}
impl TryFrom<String> for Digest {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}
impl FromStr for Digest {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid(format!("`{text}` is not a SHA-256 in hex"));
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0u8; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Digest(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_keeps_its_zeros_and_eleven_digits_are_named() {
        assert_eq!("012345678901".parse::<AccountId>().unwrap().as_str(), "012345678901");
        let fault = "12345678901".parse::<AccountId>().unwrap_err();
        assert_eq!(fault.to_string(), "`12345678901` has 11 digits, an AWS account id has 12");
    }

    #[test]
    fn regions_and_nodes_are_checked() {
        for good in ["eu-west-1", "us-gov-west-1", "ap-southeast-2"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "eu", "eu-west", "EU-west-1", "eu-west-1;", "eu--1"] {
            assert!(bad.parse::<Region>().is_err(), "{bad}");
        }
        for good in ["i-0a1b2c3d", "i-0a1b2c3d4e5f60718", "mi-0a1b2c3d4e5f60718"] {
            assert!(good.parse::<NodeId>().is_ok(), "{good}");
        }
        for bad in ["i-", "i-xyz", "mi-0a1b2c3d", "web-1", "i-0a1b2c3d4e5f6071G"] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_digest_survives_its_text() {
        let digest = Digest::of(b"muster");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("é".repeat(32).parse::<Digest>().is_err());
    }

    #[test]
    fn a_short_run_id_has_at_least_four_characters() {
        let id: RunId = "01J9ZX0000000000000000AB7F".parse().unwrap();
        assert_eq!(id.short(1), "r-AB7F");
        assert_eq!(id.short(6), "r-00AB7F");
    }
}
