//! What is known of the nodes, from a table that people have: TSV or CSV.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Attributes by node.
#[derive(Default)]
pub(super) struct Inventory {
    nodes: HashMap<String, Arc<BTreeMap<String, String>>>,
    /// What is known of all others.
    nothing: Arc<BTreeMap<String, String>>,
    given: bool,
}

impl Inventory {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|why| format!("{}: cannot be read: {why}", path.display()))?;
        Inventory::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        let header = text.lines().next().unwrap_or_default();
        let delimiter = if header.contains('\t') { b'\t' } else { b',' };
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
        let columns = reader.headers().map_err(|why| why.to_string())?.clone();
        if columns.len() < 2 {
            return Err(
                "an inventory has a header and at least two columns, the first of them the node; separate them \
                        by tabs or commas"
                    .into(),
            );
        }
        let mut nodes = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|why| why.to_string())?;
            let Some(name) = record.get(0).map(str::trim).filter(|name| !name.is_empty()) else { continue };
            let attributes = columns.iter().zip(&record).skip(1).map(|(name, value)| (name.trim(), value.trim()));
            let attributes = attributes.filter(|(name, value)| !name.is_empty() && !value.is_empty());
            let attributes = attributes.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            nodes.insert(name.to_owned(), Arc::new(attributes));
        }
        Ok(Inventory { nodes, given: true, ..Inventory::default() })
    }

    pub(super) fn of(&self, node: &str) -> Arc<BTreeMap<String, String>> {
        self.nodes.get(node).unwrap_or(&self.nothing).clone()
    }

    /// Of these nodes those that it lacks; none where there is no inventory.
    pub(super) fn lacks<'n>(&self, nodes: impl Iterator<Item = &'n str>) -> usize {
        if self.given { nodes.filter(|node| !self.nodes.contains_key(*node)).count() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_and_commas_are_read_with_their_quotes_and_gaps() {
        let tsv = Inventory::parse("node\taccount\tregion\nweb-1\tacme eu\teu-west-1\nweb-2\tacme us\n").unwrap();
        assert_eq!(tsv.of("web-1")["account"], "acme eu");
        assert_eq!(tsv.of("web-2").len(), 1);
        assert_eq!(tsv.lacks(["web-1", "web-9"].into_iter()), 1);
        let csv = Inventory::parse("\u{feff}node,owner,\n\"web-1\",\"a, b\",x\n,nobody\n").unwrap();
        assert_eq!(*csv.of("web-1"), [("owner".to_owned(), "a, b".to_owned())].into());
        assert!(Inventory::parse("").is_err() && Inventory::parse("web-1\nweb-2\n").is_err());
        assert_eq!(Inventory::default().lacks(["web-1"].into_iter()), 0);
    }
}
