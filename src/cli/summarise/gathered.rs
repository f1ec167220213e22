//! `node: line` text -> one redacted output for each node.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, Write};
use std::sync::Arc;

use foldhash::fast::RandomState;
use regex::Regex;

use crate::domain::{Digest, Outcome};
use crate::redact::{Redacted, Redactor};
use crate::summary::{Input, Outputs, Reader, Row, Summary, name_key, seen};

use super::inventory::Inventory;
use super::line::{End, Line, expand, parse, read_line, whole_lines};
use super::store::{Kept, Store};

/// No secret by itself, and one behind a name that says so.
const PROBE: &str = "Probe1x9Zq7w2";
/// Fewer texts are not worth a thread.
const SHARE: usize = 64;
/// What one node printed is kept up to here, in bytes; nobody reads further, and it is redacted as one text.
const NODE_MAX: usize = 32 << 20;
/// Bytes of texts that are worked on at once.
const AT_ONCE: usize = 16 << 20;

/// What was read, by node: in the order in which they first came, and by name at the end.
#[derive(Default)]
pub(super) struct Gathered {
    pub nodes: Vec<Node>,
    known: HashMap<String, Option<usize>, RandomState>,
    /// What came in of nodes whose lines seem to have ended, each different text once, with how many nodes have it.
    raw: HashMap<Digest, (Kept, usize), RandomState>,
    /// The redacted outputs, each once; empty until the end, because a key block may begin here and end there.
    outputs: HashMap<Digest, Kept, RandomState>,
    store: Store,
    /// Room for the lines of the next node.
    spare: Vec<u8>,
    /// Bytes of nodes that are not put away.
    open: usize,
    /// Lines of nodes.
    pub lines: u64,
    /// Lines in which the tool says how it ended on a node.
    ends: u64,
    /// Lines that are of no node.
    pub skipped: u64,
    /// The first of them, redacted.
    pub first_skipped: Option<String>,
    /// Lines of which the end was left out.
    pub cut: u64,
    /// Lines that came when their node had printed too much already.
    pub over: u64,
    /// Kind of secret to how many were taken out, of each different output once.
    pub secrets: BTreeMap<&'static str, u32>,
}

/// One node and what it printed.
pub(super) struct Node {
    pub name: String,
    /// What it printed so far, or nothing where that is put away as `kept`: first what had no room in memory.
    early: Vec<Kept>,
    raw: Vec<u8>,
    bytes: usize,
    kept: Option<Digest>,
    /// Its lines do not stand together.
    came_back: bool,
    output: Option<Digest>,
    exit_code: Option<i32>,
    /// What the tool says of it instead of an exit code, such as `command timeout`.
    trouble: Option<String>,
    /// The end of a line was left out, or whole lines at the end.
    cut: bool,
}

impl Gathered {
    /// Reads to the end. Nodes whose lines stand together are put away as soon as the next node begins.
    pub(super) fn read(&mut self, reader: &mut dyn BufRead, redactor: &Redactor) -> Result<(), String> {
        let unread = |why: std::io::Error| format!("cannot be read: {why}");
        let mut line = Vec::new();
        let mut last = None;
        // `node: ` as the line before began: most lines are of the same node as the one before.
        let mut head: Vec<u8> = Vec::new();
        loop {
            if let Some(at) = last.filter(|_| !head.is_empty()) {
                let buffer = match reader.fill_buf() {
                    Ok([]) => return Ok(()),
                    Ok(buffer) => buffer,
                    Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(why) => return Err(unread(why)),
                };
                let mut used = 0;
                for (line, end) in whole_lines(buffer, &head) {
                    self.add(at, line.strip_suffix(b"\r").unwrap_or(line), true)?;
                    used = end;
                }
                if used > 0 {
                    reader.consume(used);
                    continue;
                }
            }
            line.clear();
            let Some(whole) = read_line(reader, &mut line).map_err(unread)? else { return Ok(()) };
            self.cut += u64::from(!whole);
            if let Some(at) = last.filter(|_| !head.is_empty() && line.starts_with(&head)) {
                let rest = &line[head.len()..];
                self.add(at, rest.strip_suffix(b"\r").unwrap_or(rest), whole)?;
                continue;
            }
            let parsed = parse(&line);
            let known = match parsed {
                Line::Of(name, _) => self.node(name, redactor),
                Line::End(..) | Line::Nobody => None,
            };
            match parsed {
                Line::Of(_, rest) if known.is_some() => {
                    // Only in this form no other can be meant by what follows.
                    let blank = line.strip_suffix(b"\r").map_or(line.len(), <[u8]>::len) - rest.len();
                    head.clear();
                    head.extend_from_slice(if line[..blank].ends_with(b": ") { &line[..blank] } else { b"" });
                    let at = known.unwrap_or_default();
                    if last != Some(at) {
                        if let Some(before) = last.filter(|before: &usize| !self.nodes[*before].came_back) {
                            self.put_away(before)?;
                        }
                        self.take_back(at)?;
                        last = Some(at);
                    }
                    self.add(at, rest, whole)?;
                }
                Line::End(names, end) => {
                    self.ends += 1;
                    for name in expand(names) {
                        let Some(at) = self.node(&name, redactor) else { continue };
                        match end {
                            End::Exit(code) => self.nodes[at].exit_code = Some(code),
                            End::Trouble(why) => self.nodes[at].trouble = Some(redactor.redact(why).text),
                        }
                    }
                }
                Line::Nobody if line.iter().all(u8::is_ascii_whitespace) => {}
                Line::Of(..) | Line::Nobody => {
                    self.skipped += 1;
                    if self.first_skipped.is_none() {
                        let redacted = redactor.redact(&String::from_utf8_lossy(&line)).text;
                        self.first_skipped = Some(seen(&redacted).chars().take(200).collect());
                    }
                }
            }
        }
    }

