//! Secrets out of text, before anything keeps it: stored outputs, chat, logs.
//!
//! Each secret becomes `‹secret:kind#3f9a›`. The suffix is 16 bits of an HMAC, so equal secrets still look equal
//! ("48 nodes share one password") and nothing can be looked up afterwards. What is doubtful goes: a secret in a
//! thread cannot be taken back. This is a net, not a promise: a secret that looks like any word is not found.
//!
//! Give whole outputs, never pieces of a stream: a token that is cut in two is found in neither part, and a key
//! block is only known by its first line. Redact first, cut for display afterwards.

mod block;
mod harmless;
mod known_lines;
mod normalise;
mod rules;
mod value;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use regex::Regex;
use sha2::Sha256;

pub use harmless::Harmless;
pub use known_lines::{Found, KnownLines, Missed};
use normalise::has_unseen;
pub use normalise::{begins_stderr, normalise, streams};
use rules::{CURL_GOES_ON, RULES, Rule, SUSPECT, SUSPECTS};

/// Longest line that is read closely, in bytes. A longer one that may hold a secret is withheld whole.
const LONGEST_LINE: usize = 64 << 10;
/// Stands for a whole line.
pub const WITHHELD: &str = "‹line withheld›";
/// Rounds until a line must have settled; more means that rules work against each other, and it is withheld.
const ROUNDS: usize = 6;

/// Matches of one rule in one line; a line with more is withheld, so that no line can take for ever.
const MATCHES: usize = 256;

static MARKER: LazyLock<Regex> = LazyLock::new(|| rules::regex("‹secret:[a-z-]{1,24}#[0-9a-f]{4}›"));

/// What is left of a text, and what was taken out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    pub text: String,
    /// Kind of secret to how often it was found. Withheld lines are counted as `line`.
    pub found: BTreeMap<&'static str, u32>,
}

/// Takes secrets out. Cheap to clone and to make; the rules are compiled once for the process.
#[derive(Clone)]
pub struct Redactor {
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// `key` makes the suffixes: with a key for each run nobody can compare secrets across runs.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Redactor { mac: Hmac::new_from_slice(key).expect("HMAC takes a key of any length") }
    }

    /// The text without the secrets that are known by their shape or by what stands before them.
    ///
    /// Redacting twice changes nothing more.
    #[must_use]
    pub fn redact(&self, text: &str) -> Redacted {
        if !Self::suspects(text) {
            return Redacted { text: text.to_owned(), found: BTreeMap::new() };
        }
        let mut written = self.as_written(text);
        // Colours and invisible characters may stand in the middle of a name or a secret, and people are shown the text
        // without them. Where that shows more secrets, they go too, and with them what hid them.
        let seen = normalise(&written.text);
        if seen != written.text.trim_end() {
            let shown = self.as_written(&seen);
            if !shown.found.is_empty() {
                written.text = if text.ends_with('\n') { shown.text + "\n" } else { shown.text };
                for (kind, n) in shown.found {
                    *written.found.entry(kind).or_default() += n;
                }
            }
        }
        written
    }

    /// Whether there is anything that [`Redactor::redact`] would look at closely. A cheap no is a no: what begins a secret of
    /// several lines is suspect by itself.
    #[must_use]
    pub fn suspects(text: &str) -> bool {
        SUSPECT.is_match(text) || matches!(normalise(text), Cow::Owned(seen) if SUSPECT.is_match(&seen))
    }

    /// Whether no rule may apply to the text, and there is nothing in it that is not seen.
    #[must_use]
    pub fn lets_pass(text: &str) -> bool {
        !has_unseen(text.as_bytes()) && !SUSPECT.is_match(text)
    }

    fn as_written(&self, text: &str) -> Redacted {
        let mut found = BTreeMap::new();
        let text = block::private_keys(text, &mut |secret| self.mark("private-key", secret, &mut found));
        let mut out = String::with_capacity(text.len());
        let mut context = block::Context::default();
        let mut curl = false;
        for line in text.split_inclusive('\n') {
            let bare = line.trim_end_matches(['\n', '\r']);
            let end = &line[bare.len()..];
            let goes_on = curl;
            curl = bare.trim_end().ends_with('\\') && (goes_on || bare.contains("curl"));
            if bare.len() > LONGEST_LINE {
                context = block::Context::default();
                if goes_on || SUSPECT.is_match(bare) {
                    *found.entry("line").or_default() += 1;
                    out.push_str(WITHHELD);
                } else {
                    out.push_str(bare);
                }
            } else {
                let line = context.step(bare, &mut |kind, secret| self.mark(kind, secret, &mut found));
                self.line(&line, goes_on, &mut out, &mut found);
            }
            out.push_str(end);
        }
        Redacted { text: out, found }
    }

    /// Applies the rules until nothing changes any more, so that redacting again changes nothing either.
    /// `goes_on`: with a `curl` of the line before.
    fn line(&self, line: &str, goes_on: bool, out: &mut String, found: &mut BTreeMap<&'static str, u32>) {
        if !goes_on && !SUSPECT.is_match(line) {
            out.push_str(line);
            return;
        }
        let mut current = line.to_owned();
        for _ in 0..ROUNDS {
            let mut changed = false;
            let suspects = SUSPECTS.matches(&current);
            let rules = suspects.iter().filter_map(|suspect| RULES.get(suspect));
            for rule in rules.chain(goes_on.then_some(&*CURL_GOES_ON).into_iter().flatten()) {
                match self.apply(rule, &current, found) {
                    Applied::Nothing => {}
                    Applied::Changed(next) => {
                        current = next;
                        changed = true;
                    }
                    Applied::TooMany => {
                        *found.entry("line").or_default() += 1;
                        out.push_str(WITHHELD);
                        return;
                    }
                }
            }
            if !changed {
                out.push_str(&current);
                return;
            }
        }
        *found.entry("line").or_default() += 1;
        out.push_str(WITHHELD);
    }

    /// One rule over one line.
    fn apply(&self, rule: &Rule, line: &str, found: &mut BTreeMap<&'static str, u32>) -> Applied {
        let markers: Vec<_> = MARKER.find_iter(line).map(|m| m.range()).collect();
        let mut out = String::new();
        let (mut kept, mut from, mut matches) = (0, 0, 0);
        while let Some(captures) = rule.regex.captures_at(line, from) {
            matches += 1;
            if matches > MATCHES {
                return Applied::TooMany;
            }
            let whole = captures.get_match();
            let key = captures.name("key").map_or("", |m| m.as_str());
            let Some((value, is_last)) = rule.value(&captures) else { break };
            let quoted = !is_last || line[..value.start()].ends_with(['"', '\'']);
            let inside = markers.iter().find(|m| m.start < whole.start() && whole.start() < m.end);
            let secret = (rule.pick)(key, value.as_str(), quoted).filter(|s| !s.is_empty() && !is_marked(s));
            let secret = secret.filter(|value| {
                key.is_empty() || !in_arn(line, whole.start()) && !is_account_file(line, whole.start(), key, value)
            });
            // Always forward; from the value on, which may hold further names.
            let step = line[whole.start()..].chars().next().map_or(1, char::len_utf8);
            from = value.start().max(whole.start() + step);
            match (inside, secret) {
                // The words inside a marker are ours.
                (Some(marker), _) => from = from.max(marker.end),
                (None, Some(secret)) => {
                    out.push_str(&line[kept..value.start()]);
                    out.push_str(&self.mark(rule.kind, secret, found));
                    kept = value.start() + secret.len();
                    from = from.max(kept);
                }
                (None, None) => {}
            }
            if from >= line.len() {
                break;
            }
        }
        if out.is_empty() {
            return Applied::Nothing;
        }
        out.push_str(&line[kept..]);
        Applied::Changed(out)
    }

    fn mark(&self, kind: &'static str, secret: &str, found: &mut BTreeMap<&'static str, u32>) -> String {
        *found.entry(kind).or_default() += 1;
        let mut mac = self.mac.clone();
        mac.update(secret.as_bytes());
        let bytes = mac.finalize().into_bytes();
        format!("‹secret:{kind}#{:02x}{:02x}›", bytes[0], bytes[1])
    }
}

