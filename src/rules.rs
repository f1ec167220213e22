//! Where the runbooks and policies come from, and how a change of them takes effect: whole or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::fault::closest;
use crate::domain::{Digest, Fault, Position};
use crate::engine::rulebook::{Rulebook, Rules};
use crate::policy::{self, PolicySet};
use crate::runbook::{Library, Runbook};
use crate::{shipped, telemetry};

/// The folders are looked at this often. A change has to be seen twice, and is in force within a second.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Where the files are.
#[derive(Debug, Clone)]
pub enum Source {
    /// Those inside the binary.
    Shipped,
    Folders {
        runbooks: PathBuf,
        policies: PathBuf,
    },
}

/// Path and text of every file, in the order of their names.
pub type Files = Vec<(PathBuf, String)>;

impl Source {
    /// Every file's text: runbooks and policies.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(&self) -> Result<(Files, Files), Vec<Fault>> {
        match self {
            Source::Shipped => Ok((owned(shipped::RUNBOOKS), owned(shipped::POLICIES))),
            Source::Folders { runbooks, policies } => match (read_folder(runbooks), read_folder(policies)) {
                (Ok(runbooks), Ok(policies)) => Ok((runbooks, policies)),
                (runbooks, policies) => {
                    let faults = [runbooks.err(), policies.err()];
                    Err(faults.into_iter().flatten().flatten().collect())
                }
            },
        }
    }
}

/// Path and text of every `*.toml` of a folder, by name.
///
/// # Errors
/// What cannot be read, as faults.
pub fn read_folder(folder: &Path) -> Result<Files, Vec<Fault>> {
    let entries = std::fs::read_dir(folder)
        .map_err(|e| vec![unreadable(folder, &e, "name an existing folder under `[paths]` or on the command line")])?;
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Ok(entry) if entry.path().extension().is_some_and(|e| e == "toml") => {
                match std::fs::read_to_string(entry.path()) {
                    Ok(text) => files.push((entry.path(), text)),
                    Err(e) => faults.push(unreadable(&entry.path(), &e, "make it a readable file of UTF-8 text")),
                }
            }
            Ok(_) => {}
            Err(e) => faults.push(unreadable(folder, &e, "check the folder's permissions")),
        }
    }
    files.sort();
    faults.sort_by(|a, b| a.file.cmp(&b.file));
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

/// The fault of a file or folder that cannot be read.
#[must_use]
pub fn unreadable(file: &Path, e: &std::io::Error, remedy: &str) -> Fault {
    Fault { file: file.to_owned(), at: None, what: format!("cannot be read: {e}"), remedy: remedy.to_owned() }
}

fn owned(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect()
}

/// Parses, lints and joins both kinds of files.
///
/// # Errors
/// Every fault of every file.
pub fn check(runbooks: &Files, policies: &Files) -> Result<Rules, Vec<Fault>> {
    let library = Library::load(runbooks.iter().map(|(path, text)| (path, text)));
    let known: Option<Vec<&Runbook>> =
        library.as_ref().ok().map(|library| library.runbooks.values().map(AsRef::as_ref).collect());
    let set = policy::load::load(policies, known.as_deref());
    match (library, set) {
        (Ok(library), Ok(policy)) => {
            let faults = unknown_gatekeepers(runbooks, &library, &policy);
            if faults.is_empty() { Ok(Rules { runbooks: library, policy }) } else { Err(faults) }
        }
        (library, set) => {
            let mut faults = library.err().unwrap_or_default();
            faults.extend(set.err().unwrap_or_default());
            Err(faults)
        }
    }
}

/// Gates whose group no policy file defines: nobody could ever pass them.
#[must_use]
pub fn unknown_gatekeepers(files: &Files, library: &Library, policy: &PolicySet) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in files {
        let name = path.file_stem().and_then(|stem| stem.to_string_lossy().parse().ok());
        let Some(runbook) = name.and_then(|name| library.get(&name)) else { continue };
        for gate in runbook.steps.iter().filter_map(|step| step.gate.as_ref()) {
            if policy.groups.contains_key(&gate.from) {
                continue;
            }
            let at = text.find(&format!("\"{}\"", gate.from)).map(|byte| Position::of(text, byte));
            let near = closest(&gate.from, policy.groups.keys().map(String::as_str));
            faults.push(Fault {
                file: path.clone(),
                at,
                what: format!("the gate asks `{}`, a group that no policy file defines", gate.from),
                remedy: match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "name a group of the policy, or define it under `[groups]`".to_owned(),
                },
            });
        }
    }
    faults
}

/// What was read last, so that only changes are read again.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// What was judged.
    last: Option<Digest>,
    /// What was read once, and is taken if it is read the same again.
    once: Option<Digest>,
}

