//! What changed since an earlier output of the same nodes.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::summary::{Input, Row, summarise};

use super::gathered::Gathered;
use super::inventory::Inventory;

/// Between two outputs. Numbers, times and ids that go on by themselves are no change; a value that few have is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Changes {
    /// From one result to another, the most nodes first.
    pub moved: Vec<Moved>,
    pub new: Vec<String>,
    pub gone: Vec<String>,
    pub unchanged: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Moved {
    pub from: String,
    pub to: String,
    pub nodes: Vec<String>,
}

pub(super) fn changes(old: &Gathered, new: &Gathered) -> Changes {
    let nothing = Inventory::default();
    let (before, after) = (old.input(&nothing, None), new.input(&nothing, None));
    // Both are summarised as one, so that what is alike is in one finding.
    let shift = u32::try_from(before.rows.len()).unwrap_or(u32::MAX);
    let mut both = Input { rows: before.rows, outputs: before.outputs, ..Input::default() };
    both.rows.extend(after.rows.into_iter().map(|row| Row { target: row.target.saturating_add(shift), ..row }));
    both.outputs.extend(after.outputs);
    let summary = summarise(&both);
    let mut found: HashMap<u32, usize> = HashMap::new();
    for (n, finding) in summary.findings.iter().enumerate() {
        found.extend(finding.targets.iter().map(|target| (*target, n)));
    }
    let was: HashMap<&str, u32> = old.nodes.iter().zip(0..).map(|(node, at)| (node.name.as_str(), at)).collect();
    let mut moved: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    let mut changes = Changes { moved: Vec::new(), new: Vec::new(), gone: Vec::new(), unchanged: 0 };
    for (node, at) in new.nodes.iter().zip(shift..) {
        let Some(before) = was.get(node.name.as_str()) else {
            changes.new.push(node.name.clone());
            continue;
        };
        match (found.get(before), found.get(&at)) {
            (Some(from), Some(to)) if from != to => moved.entry((*from, *to)).or_default().push(node.name.clone()),
            _ => changes.unchanged += 1,
        }
    }
    let now: std::collections::HashSet<&str> = new.nodes.iter().map(|node| node.name.as_str()).collect();
    changes.gone.extend(old.nodes.iter().map(|n| n.name.clone()).filter(|name| !now.contains(name.as_str())));
    let title = |n: usize| summary.findings.get(n).map(|f| f.title.clone()).unwrap_or_default();
    changes.moved =
        moved.into_iter().map(|((from, to), nodes)| Moved { from: title(from), to: title(to), nodes }).collect();
    changes
        .moved
        .sort_by(|a, b| b.nodes.len().cmp(&a.nodes.len()).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;

    fn gather(text: &str) -> Gathered {
        let redactor = Redactor::new(b"key");
        let mut gathered = Gathered::default();
        gathered.read(&mut text.as_bytes(), &redactor).unwrap();
        gathered.finish(&redactor);
        gathered
    }

    #[test]
    fn what_moved_what_is_new_and_what_is_gone_is_told_and_time_alone_is_no_change() {
        let old: String = (0..20).map(|n| format!("web-{n}: up since 10:00:{n:02}, nginx/1.18.0\n")).collect();
        let new: String = (1..21)
            .map(|n| format!("web-{n}: up since 11:00:{n:02}, nginx/1.{}.0\n", if n < 4 { 24 } else { 18 }))
            .collect();
        let changes = changes(&gather(&old), &gather(&new));
        assert_eq!(
            (changes.new.as_slice(), changes.gone.as_slice()),
            (&["web-20".to_owned()][..], &["web-0".to_owned()][..])
        );
        assert_eq!(changes.unchanged, 16);
        let [moved] = changes.moved.as_slice() else { panic!("{changes:?}") };
        assert_eq!(moved.nodes, ["web-1", "web-2", "web-3"]);
        assert!(moved.from.contains("1.18.0") && moved.to.contains("1.24.0"), "{moved:?}");
    }

    #[test]
    fn the_same_again_is_no_change() {
        let text = "a: 1\nb: 1\nc: down\n";
        let found = changes(&gather(text), &gather(text));
        assert_eq!(found, Changes { moved: Vec::new(), new: Vec::new(), gone: Vec::new(), unchanged: 3 });
    }
}
