//! The most frequent k-mers of a table.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Orders rows by their count, and of equals puts the one with the smaller code higher.
type Row = (u64, Reverse<u64>);

/// The rows with the largest counts of all that it takes; of equals the first by code.
#[derive(Debug)]
pub struct Top {
    most: usize,
    /// The row that goes first is on top.
    rows: BinaryHeap<Reverse<Row>>,
}

impl Top {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            rows: BinaryHeap::new(),
        }
    }

    /// Takes rows, in any order.
    pub fn push(&mut self, codes: &[u64], counts: &[u64]) {
        for (&code, &count) in codes.iter().zip(counts) {
            let row = Reverse((count, Reverse(code)));
            if self.rows.len() < self.most {
                self.rows.push(row);
            } else if let Some(mut least) = self.rows.peek_mut()
                && row < *least
            {
                *least = row;
            }
        }
    }

    /// (code, count), the most frequent first.
    pub fn rows(&self) -> Vec<(u64, u64)> {
        let mut rows = self.rows.clone().into_vec();
        rows.sort_unstable();
        let rows = rows.into_iter();
        rows.map(|Reverse((count, Reverse(code)))| (code, count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_the_first_of_all_when_these_are_sorted(
            counts in prop::collection::vec(prop_oneof![1..4_u64, any::<u64>()], 0..60),
            most in 0..70_usize,
            block in 1..20_usize,
            ascend: bool,
        ) {
            let mut codes: Vec<_> = (0..counts.len() as u64).collect();
            if !ascend {
                codes.reverse();
            }
            let mut top = Top::new(most);
            for (codes, counts) in codes.chunks(block).zip(counts.chunks(block)) {
                top.push(codes, counts);
            }
            let mut rows: Vec<_> = codes.into_iter().zip(counts).collect();
            rows.sort_by_key(|(code, count)| (Reverse(*count), *code));
            rows.truncate(most);
            prop_assert_eq!(top.rows(), rows);
        }
    }
}
