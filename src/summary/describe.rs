//! A set of nodes -> what they have in common, in words that claim no more than the shares they state.
//!
//! "all in acme-eu (12 of its 12)" says both how much of the set and how much of the account it is; never
//! "because of". Sets that nothing sets apart (`explain` judges that) are named by their nodes.

use crate::domain::number;

use super::Row;
use super::explain::{Attributes, Known, Reason, Verdict};
use super::names;

/// Sets up to this size are named one by one; of larger ones so many names, or ranges of names, are told.
const NAMED: usize = 3;

pub(super) struct Describer<'a> {
    rows: &'a [&'a Row],
    known: &'a Known,
    /// Read when they are first needed: a run that ends the same everywhere takes no explaining.
    attributes: Option<Attributes<'a>>,
}

impl<'a> Describer<'a> {
    /// `known` has learnt the rows, unless no set [`Describer::needs`] it.
    pub(super) fn new(rows: &'a [&'a Row], known: &'a Known) -> Self {
        Describer { rows, known, attributes: None }
    }

    /// Whether a set of so many of the rows is described by its attributes.
    pub(super) fn needs(set: usize, rows: usize) -> bool {
        set > NAMED && set < rows
    }

    /// `set` holds indices into the rows, ascending.
    pub(super) fn describe(&mut self, set: &[usize]) -> String {
        if set.len() <= NAMED {
            return self.names(set);
        }
        if set.len() == self.rows.len() {
            return format!("all {} nodes", set.len());
        }
        match self.attributes.get_or_insert_with(|| Attributes::of(self.known)).explain(set) {
            Verdict::Apart(reason) => words(&reason, set.len()),
            // Of most of the nodes it goes without saying.
            Verdict::Alike if set.len() <= self.rows.len() / 2 => {
                format!("{}, nothing sets them apart", self.names(set))
            }
            Verdict::Alike | Verdict::Unclear => self.names(set),
        }
    }

    /// `web-1 in acme-prod`, `web-[01-12]`, or `web-1, web-4, web-9 and 9 more`.
    fn names(&self, set: &[usize]) -> String {
        let names = || set.iter().map(|&i| &*self.rows[i].name);
        let first = || self.first(set).join(", ");
        let mut text = if set.len() <= NAMED {
            first()
        } else {
            match names::parts(names(), NAMED) {
                Some(parts) => parts.join(", "),
                None => format!("{} and {} more", first(), number((set.len() - NAMED) as u64)),
            }
        };
        if let Some(account) = self.account(set) {
            text.push_str(" in ");
            text.push_str(account);
        }
        text
    }

    /// The first names. Where two of these are the same, each says where it is too.
    fn first(&self, set: &[usize]) -> Vec<String> {
        let shown: Vec<&Row> = set.iter().take(NAMED).map(|&i| self.rows[i]).collect();
        let one_account = self.account(set).is_some();
        let place = |row: &Row, name: &str| row.attributes.get(name).cloned();
        let told = |row: &&Row| {
            let others = || shown.iter().filter(|other| other.target != row.target && other.name == row.name);
            let account = place(row, "account");
            let again = others().any(|other| place(other, "account") == account);
            let told = match (others().next(), one_account) {
                (None, _) => Vec::new(),
                (Some(_), true) => vec![place(row, "region")],
                (Some(_), false) if again => vec![account, place(row, "region")],
                (Some(_), false) => vec![account],
            };
            match told.into_iter().flatten().collect::<Vec<_>>().join(", ") {
                none if none.is_empty() => row.name.to_string(),
                place => format!("{} ({place})", row.name),
            }
        };
        shown.iter().map(told).collect()
    }

    /// The account that all of them are in.
    fn account(&self, set: &[usize]) -> Option<&'a str> {
        let mut accounts = set.iter().map(|&i| self.rows[i].attributes.get("account"));
        let first = accounts.next()??;
        accounts.all(|account| account == Some(first)).then_some(first)
    }
}

