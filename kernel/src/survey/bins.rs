//! Bins of lengths and of GC, from integers alone.

use std::collections::TryReserveError;

use serde::Serialize;

use super::found::{Cell, Grid};
use super::rows::SequenceRow;

/// floor(2^(63 + r/16)) for r = 0 to 15.
const POWERS: [u64; 16] = [
    0x8000_0000_0000_0000,
    0x85aa_c367_cc48_7b14,
    0x8b95_c1e3_ea8b_d6e6,
    0x91c3_d373_ab11_c336,
    0x9837_f051_8db8_a96f,
    0x9ef5_3260_91a1_11ad,
    0xa5fe_d6a9_b151_38ea,
    0xad58_3eea_42a1_4ac6,
    0xb504_f333_f9de_6484,
    0xbd08_a39f_580c_36be,
    0xc567_2a11_5506_dadd,
    0xce24_8c15_1f84_80e3,
    0xd744_fcca_d69d_6af4,
    0xe0cc_deec_2a94_e111,
    0xeac0_c6e7_dd24_392e,
    0xf525_7d15_2486_cc2c,
];

const GC_BINS: usize = 200;
/// A bin of GC, in thousandths.
const GC_BIN_PERMILLE: u64 = 5;

const MAX_COLUMNS: usize = 128;
const MAX_ROWS: usize = 96;

/// floor(2^(i/parts)) up to 2^63, equal ones once; `parts` divides 16.
fn edges(parts: usize) -> Vec<u64> {
    let steps = POWERS.iter().step_by(16 / parts);
    let below = (0..63).flat_map(|power| steps.clone().map(move |step| step >> (63 - power)));
    let mut edges: Vec<_> = below.chain([POWERS[0]]).collect();
    edges.dedup();
    edges
}

/// The bin of a value from 1 to below 2^63.
fn bin_of(edges: &[u64], value: u64) -> usize {
    edges.partition_point(|edge| *edge <= value) - 1
}

fn gc_bin(gc: u64, acgtu: u64) -> usize {
    let bin = u128::from(gc) * GC_BINS as u128 / u128::from(acgtu);
    (bin as usize).min(GC_BINS - 1)
}

/// How many, and their summed length.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    sum: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

fn no_tallies(count: usize) -> Result<Vec<Tally>, TryReserveError> {
    let mut tallies = Vec::new();
    tallies.try_reserve_exact(count)?;
    tallies.resize(count, Tally::default());
    Ok(tallies)
}

/// Records with bases, in all bins of length and GC.
pub struct Bins {
    length_edges: Vec<u64>,
    /// By length, then GC.
    tallies: Vec<Tally>,
}

impl Bins {
    pub fn new() -> Result<Self, TryReserveError> {
        let length_edges = edges(16);
        Ok(Self {
            tallies: no_tallies((length_edges.len() - 1) * GC_BINS)?,
            length_edges,
        })
    }

    /// Adds a record, if it has bases.
    pub fn add(&mut self, row: &SequenceRow) {
        if row.acgtu() > 0 {
            let (x, y) = (
                bin_of(&self.length_edges, row.length),
                gc_bin(row.gc(), row.acgtu()),
            );
            self.tallies[x * GC_BINS + y].add(Tally {
                count: 1,
                sum: row.length,
            });
        }
    }

    /// The summed length of the records in each bin of GC.
    pub fn gc_histogram(&self) -> Vec<u64> {
        let mut sums = vec![0; GC_BINS];
        for column in self.tallies.chunks_exact(GC_BINS) {
            for (sum, tally) in sums.iter_mut().zip(column) {
                *sum += tally.sum;
            }
        }
        sums
    }

    pub fn grid(&self) -> Grid {
        let used = || {
            let places = (0..).zip(&self.tallies);
            places
                .filter(|(_, tally)| tally.count > 0)
                .map(|(place, tally)| (place / GC_BINS, place % GC_BINS, *tally))
        };
        let gc_edges: Vec<_> = (0..=GC_BINS as u64)
            .map(|edge| GC_BIN_PERMILLE * edge)
            .collect();
        let columns = Cropped::to(used().map(|(x, ..)| x), MAX_COLUMNS);
        let rows = Cropped::to(used().map(|(_, y, _)| y), MAX_ROWS);
        let mut joined = vec![Tally::default(); columns.count * rows.count];
        for (x, y, tally) in used() {
            joined[columns.place(x) * rows.count + rows.place(y)].add(tally);
        }
        let cells = joined.iter().enumerate();
        Grid {
            length_edges: columns.edges(&self.length_edges),
            gc_edges_permille: rows.edges(&gc_edges),
            cells: cells
                .filter(|(_, tally)| tally.count > 0)
                .map(|(place, tally)| {
                    let (x, y) = (place / rows.count, place % rows.count);
                    Cell(x, y, tally.count, tally.sum)
                })
                .collect(),
        }
    }
}

