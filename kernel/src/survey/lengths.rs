//! Statistics of lengths, and where the longest reach a share of a length.

use serde::Serialize;

use super::sequences::Record;

/// Points of the curves over a length.
pub const STEPS: usize = 400;

/// The length with which a share is reached, how many sequences reach it, and their summed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Step(pub u64, pub u64, pub u64);

/// The lengths on both sides of a quarter of the way from the shortest to the longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Neighbours(pub u64, pub u64);

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lengths {
    pub count: u64,
    pub sum: u64,
    pub sum_of_squares: u128,
    pub longest: u64,
    pub shortest: u64,
    pub quarters: Vec<Neighbours>,
    pub steps: Vec<Option<Step>>,
    pub ng_steps: Vec<Option<Step>>,
    pub ng_area: u128,
}

impl Lengths {
    /// Of lengths, the longest first.
    pub fn of(descending: impl Iterator<Item = u64> + Clone, genome_size: Option<u64>) -> Self {
        let mut found = Self::default();
        for length in descending.clone() {
            if found.count == 0 {
                found.longest = length;
            }
            found.shortest = length;
            let missing = genome_size.unwrap_or(0).saturating_sub(found.sum);
            found.ng_area += u128::from(length) * u128::from(length.min(missing));
            found.count += 1;
            found.sum += length;
            found.sum_of_squares += u128::from(length).pow(2);
        }
        if found.count > 0 {
            found.quarters = (1..4)
                .map(|quarter| neighbours(descending.clone(), found.count, quarter))
                .collect();
        }
        if found.sum > 0 {
            found.steps = steps(descending.clone(), found.sum);
        }
        if let Some(genome_size) = genome_size {
            found.ng_steps = steps(descending, genome_size);
        }
        found
    }
}

/// The lengths with the ranks floor(h) and floor(h) + 1, where h = (count - 1)·quarter/4 counts from
/// the shortest, from 0; the second is the first where h is the last rank.
fn neighbours(descending: impl Iterator<Item = u64>, count: u64, quarter: u64) -> Neighbours {
    let rank = u128::from(count - 1) * u128::from(quarter) / 4;
    let above = count - 1 - rank as u64;
    let mut rest = descending.skip(above.saturating_sub(1) as usize);
    let high = rest.next().unwrap_or_default();
    let low = if above == 0 { Some(high) } else { rest.next() };
    Neighbours(low.unwrap_or_default(), high)
}

/// For i = 1 to `STEPS`, where the longest reach i/`STEPS` of a length that is not 0; none where
/// they never do.
pub fn steps(descending: impl Iterator<Item = u64>, whole: u64) -> Vec<Option<Step>> {
    let mut found = Vec::with_capacity(STEPS);
    let mut reached = 0;
    for (count, length) in (1..).zip(descending) {
        reached += length;
        while found.len() < STEPS && share(reached) >= part(whole, found.len() + 1) {
            found.push(Some(Step(length, count, reached)));
        }
        if found.len() == STEPS {
            break;
        }
    }
    found.resize(STEPS, None);
    found
}

/// Residues of G and C, of A, T and U, of N, of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SnailStep(pub u64, pub u64, pub u64, pub u64);

/// The composition of the records that have a part in each step of the summed length; none if that
/// is 0.
///
/// A record from `start` to `end` has a part in the steps `first` to `last`:
///
/// ```text
///      step 0      step 1      step 2      step 3
/// |-----------|-----------|-----------|-----------|
///                  [start                 end)
/// ```
pub fn snail(longest_first: &[Record]) -> Vec<SnailStep> {
    let total = longest_first.iter().map(|record| record.length).sum();
    if total == 0 {
        return Vec::new();
    }
    let mut found = vec![SnailStep::default(); STEPS];
    let (mut start, mut first) = (0, 0);
    for record in longest_first.iter().take_while(|record| record.length > 0) {
        let end = start + record.length;
        while share(start) >= part(total, first + 1) {
            first += 1;
        }
        let mut last = first;
        while share(end) > part(total, last + 1) {
            last += 1;
        }
        for SnailStep(gc, at, n, other) in &mut found[first..=last] {
            *gc += record.gc;
            *at += record.acgtu - record.gc;
            *n += record.n;
            *other += record.length - record.acgtu - record.n;
        }
        start = end;
    }
    found
}