    fn add(&mut self, at: usize, line: &[u8], whole: bool) -> Result<(), String> {
        let node = &mut self.nodes[at];
        self.lines += 1;
        node.cut |= !whole;
        if node.bytes + line.len() >= NODE_MAX {
            self.over += 1;
            // Nothing that comes later stands where this would have stood.
            (node.cut, node.bytes) = (true, NODE_MAX);
            return Ok(());
        }
        if node.raw.capacity() == 0 {
            node.raw = std::mem::take(&mut self.spare);
        }
        node.raw.extend_from_slice(line);
        node.raw.push(b'\n');
        node.bytes += line.len() + 1;
        self.open += line.len() + 1;
        if self.open > self.store.room() + AT_ONCE { self.make_room() } else { Ok(()) }
    }

    /// Puts away the lines of all nodes of which more may come.
    fn make_room(&mut self) -> Result<(), String> {
        for node in self.nodes.iter_mut().filter(|node| !node.raw.is_empty()) {
            node.early.push(self.store.put_away(std::mem::take(&mut node.raw))?);
        }
        self.open = 0;
        Ok(())
    }

    /// The place of a node; `None` where the name is a secret, or says that its value is one: `password: …` is no node.
    fn node(&mut self, name: &str, redactor: &Redactor) -> Option<usize> {
        if let Some(at) = self.known.get(name) {
            return *at;
        }
        let hides = |text: &str| !redactor.redact(text).found.is_empty();
        let probe = format!("{name}: {PROBE}");
        if Redactor::suspects(&probe) && (hides(name) || hides(&probe)) {
            self.known.insert(name.to_owned(), None);
            return None;
        }
        self.known.insert(name.to_owned(), Some(self.nodes.len()));
        self.nodes.push(Node {
            name: name.to_owned(),
            early: Vec::new(),
            raw: Vec::new(),
            bytes: 0,
            kept: None,
            came_back: false,
            output: None,
            exit_code: None,
            trouble: None,
            cut: false,
        });
        Some(self.nodes.len() - 1)
    }

    /// Every line was of a node and is there whole, so that node by node is all of it.
    pub(super) fn is_all_of_nodes(&self) -> bool {
        self.skipped == 0 && self.ends == 0 && self.cut == 0 && self.over == 0
    }

    /// Keeps what the node printed once for all that printed the same.
    fn put_away(&mut self, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        self.open -= node.raw.len();
        let mut raw = std::mem::take(&mut node.raw);
        if !node.early.is_empty() {
            let mut whole = Vec::new();
            for part in node.early.drain(..) {
                whole.append(&mut self.store.take(part)?);
            }
            whole.append(&mut raw);
            raw = whole;
        }
        if raw.is_empty() {
            return Ok(());
        }
        let key = Digest::of(&raw);
        node.kept = Some(key);
        match self.raw.get_mut(&key) {
            Some((_, nodes)) => *nodes += 1,
            None => drop(self.raw.insert(key, (self.store.keep(&raw)?, 1))),
        }
        raw.clear();
        self.spare = raw;
        Ok(())
    }

