//! The output of a command -> what it says of the node, as names with values: `Use% of /` is `44%`.
//!
//! Nothing here knows a command. Two forms are read: tables with a line of headings (`df`, `free`, `systemctl list-units`,
//! `Format-Table`) and lines that give a key its value (`Key: value`, `key=value`, `key = value`). What two nodes say can
//! only be compared under one name, so rows that are named by a process, a container or an address are left out, and so
//! is everything that reads like a sentence or a log. What is in doubt is no fact.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::group::Number;
use super::lines::Line;
use super::split_lines;
use super::when::clock_length;

/// A value under a name. Nodes say the same thing where `key`, `row` and `labelled` are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact<'a> {
    /// The heading of a column, or the key in front of a value.
    pub key: &'a str,
    /// What the row of a table, or the record that the key stands in, is named by. Empty: it is of the node.
    pub row: &'a str,
    /// The row's name stands in front of the values and has no heading of its own, as in the output of `free`.
    pub labelled: bool,
    /// As printed, without white space around it.
    pub value: &'a str,
}

impl Fact<'_> {
    /// `Use% of /`, `Mem available`, `ActiveState`: at most [`NAME_MAX`] characters.
    pub(super) fn name(&self) -> String {
        match (self.row, self.labelled) {
            ("", _) => self.key.to_owned(),
            (row, true) => format!("{row} {}", self.key),
            (row, false) => format!("{} of {row}", self.key),
        }
    }
}

/// Facts taken from one output; the rest of it is not read.
pub(super) const FACTS_MAX: usize = 200;
/// Characters of a name, and of a value. Longer ones are left out whole: two that are cut may look equal and not be.
pub(super) const NAME_MAX: usize = 60;
pub(super) const VALUE_MAX: usize = 80;
/// Characters of a heading, a key, and of a row's name.
const KEY_MAX: usize = 44;
const ROW_MAX: usize = 44;
/// Bytes of a line; what is longer is no table and no key.
const LINE_MAX: usize = 1000;
/// Rows by which a line is judged to be the headings of a table.
const SAMPLE: usize = 6;
/// Columns of a table; a line with more words heads none.
const COLUMNS_MAX: usize = 40;

/// What one line is by itself, whatever stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// There is nothing in it, or too much.
    blank: bool,
    /// It may head a table.
    head: bool,
    /// It may stand below the headings of one.
    rule: bool,
    pairs: Held,
}

/// The keys and values of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    None,
    /// Where in the line the key and its value begin and end.
    One([u16; 4]),
    Many,
}

impl Look {
    pub(super) fn at(line: &str, keys: &mut Keys) -> Self {
        let line = if line.len() > LINE_MAX { "" } else { line };
        let mut pairs = Held::None;
        let place = |part: &str| part.as_ptr().addr().checked_sub(line.as_ptr().addr()).filter(|at| *at <= line.len());
        pairs_of(line, keys, &mut |(key, value): (&str, &str)| {
            let both = place(key).zip(place(value)).filter(|_| matches!(pairs, Held::None));
            let place = |(k, v)| [k, k + key.len(), v, v + value.len()].map(|at| u16::try_from(at).unwrap_or(u16::MAX));
            pairs = both.map_or(Held::Many, |both| Held::One(place(both)));
        });
        let head = may_head(line) && heads(line, false).is_some();
        Look { blank: line.trim().is_empty(), head, rule: is_rule(line), pairs }
    }

    /// Of a line that says nothing by itself and heads no table, where its bytes tell that at once: it has small letters, and
    /// nothing that parts a key from its value or a heading from another.
    pub(super) fn of_a_mute(line: &str) -> Option<Self> {
        let bytes = line.as_bytes();
        // Without a branch, so that many bytes are looked at in one step.
        let parts = |b: u8| (b == b':') | (b == b'=') | (b == b'\t');
        let parted = bytes.iter().fold(false, |any, b| any | parts(*b));
        let small = bytes.iter().fold(false, |any, b| any | b.is_ascii_lowercase());
        let apart =
            bytes.iter().zip(bytes.iter().skip(1)).fold(false, |any, (a, b)| any | ((*a == b' ') & (*b == b' ')));
        let mute = small & !parted & !apart & (bytes.len() <= LINE_MAX);
        mute.then_some(Look { blank: false, head: false, rule: false, pairs: Held::None })
    }

