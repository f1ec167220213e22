//! What can be typed, told from the verbs themselves so that none is forgotten.
//!
//! The sentences here are about the grammar only; how they look is for `message`.

use crate::domain::selector::EXAMPLE;

use super::verb::Verb;

/// What help is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Every verb, one line each.
    Overview,
    Verb(Verb),
    /// How accounts, regions and nodes are picked.
    Selector,
}

/// One way to use a verb. Words in capitals stand for something, `[…]` may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Without the name of the slash command, which is configurable.
    pub form: &'static str,
    pub meaning: &'static str,
}

/// One page of help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help {
    pub title: &'static str,
    pub usages: Vec<Usage>,
    /// Complete commands, without the name of the slash command.
    pub examples: Vec<String>,
    pub notes: Vec<&'static str>,
}

impl Help {
    /// The page that tells every verb.
    #[must_use]
    pub fn is_overview(&self) -> bool {
        self.usages.len() == Verb::ALL.len()
    }
}

impl Topic {
    /// Topics that `help` takes besides the verbs.
    pub(super) const SELECTOR_NAMES: &[&str] = &["selector", "selectors", "on"];

    pub(super) fn named(word: &str) -> Option<Topic> {
        let lower = word.to_lowercase();
        if Self::SELECTOR_NAMES.contains(&lower.as_str()) {
            return Some(Topic::Selector);
        }
        Verb::named(word).map(Topic::Verb)
    }
}

fn usage(verb: Verb) -> Usage {
    let (form, meaning) = match verb {
        Verb::List => ("list", "the runbooks you may run"),
        Verb::Show => ("show RUNBOOK", "what a runbook does, its parameters and its script"),
        Verb::Plan => {
            ("plan RUNBOOK [NAME=VALUE …] on SELECTOR", "what `run` would do and who must approve; sends nothing")
        }
        Verb::Run => (
            "run RUNBOOK [NAME=VALUE …] on SELECTOR [because \"REASON\"]",
            "runs it, after approval where that is asked",
        ),
        Verb::Why => (
            "why RUNBOOK [[NAME=VALUE …] on SELECTOR]",
            "whether you may run it, by which rules, and who else could; sends nothing",
        ),
        Verb::WhoCan => ("who-can RUNBOOK on SELECTOR", "which groups may run it there; sends nothing"),
        Verb::BreakGlass => (
            "break-glass RUNBOOK [NAME=VALUE …] on SELECTOR because \"REASON\"",
            "runs it against a freeze or without the usual approvals, in an emergency",
        ),
        Verb::Review => ("review RUN because \"FINDING\"", "says that you have looked at what broken glass did"),
        Verb::Approvals => ("approvals", "what waits for your approval, and which of yours wait"),
        Verb::Status => ("status [RUN]", "one run, or what is going on"),
        Verb::Runs => ("runs [mine] [failed] [RUNBOOK]", "past runs that you may see, newest first"),
        Verb::Output => ("output RUN [NODE]", "what the nodes printed"),
        Verb::Cancel => ("cancel RUN", "starts nothing further and stops what can be stopped"),
        Verb::Retry => (
            "retry RUN [failed | not-started | retryable]",
            "runs a finished run again on the nodes that are left of it",
        ),
        Verb::Halt => ("halt [because \"REASON\"]", "stops everything: nothing new is sent, no run starts"),
        Verb::Resume => ("resume", "lets everything go on that was halted"),
        Verb::Accounts => ("accounts", "the accounts, their labels and regions"),
        Verb::Targets => ("targets SELECTOR", "which nodes a selector picks; sends nothing"),
        Verb::Help => ("help [COMMAND | selector]", "this, or one command in detail"),
    };
    Usage { form, meaning }
}

fn examples(verb: Verb) -> Vec<String> {
    match verb {
        Verb::List => vec!["list".into()],
        Verb::Show => vec!["show restart-service".into()],
        Verb::Plan => vec![format!("plan disk-usage {EXAMPLE}")],
        Verb::Run => vec![
            format!("run disk-usage {EXAMPLE}"),
            format!("run restart-service service=nginx {EXAMPLE} because \"ticket 4711\""),
        ],
        Verb::Why => vec!["why restart-service".into(), format!("why restart-service service=nginx {EXAMPLE}")],
        Verb::WhoCan => vec![format!("who-can restart-service {EXAMPLE}")],
        Verb::BreakGlass => vec![format!(
            "break-glass restart-service service=nginx {EXAMPLE} because \"INC-4711: the shop is down and cannot wait\""
        )],
        Verb::Review => vec!["review r-7F3K because \"was needed, nginx is back\"".into()],
        Verb::Approvals => vec!["approvals".into()],
        Verb::Status => vec!["status".into(), "status r-7F3K".into()],
        Verb::Runs => vec!["runs mine".into(), "runs failed restart-service".into()],
        Verb::Output => vec!["output r-7F3K".into(), "output r-7F3K web-1".into()],
        Verb::Cancel => vec!["cancel r-7F3K".into()],
        Verb::Retry => vec!["retry r-7F3K".into(), "retry r-7F3K failed".into()],
        Verb::Halt => vec!["halt".into(), "halt because \"the storage array fails\"".into()],
        Verb::Resume => vec!["resume".into()],
        Verb::Accounts => vec!["accounts".into()],
        Verb::Targets => vec![format!("targets {}", EXAMPLE.trim_start_matches("on "))],
        Verb::Help => vec!["help run".into(), "help selector".into()],
    }
}