impl Seen {
    /// What one reading means: `None` where there is nothing new.
    ///
    /// A file that is caught while it is written may be a valid half of itself, with the forbids cut off. So a change counts
    /// only when it is read the same twice; `forced` is a word from somebody who says that it is whole.
    fn judge(&mut self, read: Result<(Files, Files), Vec<Fault>>, forced: bool) -> Option<Result<Rules, Vec<Fault>>> {
        let mark = match &read {
            Ok(files) => fingerprint(files),
            Err(faults) => Digest::of(format!("{faults:?}").as_bytes()),
        };
        if !forced && self.last == Some(mark) {
            self.once = None;
            return None;
        }
        if !forced && self.once != Some(mark) {
            self.once = Some(mark);
            return None;
        }
        (self.last, self.once) = (Some(mark), None);
        Some(read.and_then(|(books, policies)| check(&books, &policies)))
    }
}

/// The rules at the start. Where no valid set is there, nothing is permitted until one is.
#[must_use]
pub fn first(source: &Source) -> (Rulebook, Seen, Vec<Fault>) {
    let read = source.read();
    let seen = Seen { last: read.as_ref().ok().map(fingerprint), once: None };
    match read.and_then(|(books, policies)| check(&books, &policies)) {
        Ok(rules) => (Rulebook::new(rules), seen, Vec::new()),
        Err(faults) => {
            (Rulebook::new(Rules { runbooks: Library::empty(), policy: PolicySet::deny_all() }), seen, faults)
        }
    }
}

/// Looks for changes until dropped, and at once when `nudged` (SIGHUP). A broken set leaves the good one in force and
/// is told once.
pub async fn keep_current(source: Source, rulebook: Arc<Rulebook>, mut seen: Seen, nudged: Arc<tokio::sync::Notify>) {
    loop {
        let forced = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            () = nudged.notified() => true,
        };
        let (source, rulebook) = (source.clone(), rulebook.clone());
        // Tests are asked too, which may take a while.
        let looked = tokio::task::spawn_blocking(move || {
            look(source.read(), &rulebook, &mut seen, forced);
            seen
        });
        let Ok(now) = looked.await else { continue };
        seen = now;
    }
}

/// One look: what is new and valid is in force when it returns, and nothing else is.
fn look(read: Result<(Files, Files), Vec<Fault>>, rulebook: &Rulebook, seen: &mut Seen, forced: bool) {
    match seen.judge(read, forced) {
        None => {}
        Some(Ok(rules)) => {
            tracing::info!(runbooks = rules.runbooks.runbooks.len(), policy = %rules.policy.revision.short(12), "runbooks and policies are in force");
            rulebook.swap(rules);
            metrics::gauge!(telemetry::RULES_STALE).set(0.0);
        }
        Some(Err(faults)) => {
            metrics::gauge!(telemetry::RULES_STALE).set(1.0);
            tracing::error!(
                faults = faults.len(),
                "the changed runbooks or policies are not valid; those before stay in force"
            );
            for fault in &faults {
                tracing::error!("{fault}");
            }
        }
    }
}