    /// Whether what these lines say, one after the other, is what each of them says by itself: there is no table, and all keys
    /// are in one block.
    pub(super) fn are_alone(looks: impl Iterator<Item = Look>) -> bool {
        let (mut blocks, mut open) = (0, false);
        for look in looks {
            if look.head || look.rule || matches!(look.pairs, Held::Many) {
                return false;
            }
            if look.blank {
                open = false;
            } else if !open && matches!(look.pairs, Held::One(_)) {
                open = true;
                blocks += 1;
            }
        }
        blocks <= 1
    }

    /// Where the key begins and ends, and its value; `None` where there is none, or more than one.
    pub(super) fn pair(self) -> Option<[usize; 4]> {
        if let Held::One(places) = self.pairs { Some(places.map(usize::from)) } else { None }
    }
}

/// The facts of a normalised output, in its order. Time and memory are linear in the text; any text will do.
///
/// `known`: what is known of its first lines.
pub(super) fn facts<'a>(text: &'a str, known: &[Line], keys: &mut Keys) -> Vec<Fact<'a>> {
    let mut lines: Vec<&str> = Vec::with_capacity(known.len() + 1);
    lines.extend(split_lines(text).map(|line| if line.len() > LINE_MAX { "" } else { line }));
    // A table is known by the row below its headings, so it never begins in the last line.
    lines.push("");
    let look = |at: usize| known.get(at).and_then(|line| line.look);
    let mut found = Vec::with_capacity(FEW);
    let mut pairs = Pairs::default();
    let (mut at, mut tables) = (0, 0);
    while at < lines.len() && found.len() < FACTS_MAX && pairs.count < FACTS_MAX {
        let known = look(at);
        let ruled = lines.get(at + 1).is_some_and(|line| look(at + 1).map_or_else(|| is_rule(line), |look| look.rule));
        let heads = ruled || known.map_or_else(|| may_head(lines[at]), |look| look.head);
        if let Some(table) = heads.then(|| Table::at(&lines[at..], ruled)).flatten() {
            table.facts(&mut found);
            tables += 1;
            at += table.lines;
            pairs.end_of_block();
            continue;
        }
        pairs.read(lines[at], known, keys);
        at += 1;
    }
    pairs.facts(&mut found);
    // One table tells nothing twice.
    if tables > 1 || pairs.count > 0 {
        once(&mut found);
    }
    found
}

/// So few names are compared one by one sooner than they are hashed.
const FEW: usize = 24;

/// Leaves out every name that has two values: which of them is meant cannot be told.
fn once(found: &mut Vec<Fact<'_>>) {
    let alike = |a: &Fact<'_>, b: &Fact<'_>| a.key == b.key && a.row == b.row && a.labelled == b.labelled;
    let again = |(at, fact): (usize, &Fact<'_>)| found[..at].iter().any(|before| alike(before, fact));
    if found.len() <= FEW && !found.iter().enumerate().any(again) {
        return;
    }
    let mut seen = HashSet::with_capacity_and_hasher(found.len(), RandomState::default());
    let mut twice = HashSet::new();
    for fact in found.iter() {
        let name = (fact.key, fact.row, fact.labelled);
        if !seen.insert(name) {
            twice.insert(name);
        }
    }
    if !twice.is_empty() {
        found.retain(|f| !twice.contains(&(f.key, f.row, f.labelled)));
    }
}

/// Adds a fact if its name and value are short enough and there is something to say.
fn add<'a>(found: &mut Vec<Fact<'a>>, fact: Fact<'a>) {
    let nothing = matches!(fact.value, "" | "-" | "--" | "n/a" | "N/A" | "[not set]");
    let row = if fact.row.is_empty() { 0 } else { 4 };
    // Bytes are counted sooner than characters, and most names are short.
    let short = fact.key.len() + fact.row.len() + row <= NAME_MAX
        || fact.key.chars().count() + fact.row.chars().count() + row <= NAME_MAX;
    if !nothing && !fact.key.is_empty() && short && fits(fact.value, VALUE_MAX) && found.len() < FACTS_MAX {
        found.push(fact);
    }
}

fn fits(text: &str, max: usize) -> bool {
    text.len() <= max || text.chars().take(max + 1).count() <= max
}

// --- Tables ---

