//! `node: line` text -> one redacted output for each node.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::{Read, Write};
use std::sync::{Arc, mpsc};

use regex::Regex;

use crate::domain::{Digest, Outcome};
use crate::redact::{Harmless, Redacted, Redactor};
use crate::summary::{Ahead, Index, Input, Reader, Row, Source, Summary, Threads, put_in_order_of_names, seen};

use super::blocks::Blocks;
use super::inventory::Inventory;
use super::line::{End, Line, expand, parse};
use super::pieces::{Pieces, Run, hides};
use super::store::{Kept, Store};
use super::texts::{TextId, Texts};

/// Fewer texts are not worth a thread.
const SHARE: usize = 64;
/// What one node printed is kept up to here, in bytes; nobody reads further, and it is redacted as one text.
const NODE_MAX: u32 = 32 << 20;
/// Room for so many nodes is made at once: what of it is not used is not touched, and to move them to larger room takes long.
const NODES: usize = 50_000;
/// So many outputs may be read ahead in vain before it is asked whether most are.
const VAIN: usize = 1_000;
/// Bytes of texts that are worked on at once.
const AT_ONCE: usize = 16 << 20;
/// Blocks that are given to the threads at once, for each of them.
const BEFORE_IT: usize = 2;

/// What was read, by node: in the order in which they first came, and by name at the end.
#[derive(Default)]
pub(super) struct Gathered {
    pub nodes: Vec<Node>,
    known: Index,
    /// Names that are of no node.
    hiding: HashSet<Box<str>>,
    /// What came in of nodes whose lines seem to have ended. It is redacted at the end, because a key block may begin here and
    /// end there.
    texts: Texts,
    store: Store,
    /// Reads outputs while they come in, if they are to be summarised; and what came of it.
    ahead: Ahead,
    reader: Reader,
    summarises: bool,
    /// Outputs of nodes that were read ahead, and those of them that turned out to be parts of longer ones.
    read: usize,
    vain: usize,
    /// The node of the last line.
    last: Option<usize>,
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
    pub name: Arc<str>,
    /// What it printed so far, where that is not put away.
    open: Option<Box<Open>>,
    /// That is put away.
    kept: Option<TextId>,
    /// So many bytes came of it, up to [`NODE_MAX`].
    bytes: u32,
    /// Its lines do not stand together.
    came_back: bool,
    /// The end of a line was left out, or whole lines at the end.
    cut: bool,
    exit_code: Option<i32>,
    /// What the tool says of it instead of an exit code, such as `command timeout`.
    trouble: Option<Box<str>>,
}

/// The lines of a node of which more may come.
#[derive(Default)]
struct Open {
    /// The first of them, which had no room in memory.
    early: Vec<Kept>,
    lines: Vec<u8>,
}

impl Gathered {
    /// What is to be summarised.
    pub(super) fn to_summarise() -> Self {
        Gathered { summarises: true, ..Gathered::default() }
    }

    /// Reads to the end, on a thread that is not of the pool: it waits for those. Nodes whose lines stand together are put away
    /// as soon as the next node begins.
    pub(super) fn read(&mut self, reader: &mut dyn Read, redactor: &Redactor) -> Result<(), String> {
        let ahead = std::mem::take(&mut self.ahead);
        let read = self.read_with(&ahead, reader, redactor);
        self.ahead = ahead;
        read
    }

    fn read_with(&mut self, ahead: &Ahead, reader: &mut dyn Read, redactor: &Redactor) -> Result<(), String> {
        self.nodes.reserve(NODES);
        self.known.reserve(NODES);
        let mut blocks = Blocks::of(reader);
        let unread = |why: std::io::Error| format!("cannot be read: {why}");
        let hasher = self.texts.hasher.clone();
        self.last = None;
        // What fits in one block is read sooner than another thread has begun.
        let Some(first) = blocks.next(Vec::new()).map_err(unread)? else { return Ok(()) };
        if blocks.are_over() {
            let reads = self.reads_ahead();
            let pieces = ahead.with(|hand| Pieces::of(first, Pieces::default(), &hasher, reads.then_some(hand)));
            return self.add_all(pieces, redactor).map(drop);
        }
        let most = Threads::of_this_machine().count() * BEFORE_IT;
        rayon::in_place_scope(|scope| {
            let hasher = &hasher;
            // They come back in the order in which they came.
            let mut given: VecDeque<mpsc::Receiver<Pieces>> = VecDeque::new();
            let mut next = Some(first);
            let mut room = Pieces::default();
            while next.is_some() || !given.is_empty() {
                if given.len() == most || next.is_none() {
                    // A panic in a thread is a fault in this one too, as soon as all have ended.
                    let Some(Ok(pieces)) = given.pop_front().map(|done| done.recv()) else { return Ok(()) };
                    room = self.add_all(pieces, redactor)?;
                }
                if let Some(block) = next.take() {
                    let bytes = room.take_bytes();
                    let room = std::mem::take(&mut room);
                    let (done, pieces) = mpsc::channel();
                    // Whoever has no use for more is gone.
                    let reads = self.reads_ahead();
                    scope.spawn(move |_| {
                        let pieces = ahead.with(|hand| Pieces::of(block, room, hasher, reads.then_some(hand)));
                        drop(done.send(pieces));
                    });
                    given.push_back(pieces);
                    next = blocks.next(bytes).map_err(unread)?;
                }
            }
            Ok(())
        })
    }

