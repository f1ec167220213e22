//! A set of nodes -> what they have in common, in words that claim no more than the shares they state.
//!
//! "all in acme-eu (12 of its 12)" says both how much of the set and how much of the account it is; never
//! "because of". Sets that nothing sets apart are named by their first nodes.

use std::collections::{BTreeMap, HashMap};

use super::Row;

/// Sets up to this size are named one by one.
const NAMED: usize = 3;
/// Attributes are only told when they hold for at least three quarters of the set …
const SHARE: (u64, u64) = (3, 4);
/// … and are at least half again as common in the set as in the whole run.
const LIFT: (u64, u64) = (3, 2);
/// Says the same as the node's name.
const IGNORED: &[&str] = &["node", "tag:Name"];

/// Every row's attributes, interned once for all the sets of a summary.
pub(super) struct Describer<'a> {
    rows: &'a [&'a Row],
    /// For each row the ids of its attribute values.
    held: Vec<Vec<u32>>,
    /// Attribute and value by id.
    attributes: Vec<(&'a str, &'a str)>,
    /// Nodes in the whole run that have the value.
    totals: Vec<u32>,
}

impl<'a> Describer<'a> {
    pub(super) fn new(rows: &'a [&'a Row]) -> Self {
        let mut ids: HashMap<(&str, &str), u32> = HashMap::new();
        let mut attributes = Vec::new();
        let mut totals: Vec<u32> = Vec::new();
        let held = rows
            .iter()
            .map(|row| {
                row.attributes
                    .iter()
                    .filter(|(name, _)| !IGNORED.contains(&name.as_str()))
                    .map(|(name, value)| {
                        let id = *ids.entry((name, value)).or_insert_with(|| {
                            attributes.push((name.as_str(), value.as_str()));
                            totals.push(0);
                            u32::try_from(totals.len() - 1).unwrap_or(u32::MAX)
                        });
                        totals[id as usize] += 1;
                        id
                    })
                    .collect()
            })
            .collect();
        Describer { rows, held, attributes, totals }
    }

    /// `set` holds indices into the rows, ascending.
    pub(super) fn describe(&self, set: &[usize]) -> String {
        if set.len() <= NAMED {
            return self.names(set);
        }
        if set.len() == self.rows.len() {
            return format!("all {} nodes", set.len());
        }
        match self.common(set) {
            Some(text) => text,
            None => self.names(set),
        }
    }

    /// `web-1 in acme-prod`, or `web-1, web-2, web-3 and 9 more`.
    fn names(&self, set: &[usize]) -> String {
        let place = |i: usize| self.rows[i].attributes.get("account").map(String::as_str);
        let named: Vec<&str> = set.iter().take(NAMED).map(|&i| self.rows[i].name.as_str()).collect();
        let mut text = named.join(", ");
        if set.len() > NAMED {
            text.push_str(&format!(" and {} more", set.len() - NAMED));
        }
        let mut places: Vec<&str> = set.iter().filter_map(|&i| place(i)).collect();
        places.sort_unstable();
        places.dedup();
        if let [one] = places.as_slice() {
            text.push_str(&format!(" in {one}"));
        }
        text
    }

    /// The attribute that says most about the set, if one stands out.
    fn common(&self, set: &[usize]) -> Option<String> {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for &i in set {
            for id in &self.held[i] {
                *counts.entry(*id).or_default() += 1;
            }
        }
        let size = set.len() as u64;
        let rows = self.rows.len() as u64;
        let best = counts
            .into_iter()
            .filter_map(|(id, inside)| {
                let total = u64::from(self.totals[id as usize]);
                let inside = u64::from(inside);
                let common = inside * SHARE.1 >= size * SHARE.0;
                // inside/size compared with total/rows, without division.
                let telling = inside * rows * LIFT.1 >= size * total * LIFT.0;
                (common && telling && total < rows).then_some((id, inside, total))
            })
            .max_by(|a, b| {
                // How well the attribute fits the set: twice the overlap over both sizes (an F1 score).
                let fit = |x: &(u32, u64, u64)| (2 * x.1, size + x.2);
                let ((an, ad), (bn, bd)) = (fit(a), fit(b));
                let rank = |id: u32| (order(self.attributes[id as usize].0), self.attributes[id as usize]);
                (an * bd).cmp(&(bn * ad)).then_with(|| rank(b.0).cmp(&rank(a.0)))
            });
        let (id, inside, total) = best?;
        let (name, value) = self.attributes[id as usize];
        let place = place(name, value);
        Some(if inside == size {
            format!("all {place} ({inside} of its {total})")
        } else {
            format!("{inside} of {size} {place} ({inside} of its {total})")
        })
    }
}

/// Of two attributes that fit equally well the one that people think in first.
fn order(name: &str) -> u8 {
    match name {
        "account" => 0,
        "region" => 1,
        "customer" => 2,
        "env" => 3,
        "platform" => 4,
        name if name.starts_with("tag:") => 6,
        _ => 5,
    }
}

fn place(name: &str, value: &str) -> String {
    match name {
        "account" | "region" => format!("in {value}"),
        "platform" => format!("on {value}"),
        _ => format!("with {name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(specs: &[(&str, &str, u32)]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (account, region, count) in specs {
            for _ in 0..*count {
                let n = u32::try_from(rows.len()).unwrap();
                rows.push(Row {
                    target: n,
                    name: format!("web-{n}"),
                    attributes: [("account", *account), ("region", *region), ("platform", "linux")]
                        .map(|(k, v)| (k.to_owned(), v.to_owned()))
                        .into(),
                    ..Row::default()
                });
            }
        }
        rows
    }
    fn told(specs: &[(&str, &str, u32)], set: &[usize]) -> String {
        let rows = rows(specs);
        let rows: Vec<&Row> = rows.iter().collect();
        Describer::new(&rows).describe(set)
    }

    #[test]
    fn a_whole_account_is_told_with_both_shares() {
        let fleet = [("acme-us", "us-east-1", 36), ("acme-eu", "eu-west-1", 12)];
        assert_eq!(told(&fleet, &(36..48).collect::<Vec<_>>()), "all in acme-eu (12 of its 12)");
        assert_eq!(told(&fleet, &(36..40).collect::<Vec<_>>()), "all in acme-eu (4 of its 12)");
    }

    #[test]
    fn most_of_a_set_is_told_as_a_part() {
        let fleet = [("a", "us-east-1", 40), ("b", "eu-west-1", 10)];
        assert_eq!(told(&fleet, &[0, 40, 41, 42, 43, 44, 45, 46, 47, 48]), "9 of 10 in b (9 of its 10)");
    }

    #[test]
    fn what_nothing_sets_apart_is_named() {
        let fleet = [("a", "us-east-1", 20), ("b", "eu-west-1", 20)];
        assert_eq!(told(&fleet, &[0, 1, 2, 20, 21]), "web-0, web-1, web-2 and 2 more");
        assert_eq!(told(&fleet, &[7]), "web-7 in a");
        assert_eq!(told(&fleet, &[7, 20]), "web-7, web-20");
    }

    #[test]
    fn everything_is_just_everything() {
        assert_eq!(told(&[("a", "us-east-1", 5)], &[0, 1, 2, 3, 4]), "all 5 nodes");
    }
}