/// A word of a line: where it stands on the screen and in the text.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    from: usize,
    to: usize,
    /// Its place in the line, in bytes.
    byte: usize,
}

/// The words of a line. Marks of a tree (`├─`) and of a state (`●`) in front of the first count as white space.
fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut column = 0;
    let mut open: Option<(usize, usize)> = None;
    let mut close = |open: &mut Option<(usize, usize)>, byte: usize, column: usize| {
        if let Some((start, from)) = open.take() {
            words.push(Word { text: &line[start..byte], from, to: column, byte: start });
        }
    };
    let mut lead = true;
    for (byte, c) in line.char_indices() {
        let mark = lead && matches!(c, '├' | '─' | '└' | '│' | '●' | '○' | '×' | '↻' | '`');
        if c == ' ' || c == '\t' || mark {
            close(&mut open, byte, column);
        } else {
            lead = false;
            open = open.or(Some((byte, column)));
        }
        // Tabs stop at every eighth column.
        column += if c == '\t' { 8 - column % 8 } else { 1 };
    }
    close(&mut open, line.len(), column);
    words
}

struct Column<'a> {
    heading: &'a str,
    from: usize,
    to: usize,
}

struct Table<'a> {
    /// Cells by column; empty where there is nothing.
    rows: Vec<Vec<&'a str>>,
    columns: Vec<Column<'a>>,
    /// The first column has no heading and names the rows.
    labelled: bool,
    /// How many lines it takes, with its headings.
    lines: usize,
}