    /// Whether outputs are read while they come in: not where most of them go on later.
    fn reads_ahead(&self) -> bool {
        self.summarises && self.vain <= self.read / 2 + VAIN
    }

    /// What stands in the next block. Gives back its room.
    fn add_all(&mut self, mut pieces: Pieces, redactor: &Redactor) -> Result<Pieces, String> {
        let mut runs = std::mem::take(&mut pieces.runs);
        let (mut skipped, mut first_skipped) = (pieces.nobody, pieces.first_nobody.clone());
        self.cut += pieces.cut();
        let last = runs.len().saturating_sub(1);
        for (nth, run) in runs.drain(..).enumerate() {
            let Some(at) = self.node(pieces.name(&run), run.name_hash, redactor, pieces.harmless) else {
                skipped += run.lines;
                first_skipped = first_skipped.filter(|first| first.start < run.first.start).or(Some(run.first));
                continue;
            };
            if self.last != Some(at) {
                if let Some(before) = self.last.filter(|before| !self.nodes[*before].came_back) {
                    self.put_away(before)?;
                }
                self.last = Some(at);
            }
            self.take_back(at)?;
            self.nodes[at].cut |= pieces.cut() > 0;
            self.add(at, pieces.text(&run), run, nth < last)?;
        }
        pieces.runs = runs;
        for line in pieces.ends() {
            self.ends += 1;
            let Line::End(names, end) = parse(line) else { continue };
            for name in expand(names) {
                let hash = self.texts.hash(name.as_bytes());
                let Some(at) = self.node(&name, hash, redactor, false) else { continue };
                match end {
                    End::Exit(code) => self.nodes[at].exit_code = Some(code),
                    End::Trouble(why) => self.nodes[at].trouble = Some(redactor.redact(why).text.into()),
                }
            }
        }
        self.skipped += skipped;
        if self.first_skipped.is_none()
            && let Some(first) = first_skipped
        {
            let redacted = redactor.redact(&String::from_utf8_lossy(pieces.line(&first))).text;
            self.first_skipped = Some(seen(&redacted).chars().take(200).collect());
        }
        Ok(pieces)
    }

