//! `node: line` text -> one redacted output for each node.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::BufRead;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::domain::{Digest, Outcome};
use crate::redact::{Redacted, Redactor};
use crate::summary::{Input, Row, by_name, seen};

use super::inventory::Inventory;

/// Longer names are none: it is the longest that DNS knows.
const NAME_MAX: usize = 253;
/// A line is read up to here, in bytes; nobody reads further, and one node must not take all the memory.
const LINE_MAX: usize = 1 << 20;

/// No secret by itself, and one behind a name that says so.
const PROBE: &str = "Probe1x9Zq7w2";
/// What people have in front of a colon and is no node: the tools themselves.
const TOOLS: &[&str] = &["ssh", "bash", "sh", "sudo", "curl", "clush", "clubak", "pdsh", "parallel", "xargs"];
/// Fewer texts are not worth a thread.
const SHARE: usize = 64;
/// Nodes that one set such as `web-[1-300]` stands for at most.
const SET_MAX: usize = 10_000;

/// What was read, by node: in the order in which they first came, and by name at the end.
#[derive(Default)]
pub(super) struct Gathered {
    pub nodes: Vec<Node>,
    known: HashMap<String, Option<usize>>,
    /// What came in of nodes whose lines seem to have ended, each different text once, with how many nodes have it.
    raw: HashMap<Digest, (Vec<u8>, usize)>,
    /// The redacted outputs, each once; empty until the end, because a key block may begin here and end there.
    outputs: BTreeMap<Digest, Arc<str>>,
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
    /// Kind of secret to how many were taken out, of each different output once.
    pub secrets: BTreeMap<&'static str, u32>,
}

/// One node and what it printed.
pub(super) struct Node {
    pub name: String,
    /// What it printed so far, or nothing where that is put away as `kept`.
    raw: Vec<u8>,
    kept: Option<Digest>,
    /// Its lines do not stand together.
    came_back: bool,
    output: Option<Digest>,
    exit_code: Option<i32>,
    /// What the tool says of it instead of an exit code, such as `command timeout`.
    trouble: Option<String>,
    /// The end of a line was left out.
    cut: bool,
}

/// One line of what was read.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Of(&'a str, &'a [u8]),
    /// pdsh and clush say on standard error how it ended on a node, or on a set of them.
    End(&'a str, End<'a>),
    Nobody,
}

#[derive(Debug, PartialEq, Eq)]
enum End<'a> {
    Exit(i32),
    Trouble(&'a str),
}

