//! Whether targets are in the policy's sets.
//!
//! Three answers, not two: a target is in a set, is not, or it cannot be said because an attribute is missing.
//! A grant counts only those surely in; forbids, approval rules and production count all that may be in.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::domain::Region;

use super::request::TargetFacts;
use super::set::{Pattern, PolicySet, TargetSet, Where};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    No,
    /// Nothing speaks against it, and an attribute that would decide is missing.
    Unsaid,
    Yes,
}

impl TargetSet {
    /// The worst of its conditions.
    pub(super) fn fit(&self, facts: &TargetFacts<'_>) -> Fit {
        self.fit_of_account(facts).min(self.fit_of_region(facts.region())).min(self.fit_of_node(facts))
    }

    pub(super) fn fit_of_account(&self, facts: &TargetFacts<'_>) -> Fit {
        let listed = match facts.account_name {
            _ if self.accounts.is_empty() || any(&self.accounts, facts.account().as_str()) => Fit::Yes,
            Some(name) if any(&self.accounts, name) => Fit::Yes,
            Some(_) => Fit::No,
            // All ids, so the name that is missing could change nothing.
            None if self.accounts.iter().all(Pattern::is_account_id) => Fit::No,
            None => Fit::Unsaid,
        };
        listed.min(worst(&self.labels, facts.labels))
    }

    pub(super) fn fit_of_region(&self, region: &Region) -> Fit {
        if self.regions.is_empty() || any(&self.regions, region.as_str()) { Fit::Yes } else { Fit::No }
    }

    /// By the node's own tags.
    pub(super) fn fit_of_node(&self, facts: &TargetFacts<'_>) -> Fit {
        worst(&self.tags, facts.tags)
    }
}

fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|p| p.matches(text))
}

fn worst(wanted: &BTreeMap<String, Vec<Pattern>>, attributes: &BTreeMap<String, String>) -> Fit {
    let fit = |(name, values): (&String, &Vec<Pattern>)| match attributes.get(name) {
        None => Fit::Unsaid,
        Some(value) if any(values, value) => Fit::Yes,
        Some(_) => Fit::No,
    };
    wanted.iter().map(fit).min().unwrap_or(Fit::Yes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Production {
    No,
    Yes,
    /// No set says what it is, so it counts as production.
    Unclassified,
}

/// The sets of a policy, numbered in the order of their names.
#[derive(Debug)]
pub(super) struct Sets<'p> {
    names: Vec<&'p str>,
    sets: Vec<&'p TargetSet>,
    production: Bits,
    not_production: Bits,
}

impl<'p> Sets<'p> {
    pub(super) fn of(policy: &'p PolicySet) -> Self {
        let marked = |as_production: bool| {
            let those = policy.sets.values().enumerate().filter(|(_, set)| set.production == Some(as_production));
            Bits::with(policy.sets.len(), those.map(|(n, _)| n))
        };
        Sets {
            names: policy.sets.keys().map(String::as_str).collect(),
            sets: policy.sets.values().collect(),
            production: marked(true),
            not_production: marked(false),
        }
    }

    pub(super) fn fits(&self, fit: impl Fn(&TargetSet) -> Fit) -> Fits {
        let mut fits = Fits { surely: Bits::with(self.sets.len(), []), maybe: Bits::with(self.sets.len(), []) };
        for (n, set) in self.sets.iter().enumerate() {
            let fit = fit(set);
            if fit == Fit::Yes {
                fits.surely.add(n);
            }
            if fit != Fit::No {
                fits.maybe.add(n);
            }
        }
        fits
    }

    pub(super) fn production(&self, fits: &Fits) -> Production {
        if self.production.meet(&fits.surely) {
            Production::Yes
        } else if !self.not_production.meet(&fits.surely) {
            Production::Unclassified
        } else if self.production.meet(&fits.maybe) {
            Production::Yes
        } else {
            Production::No
        }
    }

    /// The place of a rule.
    pub(super) fn named(&self, place: &Where) -> Named {
        let Where::Sets(names) = place else { return Named::Anywhere };
        let mut sets = Bits::with(self.sets.len(), []);
        let mut stranger = false;
        for name in names {
            match self.names.binary_search(&name.as_str()) {
                Ok(n) => sets.add(n),
                Err(_) => stranger = true,
            }
        }
        Named::Sets { sets, stranger }
    }
}

/// Some of the sets, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn with(len: usize, these: impl IntoIterator<Item = usize>) -> Self {
        let mut bits = Bits(vec![0; len.div_ceil(64)]);
        these.into_iter().for_each(|n| bits.add(n));
        bits
    }
    fn add(&mut self, n: usize) {
        self.0[n / 64] |= 1 << (n % 64);
    }
    fn meet(&self, other: &Bits) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }
    /// Those that are in all three.
    fn all([a, b, c]: [&Bits; 3]) -> Bits {
        Bits(a.0.iter().zip(&b.0).zip(&c.0).map(|((a, b), c)| a & b & c).collect())
    }
}

