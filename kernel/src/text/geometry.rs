//! The line lengths of a record, as `samtools faidx` judges them.
//!
//! faidx wants every line of a record as long as its first, but for the last, which may be
//! shorter; after a shorter or an empty line only blank lines may follow. It compares whole lines
//! (bytes, line end included), takes comments for sequence, and reports the graphic characters of
//! the first line as bases a line.

use serde::{Deserialize, Serialize};

/// A line without its line feed, or a part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Bytes, carriage returns included.
    pub bytes: u64,
    /// Graphic characters (0x21 to 0x7e).
    pub graphic: u64,
}

impl Line {
    /// This part of a line, then `next`, the part that follows.
    pub fn then(&self, next: &Self) -> Self {
        Self {
            bytes: self.bytes + next.bytes,
            graphic: self.graphic + next.graphic,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// More lines of the first one's length may follow.
    Open,
    /// A shorter or empty line was met: only blank lines may follow.
    Ended,
    /// faidx refuses these lines, whatever stands around them.
    Refused,
}

/// What a row of complete lines means to faidx; rows in a row compose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// The first line, if there is one.
    pub first: Option<Line>,
    /// What comes of the lines when a record begins with them.
    pub judgement: Judgement,
    /// All of them are blank to faidx: nothing, or one CR.
    pub all_blank: bool,
    /// All but the first are.
    pub rest_blank: bool,
}

impl Default for Geometry {
    fn default() -> Self {
        Self {
            first: None,
            judgement: Judgement::Open,
            all_blank: true,
            rest_blank: true,
        }
    }
}

impl Geometry {
    /// One line; `blank` when it is nothing or a single CR, with its line feed there.
    fn of(line: Line, blank: bool) -> Self {
        Self {
            first: Some(line),
            judgement: if line.bytes == 0 {
                Judgement::Ended
            } else {
                Judgement::Open
            },
            all_blank: blank,
            rest_blank: true,
        }
    }

    /// The bytes of a line, not blank, of which one more would change nothing.
    pub fn steady_bytes(&self) -> Option<u64> {
        let is_steady = !self.rest_blank && self.judgement == Judgement::Open;
        self.first.filter(|_| is_steady).map(|first| first.bytes)
    }

    pub fn push(&mut self, line: Line, blank: bool) {
        *self = self.then(&Self::of(line, blank));
    }

    /// These lines, then `next`.
    pub fn then(&self, next: &Self) -> Self {
        let (Some(first), Some(second)) = (self.first, next.first) else {
            return if self.first.is_some() { *self } else { *next };
        };
        let ended = |blank: bool| {
            if blank {
                Judgement::Ended
            } else {
                Judgement::Refused
            }
        };
        let judgement = match self.judgement {
            Judgement::Refused => Judgement::Refused,
            Judgement::Ended => ended(next.all_blank),
            Judgement::Open if second.bytes > first.bytes => Judgement::Refused,
            Judgement::Open if second.bytes < first.bytes => ended(next.rest_blank),
            Judgement::Open => next.judgement,
        };
        Self {
            first: Some(first),
            judgement,
            all_blank: self.all_blank && next.all_blank,
            rest_blank: self.rest_blank && next.all_blank,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// faidx's own walk over the lines of a record, a line at a time.
    fn naive(lines: &[(u64, bool)]) -> Judgement {
        let mut first = None;
        let mut ended = false;
        for &(bytes, blank) in lines {
            if ended {
                if !blank {
                    return Judgement::Refused;
                }
            } else if bytes == 0 {
                ended = true;
            } else {
                let expected = *first.get_or_insert(bytes);
                if bytes > expected {
                    return Judgement::Refused;
                }
                ended = bytes < expected;
            }
        }
        if ended {
            Judgement::Ended
        } else {
            Judgement::Open
        }
    }

    fn geometry(lines: &[(u64, bool)]) -> Geometry {
        let mut geometry = Geometry::default();
        for &(bytes, blank) in lines {
            geometry.push(Line { bytes, graphic: 0 }, blank);
        }
        geometry
    }

    proptest! {
        #[test]
        fn lines_are_judged_as_faidx_does_at_any_cut(
            lines in prop::collection::vec(
                prop_oneof![Just((0, true)), Just((1, true)), Just((1, false)), Just((2, false)), Just((3, false))],
                0..9,
            ),
            cut in 0..9_usize,
        ) {
            prop_assert_eq!(geometry(&lines).judgement, naive(&lines));
            let (left, right) = lines.split_at(cut.min(lines.len()));
            prop_assert_eq!(geometry(left).then(&geometry(right)), geometry(&lines));
        }
    }
}