    /// `ends_here`: the next line is of another node, so that this is all unless the node comes back.
    fn add(&mut self, at: usize, text: &[u8], run: Run, ends_here: bool) -> Result<(), String> {
        let node = &mut self.nodes[at];
        self.lines += run.lines;
        self.read += usize::from(run.read.is_some());
        self.vain += usize::from(run.read.is_some() && node.bytes > 0);
        if node.bytes == 0 && ends_here {
            node.bytes = bytes(text);
            node.kept = Some(self.texts.put(text, run.text_hash, run.read, &mut self.store)?);
            return Ok(());
        }
        let open = node.open.get_or_insert_default();
        let mut rest = text;
        while !rest.is_empty() {
            // All of it at once, while there is room for all.
            let all = node.bytes + bytes(rest) <= NODE_MAX;
            let end = if all { rest.len() } else { memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1) };
            let (some, others) = rest.split_at(end);
            if node.bytes + bytes(some) > NODE_MAX {
                self.over += 1;
                // Nothing that comes later stands where this would have stood.
                (node.cut, node.bytes) = (true, NODE_MAX);
            } else {
                open.lines.extend_from_slice(some);
                node.bytes += bytes(some);
                self.open += some.len();
            }
            rest = others;
        }
        if self.open > self.store.room() + AT_ONCE { self.make_room() } else { Ok(()) }
    }

    /// Puts away the lines of all nodes of which more may come.
    fn make_room(&mut self) -> Result<(), String> {
        let open = self.nodes.iter_mut().filter_map(|node| node.open.as_mut());
        for open in open.filter(|open| !open.lines.is_empty()) {
            open.early.push(self.store.put_away(std::mem::take(&mut open.lines))?);
        }
        self.open = 0;
        Ok(())
    }

    /// The place of a node; `None` where the name [`hides`] something, which a `harmless` one does not.
    fn node(&mut self, name: &str, hash: u64, redactor: &Redactor, harmless: bool) -> Option<usize> {
        let free = match self.known.find(hash, |at| *self.nodes[at as usize].name == *name) {
            Ok(at) => return Some(at as usize),
            Err(free) => free,
        };
        if self.hiding.contains(name) {
            return None;
        }
        if !harmless && hides(name, redactor) {
            self.hiding.insert(name.into());
            return None;
        }
        let at = self.nodes.len();
        // There are never so many: each is a line.
        self.known.put(free, u32::try_from(at).ok()?);
        self.nodes.push(Node {
            name: name.into(),
            open: None,
            kept: None,
            bytes: 0,
            came_back: false,
            cut: false,
            exit_code: None,
            trouble: None,
        });
        Some(at)
    }

    /// Every line was of a node and is there whole, so that node by node is all of it.
    pub(super) fn is_all_of_nodes(&self) -> bool {
        self.skipped == 0 && self.ends == 0 && self.cut == 0 && self.over == 0
    }

    /// Keeps what the node printed once for all that printed the same.
    fn put_away(&mut self, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        let Some(open) = node.open.take() else { return Ok(()) };
        let Open { early, mut lines } = *open;
        self.open -= lines.len();
        if !early.is_empty() {
            let mut whole = Vec::new();
            for part in early {
                whole.append(&mut self.store.take(part)?);
            }
            whole.append(&mut lines);
            lines = whole;
        }
        if !lines.is_empty() {
            let hash = self.texts.hash(&lines);
            node.kept = Some(self.texts.put(&lines, hash, None, &mut self.store)?);
        }
        Ok(())
    }

    /// A node that comes again goes on where it was. From then on it is not put away before the end.
    fn take_back(&mut self, at: usize) -> Result<(), String> {
        let node = &mut self.nodes[at];
        if let Some(text) = node.kept.take() {
            self.vain += usize::from(self.texts.key(text).is_some());
            node.came_back = true;
            let lines = self.texts.take_back(text, &mut self.store)?;
            self.open += lines.len();
            node.open = Some(Box::new(Open { early: Vec::new(), lines }));
        }
        Ok(())
    }

    /// To be called after the last line: takes the secrets out of each different text.
    pub(super) fn finish(&mut self, redactor: &Redactor) -> Result<(), String> {
        for at in 0..self.nodes.len() {
            self.put_away(at)?;
        }
        self.reader = Reader::with_threads(Threads::of_this_machine());
        self.reader.take_over(std::mem::take(&mut self.ahead), self.texts.take_read());
        // Nothing that is told depends on who answered first.
        put_in_order_of_names(&mut self.nodes, |node| &node.name);
        let all = self.texts.without_key();
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let has_room = |id: &&TextId| {
                let has_room = bytes < AT_ONCE;
                bytes += self.texts.get(**id).map_or(0, Kept::len);
                has_room
            };
            let (some, others) = rest.split_at(rest.iter().take_while(has_room).count());
            rest = others;
            let left = redact_all(some, &self.texts, &self.store, redactor);
            for (text, left) in some.iter().zip(left) {
                let Left { key, redacted } = left?;
                for (kind, n) in redacted.iter().flat_map(|redacted| &redacted.found) {
                    *self.secrets.entry(kind).or_default() += n;
                }
                let redacted = redacted.as_ref().map(|redacted| redacted.text.as_str());
                self.texts.set(*text, key, redacted, &mut self.store)?;
            }
        }
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
            let output = self.output_of(node).map_or(Ok(None), |key| self.output(&key))?.unwrap_or_default();
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
            for (key, kept) in self.texts.redacted() {
                let text = self.read_kept(kept)?;
                let text = seen(&text);
                if !regex.is_match(&text) {
                    let last = text.lines().rev().find(|line| !line.trim().is_empty()).map(str::trim);
                    unmet.insert(key, last.unwrap_or_default().to_owned());
                }
            }
        }
        let row = |(target, node): (u32, &Node)| {
            let failed = node.exit_code.filter(|code| *code != 0);
            let output = self.output_of(node);
            let lacks = match output {
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
                cause: node.trouble.clone().or(unmet.map(Into::into)),
                step: Arc::default(),
                output,
                cut: node.cut,
                listed: None,
                extracted: BTreeMap::new(),
                unmet: Box::default(),
                attributes: inventory.of(&node.name),
                name: node.name.clone(),
            }
        };
        Ok(Input { rows: (0..).zip(&self.nodes).map(row).collect(), ..Input::default() })
    }

    /// What it comes to. The texts are in memory a few at a time.
    pub(super) fn summary(&mut self, input: &Input) -> Result<Summary, String> {
        let mut reader = std::mem::take(&mut self.reader);
        let summary = reader.summarise_from(input, self);
        self.reader = reader;
        summary
    }

    /// What a node printed, redacted.
    pub(super) fn text(&self, node: usize) -> Result<Arc<str>, String> {
        let output = self.nodes.get(node).and_then(|node| self.output_of(node));
        Ok(output.map_or(Ok(None), |key| self.output(&key))?.unwrap_or_default())
    }

    fn output_of(&self, node: &Node) -> Option<Digest> {
        self.texts.key(node.kept?)
    }

    pub(super) fn output(&self, key: &Digest) -> Result<Option<Arc<str>>, String> {
        self.texts.of(key).map(|kept| self.read_kept(kept).map(Arc::from)).transpose()
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

fn bytes(text: &[u8]) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

impl Source for Gathered {
    type Error = String;

    fn bytes(&self, output: &Digest) -> usize {
        self.texts.of(output).map_or(0, Kept::len)
    }

    fn text(&self, output: &Digest) -> Result<Option<Cow<'_, str>>, String> {
        self.texts.of(output).map(|kept| self.read_kept(kept)).transpose()
    }
}

