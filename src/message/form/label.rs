//! Choices, and labels that show what they say: names of accounts and tags are written by many hands.

use serde::{Deserialize, Serialize};

use crate::message::words::number;

/// Characters of a label; Slack's limit for an option is the smallest of the platforms'.
pub const LABEL_MAX: usize = 75;
/// Characters of the value behind a label. A longer one cannot be offered.
pub const VALUE_MAX: usize = 150;
/// Choices in one list of suggestions: Slack takes 100, Discord fewer.
pub const SUGGESTIONS_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

impl Choice {
    /// `None` where the value is too long to be carried, or nothing of the label can be seen.
    #[must_use]
    pub fn new(value: impl Into<String>, label: &str) -> Option<Choice> {
        let value = value.into();
        let label = shown(label);
        let fits = !value.is_empty() && value.chars().count() <= VALUE_MAX && !label.is_empty();
        fits.then_some(Choice { value, label })
    }
}

/// Choices under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub heading: Option<String>,
    pub choices: Vec<Choice>,
}

/// What is offered for what was typed so far, best first; at most [`SUGGESTIONS_MAX`] choices in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suggestions {
    pub groups: Vec<Group>,
}

impl Suggestions {
    #[must_use]
    pub fn nothing() -> Self {
        Suggestions::default()
    }

    /// The choices whose label or value holds every typed word; whose label starts with what was typed come first.
    /// `first` stand under a heading of their own, above the others.
    #[must_use]
    pub fn matching(typed: &str, first: (&str, Vec<Choice>), all: Vec<Choice>) -> Self {
        let words: Vec<String> = typed.split_whitespace().map(str::to_lowercase).collect();
        let typed = typed.trim().to_lowercase();
        let fits = |choice: &Choice| {
            let (label, value) = (choice.label.to_lowercase(), choice.value.to_lowercase());
            words.iter().all(|word| label.contains(word) || value.contains(word))
        };
        let (heading, first) = first;
        let first: Vec<Choice> = first.into_iter().filter(&fits).take(SUGGESTIONS_MAX / 2).collect();
        let mut rest: Vec<Choice> = all.into_iter().filter(|c| fits(c) && !first.contains(c)).collect();
        rest.sort_by_cached_key(|c| (!c.label.to_lowercase().starts_with(&typed), c.label.to_lowercase()));
        let found = rest.len();
        rest.truncate(SUGGESTIONS_MAX - first.len());
        let cut =
            (rest.len() < found).then(|| format!("{} of {}: type more to narrow", count(rest.len()), count(found)));
        let other = || Some(if typed.is_empty() { "All" } else { "Found" }.to_owned());
        let heading_of_rest = cut.or_else(|| other().filter(|_| !first.is_empty()));
        let first = Group { heading: Some(heading.to_owned()), choices: first };
        let rest = Group { heading: heading_of_rest, choices: rest };
        Suggestions { groups: [first, rest].into_iter().filter(|g| !g.choices.is_empty()).collect() }
    }

    pub fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.groups.iter().flat_map(|g| &g.choices)
    }
}

fn count(n: usize) -> String {
    number(crate::message::words::size(n))
}

/// The text on one line without what a screen would obey: control characters, and characters that turn the reading
/// direction around or cannot be seen at all. Scripts that read from the right and emoji stay as they are.
#[must_use]
pub fn clean(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter_map(|c| match c {
            c if c.is_whitespace() => Some(' '),
            c if c.is_control() => None,
            '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' => {
                None
            }
            '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' => None,
            c => Some(c),
        })
        .collect();
    // A joiner alone cannot be seen.
    if kept.chars().all(|c| c == ' ' || ('\u{200C}'..='\u{200D}').contains(&c)) {
        return String::new();
    }
    kept.trim().to_owned()
}

/// [`clean`], and short enough for a label.
#[must_use]
pub fn shown(text: &str) -> String {
    let kept = clean(text);
    match kept.char_indices().nth(LABEL_MAX) {
        None => kept,
        Some(_) => {
            let head: String = kept.chars().take(LABEL_MAX - 1).collect();
            format!("{}…", head.trim_end_matches([' ', '\u{200D}', '\u{FE0F}']))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(n: usize) -> Vec<Choice> {
        (0..n).map(|i| Choice::new(format!("{i:012}"), &format!("account-{i}")).unwrap()).collect()
    }

    #[test]
    fn of_five_thousand_accounts_a_hundred_are_shown_and_typing_narrows() {
        let all = Suggestions::matching("", ("Recent", vec![]), choices(5_000));
        assert_eq!(all.choices().count(), 100);
        assert_eq!(all.groups[0].heading.as_deref(), Some("100 of 5,000: type more to narrow"));
        let some = Suggestions::matching("-4999", ("Recent", vec![]), choices(5_000));
        assert_eq!(some.groups, [Group { heading: None, choices: choices(5_000).split_off(4_999) }]);
        let by_id = Suggestions::matching(" 000000004999 ACCOUNT ", ("Recent", vec![]), choices(5_000));
        assert_eq!(by_id.choices().count(), 1, "any word may be of the label or the value");
    }

    #[test]
    fn recent_ones_come_first_and_stand_there_once() {
        let all = choices(3);
        let told = Suggestions::matching("", ("Yours of late", vec![all[2].clone()]), all.clone());
        let headings: Vec<_> = told.groups.iter().map(|g| g.heading.as_deref().unwrap()).collect();
        assert_eq!(headings, ["Yours of late", "All"]);
        assert_eq!(told.choices().cloned().collect::<Vec<_>>(), [all[2].clone(), all[0].clone(), all[1].clone()]);
        let crowded = Suggestions::matching("", ("Yours of late", choices(300)), choices(5_000));
        assert_eq!(crowded.choices().count(), SUGGESTIONS_MAX);
    }

    #[test]
    fn names_of_every_script_stay_and_nothing_turns_them_around() {
        assert_eq!(shown("حساب الإنتاج"), "حساب الإنتاج");
        assert_eq!(shown("👩‍💻 prod 🇩🇪"), "👩‍💻 prod 🇩🇪");
        assert_eq!(shown("acme\u{202E}dorp\u{2066}\n\0x"), "acmedorp x");
        assert_eq!(shown("\u{200B}\u{202E} \u{200D}"), "");
        assert_eq!(Choice::new("1", "\u{202E}"), None);
        assert_eq!(Choice::new("v".repeat(151), "long"), None);
        let long = shown(&"é".repeat(90));
        assert_eq!((long.chars().count(), long.ends_with('…')), (75, true));
    }
}