impl<'a> Table<'a> {
    /// The table whose headings are the first of the lines; `ruled`: the second is a rule.
    fn at(lines: &[&'a str], ruled: bool) -> Option<Self> {
        let (head, rest) = lines.split_first()?;
        let heads = heads(head, ruled)?;
        let body = if ruled { &rest[1..] } else { rest };
        let sample: Vec<Vec<Word<'a>>> =
            body.iter().take(SAMPLE).map(|l| words(l)).take_while(|w| !w.is_empty()).collect();
        let first = sample.first()?;
        // As `free` has it: the rows begin left of all headings.
        let labelled = !ruled && first[0].to <= heads[0].from && first[0].from < heads[0].from && first.len() >= 2;
        // Rows with a label and no room for it above them: something has moved the headings.
        if !labelled && first[0].text.ends_with(':') {
            return None;
        }
        let mut columns = if ruled { ruled_columns(head, rest[0])? } else { columns(head, &heads, &sample, labelled) };
        if labelled {
            columns.insert(0, Column { heading: "", from: 0, to: first[0].to });
        }
        if columns.len() < 2 {
            return None;
        }
        let mut table = Table { rows: Vec::new(), columns, labelled, lines: 1 + usize::from(ruled) };
        for (i, line) in body.iter().enumerate() {
            let words = match sample.get(i) {
                Some(words) => words.clone(),
                None if line.trim().is_empty() => break,
                None => self::words(line),
            };
            let Some(cells) = table.cells(line, &words, ruled) else { break };
            table.lines += 1;
            if table.rows.len() < FACTS_MAX {
                table.rows.push(cells);
            }
        }
        // One row that fits may do so by chance; numbers or a rule below the headings are no chance.
        let numbers = |row: &Vec<&str>| row.iter().any(|c| Number::of(c).is_some());
        (ruled || table.rows.len() >= 2 || table.rows.iter().any(numbers))
            .then_some(table)
            .filter(|t| !t.rows.is_empty())
    }

    /// The cells of a row; `None` if the line is none.
    fn cells(&self, line: &'a str, words: &[Word<'a>], ruled: bool) -> Option<Vec<&'a str>> {
        let columns = self.columns.len();
        let key = !ruled && !self.labelled && words.first().is_some_and(|w| w.text.ends_with(':'));
        if words.is_empty() || key || words.len() == 1 && columns > 2 {
            return None;
        }
        if !ruled && words.len() == columns {
            let cells: Vec<&str> = words.iter().map(|w| w.text).collect();
            // Where numbers have outgrown their columns nothing stands in line any more.
            let numbers = cells.iter().filter(|c| Number::of(c).is_some()).count();
            let aligned = words.iter().zip(&self.columns).filter(|(w, c)| meets(w, c)).count();
            return (numbers * 2 >= columns || aligned * 2 > columns).then_some(cells);
        }
        // The last column takes the rest, where the headings stand too close to tell where the others end.
        let close = self.columns.windows(2).any(|w| w[1].from.saturating_sub(w[0].to) < 2);
        if !ruled && words.len() > columns && close {
            let last = words[columns - 1];
            let aligned = words.iter().zip(&self.columns).filter(|(w, c)| meets(w, c)).count();
            let mut cells: Vec<&str> = words[..columns - 1].iter().map(|w| w.text).collect();
            cells.push(line[last.byte..].trim_end());
            return (aligned * 2 > columns && last.to > self.columns[columns - 1].from).then_some(cells);
        }
        let mut spans: Vec<Option<(usize, usize)>> = vec![None; columns];
        let mut aligned = 0;
        let mut least = 0;
        let mut before: Option<usize> = None;
        for word in words {
            let over = self.columns.iter().position(|c| word.from < c.to && c.from < word.to);
            aligned += usize::from(over.is_some());
            // A word right behind another belongs to its cell, unless it stands below a heading of its own.
            let beside = before.filter(|end| word.from - end == 1).map(|_| least);
            let at = match over.or(beside) {
                Some(at) => at.max(least),
                None => self.nearest(word).max(least),
            };
            least = at;
            before = Some(word.to);
            let end = word.byte + word.text.len();
            spans[at] = Some((spans[at].map_or(word.byte, |(from, _)| from), end));
        }
        // Below a rule each cell begins or ends where its column does.
        let in_line = |column: &Column<'_>| {
            words.iter().any(|w| meets(w, column) && (w.from == column.from || w.to == column.to))
        };
        if ruled && !self.columns.iter().zip(&spans).all(|(column, span)| span.is_none() || in_line(column)) {
            return None;
        }
        let cells = spans.into_iter().map(|s| s.map_or("", |(from, to)| &line[from..to])).collect();
        (aligned * 2 > words.len().min(columns)).then_some(cells)
    }

    /// The column that a word stands nearest to.
    fn nearest(&self, word: &Word<'_>) -> usize {
        let gap = |c: &Column<'_>| if c.to <= word.from { word.from - c.to } else { c.from.saturating_sub(word.to) };
        (0..self.columns.len()).min_by_key(|&i| gap(&self.columns[i])).unwrap_or(0)
    }

    /// The column that names the rows.
    fn naming(&self) -> Option<usize> {
        if self.labelled {
            return Some(0);
        }
        let names = |&i: &usize| -> bool {
            let mut seen = HashSet::new();
            let mut good = 0;
            for cell in self.rows.iter().map(|r| r[i]).filter(|c| !c.is_empty()) {
                if Number::of(cell).is_some() || !seen.insert(cell) {
                    return false;
                }
                good += usize::from(is_stable(cell));
            }
            good * 2 > seen.len()
        };
        // Those that are called names first, so that each node's table is read by the same column.
        let called = |i: &usize| {
            let heading = self.columns[*i].heading;
            ["mounted on", "name", "names", "driveletter"].iter().any(|n| heading.eq_ignore_ascii_case(n))
        };
        let all = || 0..self.columns.len();
        all().filter(called).find(names).or_else(|| names(&0).then_some(0)).or_else(|| all().rev().find(names))
    }

    fn facts(&self, found: &mut Vec<Fact<'a>>) {
        let naming = match self.naming() {
            Some(at) => at,
            // A table of one row and of numbers only, as `vmstat` prints, is of the node.
            None if self.rows.len() == 1 && self.rows[0].iter().all(|c| Number::of(c).is_some()) => {
                for (column, cell) in self.columns.iter().zip(&self.rows[0]) {
                    add(found, Fact { key: column.heading, row: "", labelled: false, value: cell });
                }
                return;
            }
            None => return,
        };
        // A heading that two columns have means neither.
        let heading = |i: usize| self.columns[i].heading;
        let one = |i: &usize| (0..self.columns.len()).filter(|j| heading(*j) == heading(*i)).count() == 1;
        let told: Vec<usize> = (0..self.columns.len()).filter(|i| *i != naming).filter(one).collect();
        for cells in &self.rows {
            let row = cells[naming].trim_end_matches(':');
            if !is_stable(row) {
                continue;
            }
            for &i in &told {
                add(found, Fact { key: heading(i), row, labelled: self.labelled, value: cells[i] });
            }
            if found.len() >= FACTS_MAX {
                return;
            }
        }
    }
}