/// The bins in use, neighbours joined until they are few enough.
#[derive(Debug, PartialEq, Eq)]
struct Cropped {
    /// The first joined bin.
    first: usize,
    /// Joined bins; 0 when none is in use.
    count: usize,
    /// Bins in each of them.
    joined: usize,
}

impl Cropped {
    fn to(used: impl Iterator<Item = usize> + Clone, most: usize) -> Self {
        let mut joined = 1;
        let (Some(first), Some(last)) = (used.clone().min(), used.max()) else {
            let (first, count) = (0, 0);
            return Self {
                first,
                count,
                joined,
            };
        };
        while last / joined - first / joined + 1 > most {
            joined *= 2;
        }
        Self {
            first: first / joined,
            count: last / joined - first / joined + 1,
            joined,
        }
    }

    fn place(&self, bin: usize) -> usize {
        bin / self.joined - self.first
    }

    /// One more than there are bins; the last joined bin may have fewer than the others.
    fn edges(&self, all: &[u64]) -> Vec<u64> {
        if self.count == 0 {
            return Vec::new();
        }
        (self.first..=self.first + self.count)
            .map(|place| all[(place * self.joined).min(all.len() - 1)])
            .collect()
    }
}

/// From, to, how many gaps, their summed length.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct GapBin(pub u64, pub u64, pub u64, pub u64);

/// Gaps by length.
pub struct GapBins {
    edges: Vec<u64>,
    tallies: Vec<Tally>,
}

impl GapBins {
    pub fn new() -> Self {
        let edges = edges(4);
        Self {
            tallies: vec![Tally::default(); edges.len() - 1],
            edges,
        }
    }

    pub fn add(&mut self, length: u64) {
        let bin = bin_of(&self.edges, length);
        self.tallies[bin].add(Tally {
            count: 1,
            sum: length,
        });
    }

    /// Those that hold any.
    pub fn used(&self) -> Vec<GapBin> {
        self.edges
            .windows(2)
            .zip(&self.tallies)
            .filter(|(_, tally)| tally.count > 0)
            .map(|(edges, tally)| GapBin(edges[0], edges[1], tally.count, tally.sum))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_powers_of_two_rounded_down() {
        assert_eq!(edges(4)[..8], [1, 2, 3, 4, 5, 6, 8, 9]);
        assert_eq!(edges(16)[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        for parts in [4, 16] {
            let edges = edges(parts);
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
            for power in 0..64 {
                assert!(edges.binary_search(&(1 << power)).is_ok());
            }
        }
        // edge^4 <= 2^i < (edge + 1)^4, as far as 128 bits hold it.
        for (i, edge) in (0..).zip((4..31).flat_map(|power| {
            POWERS
                .iter()
                .step_by(4)
                .map(move |step| u128::from(step >> (63 - power)))
        })) {
            let power = 1 << (16 + i);
            assert!(edge.pow(4) <= power && power < (edge + 1).pow(4));
        }
    }

    #[test]
    fn a_value_is_in_the_bin_that_starts_at_or_below_it() {
        let edges = edges(16);
        for (place, edge) in edges[..edges.len() - 1].iter().enumerate() {
            assert_eq!(bin_of(&edges, *edge), place);
            assert_eq!(bin_of(&edges, edges[place + 1] - 1), place);
        }
    }

    #[test]
    fn all_gc_is_in_the_last_bin() {
        assert_eq!((gc_bin(0, 7), gc_bin(7, 7), gc_bin(1, 2)), (0, 199, 100));
        assert_eq!((gc_bin(1, 201), gc_bin(1, 200)), (0, 1));
        let most = (1 << 63) - 1;
        assert_eq!(gc_bin(most - 1, most), 199);
    }

    #[test]
    fn neighbours_are_joined_until_bins_are_few() {
        let cropped = |first: usize, last: usize| Cropped::to([last, first].into_iter(), 4);
        let all: Vec<_> = (0..=20).collect();
        assert_eq!(cropped(3, 6).edges(&all), [3, 4, 5, 6, 7]);
        assert_eq!(cropped(3, 7).edges(&all), [2, 4, 6, 8]);
        // Five bins of two, but three of four.
        assert_eq!(cropped(3, 10).edges(&all), [0, 4, 8, 12]);
        assert_eq!(cropped(19, 19).edges(&all), [19, 20]);
        assert_eq!(cropped(9, 19).edges(&all), [8, 12, 16, 20]);
        assert_eq!(cropped(0, 19).edges(&all[..=18]), [0, 8, 16, 18]);
        assert_eq!(cropped(3, 7).place(7), 2);
        assert!(Cropped::to(std::iter::empty(), 4).edges(&all).is_empty());
    }
}
