//! Distances between genomes by their k-mers, and an order that puts like beside like.
//!
//! All sums are made in one order, so that the same counts give the same bits everywhere.

use std::cmp::Ordering;

use crate::dense::reverse_complement;

/// Sums that are made side by side, for the processor's vectors.
const LANES: usize = 8;

/// The rows of a tile stay in the cache while they meet the others.
const TILE: usize = 16;

/// The counts of canonical k-mers, without the slots that no canonical k-mer has.
pub fn canonical_vector(counts: &[u64], k: u32) -> Vec<f64> {
    let of_both = |code| {
        let other = reverse_complement(code, k);
        let count = counts[code as usize] as f64;
        match code.cmp(&other) {
            Ordering::Less => Some(count + counts[other as usize] as f64),
            Ordering::Equal => Some(count),
            Ordering::Greater => None,
        }
    };
    (0..counts.len() as u64).filter_map(of_both).collect()
}

/// 1 minus the cosine of each pair, row after row; not a number where a vector has no length.
pub fn cosine_distances(vectors: &[Vec<f64>]) -> Vec<f64> {
    let count = vectors.len();
    let norms: Vec<f64> = vectors.iter().map(|each| dot(each, each)).collect();
    let mut distances = vec![0.0; count * count];
    for tile in (0..count).step_by(TILE) {
        for row in 0..count {
            for column in tile.max(row + 1)..(tile + TILE).min(count) {
                // The root of a square is exact: of equal vectors the cosine is just 1.
                let cosine =
                    dot(&vectors[row], &vectors[column]) / (norms[row] * norms[column]).sqrt();
                let distance = (1.0 - cosine).clamp(0.0, 1.0);
                distances[row * count + column] = distance;
                distances[column * count + row] = distance;
            }
        }
    }
    for (place, norm) in norms.iter().enumerate() {
        distances[place * count + place] = if *norm > 0.0 { 0.0 } else { f64::NAN };
    }
    distances
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (one, other) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * other[lane];
        }
    }
    let rest = left_rest
        .iter()
        .zip(right_rest)
        .map(|(one, other)| one * other);
    sums.into_iter().chain(rest).sum()
}

/// The order of the leaves of a tree by average linkage (UPGMA; Sokal and Michener 1958), found
/// along chains of nearest neighbours (Murtagh 1983).
///
/// Of two branches the one with the earlier leaf comes first. What is not a number counts as the
/// largest distance.
pub fn clustered_order(distances: &[f64], count: usize) -> Vec<usize> {
    let mut between: Vec<f64> = distances
        .iter()
        .map(|distance| if distance.is_nan() { 1.0 } else { *distance })
        .collect();
    let mut leaves: Vec<Vec<usize>> = (0..count).map(|leaf| vec![leaf]).collect();
    let mut open: Vec<usize> = (0..count).collect();
    let mut chain: Vec<usize> = Vec::new();
    while open.len() > 1 {
        let last = *chain.last().unwrap_or(&open[0]);
        if chain.is_empty() {
            chain.push(last);
        }
        let before = chain.len().checked_sub(2).map(|place| chain[place]);
        let nearest = nearest_of(last, before, &open, &between[last * count..][..count]);
        if before != Some(nearest) {
            chain.push(nearest);
            continue;
        }
        chain.truncate(chain.len() - 2);
        let (kept, gone) = (last.min(nearest), last.max(nearest));
        let weights = [leaves[kept].len() as f64, leaves[gone].len() as f64];
        for &other in open.iter().filter(|other| ![kept, gone].contains(other)) {
            let mean = (weights[0] * between[kept * count + other]
                + weights[1] * between[gone * count + other])
                / (weights[0] + weights[1]);
            between[kept * count + other] = mean;
            between[other * count + kept] = mean;
        }
        let mut behind = std::mem::take(&mut leaves[gone]);
        if behind.iter().min() < leaves[kept].iter().min() {
            std::mem::swap(&mut behind, &mut leaves[kept]);
        }
        leaves[kept].append(&mut behind);
        open.retain(|cluster| *cluster != gone);
    }
    open.first()
        .map_or_else(Vec::new, |root| std::mem::take(&mut leaves[*root]))
}

/// The nearest other cluster: of equals the one before in the chain, so that chains end, else the
/// first.
fn nearest_of(of: usize, before: Option<usize>, open: &[usize], row: &[f64]) -> usize {
    let mut nearest = before;
    for &other in open.iter().filter(|other| **other != of) {
        if nearest.is_none_or(|found| row[other] < row[found]) {
            nearest = Some(other);
        }
    }
    nearest.expect("there are two clusters at least")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_definition() {
        let vectors = [
            vec![1.0, 0.0],
            vec![0.0, 2.0],
            vec![3.0, 3.0],
            vec![0.0, 0.0],
        ];
        let found = cosine_distances(&vectors);
        let half = 1.0 - 0.5_f64.sqrt();
        for (place, expected) in [0.0, 1.0, half, 1.0, 0.0, half, half, half, 0.0]
            .into_iter()
            .enumerate()
        {
            let distance = found[place / 3 * 4 + place % 3];
            assert!((distance - expected).abs() < 1e-15, "{place}: {distance}");
        }
        for place in 0..4 {
            assert!(found[12 + place].is_nan() && found[4 * place + 3].is_nan());
        }
    }

    #[test]
    fn equal_and_proportional_counts_have_no_distance_at_all() {
        let counts: Vec<u64> = (0..4096).map(|code| code * 7919 % 100_003).collect();
        let thrice: Vec<u64> = counts.iter().map(|count| 3 * count).collect();
        let vectors = [&counts, &counts, &thrice].map(|each| canonical_vector(each, 6));
        assert_eq!(vectors[0].len(), 2080);
        assert_eq!(cosine_distances(&vectors), [0.0; 9]);
    }

    #[test]
    fn a_strand_and_its_reverse_complement_have_the_same_vector() {
        // AAC and GTT
        let (mut one, mut other) = (vec![0; 64], vec![0; 64]);
        one[0b00_00_01] = 5;
        other[0b10_11_11] = 5;
        assert_eq!(canonical_vector(&one, 3), canonical_vector(&other, 3));
    }

    fn line(places: &[f64]) -> Vec<f64> {
        let distance = |one: &f64, other: &f64| (one - other).abs();
        places
            .iter()
            .flat_map(|one| places.iter().map(move |other| distance(one, other)))
            .collect()
    }

    #[test]
    fn like_is_beside_like() {
        let places = [0.0, 0.9, 0.5, 0.05, 0.85, 0.52];
        assert_eq!(clustered_order(&line(&places), 6), [0, 3, 1, 4, 2, 5]);
        assert_eq!(clustered_order(&[], 0), [0_usize; 0]);
        assert_eq!(clustered_order(&[0.0], 1), [0]);
        let mut all = clustered_order(&[f64::NAN; 49], 7);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
    }
}
