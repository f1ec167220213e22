//! The values of a text, one behind the other, in little room.

use super::mask::Kind;
use super::size;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub kind: Kind,
    pub text: &'a str,
}

impl<'a> Value<'a> {
    /// As it is compared: all nodes that say their own name say the same.
    pub(super) fn said(self) -> &'a str {
        if self.kind == Kind::Own { Kind::Own.word() } else { self.text }
    }
}

/// Those of one text, by their number.
#[derive(Debug, Default)]
pub(super) struct Values {
    ends: Box<[End]>,
    text: Box<str>,
}

/// The same while they are put together.
#[derive(Debug, Default)]
pub(super) struct Draft {
    ends: Vec<End>,
    text: String,
}

/// Either of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    ends: &'a [End],
    text: &'a str,
}

/// Where a value ends, which is where the next one begins; and in the last bits its kind.
#[derive(Debug, Clone, Copy)]
struct End(u32);

const KIND_BITS: u32 = 3;

impl End {
    /// `at`: far less than half a GB, as no text is so long.
    fn new(at: usize, kind: Kind) -> Self {
        End(size(at) << KIND_BITS | kind as u32)
    }

    fn at(self) -> usize {
        (self.0 >> KIND_BITS) as usize
    }

    fn kind(self) -> Kind {
        Kind::ALL.get((self.0 & ((1 << KIND_BITS) - 1)) as usize).copied().unwrap_or(Kind::Id)
    }
}

impl Values {
    pub(super) fn view(&self) -> View<'_> {
        View { ends: &self.ends, text: &self.text }
    }
}

impl From<&Draft> for Values {
    fn from(draft: &Draft) -> Self {
        Values { ends: draft.ends.as_slice().into(), text: draft.text.as_str().into() }
    }
}

impl Draft {
    pub(super) fn view(&self) -> View<'_> {
        View { ends: &self.ends, text: &self.text }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn push(&mut self, kind: Kind, text: &str) {
        self.text.push_str(text);
        self.ends.push(End::new(self.text.len(), kind));
    }

    pub(super) fn clear(&mut self) {
        self.ends.clear();
        self.text.clear();
    }
}

impl<'a> View<'a> {
    #[cfg(test)]
    pub(super) fn len(self) -> usize {
        self.ends.len()
    }

    /// So many of them.
    pub(super) fn range(self, from: u32, count: usize) -> impl Iterator<Item = Value<'a>> + Clone {
        (from as usize..).take(count).map(move |at| self.get(at))
    }

    /// Nothing where there is none of this number.
    pub(super) fn get(self, at: usize) -> Value<'a> {
        let value = self.ends.get(at).map(|end| {
            let from = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |before| before.at());
            Value { kind: end.kind(), text: self.text.get(from..end.at()).unwrap_or_default() }
        });
        value.unwrap_or(Value { kind: Kind::Id, text: "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were_and_there_are_no_others() {
        let mut draft = Draft::default();
        let all = [(Kind::Number, "44%"), (Kind::Id, ""), (Kind::Own, "wéb-1"), (Kind::Time, "10:02")];
        all.iter().for_each(|(kind, text)| draft.push(*kind, text));
        let values = Values::from(&draft);
        for view in [draft.view(), values.view()] {
            let told: Vec<(Kind, &str)> = (0..4).map(|at| view.get(at)).map(|value| (value.kind, value.text)).collect();
            assert_eq!(told, all);
            assert_eq!((view.get(4).said(), view.get(2).said()), ("", "‹node›"));
        }
        for kind in Kind::ALL {
            assert_eq!((End::new(7, kind).kind(), End::new(7, kind).at()), (kind, 7));
        }
    }
}
