//! What a report says of a table, gathered while its rows pass.

use std::collections::BTreeMap;

use crate::kmers::order::Counted;

/// How many of the most and of the least frequent k-mers are kept.
const EXTREMES: usize = 10;

/// Multiplicities below this are counted in a table, which is faster.
const DIRECT: usize = 1 << 12;

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
        for count in &counted.counts {
            if let Some(kmers) = self.direct.get_mut(*count as usize) {
                *kmers += 1;
            } else {
                *self.others.entry(*count).or_insert(0) += 1;
            }
        }
        let is_full = self.top.len() == EXTREMES;
        let least_top = self
            .top
            .last()
            .filter(|_| is_full)
            .map_or(0, |(count, _)| *count);
        let is_full = self.bottom.len() == EXTREMES;
        let most_bottom = self.bottom.last().filter(|_| is_full);
        let most_bottom = most_bottom.map_or(u64::MAX, |(count, _)| *count);
        let rows = counted
            .counts
            .iter()
            .copied()
            .zip(counted.codes.iter().copied());
        // Codes ascend: of equals, those that are kept are the first already.
        for (count, code) in rows {
            if count > least_top {
                insert(&mut self.top, (count, code), |one, other| one > other);
            }
            if count < most_bottom {
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
            counts in prop::collection::vec(prop_oneof![4 => 1..6_u64, 1 => 4000..4200_u64], 0..80),
            cuts in prop::array::uniform3(0..80_usize),
        ) {
            let rows: Vec<_> = counts.iter().copied().zip(0..).collect();
            let mut cuts = cuts.map(|cut| cut.min(rows.len()));
            cuts.sort_unstable();
            let tally_of = |rows: &[(u64, u64)]| {
                let mut tally = Tally::default();
                for half in rows.chunks(7) {
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