    /// A node that comes again goes on where it was. From then on it is not put away before the end.
    fn take_back(&mut self, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        let Some(key) = node.kept.take() else { return Ok(()) };
        node.came_back = true;
        let Some((raw, nodes)) = self.raw.remove(&key) else { return Ok(()) };
        if nodes > 1 {
            node.raw = self.store.text(&raw)?.into_owned();
            self.raw.insert(key, (raw, nodes - 1));
        } else {
            node.raw = self.store.take(raw)?;
        }
        self.open += node.raw.len();
        Ok(())
    }

    /// To be called after the last line: takes the secrets out of each different text.
    pub(super) fn finish(&mut self, redactor: &Redactor) -> Result<(), String> {
        for at in 0..self.nodes.len() {
            self.put_away(at)?;
        }
        // By what came in: what it is without its secrets, where it had any.
        let mut made: HashMap<Digest, Digest, RandomState> = HashMap::default();
        let mut rest = std::mem::take(&mut self.raw).into_iter().map(|(key, (raw, _))| (key, raw));
        loop {
            let (mut some, mut bytes) = (Vec::new(), 0);
            while bytes < AT_ONCE
                && let Some((key, raw)) = rest.next()
            {
                bytes += raw.len();
                some.push((key, raw));
            }
            if some.is_empty() {
                break;
            }
            let without_secrets = redact_all(&some, &self.store, redactor)?;
            for ((came, raw), redacted) in some.into_iter().zip(without_secrets) {
                let Some((key, redacted)) = redacted else {
                    self.outputs.insert(came, raw);
                    continue;
                };
                for (kind, n) in redacted.found {
                    *self.secrets.entry(kind).or_default() += n;
                }
                self.store.drop(raw);
                if !self.outputs.contains_key(&key) {
                    self.outputs.insert(key, self.store.keep(redacted.text.as_bytes())?);
                }
                made.insert(came, key);
            }
        }
        for node in &mut self.nodes {
            node.output = node.kept.map(|came| made.get(&came).copied().unwrap_or(came));
        }
        // Nothing that is told depends on who answered first.
        self.nodes.sort_by_cached_key(|node| name_key(&node.name));
        Ok(())
    }

    /// An error where it is not `node: line` text at all.
    pub(super) fn check(&self) -> Result<(), String> {
        let example = self.first_skipped.as_deref().unwrap_or_default();
        if self.nodes.is_empty() && self.skipped == 0 {
            return Err("there is nothing to tell of: no line came in".into());
        }
        if self.skipped > self.lines {
            return Err(format!(
                "this is not `node: line` text: {} of {} lines name no node, the first is `{example}`; have the tool \
                 print the node before each line, as pdsh, clush and `parallel --tag` do",
                self.skipped,
                self.skipped + self.lines,
            ));
        }
        Ok(())
    }

    /// Writes the redacted text once more, node by node.
    pub(super) fn again(&self, to: &mut impl Write) -> Result<std::io::Result<()>, String> {
        for node in &self.nodes {
            let output = node.output.map_or(Ok(None), |key| self.output(&key))?.unwrap_or_default();
            for line in output.lines() {
                if let Err(why) = writeln!(to, "{}: {line}", node.name) {
                    return Ok(Err(why));
                }
            }
        }
        Ok(Ok(()))
    }

    /// How each node ended, without what it printed.
    pub(super) fn input(&self, inventory: &Inventory, expect: Option<&Regex>) -> Result<Input, String> {
        // Asked once for each different output: what it lacks, where it is not as expected.
        let mut unmet: HashMap<Digest, String> = HashMap::new();
        if let Some(regex) = expect {
            for (key, kept) in &self.outputs {
                let text = self.read_kept(kept)?;
                let text = seen(&text);
                if !regex.is_match(&text) {
                    let last = text.lines().rev().find(|line| !line.trim().is_empty()).map(str::trim);
                    unmet.insert(*key, last.unwrap_or_default().to_owned());
                }
            }
        }
        let row = |(target, node): (u32, &Node)| {
            let failed = node.exit_code.filter(|code| *code != 0);
            let lacks = match node.output {
                Some(output) => unmet.get(&output).map(String::as_str),
                None => expect.map(|_| ""),
            };
            let unmet = expect.zip(lacks).map(|(regex, last)| match last {
                "" => format!("printed nothing, expected `{regex}`"),
                last => format!("printed `{last}`, expected `{regex}`"),
            });
            let good = failed.is_none() && node.trouble.is_none() && unmet.is_none();
            Row {
                target,
                outcome: Some(if good { Outcome::Succeeded } else { Outcome::Failed }),
                exit_code: failed,
                cause: node.trouble.clone().or(unmet),
                output: node.output,
                cut: node.cut,
                attributes: inventory.of(&node.name),
                name: node.name.clone(),
                ..Row::default()
            }
        };
        Ok(Input { rows: (0..).zip(&self.nodes).map(row).collect(), ..Input::default() })
    }