fn fingerprint((books, policies): &(Files, Files)) -> Digest {
    let mut text = Vec::new();
    for (path, content) in books.iter().chain(policies) {
        text.extend_from_slice(path.to_string_lossy().as_bytes());
        text.push(0);
        text.extend_from_slice(Digest::of(content.as_bytes()).bytes());
    }
    Digest::of(&text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn shipped() -> (Files, Files) {
        Source::Shipped.read().unwrap()
    }

    /// The policy cut off somewhere, often just before a table, or with some of it written over.
    fn damaged((books, policies): (Files, Files), rng: &mut StdRng) -> (Files, Files) {
        let (path, text) = policies[0].clone();
        let tables: Vec<usize> = text.match_indices("\n[").map(|(at, _)| at + 1).collect();
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let text = match rng.random_range(0..3) {
            0 => text[..tables[rng.random_range(1..tables.len())]].to_owned(),
            1 => text[..ends[rng.random_range(1..ends.len())]].to_owned(),
            _ => {
                let at = ends[rng.random_range(1..ends.len())];
                format!("{}\u{0}{}", &text[..at], &text[at..])
            }
        };
        (books, vec![(path, text)])
    }

    #[test]
    fn a_file_that_is_caught_half_written_changes_nothing_even_where_the_half_is_valid() {
        let seed = std::env::var("MUSTER_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_129);
        println!("MUSTER_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let (rulebook, mut seen, faults) = first(&Source::Shipped);
        assert!(faults.is_empty(), "{faults:#?}");
        let before = rulebook.current().policy.clone();
        let (mut valid, mut milder) = (0, 0);
        for _ in 0..1_000 {
            let torn = damaged(shipped(), &mut rng);
            if let Ok(policy) = policy::load(&torn.1, None) {
                valid += 1;
                milder += u32::from(policy.forbids.len() < before.forbids.len());
            }
            assert!(seen.judge(Ok(torn), false).is_none(), "it was read once");
            // The writer has finished.
            assert!(seen.judge(Ok(shipped()), false).is_none(), "it is what is in force");
        }
        println!("1000 torn readings, {valid} of them valid in themselves, {milder} with fewer forbids");
        assert!(valid > 50 && milder > 10, "too few to mean anything: {valid}, {milder}");
    }

    #[test]
    fn a_thousand_corrupted_files_that_stay_as_they_are_change_nothing() {
        let seed = std::env::var("MUSTER_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_130);
        println!("MUSTER_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let (rulebook, mut seen, _) = first(&Source::Shipped);
        let before = rulebook.current();
        let mut corrupted = 0;
        while corrupted < 1_000 {
            let mut torn = damaged(shipped(), &mut rng);
            // To read them all a thousand times would show nothing more: the policy itself is broken.
            torn.0.truncate(1);
            if policy::load(&torn.1, None).is_ok() {
                // A valid file is a change that somebody may have made.
                continue;
            }
            corrupted += 1;
            look(Ok(torn.clone()), &rulebook, &mut seen, false);
            look(Ok(torn), &rulebook, &mut seen, rng.random_bool(0.1));
            assert!(Arc::ptr_eq(&before, &rulebook.current()), "after {corrupted} files");
        }
    }

    #[test]
    fn what_stays_broken_leaves_the_good_set_in_force_and_is_told_once() {
        let (_, mut seen, _) = first(&Source::Shipped);
        let broken = || {
            let (books, policies) = shipped();
            (books, vec![(policies[0].0.clone(), format!("{}\n[[grant]]\n", policies[0].1))])
        };
        assert!(seen.judge(Ok(broken()), false).is_none());
        assert!(matches!(seen.judge(Ok(broken()), false), Some(Err(_))), "read twice, and judged");
        assert!(seen.judge(Ok(broken()), false).is_none(), "told once");
        assert!(matches!(seen.judge(Ok(shipped()), true), Some(Ok(_))), "at somebody's word it is judged at once");
    }

    #[test]
    fn a_change_that_a_test_of_the_file_speaks_against_is_never_in_force() {
        let (_, mut seen, _) = first(&Source::Shipped);
        let (books, policies) = shipped();
        let wider = policies[0].1.replace("targets_over = 50", "targets_over = 500");
        assert_ne!(wider, policies[0].1);
        let mut policies = policies.clone();
        policies[0].1 = wider;
        let changed = || Ok((books.clone(), policies.clone()));
        assert!(seen.judge(changed(), false).is_none());
        let Some(Err(faults)) = seen.judge(changed(), false) else { panic!("it was taken") };
        assert!(faults[0].what.starts_with("the test `51 changes in production take two SREs` wants"), "{faults:?}");
    }

    #[tokio::test]
    async fn a_change_in_the_folders_is_in_force_soon_and_whole() {
        let folder = std::env::temp_dir().join(format!("muster-rules-{}", std::process::id()));
        let (runbooks, policies) = (folder.join("runbooks"), folder.join("policies"));
        for path in [&runbooks, &policies] {
            std::fs::create_dir_all(path).unwrap();
        }
        let (books, rules) = shipped();
        for (path, text) in books {
            std::fs::write(runbooks.join(path.file_name().unwrap()), text).unwrap();
        }
        let file = policies.join("default.toml");
        std::fs::write(&file, &rules[0].1).unwrap();
        let source = Source::Folders { runbooks, policies };
        let (rulebook, seen, faults) = first(&source);
        assert!(faults.is_empty(), "{faults:#?}");
        let rulebook = Arc::new(rulebook);
        let keeping = tokio::spawn(keep_current(source, rulebook.clone(), seen, Arc::default()));
        let more = "\n[[forbid]]\nid = \"now\"\nrun = { names = [\"sudoers\"] }\nbecause = \"x\"\n";
        std::fs::write(&file, format!("{}{more}", rules[0].1)).unwrap();
        let ids = || rulebook.current().policy.forbids.iter().map(|f| f.id.clone()).collect::<BTreeSet<_>>();
        let changed = async {
            while !ids().contains("now") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let changed = tokio::time::timeout(Duration::from_secs(30), changed).await;
        keeping.abort();
        std::fs::remove_dir_all(&folder).unwrap();
        changed.expect("the change was never in force");
    }
}