/// `all in acme-eu (12 of its 12)`, `41 of 46 in acme-eu with env=prod (41 of those 44)`, or
/// `all of acme-eu/eu-west-1 except 3`.
fn words(reason: &Reason<'_>, nodes: usize) -> String {
    let Reason { values, inside, total, .. } = reason;
    if let Some(left) = reason.exceptions() {
        let place: Vec<&str> = values.iter().map(|(_, value)| *value).collect();
        return format!("all of {} except {}", place.join("/"), number(left));
    }
    let told = |word: &str, between: &str| {
        let those: Vec<String> = values.iter().filter(|v| preposition(v.0) == word).map(value).collect();
        (!those.is_empty()).then(|| format!(" {word} {}", those.join(between)))
    };
    let told: Vec<String> =
        [told("in", "/"), told("on", " and "), told("with", " and ")].into_iter().flatten().collect();
    // An account's nodes in one region are one place's nodes.
    let one = values.len() == 1 || values.iter().all(|v| preposition(v.0) == "in");
    let whose = if one { "its" } else { "those" };
    let (total, of) = (number(*total), number(*inside));
    let all = if *inside as usize == nodes { "all".to_owned() } else { format!("{of} of {}", number(nodes as u64)) };
    format!("{all}{} ({of} of {whose} {total})", told.concat())
}

fn preposition(name: &str) -> &'static str {
    match name {
        "account" | "region" | "zone" => "in",
        "image" | "kernel" | "os" | "platform" | "type" => "on",
        _ => "with",
    }
}