/// A length and a step of the whole, both times `STEPS`, so that they compare exactly.
fn share(length: u64) -> u128 {
    u128::from(length) * STEPS as u128
}

fn part(whole: u64, step: usize) -> u128 {
    u128::from(whole) * step as u128
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(descending: &[u64], genome_size: Option<u64>) -> Lengths {
        Lengths::of(descending.iter().copied(), genome_size)
    }

    #[test]
    fn the_textbook_s_n50_holds() {
        let found = lengths(&[10, 9, 8, 7, 6, 5, 4, 3, 2], None);
        assert_eq!(found.steps[STEPS / 2 - 1], Some(Step(8, 3, 27)));
        assert_eq!(found.steps[STEPS * 9 / 10 - 1], Some(Step(4, 7, 49)));
        assert_eq!(found.steps[STEPS - 1], Some(Step(2, 9, 54)));
        assert_eq!((found.longest, found.shortest, found.sum), (10, 2, 54));
        assert_eq!(found.sum_of_squares, 384);
        assert_eq!((found.ng_steps.len(), found.ng_area), (0, 0));
    }

    #[test]
    fn quarters_lie_between_their_neighbours() {
        let quarters = |descending: &[u64]| lengths(descending, None).quarters;
        let all = |low, high| [Neighbours(low, high); 3];
        assert_eq!(quarters(&[]), []);
        assert_eq!(quarters(&[7]), all(7, 7));
        assert_eq!(quarters(&[9, 2]), all(2, 9));
        let found = quarters(&[50, 40, 30, 20, 10]);
        assert_eq!(
            found.iter().map(|each| each.0).collect::<Vec<_>>(),
            [20, 30, 40]
        );
        let found = quarters(&[40, 30, 20, 10]);
        assert_eq!(
            found,
            [Neighbours(10, 20), Neighbours(20, 30), Neighbours(30, 40)]
        );
    }

    #[test]
    fn a_share_of_a_genome_that_is_not_reached_is_none() {
        let found = lengths(&[30, 10, 0], Some(80));
        assert_eq!(found.ng_steps[STEPS / 2 - 1], Some(Step(10, 2, 40)));
        assert_eq!(found.ng_steps[STEPS / 2], None);
        assert_eq!(found.ng_area, 900 + 100);
        let found = lengths(&[30, 10, 0], Some(35));
        assert_eq!(found.ng_area, 900 + 50);
    }

    #[test]
    fn without_residues_there_are_no_steps() {
        assert_eq!(lengths(&[], None), Lengths::default());
        let found = lengths(&[0, 0], Some(1));
        assert_eq!((found.count, found.steps.len()), (2, 0));
        assert_eq!(found.ng_steps, [None; STEPS]);
    }

    #[test]
    fn the_largest_lengths_do_not_overflow() {
        let most = (1 << 63) - 1;
        let found = lengths(&[most], Some(most));
        assert_eq!(found.steps, [Some(Step(most, 1, most)); STEPS]);
        assert_eq!(found.ng_area, u128::from(most).pow(2));
    }

    #[test]
    fn a_record_counts_in_full_in_each_step_that_it_has_a_part_in() {
        let record = |length, gc| Record {
            length,
            gc,
            acgtu: length,
            n: 0,
            tag: 0,
        };
        // 600 residues: a step is one and a half.
        let found = snail(&[record(598, 98), record(1, 1), record(1, 0), record(0, 0)]);
        assert_eq!(found[..398], [SnailStep(98, 500, 0, 0); 398]);
        assert_eq!(found[398], SnailStep(98 + 1, 500, 0, 0));
        assert_eq!(found[399], SnailStep(1, 1, 0, 0));
    }
}