fn meets(word: &Word<'_>, column: &Column<'_>) -> bool {
    word.from < column.to && column.from < word.to
}

/// The words of a line that may head a table.
fn heads(line: &str, ruled: bool) -> Option<Vec<Word<'_>>> {
    let heads = words(line);
    let tabular = ruled
        || heads.windows(2).any(|w| w[1].from - w[0].to >= 2)
        || heads.iter().all(|w| !w.text.bytes().any(|b| b.is_ascii_lowercase()));
    let fit = tabular && (2..=COLUMNS_MAX).contains(&heads.len()) && heads.iter().all(|w| is_heading(w.text));
    fit.then_some(heads)
}

/// What no line of headings is without, told by its bytes alone: most lines are none.
fn may_head(line: &str) -> bool {
    let line = line.trim().as_bytes();
    let mut lower = false;
    let mut apart = false;
    for (at, b) in line.iter().enumerate() {
        match b {
            b'=' | b'"' | b'\'' | b'\\' | b'@' | b'[' => return false,
            b':' | b',' | b';' if matches!(line.get(at + 1), None | Some(b' ' | b'\t')) => return false,
            b'\t' => apart = true,
            b' ' => apart |= line.get(at + 1) == Some(&b' '),
            b => lower |= b.is_ascii_lowercase(),
        }
    }
    apart || !lower
}

/// `----  -----`: what PowerShell puts between the headings and the rows.
fn is_rule(line: &str) -> bool {
    let line = line.trim_ascii();
    line.starts_with('-') && line.contains(' ') && line.bytes().all(|b| b == b'-' || b == b' ')
}

/// Each group of dashes is as wide as the heading above it.
fn ruled_columns<'a>(head: &'a str, rule: &str) -> Option<Vec<Column<'a>>> {
    let starts: Vec<usize> = head.char_indices().map(|(byte, _)| byte).chain([head.len()]).collect();
    words(rule)
        .iter()
        .map(|w| {
            let heading = head.get(*starts.get(w.from)?..*starts.get(w.to.min(starts.len() - 1))?)?.trim();
            (!heading.is_empty()).then_some(Column { heading, from: w.from, to: w.to })
        })
        .collect()
}

/// The columns of a line of headings; some headings have a blank in them (`Mounted on`), which the rows have not.
fn columns<'a>(head: &'a str, heads: &[Word<'a>], sample: &[Vec<Word<'a>>], labelled: bool) -> Vec<Column<'a>> {
    let even = sample.iter().all(|row| row.len() == heads.len() + usize::from(labelled));
    let mut columns: Vec<Column<'a>> = Vec::with_capacity(heads.len());
    let mut begun = 0;
    for (i, word) in heads.iter().enumerate() {
        let joined = !even && i > 0 && word.from - heads[i - 1].to == 1 && {
            let before = heads[i - 1];
            let lower = |t: &str| t.starts_with(|c: char| c.is_ascii_lowercase());
            // A value that runs on below both is the value of both, unless another stands below the second too.
            let below = |w: &Word<'_>| w.from < word.to && word.from < w.to;
            let bridged = || {
                sample.iter().any(|row| {
                    let mut under = row.iter().filter(|w| below(w));
                    let first = under.next();
                    let runs_on = first.is_some_and(|w| w.from < before.to && w.from >= heads[begun].from);
                    runs_on && under.next().is_none()
                })
            };
            word.text.starts_with('(')
                || word.text.starts_with("Address")
                || (lower(word.text) && before.text.starts_with(|c: char| c.is_ascii_uppercase()))
                || bridged()
        };
        match columns.last_mut() {
            Some(last) if joined => {
                last.heading = &head[heads[begun].byte..word.byte + word.text.len()];
                last.to = word.to;
            }
            _ => {
                begun = i;
                columns.push(Column { heading: word.text, from: word.from, to: word.to });
            }
        }
    }
    columns
}

