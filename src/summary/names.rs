//! Names of nodes -> the few words that name them all: `web-[01-09], db-1`.

use std::cmp::Ordering;

/// Fewer names in a row are told one by one.
const RANGE: usize = 3;

/// The order in which people expect names: numbers in them by their value, so that `web-9` stands before `web-10`.
#[must_use]
pub fn by_name(a: &str, b: &str) -> Ordering {
    // What both begin with is passed over, up to the part that they may differ in.
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    if same == a.len() && same == b.len() {
        return Ordering::Equal;
    }
    let before = &a.as_bytes()[..same];
    let digits = before.last().is_some_and(u8::is_ascii_digit);
    let from = same - before.iter().rev().take_while(|b| b.is_ascii_digit() == digits).count();
    by_parts(&a[from..], &b[from..])
}

fn by_parts(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (one, other) = (left.split_at(run(left)), right.split_at(run(right)));
        let order = match (number(one.0), number(other.0)) {
            (Some(one), Some(other)) => one.len().cmp(&other.len()).then(one.cmp(other)),
            _ => one.0.cmp(other.0),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (one.1, other.1);
    }
    // `web-07` and `web-7` are two nodes.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// What has a name, in the order of [`by_name`]; equal ones stay as they are. For lists so long that to take each name apart
/// again and again would take most of the time.
pub fn put_in_order_of_names<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    let mut order: Vec<(u128, usize)> = items.iter().map(|item| key(name(item))).zip(0..).collect();
    order.sort_unstable_by(|(a, i), (b, j)| {
        let same_key = || by_name(name(&items[*i]), name(&items[*j])).then(i.cmp(j));
        a.cmp(b).then_with(same_key)
    });
    // Where each is to come from; once it is there, from itself. Each swap puts one where it belongs.
    let mut from: Vec<usize> = order.into_iter().map(|(_, at)| at).collect();
    for first in 0..from.len() {
        let mut at = first;
        while from[at] != first {
            let next = from[at];
            items.swap(at, next);
            from[at] = at;
            at = next;
        }
        from[at] = at;
    }
}

/// Where one name has less of it than another, [`by_name`] says the same.
fn key(name: &str) -> u128 {
    let (mut key, mut room) = (0_u128, 16);
    // False where there was no room.
    let mut put = |byte: u8| {
        let fits = room > 0;
        if fits {
            key = key << 8 | u128::from(byte);
            room -= 1;
        }
        fits
    };
    let mut rest = name.as_bytes();
    loop {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            let zeros = rest[..digits].iter().take_while(|b| **b == b'0').count();
            let length = u8::try_from(digits - zeros).unwrap_or(u8::MAX);
            // No node has a number as long; what is left of the key is the same for all that have.
            let whole = put(b'0' + 1) && put(length) && length < u8::MAX;
            if !whole || !rest[zeros..digits].iter().all(|b| put(*b)) {
                break;
            }
        }
        rest = &rest[digits..];
        let others = rest.iter().take_while(|b| !b.is_ascii_digit()).count();
        // Nothing is less than the end of a run, and so than a name that ends there.
        if others == 0 || !rest[..others].iter().all(|b| put(b + 1)) || !put(0) {
            break;
        }
        rest = &rest[others..];
    }
    key.checked_shl(8 * room).unwrap_or(0)
}

/// How many bytes the name has of what it begins with, be it digits or others.
fn run(name: &str) -> usize {
    let digits = |b: u8| b.is_ascii_digit();
    let first = name.bytes().next().is_some_and(digits);
    name.bytes().take_while(|b| digits(*b) == first).count()
}

/// The digits of a number, without zeros in front.
fn number(run: &str) -> Option<&str> {
    run.starts_with(|c: char| c.is_ascii_digit()).then(|| run.trim_start_matches('0'))
}

/// What the names of a row of nodes share: `web-`, `.example.com`, and two digits. Of a name without a number `before` is
/// all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'a> {
    before: &'a str,
    after: &'a str,
    width: usize,
}

/// All the names in at most so many parts, numbered ones that follow each other as a range; `None` if there is no such
/// way, or if two nodes have the same name, which a range would hide.
pub(super) fn parts<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> Option<Vec<String>> {
    let mut kinds: Vec<(Kind<'a>, Vec<u32>)> = Vec::new();
    for name in names {
        let (kind, number) = numbered(name);
        match kinds.iter().position(|(known, _)| *known == kind) {
            Some(at) => kinds[at].1.push(number),
            // Each makes a part at least.
            None if kinds.len() == most => return None,
            None => kinds.push((kind, vec![number])),
        }
    }
    kinds.sort_unstable();
    let mut parts = Vec::new();
    for (kind, numbers) in &mut kinds {
        numbers.sort_unstable();
        if numbers.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        for run in numbers.chunk_by(|a, b| a + 1 == *b) {
            match run {
                [first, .., last] if run.len() >= RANGE => parts.push(kind.range(*first, *last)),
                few => parts.extend(few.iter().map(|number| kind.one(*number))),
            }
            if parts.len() > most {
                return None;
            }
        }
    }
    Some(parts)
}

impl Kind<'_> {
    fn one(&self, number: u32) -> String {
        let Kind { before, after, width } = self;
        if *width == 0 { (*before).to_owned() } else { format!("{before}{number:0width$}{after}") }
    }

    fn range(&self, first: u32, last: u32) -> String {
        let Kind { before, after, width } = self;
        format!("{before}[{first:0width$}-{last:0width$}]{after}")
    }
}

