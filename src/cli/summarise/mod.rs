//! `muster summarise`: what the outputs of many nodes come to, from any tool that prints `node: line`.

mod against;
mod blocks;
mod gathered;
mod inventory;
mod line;
mod lines;
mod pieces;
mod store;
mod text;
mod texts;

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use regex::Regex;

use crate::redact::Redactor;
use crate::summary::{Input, Summary};

use super::terminal::Terminal;
use gathered::Gathered;
use inventory::Inventory;
use store::{Kept, Store};

/// Say what the outputs of many nodes come to: equal ones folded, the ones that differ told apart, with what they have in
/// common.
///
/// Reads `node: line` text as pdsh and clush print it, or `node<TAB>line` as `parallel --tag` does, from files or from
/// standard input; the lines of a node may stand anywhere. Outputs that differ only in numbers, times, ids, the node's own
/// name or the order of lines are alike; a value that few nodes have is never hidden. Secrets are taken out first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  clush -a nginx -v 2>&1 | muster summarise\n  \
    pdsh -a df -h / | muster summarise --inventory nodes.tsv\n  \
    parallel --tag -S .. --nonall systemctl is-active nginx | muster summarise --expect '^active$'\n  \
    muster summarise today.txt --against yesterday.txt\n\n\
    Exit codes: 0 told; 1 a node is not as --expect says, or said that it failed; 2 there is nothing to tell of.")]
pub struct Args {
    /// What is known of the nodes: TSV or CSV with a header, the first column the node
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// What every node has to print somewhere, as a regular expression; the others have failed
    #[arg(long, value_name = "REGEX", value_parser = expectation)]
    expect: Option<Regex>,
    /// An earlier output in the same form: say what changed since
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// Write which result each node is in: `node<TAB>number`, numbers as they are printed
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Print the text again without its secrets, by node, and nothing else
    #[arg(long, conflicts_with_all = ["expect", "against", "groups", "inventory", "json"])]
    redact_only: bool,
    /// Print one JSON object: `nodes`, `lines`, `skipped`, `findings`, `measures`, `secrets`, `changes`
    #[arg(long)]
    json: bool,
    /// Files of `node: line` text [default: standard input]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// `^` and `$` are the ends of a line, as `grep` has it.
fn expectation(text: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(text).multi_line(true).build().map_err(|why| why.to_string())
}

#[must_use]
pub fn run(args: &Args) -> ExitCode {
    match tell(args) {
        Ok(code) => code,
        Err(trouble) => {
            super::complain(trouble);
            ExitCode::from(2)
        }
    }
}

/// What one `muster summarise` found.
struct Told {
    gathered: Gathered,
    input: Input,
    summary: Summary,
}

fn tell(args: &Args) -> Result<ExitCode, String> {
    let redactor = Redactor::new(&rand::random::<[u8; 32]>());
    if args.redact_only {
        return redact(args, &redactor);
    }
    let inventory = args.inventory.as_deref().map(Inventory::read).transpose()?.unwrap_or_default();
    let mut gathered = gather(Gathered::to_summarise(), &args.files, &redactor)?;
    // Its lines are compared, and it is summarised only where nodes failed.
    let old = args.against.as_ref().map(|file| gather(Gathered::default(), std::slice::from_ref(file), &redactor));
    let old = old.transpose()?;
    let input = gathered.input(&inventory, args.expect.as_ref())?;
    let summary = gathered.summary(&input)?;
    let changes = old.map(|mut old| against::since(&mut old, &mut gathered)).transpose()?;
    let told = Told { gathered, input, summary };
    if let Some(file) = &args.groups {
        std::fs::write(file, text::groups(&told))
            .map_err(|why| format!("{}: cannot be written: {why}", file.display()))?;
    }
    let said = if args.json {
        format!("{:#}\n", text::json(&told, changes.as_ref())?)
    } else {
        text::text(&told, changes.as_ref(), &inventory, Terminal::stdout())?
    };
    print(&said)?;
    let good = told.summary.counts.succeeded == told.summary.counts.total;
    // The program ends, which gives back all of it at once.
    std::mem::forget(told);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whoever reads may go before the end, as `head` does.
fn print(text: &str) -> Result<(), String> {
    printed(std::io::stdout().lock().write_all(text.as_bytes()))
}

fn printed(written: std::io::Result<()>) -> Result<(), String> {
    match written {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot write: {why}")),
        _ => Ok(()),
    }
}

fn gather(mut gathered: Gathered, files: &[PathBuf], redactor: &Redactor) -> Result<Gathered, String> {
    each(files, |reader, name| gathered.read(reader, redactor).map_err(|why| format!("{name}: {why}")))?;
    gathered.finish(redactor)?;
    gathered.check().map(|()| gathered)
}

/// Opens each file, or standard input.
fn each(files: &[PathBuf], mut read: impl FnMut(&mut dyn Read, &str) -> Result<(), String>) -> Result<(), String> {
    if files.is_empty() {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            eprintln!("muster: reading `node: line` text from the terminal; end it with Ctrl-D");
        }
        return read(&mut stdin.lock(), "standard input");
    }
    for path in files {
        read(&mut open(path)?, &path.display().to_string())?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|why| format!("{}: cannot be read: {why}", path.display()))
}

fn redact(args: &Args, redactor: &Redactor) -> Result<ExitCode, String> {
    let mut gathered = Gathered::default();
    let mut copy = Copy::default();
    each(&args.files, |reader, name| {
        let mut copied = Copied { of: reader, to: &mut copy };
        gathered.read(&mut copied, redactor).map_err(|why| format!("{name}: {why}"))
    })?;
    gathered.finish(redactor)?;
    if gathered.check().is_ok() && gathered.is_all_of_nodes() {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let written = gathered.again(&mut out)?.and_then(|()| out.flush());
        printed(written)?;
    } else {
        // Any other text is the text of one, and not a line of it is left out.
        print(&redactor.redact(&String::from_utf8_lossy(&copy.whole()?)).text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All that came in, as it came.
#[derive(Default)]
struct Copy {
    store: Store,
    parts: Vec<Kept>,
    last: Vec<u8>,
    /// Why it is not all there.
    fault: Option<String>,
}

/// Bytes of one part of a [`Copy`].
const PART: usize = 4 << 20;

impl Copy {
    fn add(&mut self, bytes: &[u8]) {
        self.last.extend_from_slice(bytes);
        if self.last.len() >= PART {
            match self.store.put_away(std::mem::take(&mut self.last)) {
                Ok(part) => self.parts.push(part),
                Err(why) => self.fault = self.fault.take().or(Some(why)),
            }
        }
    }

    fn whole(mut self) -> Result<Vec<u8>, String> {
        if let Some(why) = self.fault {
            return Err(why);
        }
        let mut whole = Vec::new();
        for part in self.parts {
            whole.append(&mut self.store.take(part)?);
        }
        whole.append(&mut self.last);
        Ok(whole)
    }
}

/// Reads, and copies what is read.
struct Copied<'a> {
    of: &'a mut dyn Read,
    to: &'a mut Copy,
}

impl Read for Copied<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.of.read(buffer)?;
        self.to.add(&buffer[..read]);
        Ok(read)
    }
}