    /// What it comes to. The texts are in memory a few at a time.
    pub(super) fn summary(&self, input: &Input) -> Result<Summary, String> {
        let mut reader = Reader::with_threads(super::cores());
        let summary = reader.summarise_by(input, |wanted| {
            let (mut some, mut bytes) = (Outputs::new(), 0);
            while bytes < AT_ONCE
                && let Some(key) = wanted.next()
            {
                if let Some(text) = self.output(&key)? {
                    bytes += text.len();
                    some.insert(key, text);
                }
            }
            Ok::<_, String>(some)
        });
        // To give back a million pieces of memory takes as long as to sort them, and the program ends soon.
        std::mem::forget(reader);
        summary
    }

    /// What a node printed, redacted.
    pub(super) fn text(&self, node: usize) -> Result<Arc<str>, String> {
        let output = self.nodes.get(node).and_then(|node| node.output);
        Ok(output.map_or(Ok(None), |key| self.output(&key))?.unwrap_or_default())
    }

    pub(super) fn output(&self, key: &Digest) -> Result<Option<Arc<str>>, String> {
        self.outputs.get(key).map(|kept| self.read_kept(kept).map(Arc::from)).transpose()
    }

    fn read_kept<'k>(&self, kept: &'k Kept) -> Result<Cow<'k, str>, String> {
        Ok(match self.store.text(kept)? {
            Cow::Borrowed(text) => {
                std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed)
            }
            Cow::Owned(text) => Cow::Owned(lossy(text)),
        })
    }
}

/// Most texts are UTF-8, which is quickly seen.
fn lossy(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_else(|not| String::from_utf8_lossy(not.as_bytes()).into_owned())
}