impl Gathered {
    /// Reads to the end. Nodes whose lines stand together are put away as soon as the next node begins.
    pub(super) fn read(&mut self, reader: &mut dyn BufRead, redactor: &Redactor) -> std::io::Result<()> {
        let mut line = Vec::new();
        let mut last = None;
        // `node: ` as the line before began: most lines are of the same node as the one before.
        let mut head: Vec<u8> = Vec::new();
        loop {
            line.clear();
            let Some(whole) = read_line(reader, &mut line)? else { return Ok(()) };
            self.cut += u64::from(!whole);
            if let Some(at) = last.filter(|_| !head.is_empty() && line.starts_with(&head)) {
                let rest = &line[head.len()..];
                self.add(at, rest.strip_suffix(b"\r").unwrap_or(rest), whole);
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
                    let blank = line.len() - rest.len();
                    head.clear();
                    head.extend_from_slice(if line[..blank].ends_with(b": ") { &line[..blank] } else { b"" });
                    let at = known.unwrap_or_default();
                    if last != Some(at) {
                        if let Some(before) = last.filter(|before: &usize| !self.nodes[*before].came_back) {
                            self.put_away(before);
                        }
                        self.take_back(at);
                        last = Some(at);
                    }
                    self.add(at, rest, whole);
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

    fn add(&mut self, at: usize, line: &[u8], whole: bool) {
        let node = &mut self.nodes[at];
        node.raw.extend_from_slice(line);
        node.raw.push(b'\n');
        node.cut |= !whole;
        self.lines += 1;
    }

    /// The place of a node; `None` where the name is a secret, or says that its value is one: `password: …` is no node.
    fn node(&mut self, name: &str, redactor: &Redactor) -> Option<usize> {
        if let Some(at) = self.known.get(name) {
            return *at;
        }
        let hides = |text: &str| Redactor::suspects(text) && !redactor.redact(text).found.is_empty();
        if hides(name) || hides(&format!("{name}: {PROBE}")) {
            self.known.insert(name.to_owned(), None);
            return None;
        }
        self.known.insert(name.to_owned(), Some(self.nodes.len()));
        self.nodes.push(Node {
            name: name.to_owned(),
            raw: Vec::new(),
            kept: None,
            came_back: false,
            output: None,
            exit_code: None,
            trouble: None,
            cut: false,
        });
        Some(self.nodes.len() - 1)
    }

    /// Every line was of a node, so that node by node is all of it.
    pub(super) fn is_all_of_nodes(&self) -> bool {
        self.skipped == 0 && self.ends == 0
    }

    /// Keeps what the node printed once for all that printed the same.
    fn put_away(&mut self, at: usize) {
        let raw = std::mem::take(&mut self.nodes[at].raw);
        if !raw.is_empty() {
            let key = Digest::of(&raw);
            self.raw.entry(key).or_insert((raw, 0)).1 += 1;
            self.nodes[at].kept = Some(key);
        }
    }

    /// A node that comes again goes on where it was. From then on it is not put away before the end.
    fn take_back(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let Some(key) = node.kept.take() else { return };
        node.came_back = true;
        if let Some((raw, nodes)) = self.raw.get_mut(&key) {
            *nodes -= 1;
            node.raw = if *nodes == 0 { std::mem::take(raw) } else { raw.clone() };
            if *nodes == 0 {
                self.raw.remove(&key);
            }
        }
    }

    /// To be called after the last line: takes the secrets out of each different text.
    pub(super) fn finish(&mut self, redactor: &Redactor) {
        (0..self.nodes.len()).for_each(|at| self.put_away(at));
        let mut made: HashMap<Digest, Digest> = HashMap::new();
        let raw: Vec<(Digest, Vec<u8>)> =
            std::mem::take(&mut self.raw).into_iter().map(|(key, (raw, _))| (key, raw)).collect();
        for (came, key, redacted) in redact_all(raw, redactor) {
            for (kind, n) in redacted.found {
                *self.secrets.entry(kind).or_default() += n;
            }
            self.outputs.entry(key).or_insert_with(|| redacted.text.into());
            made.insert(came, key);
        }
        for node in &mut self.nodes {
            node.output = node.kept.and_then(|came| made.get(&came).copied());
        }
        // Nothing that is told depends on who answered first.
        self.nodes.sort_by(|a, b| by_name(&a.name, &b.name));
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

    /// The redacted text once more, node by node.
    pub(super) fn again(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            let output = node.output.and_then(|key| self.outputs.get(&key)).map_or("", |text| text);
            for line in output.lines() {
                let _ = writeln!(text, "{}: {line}", node.name);
            }
        }
        text
    }

    pub(super) fn input(&self, inventory: &Inventory, expect: Option<&Regex>) -> Input {
        // Asked once for each different output.
        let met: BTreeMap<Digest, bool> = expect.map_or_else(BTreeMap::new, |regex| {
            self.outputs.iter().map(|(key, text)| (*key, regex.is_match(&seen(text)))).collect()
        });
        let row = |(target, node): (u32, &Node)| {
            let failed = node.exit_code.filter(|code| *code != 0);
            let met = expect.is_none() || node.output.is_some_and(|key| met.get(&key) == Some(&true));
            let good = failed.is_none() && node.trouble.is_none() && met;
            let unmet = expect.filter(|_| !met).map(|regex| {
                let said = node.output.and_then(|key| self.outputs.get(&key)).map(|text| seen(text).into_owned());
                match said.as_deref().unwrap_or_default().lines().rev().find(|line| !line.trim().is_empty()) {
                    Some(last) => format!("printed `{}`, expected `{regex}`", last.trim()),
                    None => format!("printed nothing, expected `{regex}`"),
                }
            });
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
        Input { rows: (0..).zip(&self.nodes).map(row).collect(), outputs: self.outputs.clone(), ..Input::default() }
    }

    /// What a node printed, redacted.
    pub(super) fn text(&self, node: usize) -> &str {
        self.nodes.get(node).and_then(|n| self.outputs.get(&n.output?)).map_or("", |text| text)
    }

    pub(super) fn output(&self, key: &Digest) -> Option<&Arc<str>> {
        self.outputs.get(key)
    }
}

/// Takes the secrets out of each text, on all cores, and gives both keys.
fn redact_all(raw: Vec<(Digest, Vec<u8>)>, redactor: &Redactor) -> Vec<(Digest, Digest, Redacted)> {
    let one = |(came, raw): (Digest, Vec<u8>)| {
        let redacted = redactor.redact(&String::from_utf8_lossy(&raw));
        (came, Digest::of(redacted.text.as_bytes()), redacted)
    };
    let threads = super::cores();
    let mut rest = raw;
    let share = rest.len().div_ceil(threads).max(SHARE);
    let mut parts = Vec::new();
    while rest.len() > share {
        parts.push(rest.split_off(rest.len() - share));
    }
    std::thread::scope(|scope| {
        let one = &one;
        let others = parts.into_iter().map(|part| scope.spawn(move || part.into_iter().map(one).collect::<Vec<_>>()));
        let others: Vec<_> = others.collect();
        let mut all: Vec<_> = rest.into_iter().map(one).collect();
        for other in others {
            all.extend(other.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault)));
        }
        all
    })
}

/// Appends a line without its end; `Some(false)` if something of it was left out, `None` at the end.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    let (mut any, mut whole) = (false, true);
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(why),
        };
        if buffer.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = buffer.iter().position(|b| *b == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = LINE_MAX.saturating_sub(line.len());
        whole &= part.len() <= room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

/// Which node a line is of. A name has no blank in it and ends at the first `: `, at a tab, or at a colon that ends the line.
fn parse(line: &[u8]) -> Line<'_> {
    static END: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:pdsh@[^\s:]+|clush): (\S+?)(?: \(\d+\))?: (.+?)\s*$").expect("a constant"));
    static EXIT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:ssh )?exited with exit code (\d{1,3})$").expect("a constant"));
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"pdsh@") || line.starts_with(b"clush: ") {
        let end = std::str::from_utf8(line).ok().and_then(|text| END.captures(text));
        return end.map_or(Line::Nobody, |found| {
            let (names, why) = (found.get(1).map_or("", |m| m.as_str()), found.get(2).map_or("", |m| m.as_str()));
            let code = EXIT.captures(why).and_then(|exit| exit[1].parse().ok());
            Line::End(names, code.map_or(End::Trouble(why), End::Exit))
        });
    }
    let head = &line[..line.len().min(NAME_MAX + 2)];
    let ends = |at: usize| match head[at] {
        b'\t' => Some((at, at + 1)),
        b':' => match line.get(at + 1) {
            None => Some((at, at + 1)),
            Some(b' ' | b'\t') => Some((at, at + 2)),
            Some(_) => None,
        },
        _ => None,
    };
    let found = (0..head.len()).take_while(|at| head[*at] != b' ').find_map(ends);
    let name = found.and_then(|(end, from)| Some((std::str::from_utf8(&line[..end]).ok()?, from)));
    match name.filter(|(name, _)| is_name(name)) {
        Some((name, from)) => Line::Of(name, line.get(from..).unwrap_or_default()),
        None => Line::Nobody,
    }
}

