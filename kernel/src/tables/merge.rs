//! Two tables side by side: a merge of their rows, of which only sums are kept.

/// What two tables share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// K-mers that both have.
    pub shared: u64,
    /// K-mers of each.
    pub distinct: [u64; 2],
    /// The sum of the counts of each.
    pub totals: [u64; 2],
    /// The sum of the squares of the counts of each. It is below 2^128, as the total's square is.
    pub squares: [u128; 2],
    /// The sum of the products of the counts of shared k-mers, which is no more than the larger of
    /// `squares`.
    pub products: u128,
}

/// The rows of a block.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub codes: &'a [u64],
    pub counts: &'a [u64],
}

/// Why rows can't be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The codes of a block don't ascend.
    Order,
    /// There are not as many counts as codes.
    Length,
    /// The counts of a table add up to 2^64 or more.
    Total,
}

impl Shared {
    /// Takes the rows of both up to the smaller of the last codes, and tells how many those are.
    ///
    /// A table without rows has ended: all rows of the other are taken.
    pub fn push(&mut self, blocks: [Rows<'_>; 2]) -> Result<[usize; 2], Refusal> {
        for rows in blocks {
            if rows.codes.len() != rows.counts.len() {
                return Err(Refusal::Length);
            }
            // Without an early end, the loop takes several rows at once.
            let pairs = rows.codes.iter().zip(rows.codes.iter().skip(1));
            if !pairs.fold(true, |ascend, (before, after)| ascend & (before < after)) {
                return Err(Refusal::Order);
            }
        }
        let last = |rows: Rows<'_>| rows.codes.last().copied().unwrap_or(u64::MAX);
        let bound = last(blocks[0]).min(last(blocks[1]));
        let taken = blocks.map(|rows| rows.codes.partition_point(|code| *code <= bound));
        for (side, rows) in blocks.iter().enumerate() {
            let counts = &rows.counts[..taken[side]];
            let total = counts
                .iter()
                .try_fold(self.totals[side], |total, count| total.checked_add(*count));
            self.totals[side] = total.ok_or(Refusal::Total)?;
            self.distinct[side] += taken[side] as u64;
            let squares = counts.iter().map(|&count| u128::from(count).pow(2));
            self.squares[side] += squares.sum::<u128>();
        }
        let [one, other] = blocks;
        let (mut row, mut other_row) = (0, 0);
        while row < taken[0] && other_row < taken[1] {
            let (code, other_code) = (one.codes[row], other.codes[other_row]);
            if code == other_code {
                self.shared += 1;
                self.products += u128::from(one.counts[row]) * u128::from(other.counts[other_row]);
            }
            row += usize::from(code <= other_code);
            other_row += usize::from(other_code <= code);
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Table = BTreeMap<u64, u64>;

    fn table() -> impl Strategy<Value = Table> {
        let code = prop_oneof![0..40_u64, Just(u64::MAX)];
        prop::collection::btree_map(code, prop_oneof![1..5_u64, Just(1 << 50)], 0..30)
    }

    /// Merges two tables that come in blocks.
    fn merged(tables: [&Table; 2], block: [usize; 2]) -> Shared {
        let columns = tables.map(|table| {
            let codes: Vec<_> = table.keys().copied().collect();
            let counts: Vec<_> = table.values().copied().collect();
            (codes, counts)
        });
        let mut shared = Shared::default();
        let mut first = [0, 0];
        loop {
            let blocks = [0, 1].map(|side| {
                let end = columns[side].0.len().min(first[side] + block[side]);
                Rows {
                    codes: &columns[side].0[first[side]..end],
                    counts: &columns[side].1[first[side]..end],
                }
            });
            if blocks.iter().all(|rows| rows.codes.is_empty()) {
                return shared;
            }
            let taken = shared.push(blocks).unwrap();
            assert_ne!(taken, [0, 0]);
            first = [first[0] + taken[0], first[1] + taken[1]];
        }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_sets(
            one in table(),
            other in table(),
            block in prop::array::uniform2(1..9_usize),
        ) {
            let both: Vec<_> = one
                .iter()
                .filter_map(|(code, count)| Some((u128::from(*count), u128::from(*other.get(code)?))))
                .collect();
            let tables = [&one, &other];
            let expected = Shared {
                shared: both.len() as u64,
                distinct: tables.map(|table| table.len() as u64),
                totals: tables.map(|table| table.values().sum()),
                squares: tables.map(|table| table.values().map(|&n| u128::from(n).pow(2)).sum()),
                products: both.iter().map(|(one, other)| one * other).sum(),
            };
            prop_assert_eq!(merged(tables, block), expected);
        }
    }

    #[test]
    fn blocks_that_are_no_tables_are_refused() {
        let push = |codes: &[u64], counts: &[u64]| {
            let none = Rows {
                codes: &[],
                counts: &[],
            };
            Shared::default().push([none, Rows { codes, counts }])
        };
        assert_eq!(push(&[2, 1], &[1, 1]), Err(Refusal::Order));
        assert_eq!(push(&[1, 1], &[1, 1]), Err(Refusal::Order));
        assert_eq!(push(&[1], &[]), Err(Refusal::Length));
        assert_eq!(push(&[1, 2], &[u64::MAX, 1]), Err(Refusal::Total));
        assert_eq!(push(&[0, u64::MAX], &[u64::MAX, 0]), Ok([0, 2]));
    }
}