/// A word that may head a column: `Use%`, `%CPU`, `1K-blocks`, `MAJ:MIN`, `(GB)`; no number, path, sentence or key.
fn is_heading(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '%' | '#' | '('))
        && fits(word, 30)
        && word.contains(|c: char| c.is_alphabetic())
        && !word.ends_with([':', '.', ',', ';', '!', '?'])
        && !word.contains(['=', '"', '\'', '\\', '@', '['])
        && !word.contains("//")
        && Number::of(word).is_none()
        && is_stable(word)
}

/// Whether other nodes can have the same name: it is no process, container or session, no address and no time.
fn is_stable(name: &str) -> bool {
    if name.is_empty()
        || !fits(name, ROW_MAX)
        || name.contains("::")
        || name.contains(['=', '"'])
        || name.matches(':').count() >= 3
    {
        return false;
    }
    if name == "/" {
        return true;
    }
    if !name.contains(|c: char| c.is_alphabetic()) {
        return false;
    }
    let long = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        let hex = part.len() >= 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
        digits > 0 && hex || digits >= 5 && digits == part.len()
    };
    if name.split(|c: char| !c.is_ascii_alphanumeric()).any(long) {
        return false;
    }
    let address = |part: &str| {
        part.split('.').filter(|n| !n.is_empty() && n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit())).count() >= 4
    };
    let clock = |part: &str| clock_length(part.as_bytes()) > 0;
    !name.split(|c: char| !c.is_ascii_digit() && c != '.').any(address) && !name.split_whitespace().any(clock)
}

// --- Keys with values ---

/// Keys with values, in blocks that blank lines part.
#[derive(Default)]
struct Pairs<'a> {
    blocks: Vec<Vec<(&'a str, &'a str)>>,
    open: bool,
    count: usize,
}

/// What a key is, by its words alone.
#[derive(Debug, Clone, Copy)]
struct Is {
    key: bool,
    said: bool,
    prose: bool,
    words: usize,
}

/// The keys that were looked at: thousands of nodes print the same ones. It is a cache; what is found does not depend on it.
#[derive(Default)]
pub(super) struct Keys(HashMap<Box<str>, Is, RandomState>);

/// Keys that are remembered at once.
const KEYS: usize = 1 << 12;

impl Keys {
    fn is(&mut self, key: &str) -> Is {
        if let Some(is) = self.0.get(key) {
            return *is;
        }
        let is = Is {
            key: is_key(key),
            said: is_said(key),
            prose: key.split(' ').any(|w| PROSE.iter().any(|p| w.eq_ignore_ascii_case(p))),
            words: key.split(' ').count(),
        };
        if self.0.len() >= KEYS {
            self.0.clear();
        }
        // What is longer is no key and would only take room.
        if key.len() <= KEY_MAX {
            self.0.insert(key.into(), is);
        }
        is
    }
}

impl<'a> Pairs<'a> {
    fn read(&mut self, line: &'a str, known: Option<Look>, keys: &mut Keys) {
        if known.map_or_else(|| line.trim_ascii().is_empty() && line.trim().is_empty(), |look| look.blank) {
            self.end_of_block();
            return;
        }
        let mut each = |pair: (&'a str, &'a str)| {
            if !self.open {
                self.blocks.push(Vec::with_capacity(FEW));
                self.open = true;
            }
            if let Some(block) = self.blocks.last_mut() {
                block.push(pair);
                self.count += 1;
            }
        };
        match known.map(|look| look.pairs) {
            Some(Held::None) => {}
            Some(Held::One(places)) => {
                let [key, to, value, end] = places.map(usize::from);
                // INVARIANT: it is the line that was looked at.
                if let Some(pair) = line.get(key..to).zip(line.get(value..end)) {
                    each(pair);
                }
            }
            Some(Held::Many) | None => pairs_of(line, keys, &mut each),
        }
    }

    fn end_of_block(&mut self) {
        self.open = false;
    }

    /// Blocks with the same keys are records, each of something; the first key that tells them apart names them.
    fn facts(&self, found: &mut Vec<Fact<'a>>) {
        if let [block] = self.blocks.as_slice() {
            block.iter().for_each(|(key, value)| add(found, Fact { key, row: "", labelled: false, value }));
            return;
        }
        let mut blocks_of: HashMap<&str, usize, RandomState> = HashMap::default();
        for block in &self.blocks {
            for key in block.iter().map(|(key, _)| *key).collect::<HashSet<_>>() {
                *blocks_of.entry(key).or_default() += 1;
            }
        }
        let again = |key: &str| blocks_of.get(key).is_some_and(|n| *n > 1);
        let naming = self.blocks.iter().find(|b| b.iter().any(|(key, _)| again(key))).and_then(|b| self.naming(b));
        for block in &self.blocks {
            let row = naming.and_then(|n| block.iter().find(|(key, _)| *key == n)).map_or("", |(_, value)| *value);
            for (key, value) in block {
                let of = if again(key) { row } else { "" };
                if Some(*key) != naming && (of.is_empty() || is_stable(of)) {
                    add(found, Fact { key, row: of, labelled: false, value });
                }
            }
        }
    }