/// The kind of each secret that was taken out of the text, and the mark that stands for it. What a node prints as a mark of no
/// known kind is none.
pub fn marks(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    MARKER.find_iter(text).filter_map(|mark| {
        let kind = mark.as_str().strip_prefix("‹secret:")?.split('#').next()?;
        Some((*rules::KINDS.get(kind)?, mark.as_str()))
    })
}

/// The text with marks that say of which kind a secret was and no more: the suffixes of two runs cannot be compared.
#[must_use]
pub fn untagged(text: &str) -> Cow<'_, str> {
    MARKER
        .replace_all(text, |mark: &regex::Captures<'_>| mark[0].split('#').next().unwrap_or_default().to_owned() + "›")
}

/// The place is inside of `arn:aws:secretsmanager:…:secret:name`, which names a secret and is none.
fn in_arn(line: &str, at: usize) -> bool {
    let word = line[..at].rsplit([' ', '\t', '"', '\'', '=', ',', '(', '[']).next();
    word.is_some_and(|word| word.starts_with("arn:"))
}

/// The name is that of `/etc/passwd`, and behind it stands no line of it that has a password.
fn is_account_file(line: &str, at: usize, key: &str, value: &str) -> bool {
    let password = value.split(':').nth(1).unwrap_or("");
    line[..at].ends_with("/etc/")
        && ["passwd", "passwd-"].contains(&key)
        && ["", "x", "*", "!", "!!"].contains(&password)
}

/// What one rule did to a line.
enum Applied {
    Nothing,
    Changed(String),
    TooMany,
}

/// Nothing but markers: it was redacted before.
fn is_marked(text: &str) -> bool {
    let mut end = 0;
    for marker in MARKER.find_iter(text) {
        if marker.start() != end {
            return false;
        }
        end = marker.end();
    }
    (end > 0 && end == text.len()) || text == WITHHELD
}

#[cfg(test)]
mod tests;
