//! Laws that hold for any bytes, which panic where they are broken.
//!
//! libFuzzer looks for such bytes in `fuzz/`; `tests/fuzz` does with the compiled module, and has the
//! same inputs. What is random in the tests of the kernel is in `laws` and `crafted`.

use crate::dense::MAX_K;
use crate::laws::twin::{naive, read_back, scan, small_ks, tell};
use crate::scanner::Scanner;
use crate::summary::Summary;

/// k, and six places to cut at, of two bytes each.
const HEAD_BYTES: usize = 13;

/// Any bytes, cut anywhere and merged in any tree, tell what the whole tells.
///
/// An input is a head of `HEAD_BYTES`, padded with zeros if it is shorter, and the text.
pub fn law(data: &[u8]) {
    let (head, text) = data.split_at(data.len().min(HEAD_BYTES));
    let mut padded = [0; HEAD_BYTES];
    padded[..head.len()].copy_from_slice(head);
    let k = 1 + u32::from(padded[0]) % MAX_K;
    let places: Vec<_> = padded[1..]
        .chunks_exact(2)
        .map(|place| usize::from(u16::from_le_bytes([place[0], place[1]])))
        .collect();

    let whole = tell(&scan(text, k));
    match (naive(text, k), &whole) {
        (Err(expected), Err(fault)) => assert_eq!((fault.kind, fault.offset_byte), expected),
        (Ok((_, _, composition, counts)), Ok(told)) => {
            assert_eq!(told.composition, composition);
            assert_eq!(told.counts, counts);
        }
        (expected, _) => panic!("expected {expected:?}, told {whole:?}"),
    }

    let mut cuts: Vec<_> = places
        .iter()
        .map(|place| place % (text.len() + 1))
        .collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    let pieces: Vec<_> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
    let scans: Vec<_> = pieces.iter().map(|piece| scan(piece, k)).collect();
    let kept = scans.iter().map(read_back).collect();
    let mut fed = Scanner::new(small_ks(k));
    pieces.iter().for_each(|piece| fed.update(piece));
    assert_eq!(tell(&merged(scans, &places)), whole);
    assert_eq!(tell(&read_back(&merged(kept, &places))), whole);
    assert_eq!(tell(&fed.finish().0), whole);
}

/// Neighbours merged until one is left; the places say which of them.
fn merged(mut summaries: Vec<Summary>, places: &[usize]) -> Summary {
    let mut places = places.iter().cycle();
    while summaries.len() > 1 {
        let left = places
            .next()
            .map_or(0, |place| place % (summaries.len() - 1));
        let right = summaries.remove(left + 1);
        summaries[left] = summaries[left].merge(&right);
    }
    summaries.remove(0)
}

/// Kept forms, whatever was done to them, are refused, or can be used.
///
/// An input is the state, the counts of k-mers and the rows, a line each.
pub fn forms(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let [state, counts, rows] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let Ok(summary) = Summary::from_forms(state, counts, rows) else {
        return;
    };
    for text in [&b""[..], b">x\nACNN", b"GTN\n>y\nA", b"\r\n"] {
        let other = scan(text, summary.ks().small.get());
        try_out(&summary.merge(&other));
        try_out(&other.merge(&summary));
    }
    try_out(&summary.merge(&summary));
    try_out(&summary);
}

fn try_out(summary: &Summary) {
    let _ = tell(summary);
    let state = summary.to_json().expect("a state can be written");
    let counts = summary
        .kmer_counts_json(&[1])
        .expect("counts can be written");
    let rows = summary.rows().expect("there is memory for rows");
    let _ = Summary::from_forms(&state, &counts, &rows);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus");
        let files = std::fs::read_dir(folder.join(target)).unwrap();
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn what_broke_a_law_does_not_break_it_again() {
        let (laws, kept) = (corpus("law"), corpus("forms"));
        assert!(!laws.is_empty() && !kept.is_empty());
        laws.iter().for_each(|data| law(data));
        kept.iter().for_each(|data| forms(data));
    }
}