/// A name that ends in a number, or whose first label does: `web-07.example.com`.
fn numbered(name: &str) -> (Kind<'_>, u32) {
    let (label, after) = name.split_at(name.find('.').unwrap_or(name.len()));
    let before = label.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &label[before.len()..];
    // A longer number is an id, and so is one without words; the numbers of an address or an id count nothing.
    let counts = digits.len() < 10 && before.contains(char::is_alphabetic) && !is_id(label);
    match digits.parse() {
        Ok(number) if counts => (Kind { before, after, width: digits.len() }, number),
        Ok(_) | Err(_) => (Kind { before: name, after: "", width: 0 }, 0),
    }
}

/// `i-0123456789abcdef0` and `mi-…`, which AWS draws at random, and `ip-10-0-3-17`, which is an address.
fn is_id(label: &str) -> bool {
    let drawn = label.strip_prefix("i-").or_else(|| label.strip_prefix("mi-"));
    let address = label.strip_prefix("ip-");
    drawn.is_some_and(|id| id.len() >= 8 && id.chars().all(|c| c.is_ascii_hexdigit()))
        || address.is_some_and(|ip| ip.chars().all(|c| c.is_ascii_digit() || c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_numbers() {
        let mut names = ["web-10", "web-9", "db", "web-09", "web-9a", "i-0b", "i-0a", "web", "9", "10", "ü1"];
        names.sort_by(|a, b| by_name(a, b));
        assert_eq!(names, ["9", "10", "db", "i-0a", "i-0b", "web", "web-09", "web-9", "web-9a", "web-10", "ü1"]);
    }

    proptest::proptest! {
        #[test]
        fn what_two_names_begin_with_changes_nothing(a in "[a0-1é.-]{0,7}", b in "[a0-1é.-]{0,7}") {
            proptest::prop_assert_eq!(by_name(&a, &b), by_parts(&a, &b));
            let mut order = [&a, &b];
            put_in_order_of_names(&mut order, |name| name);
            proptest::prop_assert_eq!(order, if by_parts(&a, &b).is_gt() { [&b, &a] } else { [&a, &b] });
        }

        #[test]
        fn a_long_list_is_put_in_the_order_of_its_names_and_equal_ones_stay(names in proptest::collection::vec("[a-b]{0,2}[0-9]{0,2}", 0..40)) {
            let named: Vec<(usize, &String)> = names.iter().enumerate().collect();
            let (mut put, mut sorted) = (named.clone(), named);
            put_in_order_of_names(&mut put, |(_, name)| name);
            sorted.sort_by(|(_, a), (_, b)| by_name(a, b));
            proptest::prop_assert_eq!(put, sorted);
        }

        #[test]
        fn a_name_that_has_less_of_a_key_stands_first(a in "([a0-1é.-]|[0-9]{1,300}){0,9}", b in "([a0-1é.-]|[0-9]{1,300}){0,9}") {
            let order = key(&a).cmp(&key(&b));
            proptest::prop_assert!(order.is_eq() || order == by_parts(&a, &b));
        }
    }

    fn told(names: &[&str]) -> Option<String> {
        parts(names.iter().copied(), 3).map(|parts| parts.join(", "))
    }

    #[test]
    fn numbered_host_names_in_a_row_are_a_range() {
        let names = ["web-01", "web-02", "web-03", "web-04", "web-05", "web-06", "web-07", "web-08", "web-09"];
        assert_eq!(told(&names).as_deref(), Some("web-[01-09]"));
        assert_eq!(told(&["b3", "db", "b5", "b4"]).as_deref(), Some("b[3-5], db"));
        let names = ["web-08.example.com", "web-09.example.com", "web-10.example.com"];
        assert_eq!(told(&names).as_deref(), Some("web-[08-10].example.com"));
    }

    #[test]
    fn a_range_holds_exactly_the_names_it_stands_for() {
        assert_eq!(told(&["w1", "w2", "w4", "w5"]), None, "four parts");
        assert_eq!(told(&["w1", "w2", "w3", "w5"]).as_deref(), Some("w[1-3], w5"));
        assert_eq!(told(&["w8", "w9", "w10", "w11", "w12"]).as_deref(), Some("w8, w9, w[10-12]"), "of one width");
        assert_eq!(told(&["w01", "w2", "w03"]).as_deref(), Some("w2, w01, w03"), "of one width");
        assert_eq!(told(&["a1", "b2", "c3"]).as_deref(), Some("a1, b2, c3"));
        assert_eq!(told(&["w1.eu", "w2.us", "w3.eu"]).as_deref(), Some("w1.eu, w3.eu, w2.us"));
        assert_eq!(told(&["w1", "w2", "w3", "w3"]), None, "two nodes of one name");
    }

    #[test]
    fn ids_and_addresses_are_no_numbers() {
        let ids = ["i-00000000000000001", "i-00000000000000002", "i-00000000000000003", "i-00000000000000004"];
        assert_eq!(told(&ids), None);
        assert_eq!(
            told(&["i-00000001", "i-00000002", "i-00000003"]).as_deref(),
            Some("i-00000001, i-00000002, i-00000003")
        );
        assert_eq!(told(&["mi-00000001", "mi-00000002", "mi-00000003", "mi-00000004"]), None);
        assert_eq!(told(&["ip-10-0-3-1", "ip-10-0-3-2", "ip-10-0-3-3", "ip-10-0-3-4"]), None);
        assert_eq!(told(&["10.0.0.1", "11.0.0.1", "12.0.0.1", "13.0.0.1"]), None);
        assert_eq!(told(&["1", "2", "3", "4"]), None);
        assert_eq!(told(&["", "", ""]), None);
    }
}