    fn naming(&self, first: &[(&'a str, &'a str)]) -> Option<&'a str> {
        let apart = |key: &str| {
            let mut seen = HashSet::new();
            let mut good = 0;
            for (_, value) in self.blocks.iter().filter_map(|b| b.iter().find(|(k, _)| *k == key)) {
                if Number::of(value).is_some() || !seen.insert(*value) {
                    return false;
                }
                good += usize::from(is_stable(value));
            }
            seen.len() > 1 && good * 2 > seen.len()
        };
        let called = ["name", "id", "driveletter", "device", "interface"];
        let keys = || first.iter().map(|(key, _)| *key).take(COLUMNS_MAX);
        keys()
            .filter(|key| called.iter().any(|n| key.eq_ignore_ascii_case(n)))
            .find(|key| apart(key))
            .or_else(|| keys().find(|key| apart(key)))
    }
}

/// The keys and values of one line.
fn pairs_of<'a>(line: &'a str, keys: &mut Keys, each: &mut impl FnMut((&'a str, &'a str))) {
    let line = line.trim();
    let Some(at) = separator(line) else { return };
    if let Some(averages) = load_averages(line) {
        for (key, value) in
            ["load average (1 min)", "load average (5 min)", "load average (15 min)"].iter().zip(averages)
        {
            each((key, value));
        }
        return;
    }
    if !line.starts_with(|c: char| c.is_alphabetic()) || is_dated(line) {
        return;
    }
    let bytes = line.as_bytes();
    let blank = |b: Option<&u8>| b.is_none_or(|b| matches!(b, b' ' | b'\t'));
    let (key, value) = (line[..at].trim_end(), line[at + 1..].trim());
    if bytes[at] == b':' {
        let set_off = at > key.len() || line[at + 1..].starts_with("  ") || bytes.get(at + 1) == Some(&b'\t');
        // With white space inside, a value is the rest of a row of a table.
        let row = value.contains("  ") || value.contains('\t');
        if key.len() > 1 && !row {
            let is = keys.is(key);
            if is.key && !is_message(key, is, value, set_off) {
                each((key, value));
            }
        }
        return;
    }
    let is = keys.is(key);
    if !is.key || is.said || bytes.get(at + 1) == Some(&b'=') {
        return;
    }
    let spaced = at > key.len() && blank(bytes.get(at + 1));
    let mut further = |word: &str| word.split_once('=').is_some_and(|(k, _)| keys.is(k).key && !k.contains(' '));
    if spaced {
        each((key, value));
    } else if key.contains(' ') || at > key.len() || blank(bytes.get(at + 1)) && !value.is_empty() {
        // `set FOO=1` and `x= 1`: a command.
    } else if line.split_whitespace().all(&mut further) {
        for (key, value) in line.split_whitespace().filter_map(|word| word.split_once('=')) {
            each((key, value.trim_end_matches([',', ';'])));
        }
    } else if !value.split_whitespace().any(further) {
        each((key, value));
    }
}

/// Where a key ends. Whichever comes first makes it; a colon only with white space behind it, so that addresses, times, paths
/// with a drive and URLs are none.
fn separator(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    bytes.iter().enumerate().take(KEY_MAX * 4).find_map(|(i, b)| match b {
        b'=' => Some(i),
        b':' if bytes.get(i + 1).is_none_or(|b| matches!(b, b' ' | b'\t')) => Some(i),
        _ => None,
    })
}