/// Each text without its secrets, with its key; `None` where it has none. On all cores.
fn redact_all(
    texts: &[(Digest, Kept)],
    store: &Store,
    redactor: &Redactor,
) -> Result<Vec<Option<(Digest, Redacted)>>, String> {
    let one = |(_, kept): &(Digest, Kept)| {
        let raw = store.text(kept)?;
        if std::str::from_utf8(&raw).is_ok_and(|text| !Redactor::suspects(text)) {
            return Ok(None);
        }
        let redacted = redactor.redact(&String::from_utf8_lossy(&raw));
        Ok(Some((Digest::of(redacted.text.as_bytes()), redacted)))
    };
    let share = texts.len().div_ceil(super::cores()).max(SHARE);
    std::thread::scope(|scope| {
        let one = &one;
        let shares = texts.chunks(share).map(|share| scope.spawn(move || share.iter().map(one).collect::<Vec<_>>()));
        let shares: Vec<_> = shares.collect();
        // A panic in a thread is a fault in this one too.
        shares
            .into_iter()
            .flat_map(|share| share.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault)))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(text: &[u8]) -> Gathered {
        let redactor = Redactor::new(b"key");
        let mut gathered = Gathered::default();
        gathered.read(&mut &*text, &redactor).unwrap();
        gathered.finish(&redactor).unwrap();
        gathered
    }

    fn again(gathered: &Gathered) -> String {
        let mut text = Vec::new();
        gathered.again(&mut text).unwrap().unwrap();
        String::from_utf8(text).unwrap()
    }

    fn told(gathered: &Gathered) -> Vec<(String, String)> {
        let text = |at: usize| gathered.text(at).unwrap().to_string();
        gathered.nodes.iter().zip(0..).map(|(node, at)| (node.name.clone(), text(at))).collect()
    }

    #[test]
    fn lines_of_a_node_may_stand_anywhere_and_equal_outputs_are_kept_once() {
        let together = gather(b"a: 1\na: 2\nb: 1\nb: 2\nc: 3\n");
        let mixed = gather(b"a: 1\nb: 1\nc: 3\nb: 2\na: 2\n");
        assert_eq!(told(&together), told(&mixed));
        assert_eq!((together.outputs.len(), mixed.outputs.len()), (2, 2));
        assert_eq!(told(&together)[1], ("b".to_owned(), "1\n2\n".to_owned()));
    }

    #[test]
    fn no_line_is_lost_without_a_count() {
        let gathered = gather(b"a: 1\nwhat is this\n\n  \nb: 2");
        assert_eq!((gathered.lines, gathered.skipped), (2, 1));
        assert_eq!(gathered.first_skipped.as_deref(), Some("what is this"));
        assert!(gathered.check().is_ok());
        let long = [b"a: ".to_vec(), vec![b'x'; 3 << 20], b"\na: 2\n".to_vec()].concat();
        let gathered = gather(&long);
        assert_eq!((gathered.lines, gathered.cut), (2, 1));
    }

    #[test]
    fn text_of_another_form_is_refused_with_an_example_and_what_to_do() {
        let why = gather(b"one\ntwo\nthree: 3\n").check().unwrap_err();
        assert_eq!(
            why,
            "this is not `node: line` text: 2 of 3 lines name no node, the first is `one`; have the tool print the node \
             before each line, as pdsh, clush and `parallel --tag` do"
        );
        assert_eq!(gather(b"").check().unwrap_err(), "there is nothing to tell of: no line came in");
        assert!(gather(&[0xff, 0xfe, 0, b'\n', 7, b'\n']).check().is_err());
    }

    #[test]
    fn secrets_go_before_anything_is_kept_and_equal_ones_still_look_equal() {
        let gathered = gather(b"a: DB_PASSWORD=hunter2hunter2\nb: DB_PASSWORD=hunter2hunter2\nc: fine\n");
        assert_eq!(gathered.outputs.len(), 2);
        assert!(!again(&gathered).contains("hunter2"), "{}", again(&gathered));
        assert_eq!(gathered.secrets, [("password", 1)].into());
    }

    #[test]
    fn a_key_whose_lines_are_strewn_among_those_of_others_goes_whole() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
        let lines = ["-----BEGIN PRIVATE KEY-----", body, "-----END PRIVATE KEY-----", "done"];
        let text: String = lines.iter().map(|line| format!("a: {line}\nb: waits\n")).collect();
        let gathered = gather(text.as_bytes());
        assert!(!again(&gathered).contains("MIIE"), "{}", again(&gathered));
        assert!(
            again(&gathered).ends_with("b: waits\nb: waits\nb: waits\nb: waits\n")
                && again(&gathered).contains("a: done")
        );
        assert_eq!(gathered.secrets, [("private-key", 1)].into());
    }

    #[test]
    fn a_name_that_says_that_its_value_is_a_secret_is_no_node() {
        let secret = ["hunter2"; 2].concat();
        let gathered = gather(format!("password: {secret}\nuser: bob\nweb-1: fine\n").as_bytes());
        assert_eq!(gathered.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["user", "web-1"]);
        assert_eq!(gathered.skipped, 1);
        assert!(!gathered.first_skipped.unwrap().contains("hunter2"));
        assert!(gather(format!("https://bob:{secret}@git.corp: refused\n").as_bytes()).nodes.is_empty());
    }

    #[test]
    fn a_node_of_which_the_tool_says_no_good_has_failed_with_it() {
        let gathered = gather(
            b"web-1: up\nweb-2: up\npdsh@desk: web-1: command timeout\nclush: web-[2-3]: exited with exit code 3\n",
        );
        let input = gathered.input(&Inventory::default(), None).unwrap();
        let told: Vec<_> = input.rows.iter().map(|r| (r.name.as_str(), r.cause.as_deref(), r.exit_code)).collect();
        assert_eq!(
            told,
            [("web-1", Some("command timeout"), None), ("web-2", None, Some(3)), ("web-3", None, Some(3))]
        );
        assert!(input.rows.iter().all(|row| row.outcome == Some(Outcome::Failed)));
    }

    #[test]
    fn who_says_that_it_failed_or_is_not_as_expected_has_failed() {
        let gathered = gather(b"a: active\nb: active\nc: failed\npdsh@x: b: ssh exited with exit code 3\n");
        let regex = Regex::new("(?m)^active$").unwrap();
        let input = gathered.input(&Inventory::default(), Some(&regex)).unwrap();
        let ends: Vec<_> = input.rows.iter().map(|row| (row.outcome.unwrap(), row.exit_code)).collect();
        assert_eq!(ends, [(Outcome::Succeeded, None), (Outcome::Failed, Some(3)), (Outcome::Failed, None)]);
        assert_eq!(input.rows[2].cause.as_deref(), Some("printed `failed`, expected `(?m)^active$`"));
        // Colours are not seen, and so not asked about.
        let coloured = gather(b"a: \x1b[32mactive\x1b[0m\n").input(&Inventory::default(), Some(&regex)).unwrap();
        assert_eq!(coloured.rows[0].outcome, Some(Outcome::Succeeded));
    }
}