/// One answer for each of the sets. A decision compares thousands of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fits {
    surely: Bits,
    /// Those too.
    maybe: Bits,
}

impl Fits {
    /// The worst of these for each set.
    pub(super) fn worst(of: [&Fits; 3]) -> Fits {
        Fits { surely: Bits::all(of.map(|fits| &fits.surely)), maybe: Bits::all(of.map(|fits| &fits.maybe)) }
    }
}

/// By the first set for which they differ, [`Fit::No`] first: it is the order in which places are told.
impl Ord for Fits {
    fn cmp(&self, other: &Self) -> Ordering {
        let words = self.surely.0.iter().zip(&self.maybe.0).zip(other.surely.0.iter().zip(&other.maybe.0));
        for ((surely, maybe), (others_surely, others_maybe)) in words {
            let differ = (surely ^ others_surely) | (maybe ^ others_maybe);
            if differ != 0 {
                let fit = |surely: &u64, maybe: &u64| {
                    let first = differ.trailing_zeros();
                    ((maybe >> first) & 1, (surely >> first) & 1)
                };
                return fit(surely, maybe).cmp(&fit(others_surely, others_maybe));
            }
        }
        Ordering::Equal
    }
}
impl PartialOrd for Fits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The place of a rule, to be held against [`Fits`].
pub(super) enum Named {
    Anywhere,
    Sets {
        sets: Bits,
        /// Loading refuses unknown names. Should one come through, it cannot be said what is in it.
        stranger: bool,
    },
}

impl Named {
    pub(super) fn surely(&self, fits: &Fits) -> bool {
        match self {
            Named::Anywhere => true,
            Named::Sets { sets, .. } => sets.meet(&fits.surely),
        }
    }
    pub(super) fn maybe(&self, fits: &Fits) -> bool {
        match self {
            Named::Anywhere => true,
            Named::Sets { sets, stranger } => *stranger || sets.meet(&fits.maybe),
        }
    }
}

/// Whether the target is surely in the set.
pub(super) fn lies_in(set: &TargetSet, facts: &TargetFacts<'_>) -> bool {
    set.fit(facts) == Fit::Yes
}

/// Whether a set says surely of the target that it is production, or that it is not.
pub(super) fn is_classified(policy: &PolicySet, facts: &TargetFacts<'_>) -> bool {
    let sets = Sets::of(policy);
    sets.production(&sets.fits(|set| set.fit(facts))) != Production::Unclassified
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_stand_in_the_order_of_their_answers_set_by_set() {
        // More sets than one word holds.
        let answers: Vec<Vec<Fit>> = (0..81u32)
            .map(|n| {
                let digit = |place: u32| [Fit::No, Fit::Unsaid, Fit::Yes][(n / 3u32.pow(place) % 3) as usize];
                let mut all = vec![Fit::Unsaid; 70];
                (all[0], all[1], all[63], all[69]) = (digit(0), digit(1), digit(2), digit(3));
                all
            })
            .collect();
        let fits = |answers: &Vec<Fit>| {
            let those = |least: Fit| answers.iter().enumerate().filter(move |(_, fit)| **fit >= least).map(|(n, _)| n);
            Fits {
                surely: Bits::with(answers.len(), those(Fit::Yes)),
                maybe: Bits::with(answers.len(), those(Fit::Unsaid)),
            }
        };
        for a in &answers {
            for b in &answers {
                assert_eq!(fits(a).cmp(&fits(b)), a.cmp(b), "{a:?} {b:?}");
            }
        }
    }
}