/// A host, an address, a container, `user@host`: nothing that only looks like the start of a sentence in brackets, and no
/// folded set of nodes, which would count as one.
fn is_name(name: &str) -> bool {
    let inside =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '@' | '/' | '%' | '[' | ']' | '#');
    let folded = name.find('[').is_some_and(|at| at > 0);
    name.len() <= NAME_MAX
        && name.chars().any(char::is_alphanumeric)
        && name.chars().all(inside)
        && !folded
        && !TOOLS.contains(&name)
}

/// `web-[1-3,07]` as its nodes; any other text as itself.
fn expand(names: &str) -> Vec<String> {
    let set = names.split_once('[').and_then(|(head, rest)| {
        let (inside, tail) = rest.split_once(']')?;
        let mut nodes = Vec::new();
        for part in inside.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (low, high): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
            for n in low..=high {
                if nodes.len() == SET_MAX {
                    return None;
                }
                nodes.push(format!("{head}{n:0width$}{tail}", width = from.len()));
            }
        }
        Some(nodes)
    });
    set.unwrap_or_else(|| names.split(',').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(text: &[u8]) -> Gathered {
        let redactor = Redactor::new(b"key");
        let mut gathered = Gathered::default();
        gathered.read(&mut &*text, &redactor).unwrap();
        gathered.finish(&redactor);
        gathered
    }

    fn told(gathered: &Gathered) -> Vec<(String, String)> {
        let output = |node: &Node| node.output.and_then(|key| gathered.outputs.get(&key)).map_or("", |text| text);
        gathered.nodes.iter().map(|node| (node.name.clone(), output(node).to_owned())).collect()
    }

    #[test]
    fn a_line_names_its_node_in_every_usual_form() {
        let of = |line: &'static str| match parse(line.as_bytes()) {
            Line::Of(name, rest) => (name, std::str::from_utf8(rest).unwrap()),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(of("web-1: nginx: up"), ("web-1", "nginx: up"));
        assert_eq!(of("web-1:"), ("web-1", ""));
        assert_eq!(of("web-1: "), ("web-1", ""));
        assert_eq!(of("web-1:   indented"), ("web-1", "  indented"));
        assert_eq!(of("web-1\tcolumn\tcolumn"), ("web-1", "column\tcolumn"));
        assert_eq!(of("web-1:\tline"), ("web-1", "line"));
        assert_eq!(of("fe80::1: line"), ("fe80::1", "line"));
        assert_eq!(of("ops@10.0.0.1: line\r"), ("ops@10.0.0.1", "line"));
        for line in ["no node here", "Error in something: x", "http://x", "", "***: x", ": x", "{\"a\": 1}"] {
            assert_eq!(parse(line.as_bytes()), Line::Nobody, "{line}");
        }
        for line in ["ssh: connect to host web-9 port 22: refused", "web-[1-3]: up", "clush: what", "bash: no such"] {
            assert_eq!(parse(line.as_bytes()), Line::Nobody, "{line}");
        }
        assert_eq!(parse(b"pdsh@desk: web-1: ssh exited with exit code 3"), Line::End("web-1", End::Exit(3)));
        assert_eq!(parse(b"clush: web-[1-3] (3): exited with exit code 255"), Line::End("web-[1-3]", End::Exit(255)));
        assert_eq!(parse(b"clush: web-1: command timeout"), Line::End("web-1", End::Trouble("command timeout")));
        assert_eq!(expand("web-[08-10,3].x"), ["web-08.x", "web-09.x", "web-10.x", "web-3.x"]);
        assert_eq!(expand("a,b"), ["a", "b"]);
        assert_eq!(expand("web-[1-999999999]"), ["web-[1-999999999]"]);
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
        assert!(!gathered.again().contains("hunter2"), "{}", gathered.again());
        assert_eq!(gathered.secrets, [("password", 1)].into());
    }

    #[test]
    fn a_key_whose_lines_are_strewn_among_those_of_others_goes_whole() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
        let lines = ["-----BEGIN PRIVATE KEY-----", body, "-----END PRIVATE KEY-----", "done"];
        let text: String = lines.iter().map(|line| format!("a: {line}\nb: waits\n")).collect();
        let gathered = gather(text.as_bytes());
        assert!(!gathered.again().contains("MIIE"), "{}", gathered.again());
        assert!(
            gathered.again().ends_with("b: waits\nb: waits\nb: waits\nb: waits\n")
                && gathered.again().contains("a: done")
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
        let input = gathered.input(&Inventory::default(), None);
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
        let input = gathered.input(&Inventory::default(), Some(&regex));
        let ends: Vec<_> = input.rows.iter().map(|row| (row.outcome.unwrap(), row.exit_code)).collect();
        assert_eq!(ends, [(Outcome::Succeeded, None), (Outcome::Failed, Some(3)), (Outcome::Failed, None)]);
        assert_eq!(input.rows[2].cause.as_deref(), Some("printed `failed`, expected `(?m)^active$`"));
        // Colours are not seen, and so not asked about.
        let coloured = gather(b"a: \x1b[32mactive\x1b[0m\n").input(&Inventory::default(), Some(&regex));
        assert_eq!(coloured.rows[0].outcome, Some(Outcome::Succeeded));
    }
}
