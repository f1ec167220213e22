//! `muster completions`: what a shell needs to complete `muster`.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

/// Print the completion script of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  muster completions bash > /etc/bash_completion.d/muster\n  \
    muster completions zsh > ~/.zfunc/_muster\n  muster completions fish > ~/.config/fish/completions/muster.fish")]
pub struct Args {
    /// Which shell
    pub shell: Shell,
}

#[must_use]
pub fn run(args: &Args) -> ExitCode {
    clap_complete::generate(args.shell, &mut super::Cli::command(), "muster", &mut std::io::stdout());
    ExitCode::SUCCESS
}