fn value(&(name, value): &(&str, &str)) -> String {
    match preposition(name) {
        "with" => format!("{name}={value}"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn rows(specs: &[(&str, &str, u32)]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (account, region, count) in specs {
            for _ in 0..*count {
                let n = u32::try_from(rows.len()).unwrap();
                rows.push(Row {
                    target: n,
                    name: format!("web-{n}").into(),
                    attributes: Arc::new(
                        [("account", *account), ("region", *region), ("platform", "linux")]
                            .map(|(k, v)| (k.to_owned(), v.to_owned()))
                            .into(),
                    ),
                    ..Row::default()
                });
            }
        }
        rows
    }
    fn told(specs: &[(&str, &str, u32)], set: &[usize]) -> String {
        let rows = rows(specs);
        let rows: Vec<&Row> = rows.iter().collect();
        let mut known = Known::default();
        known.learn(&rows);
        Describer::new(&rows, &known).describe(set)
    }

    #[test]
    fn a_whole_account_is_told_with_both_shares() {
        let fleet = [("acme-us", "us-east-1", 36), ("acme-eu", "eu-west-1", 12)];
        assert_eq!(told(&fleet, &(36..48).collect::<Vec<_>>()), "all in acme-eu (12 of its 12)");
        assert_eq!(told(&fleet, &(36..40).collect::<Vec<_>>()), "all in acme-eu (4 of its 12)");
    }

    /// 100 nodes, of which every one has what `of` gives for it besides its account and region.
    fn told_of(of: impl Fn(u32) -> Vec<(&'static str, String)>, set: impl Fn(u32) -> bool) -> String {
        let mut rows =
            rows(&[("acme-us", "us-east-1", 40), ("acme-eu", "eu-west-1", 30), ("acme-eu", "eu-west-3", 30)]);
        for row in &mut rows {
            Arc::make_mut(&mut row.attributes)
                .extend(of(row.target).into_iter().map(|(name, value)| (name.to_owned(), value)));
        }
        let rows: Vec<&Row> = rows.iter().collect();
        let set: Vec<usize> = (0..rows.len()).filter(|&i| set(rows[i].target)).collect();
        let mut known = Known::default();
        known.learn(&rows);
        Describer::new(&rows, &known).describe(&set)
    }

    #[test]
    fn nodes_of_one_name_say_where_they_are() {
        let mut rows = rows(&[("acme-us", "us-east-1", 9), ("acme-eu", "eu-west-1", 1), ("acme-eu", "eu-west-3", 1)]);
        rows[0].name = "web".into();
        rows[9].name = "web".into();
        rows[10].name = "web".into();
        let rows: Vec<&Row> = rows.iter().collect();
        let known = Known::default();
        let describe = |set: &[usize]| Describer::new(&rows, &known).describe(set);
        assert_eq!(describe(&[0, 1, 9]), "web (acme-us), web-1, web (acme-eu)");
        assert_eq!(describe(&[9, 10]), "web (eu-west-1), web (eu-west-3) in acme-eu");
        assert_eq!(describe(&[0, 1]), "web, web-1 in acme-us");
        assert_eq!(describe(&[1, 9, 10]), "web-1, web (acme-eu, eu-west-1), web (acme-eu, eu-west-3)");
    }

    #[test]
    fn most_of_a_set_is_told_as_a_part() {
        let fleet = [("a", "us-east-1", 40), ("b", "eu-west-1", 20)];
        let most: Vec<usize> = (3..5).chain(42..60).collect();
        assert_eq!(told(&fleet, &most), "18 of 20 in b (18 of its 20)");
        // Of a few it could be chance.
        assert_eq!(told(&fleet, &[0, 40, 42, 44, 46, 48, 50, 52, 54, 56]), "web-0, web-40, web-42 and 7 more");
    }

    #[test]
    fn a_few_have_something_in_common_only_if_chance_would_rarely_give_it_to_them() {
        let fleet = [("a", "us-east-1", 20), ("b", "eu-west-1", 20)];
        assert_eq!(told(&fleet, &[20, 22, 24, 26, 28, 30]), "web-20, web-22, web-24 and 3 more in b", "2 in 198");
        assert_eq!(told(&fleet, &[20, 22, 24, 26, 28, 30, 32, 34]), "all in b (8 of its 20)", "2 in 1,221");
        // Of two that would rarely be given, the one that fits better.
        let region = |n: u32| n >= 70 && n.is_multiple_of(3) || n == 98;
        assert_eq!(told_of(|_| Vec::new(), region), "all in eu-west-3 (11 of its 30)");
        // Whose nodes they exactly are is no matter of chance.
        let fleet = [("a", "us-east-1", 4), ("b", "eu-west-1", 4)];
        assert_eq!(told(&fleet, &[4, 5, 6, 7]), "all in b (4 of its 4)");
    }

    #[test]
    fn two_values_are_told_where_they_say_clearly_more_than_one() {
        let env = |n: u32| vec![("env", if n.is_multiple_of(2) { "prod" } else { "test" }.to_owned())];
        assert_eq!(told_of(env, |n| n >= 40 && n.is_multiple_of(2)), "all in acme-eu with env=prod (30 of those 30)");
        let most = |n: u32| n >= 40 && n.is_multiple_of(2) && n != 50 || n == 3;
        assert_eq!(told_of(env, most), "29 of 30 in acme-eu with env=prod (29 of those 30)");
        // 60 nodes on one image, of which all but three are the set and have the tag.
        let both = |n: u32| {
            let image = if (20..80).contains(&n) { "ami" } else { "other" };
            let tag = if n.is_multiple_of(20) { "x" } else { "y" };
            vec![("image", image.to_owned()), ("tag:a", tag.to_owned())]
        };
        assert_eq!(told_of(both, |n| (20..80).contains(&n) && n % 20 != 0), "all on ami (57 of its 60)");
        let tags = |n: u32| {
            let of = |part: u32| if (n / part).is_multiple_of(2) { "x" } else { "y" }.to_owned();
            vec![("image", of(1)), ("tag:a", of(2)), ("tag:b", of(4))]
        };
        assert_eq!(told_of(tags, |n| n % 4 == 0), "all on x with tag:a=x (25 of those 25)");
        assert_eq!(told_of(tags, |n| n / 2 % 4 == 0), "all with tag:a=x and tag:b=x (26 of those 26)");
    }

    #[test]
    fn an_account_in_one_region_is_one_place_also_with_a_few_exceptions() {
        let none = |_: u32| Vec::new();
        let region =
            |n: u32| vec![("region", if (20..60).contains(&n) { "eu-west-1" } else { "us-east-1" }.to_owned())];
        assert_eq!(told_of(region, |n| (40..60).contains(&n)), "all in acme-eu/eu-west-1 (20 of its 20)");
        assert_eq!(told_of(region, |n| (42..60).contains(&n)), "all of acme-eu/eu-west-1 except 2");
        assert_eq!(told_of(region, |n| (43..60).contains(&n)), "all in acme-eu/eu-west-1 (17 of its 20)");
        assert_eq!(told_of(none, |n| n >= 43), "all of acme-eu except 3");
        assert_eq!(told_of(none, |n| n >= 44), "all in acme-eu (56 of its 60)");
    }

    #[test]
    fn of_values_of_the_same_nodes_the_one_people_think_in_first_is_told() {
        let alias = |n: u32| {
            let eu = |a: &str, b: &str| if n >= 40 { a } else { b }.to_owned();
            vec![("Customer", eu("e", "u")), ("tag:Area", eu("e", "u")), ("kernel", eu("5.10", "6.1"))]
        };
        assert_eq!(told_of(alias, |n| n >= 40), "all in acme-eu (60 of its 60)");
        let alias = |n: u32| {
            let third = |a: &str| if n.is_multiple_of(3) { a } else { "other" }.to_owned();
            vec![("Customer", third("e")), ("tag:Area", third("e")), ("kernel", third("5.10")), ("zone", third("b"))]
        };
        assert_eq!(told_of(alias, |n| n % 3 == 0), "all in b (34 of its 34)");
        let alias = |n: u32| alias(n).into_iter().filter(|(name, _)| *name != "zone").collect();
        assert_eq!(told_of(alias, |n| n % 3 == 0), "all on 5.10 (34 of its 34)");
        let alias = |n: u32| alias(n).into_iter().filter(|(name, _)| *name != "kernel").collect();
        assert_eq!(told_of(alias, |n| n % 3 == 0), "all with Customer=e (34 of its 34)");
    }

    #[test]
    fn what_nothing_sets_apart_is_named_and_said_to_be_so_where_that_is_news() {
        let none = |_: u32| Vec::new();
        assert_eq!(told_of(none, |n| n % 8 == 0), "web-0, web-8, web-16 and 10 more, nothing sets them apart");
        assert_eq!(told_of(none, |n| n % 8 != 0), "web-1, web-2, web-3 and 84 more", "of most it goes without saying");
        // Rarer in eu-west-3 than chance would have it, which describes nobody.
        assert_eq!(told_of(none, |n| n < 70 && n % 2 == 0), "web-0, web-2, web-4 and 32 more");
        let fleet = [("a", "us-east-1", 20), ("b", "eu-west-1", 20)];
        assert_eq!(told(&fleet, &[0, 2, 4, 20, 21]), "web-0, web-2, web-4 and 2 more");
        assert_eq!(told(&fleet, &[7]), "web-7 in a");
        assert_eq!(told(&fleet, &[7, 20]), "web-7, web-20");
    }

    #[test]
    fn numbered_nodes_in_a_row_are_told_as_a_range_where_that_tells_all_of_them() {
        let fleet = [("a", "us-east-1", 20), ("b", "eu-west-1", 20)];
        assert_eq!(told(&fleet, &[2, 3, 4, 5]), "web-[2-5] in a");
        assert_eq!(told(&fleet, &[0, 1, 2, 20, 21]), "web-[0-2], web-20, web-21");
        assert_eq!(told(&fleet, &[2, 3, 4]), "web-2, web-3, web-4 in a");
    }

    #[test]
    fn everything_is_just_everything() {
        assert_eq!(told(&[("a", "us-east-1", 5)], &[0, 1, 2, 3, 4]), "all 5 nodes");
    }
}
