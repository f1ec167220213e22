//! The first word of a command.

/// Every verb of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    List,
    Show,
    Plan,
    Run,
    Why,
    WhoCan,
    BreakGlass,
    Review,
    Approvals,
    Status,
    Runs,
    Output,
    Cancel,
    Retry,
    Halt,
    Resume,
    Accounts,
    Targets,
    Help,
}

impl Verb {
    /// In the order in which help tells them.
    pub const ALL: &[Verb] = &[
        Verb::List,
        Verb::Show,
        Verb::Plan,
        Verb::Run,
        Verb::Why,
        Verb::WhoCan,
        Verb::BreakGlass,
        Verb::Review,
        Verb::Approvals,
        Verb::Status,
        Verb::Runs,
        Verb::Output,
        Verb::Cancel,
        Verb::Retry,
        Verb::Halt,
        Verb::Resume,
        Verb::Accounts,
        Verb::Targets,
        Verb::Help,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::List => "list",
            Verb::Show => "show",
            Verb::Plan => "plan",
            Verb::Run => "run",
            Verb::Why => "why",
            Verb::WhoCan => "who-can",
            Verb::BreakGlass => "break-glass",
            Verb::Review => "review",
            Verb::Approvals => "approvals",
            Verb::Status => "status",
            Verb::Runs => "runs",
            Verb::Output => "output",
            Verb::Cancel => "cancel",
            Verb::Retry => "retry",
            Verb::Halt => "halt",
            Verb::Resume => "resume",
            Verb::Accounts => "accounts",
            Verb::Targets => "targets",
            Verb::Help => "help",
        }
    }

    /// The verb of this name. The case of letters does not count: phones capitalise the first word.
    #[must_use]
    pub fn named(word: &str) -> Option<Verb> {
        let word = word.to_lowercase();
        Verb::ALL.iter().copied().find(|v| v.as_str() == word)
    }
}
