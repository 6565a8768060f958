//! How whole an assembly is: statistics of lengths.

/// Statistics of a set of sequences' lengths.
///
/// N50 and N90 (Lander et al., Nature 2001; Miller et al., Genomics 2010): the length of the
/// sequence with which the longest ones together reach 50 and 90 % of all bases; L50 and L90 are
/// how many those are. auN (Li, 2020): the sum of squares by the sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    pub count: u64,
    pub sum: u64,
    pub sum_of_squares: u128,
    pub longest: u64,
    pub shortest: u64,
    /// N and L; none when there are no residues.
    pub n50: Option<(u64, u64)>,
    pub n90: Option<(u64, u64)>,
}

impl Lengths {
    pub fn of(mut lengths: Vec<u64>) -> Self {
        lengths.sort_unstable_by(|one, other| other.cmp(one));
        let sum = lengths.iter().sum();
        Self {
            count: lengths.len() as u64,
            sum,
            sum_of_squares: lengths
                .iter()
                .map(|length| u128::from(*length).pow(2))
                .sum(),
            longest: lengths.first().copied().unwrap_or(0),
            shortest: lengths.last().copied().unwrap_or(0),
            n50: reach(&lengths, sum, 50),
            n90: reach(&lengths, sum, 90),
        }
    }
}

fn reach(descending: &[u64], sum: u64, percent: u128) -> Option<(u64, u64)> {
    let mut reached = 0;
    for (index, length) in descending.iter().enumerate() {
        reached += u128::from(*length) * 100;
        if *length > 0 && reached >= u128::from(sum) * percent {
            return Some((*length, index as u64 + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_textbook_s_n50_holds() {
        let lengths = Lengths::of(vec![2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!((lengths.n50, lengths.n90), (Some((8, 3)), Some((4, 7))));
        assert_eq!((lengths.longest, lengths.shortest), (10, 2));
        assert_eq!(lengths.sum_of_squares, 384);
        assert_eq!(Lengths::of(vec![0, 0]).n50, None);
        assert_eq!(
            Lengths::of(vec![u64::MAX / 2, 1]).n50,
            Some((u64::MAX / 2, 1))
        );
    }
}
