//! What a report says of a table, gathered while its rows pass.

use std::collections::BTreeMap;

use crate::kmers::order::Counted;

/// How many of the most and of the least frequent k-mers are kept.
const EXTREMES: usize = 10;

/// Multiplicities below this are counted in a table, which is faster.
const DIRECT: usize = 1 << 12;

/// Rows that are looked at together first.
const AT_ONCE: usize = 64;

/// Facts about the rows of a part, or of a whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    direct: Vec<u64>,
    others: BTreeMap<u64, u64>,
    /// The most frequent, (count, code); of equals the first.
    pub top: Vec<(u64, u64)>,
    /// The least frequent, likewise.
    pub bottom: Vec<(u64, u64)>,
}

impl Tally {
    /// Takes rows, in order of codes.
    pub fn push(&mut self, counted: &Counted) {
        self.direct.resize(DIRECT, 0);
        let rows = counted.counts.chunks(AT_ONCE);
        for (counts, codes) in rows.zip(counted.codes.chunks(AT_ONCE)) {
            let once = counts.iter().filter(|count| **count == 1).count();
            self.direct[1] += once as u64;
            // Most k-mers are there once, and soon no more of them are kept.
            let keeps_ones = self.top.len() < EXTREMES || outermost(&self.bottom) != Some(1);
            if once < counts.len() || keeps_ones {
                self.push_closely(counts, codes);
            }
        }
    }

    /// Takes those multiplicities above 1, and the extremes.
    fn push_closely(&mut self, counts: &[u64], codes: &[u64]) {
        for count in counts.iter().filter(|count| **count != 1) {
            if let Some(kmers) = self.direct.get_mut(*count as usize) {
                *kmers += 1;
            } else {
                *self.others.entry(*count).or_insert(0) += 1;
            }
        }
        // Codes ascend: of equals, those that are kept are the first already.
        for (count, code) in counts.iter().copied().zip(codes.iter().copied()) {
            if outermost(&self.top).is_none_or(|least| count > least) {
                insert(&mut self.top, (count, code), |one, other| one > other);
            }
            if outermost(&self.bottom).is_none_or(|most| count < most) {
                insert(&mut self.bottom, (count, code), |one, other| one < other);
            }
        }
    }

    /// Takes what a part with higher codes tells.
    pub fn add(&mut self, next: &Self) {
        if next.direct.is_empty() {
            return;
        }
        self.direct.resize(DIRECT, 0);
        for (sum, kmers) in self.direct.iter_mut().zip(&next.direct) {
            *sum += kmers;
        }
        for (count, kmers) in &next.others {
            *self.others.entry(*count).or_insert(0) += kmers;
        }
        for row in &next.top {
            insert(&mut self.top, *row, |one, other| one > other);
        }
        for row in &next.bottom {
            insert(&mut self.bottom, *row, |one, other| one < other);
        }
    }

    /// (Multiplicity, number of k-mers that have it), ascending.
    pub fn spectrum(&self) -> Vec<(u64, u64)> {
        let direct = (0..).zip(self.direct.iter().copied());
        let others = self.others.iter().map(|(count, kmers)| (*count, *kmers));
        let all = direct.chain(others);
        all.filter(|(_, kmers)| *kmers > 0).collect()
    }
}

/// The multiplicity that a row has to exceed, or to fall below, to be kept; None if any is.
fn outermost(rows: &[(u64, u64)]) -> Option<u64> {
    rows.get(EXTREMES - 1).map(|(count, _)| *count)
}

/// Puts a row behind those that it is not before, if it is one of the first `EXTREMES`.
fn insert(rows: &mut Vec<(u64, u64)>, row: (u64, u64), is_before: impl Fn(u64, u64) -> bool) {
    let place = rows.partition_point(|kept| !is_before(row.0, kept.0));
    if place < EXTREMES {
        rows.insert(place, row);
        rows.truncate(EXTREMES);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_tell_what_their_rows_do(
            counts in prop::collection::vec(prop_oneof![
                (0..200_usize).prop_map(|rows| vec![1; rows]),
                prop::collection::vec(1..6_u64, 0..50),
                prop::collection::vec(4000..4200_u64, 0..5),
            ], 0..6).prop_map(|stretches| stretches.concat()),
            cuts in prop::array::uniform3(0..400_usize),
        ) {
            let rows: Vec<_> = counts.iter().copied().zip(0..).collect();
            let mut cuts = cuts.map(|cut| cut.min(rows.len()));
            cuts.sort_unstable();
            let tally_of = |rows: &[(u64, u64)]| {
                let mut tally = Tally::default();
                for half in rows.chunks(150) {
                    tally.push(&Counted {
                        codes: half.iter().map(|row| row.1).collect(),
                        counts: half.iter().map(|row| row.0).collect(),
                    });
                }
                tally
            };
            let mut sum = Tally::default();
            let ends = [0, cuts[0], cuts[1], cuts[2], rows.len()];
            for pair in ends.windows(2) {
                sum.add(&tally_of(&rows[pair[0]..pair[1]]));
            }
            let mut spectrum = BTreeMap::new();
            for count in &counts {
                *spectrum.entry(*count).or_insert(0) += 1;
            }
            prop_assert_eq!(sum.spectrum(), spectrum.into_iter().collect::<Vec<_>>());
            let mut sorted = rows.clone();
            sorted.sort();
            prop_assert_eq!(&sum.bottom, &sorted[..sorted.len().min(EXTREMES)]);
            sorted.sort_by_key(|(count, code)| (std::cmp::Reverse(*count), *code));
            prop_assert_eq!(&sum.top, &sorted[..sorted.len().min(EXTREMES)]);
        }
    }
}