fn notes(verb: Verb) -> Vec<&'static str> {
    match verb {
        Verb::Why => vec!["without `on …` only the runbook itself is judged; with it, the exact nodes"],
        Verb::WhoCan => vec![
            "a rule may still ask for certain values, for fewer nodes at once, or for approval",
            "`why` says whether you may, and by which rules",
        ],
        Verb::Plan | Verb::Run => vec![
            "values with spaces go in quotes: `NAME=\"two words\"`",
            "a reason is asked for whenever the runbook changes something",
            "`help selector` tells how to pick machines",
        ],
        Verb::BreakGlass => vec![
            "a second person always has to agree, and channels that the policy names are told before it starts",
            "grants, forbids and limits stand; only what the policy lists under `break_glass` is overridden",
            "somebody else looks at it afterwards: `review RUN` closes that",
        ],
        Verb::Review => vec!["neither whoever asked nor whoever agreed can; `approvals` shows what waits for you"],
        Verb::Cancel => vec!["nodes that have started may still finish; the run tells which"],
        Verb::Retry => vec![
            "`failed`: what failed, timed out, could not be reached, or ended unknown; `not-started`: what nothing was sent to",
            "`retryable` (what stands without a word): all of these but nodes where it may have run, or may still run",
            "it asks for approval again unless the approval of the first run covers it: same runbook and values, within 4 hours",
        ],
        Verb::Halt => vec![
            "what was sent already goes on and is watched; `cancel RUN` stops one run",
            "no reason is needed in a hurry: `halt because \"REASON\"` once more tells it to the others",
        ],
        Verb::Resume => vec!["runs that wait go on by themselves, if they have not expired meanwhile"],
        Verb::Status | Verb::Output => vec!["RUN is the name that stands on its card, such as `r-7F3K`"],
        Verb::Targets => vec!["`help selector` tells how to pick machines"],
        Verb::List | Verb::Show | Verb::Approvals | Verb::Runs | Verb::Accounts | Verb::Help => vec![],
    }
}

/// The page on one topic.
#[must_use]
pub fn help(topic: Topic) -> Help {
    match topic {
        Topic::Overview => Help {
            title: "what you can type",
            usages: Verb::ALL.iter().map(|v| usage(*v)).collect(),
            examples: vec!["list".into(), format!("run disk-usage {EXAMPLE}")],
            notes: vec!["`help COMMAND` tells more about one of them, `help selector` how to pick machines"],
        },
        Topic::Verb(verb) => {
            Help { title: verb.as_str(), usages: vec![usage(verb)], examples: examples(verb), notes: notes(verb) }
        }
        Topic::Selector => Help {
            title: "how to pick machines",
            usages: SELECTOR.iter().map(|(form, meaning)| Usage { form, meaning }).collect(),
            examples: vec![
                "targets accounts=acme-* platform=linux".into(),
                format!("run disk-usage {EXAMPLE}"),
                "plan disk-usage on env=prod customer!=globex regions=eu-west-1".into(),
            ],
            notes: vec![
                "words mean AND, commas mean OR, `!=` means none of them, `*` stands for any text",
                "what a machine or account does not have never matches `=` and always matches `!=`",
                "without `regions=` each account's own regions are used",
            ],
        },
    }
}

const SELECTOR: &[(&str, &str)] = &[
    ("accounts=NAME,…", "accounts by name or 12-digit id"),
    ("LABEL=VALUE,…", "accounts by a label of theirs, such as `env` or `customer`"),
    ("regions=REGION,…", "regions, such as `eu-west-1`"),
    ("tag:KEY=VALUE,…", "machines by an EC2 tag"),
    ("nodes=NAME,…", "machines by name or id"),
    ("platform=linux", "machines by system: `linux`, `windows` or `macos`"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, parse};

    #[test]
    fn every_example_is_a_command_that_is_understood() {
        let topics = Verb::ALL.iter().map(|v| Topic::Verb(*v)).chain([Topic::Overview, Topic::Selector]);
        for topic in topics {
            for example in help(topic).examples {
                let command = parse(&example).unwrap_or_else(|r| panic!("`{example}`: {r}"));
                if let Topic::Verb(verb) = topic {
                    assert_eq!(command.verb(), verb, "{example}");
                }
            }
        }
    }

    #[test]
    fn every_verb_has_help_and_its_form_starts_with_it() {
        for verb in Verb::ALL {
            assert!(usage(*verb).form.starts_with(verb.as_str()));
            assert_eq!(parse(&format!("help {}", verb.as_str())), Ok(Command::Help(Topic::Verb(*verb))));
        }
    }
}
