//! What changed since an earlier output of the same nodes.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::domain::Outcome;
use crate::summary::{Pair, Row, changes};

use super::gathered::Gathered;
use super::inventory::Inventory;

/// Between two outputs. Numbers, times and ids that go on by themselves are no change.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Changes {
    /// What changed, the most nodes first; a node may stand in several.
    pub moved: Vec<Moved>,
    pub new: Vec<String>,
    pub gone: Vec<String>,
    pub unchanged: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Moved {
    /// The line as it was; nothing where it is new.
    pub from: Option<String>,
    /// As it is; nothing where it is gone.
    pub to: Option<String>,
    pub nodes: Vec<String>,
}

pub(super) fn since(old: &mut Gathered, new: &mut Gathered) -> Result<Changes, String> {
    let (before, after) = (Side::of(old)?, Side::of(new)?);
    let was: HashMap<&str, usize> = old.nodes.iter().zip(0..).map(|(node, at)| (&*node.name, at)).collect();
    let now: HashSet<&str> = new.nodes.iter().map(|node| &*node.name).collect();
    let both: Vec<(usize, usize)> =
        new.nodes.iter().enumerate().filter_map(|(at, node)| Some((*was.get(&*node.name)?, at))).collect();
    let mut unchanged = vec![true; both.len()];
    let mut ended: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (at, (from, to)) in both.iter().enumerate() {
        if before.rows[*from].outcome != after.rows[*to].outcome {
            ended.entry((before.end(*from), after.end(*to))).or_default().push(at);
        }
    }
    let mut moved: Vec<(Option<String>, Option<String>, Vec<usize>)> =
        ended.into_iter().map(|((from, to), those)| (Some(from), Some(to), those)).collect();
    let mut texts = Vec::with_capacity(both.len());
    for (from, to) in &both {
        texts.push((old.text(*from)?, new.text(*to)?));
    }
    let pairs = both.iter().zip(&texts).map(|((_, to), (old, new_text))| Pair {
        name: &new.nodes[*to].name,
        old,
        new: new_text,
    });
    let pairs: Vec<Pair<'_>> = pairs.collect();
    let lines = changes(&pairs).into_iter();
    moved.extend(lines.map(|c| (c.from, c.to, c.pairs.into_iter().map(|at| at as usize).collect())));
    for at in moved.iter().flat_map(|(.., those)| those) {
        unchanged[*at] = false;
    }
    let name = |at: &usize| new.nodes[both[*at].1].name.to_string();
    Ok(Changes {
        moved: moved
            .into_iter()
            .map(|(from, to, those)| Moved { from, to, nodes: those.iter().map(name).collect() })
            .collect(),
        new: new.nodes.iter().map(|n| n.name.to_string()).filter(|name| !was.contains_key(name.as_str())).collect(),
        gone: old.nodes.iter().map(|n| n.name.to_string()).filter(|name| !now.contains(name.as_str())).collect(),
        unchanged: unchanged.into_iter().filter(|same| *same).count(),
    })
}

/// How the nodes of one output ended.
struct Side {
    rows: Vec<Row>,
    titles: HashMap<u32, String>,
}

impl Side {
    fn of(gathered: &mut Gathered) -> Result<Self, String> {
        let input = gathered.input(&Inventory::default(), None)?;
        let failed = |row: &Row| row.outcome != Some(Outcome::Succeeded);
        let summary = input.rows.iter().any(failed).then(|| gathered.summary(&input)).transpose()?;
        let findings = summary.into_iter().flat_map(|summary| summary.findings);
        let titles =
            findings.flat_map(|f| f.targets.into_iter().map(move |target| (target, f.title.clone()))).collect();
        Ok(Side { rows: input.rows, titles })
    }

    fn end(&self, at: usize) -> String {
        let row = &self.rows[at];
        let title = self.titles.get(&row.target).filter(|_| row.outcome != Some(Outcome::Succeeded));
        title.map_or_else(|| "succeeded".into(), |title| format!("failed: {title}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redactor;

    fn gather(text: &str) -> Gathered {
        let redactor = Redactor::new(b"key");
        let mut gathered = Gathered::to_summarise();
        gathered.read(&mut text.as_bytes(), &redactor).unwrap();
        gathered.finish(&redactor).unwrap();
        gathered
    }

    #[test]
    fn what_moved_what_is_new_and_what_is_gone_is_told_and_time_alone_is_no_change() {
        let old: String = (0..20).map(|n| format!("web-{n}: up since 10:00:{n:02}, nginx/1.18.0\n")).collect();
        let new: String = (1..21)
            .map(|n| format!("web-{n}: up since 11:00:{n:02}, nginx/1.{}.0\n", if n < 4 { 24 } else { 18 }))
            .collect();
        let changes = since(&mut gather(&old), &mut gather(&new)).unwrap();
        assert_eq!(
            (changes.new.as_slice(), changes.gone.as_slice()),
            (&["web-20".to_owned()][..], &["web-0".to_owned()][..])
        );
        assert_eq!(changes.unchanged, 16);
        let [moved] = changes.moved.as_slice() else { panic!("{changes:?}") };
        assert_eq!(moved.nodes, ["web-1", "web-2", "web-3"]);
        let told = [&moved.from, &moved.to].map(|side| side.as_deref().unwrap_or_default());
        assert_eq!(told, ["up since ‹time›, nginx/1.18.0", "up since ‹time›, nginx/1.24.0"]);
    }

    #[test]
    fn who_failed_and_who_is_well_again_is_told() {
        let (well, ill) = ("a: 1\nb: 1\n", "a: 1\nb: 1\npdsh@x: b: ssh exited with exit code 3\n");
        let told = |old: &str, new: &str| {
            let moved = since(&mut gather(old), &mut gather(new)).unwrap().moved;
            let [one] = moved.as_slice() else { panic!("{moved:?}") };
            (one.from.clone().unwrap(), one.to.clone().unwrap(), one.nodes.clone())
        };
        assert_eq!(told(well, ill), ("succeeded".into(), "failed: 1".into(), vec!["b".to_owned()]));
        assert_eq!(told(ill, well), ("failed: 1".into(), "succeeded".into(), vec!["b".to_owned()]));
    }

    #[test]
    fn the_same_again_is_no_change() {
        let text = "a: 1\nb: 1\nc: down\n";
        let found = since(&mut gather(text), &mut gather(text)).unwrap();
        assert_eq!(found, Changes { moved: Vec::new(), new: Vec::new(), gone: Vec::new(), unchanged: 3 });
    }
}