/// What is left of a text: its key, and the text where that is another one.
struct Left {
    key: Digest,
    redacted: Option<Box<Redacted>>,
}

/// Each text without its secrets, on all cores.
fn redact_all(
    those: &[TextId],
    texts: &Texts,
    store: &Store,
    redactor: &Redactor,
) -> impl Iterator<Item = Result<Left, String>> + use<> {
    let one = |id: &TextId, harmless: &mut Harmless| {
        let raw = texts.get(*id).map_or(Ok(Cow::Borrowed(&[][..])), |kept| store.text(kept))?;
        if std::str::from_utf8(&raw).is_ok_and(|text| !harmless.suspects(text)) {
            return Ok(Left { key: Digest::of(&raw), redacted: None });
        }
        let redacted = redactor.redact(&String::from_utf8_lossy(&raw));
        Ok(Left { key: Digest::of(redacted.text.as_bytes()), redacted: Some(Box::new(redacted)) })
    };
    let shares = Threads::of_this_machine().share(those, SHARE, |those| {
        let mut harmless = Harmless::default();
        those.iter().map(|id| one(id, &mut harmless)).collect::<Vec<_>>()
    });
    shares.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(text: &[u8]) -> Gathered {
        let redactor = Redactor::new(b"key");
        let mut gathered = Gathered::to_summarise();
        gathered.read(&mut { text }, &redactor).unwrap();
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
        gathered.nodes.iter().zip(0..).map(|(node, at)| (node.name.to_string(), text(at))).collect()
    }

    #[test]
    fn lines_of_a_node_may_stand_anywhere_and_equal_outputs_are_kept_once() {
        let together = gather(b"a: 1\na: 2\nb: 1\nb: 2\nc: 3\n");
        let mixed = gather(b"a: 1\nb: 1\nc: 3\nb: 2\na: 2\n");
        assert_eq!(told(&together), told(&mixed));
        assert_eq!((together.texts.redacted().count(), mixed.texts.redacted().count()), (2, 2));
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
        assert_eq!(gathered.texts.redacted().count(), 2);
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
        assert_eq!(gathered.nodes.iter().map(|node| &*node.name).collect::<Vec<_>>(), ["user", "web-1"]);
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
        let told: Vec<_> = input.rows.iter().map(|r| (&*r.name, r.cause.as_deref(), r.exit_code)).collect();
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