/// The one list of values that is known by its name: `load average: 0.08, 0.03, 0.05`, as `uptime`, `w` and `top` end.
fn load_averages(line: &str) -> Option<[&str; 3]> {
    // Most lines have none, and to search from the end is slow.
    static WORDS: LazyLock<memchr::memmem::Finder<'static>> =
        LazyLock::new(|| memchr::memmem::Finder::new("load average"));
    WORDS.find(line.as_bytes())?;
    let (_, after) = line.rsplit_once("load average")?;
    let after = after.trim_start_matches('s').strip_prefix(':')?;
    let mut numbers = after.split([',', ' ']).filter(|n| !n.is_empty());
    let three = [numbers.next()?, numbers.next()?, numbers.next()?];
    (numbers.next().is_none() && three.iter().all(|n| Number::of(n).is_some())).then_some(three)
}

/// `Nov 22 …`, `Mon Nov 22 …`: a log. A line that begins with a digit or a bracket is never read.
fn is_dated(line: &str) -> bool {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    if !line.starts_with(|c: char| c.is_ascii_uppercase()) {
        return words_hold_clock(line);
    }
    let mut words = line.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let number = second.starts_with(|c: char| c.is_ascii_digit());
    (MONTHS.contains(&first) && number)
        || (DAYS.contains(&first.trim_end_matches(',')) && (number || MONTHS.contains(&second)))
        || words_hold_clock(line)
}

/// A time of day among the first words, as behind a level (`INFO 14:20:01 …`).
fn words_hold_clock(line: &str) -> bool {
    memchr::memchr_iter(b':', line.as_bytes()).count() >= 2
        && line.split_whitespace().take(3).take_while(|w| !w.ends_with(':') && !w.contains('=')).any(is_clock)
}

/// A time of day with its seconds, alone or behind its date.
fn is_clock(word: &str) -> bool {
    let word = word.trim_start_matches(['[', '(']);
    let time = word.split_once('T').map_or(word, |(_, time)| time);
    clock_length(time.as_bytes()) > 0 && time.matches(':').count() >= 2
}

/// A value that holds a point in time.
pub(super) fn holds_clock(value: &str) -> bool {
    value.split_whitespace().any(is_clock)
}

/// Letters, digits and what stands between them in names; no path, no address, no id.
fn is_key(key: &str) -> bool {
    let allowed =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | '(' | ')' | '%' | '#' | '+' | '*');
    key.starts_with(|c: char| c.is_alphabetic())
        && fits(key, KEY_MAX)
        && key.chars().all(allowed)
        && key.matches('/').count() <= 1
        && is_stable(key)
}

/// Words that begin a message, or end what is said of one; nothing has them for a name.
const SAID: [&str; 37] = [
    "error",
    "err",
    "warning",
    "warn",
    "fatal",
    "note",
    "hint",
    "info",
    "debug",
    "trace",
    "notice",
    "critical",
    "alert",
    "emergency",
    "panic",
    "usage",
    "try",
    "see",
    "tip",
    "caution",
    "exception",
    "traceback",
    "abort",
    "aborted",
    "failure",
    "e",
    "w",
    "n",
    "i",
    "failed",
    "denied",
    "unable",
    "cannot",
    "todo",
    "ok",
    "done",
    "step",
];
/// Words of sentences; no name holds them.
const PROSE: [&str; 24] = [
    "the", "is", "are", "was", "were", "to", "not", "could", "couldn't", "can", "can't", "has", "have", "with",
    "while", "because", "for", "you", "your", "please", "this", "that", "will", "from",
];

fn is_said(key: &str) -> bool {
    let mut all = key.split([' ', '/']);
    let (first, last) = (all.next().unwrap_or_default(), all.next_back().unwrap_or_default());
    SAID.iter().any(|s| first.eq_ignore_ascii_case(s) || last.eq_ignore_ascii_case(s))
}

/// What is said with a colon and names nothing: `Error: cannot open file`, `cp: missing operand`.
///
/// `set_off`: white space beyond one blank parts key and value, as people and programs write lists.
fn is_message(key: &str, is: Is, value: &str, set_off: bool) -> bool {
    if value.is_empty() || is.said || is.words > 6 {
        return true;
    }
    if Number::of(value).is_some() {
        return false;
    }
    if is.prose {
        return true;
    }
    // A program speaks under its own name, which is one word in lower case, a file or a class.
    let sentence = value.contains(' ') && !value.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
    let program = is.words == 1 && (key.starts_with(|c: char| c.is_lowercase()) || key.contains(['.', '/']));
    sentence && program && !set_off
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
