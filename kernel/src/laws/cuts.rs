//! The one law.

use proptest::prelude::*;

use crate::dense::MAX_K;
use crate::laws::twin::{naive, read_back, scan, small_ks, tell};
use crate::scanner::Scanner;
use crate::summary::Summary;

/// Merges neighbours until one is left, which of them as `choices` say.
pub fn merge_in_any_order(mut summaries: Vec<Summary>, choices: &[prop::sample::Index]) -> Summary {
    let mut choices = choices.iter().cycle();
    while summaries.len() > 1 {
        let at = choices
            .next()
            .map_or(0, |choice| choice.index(summaries.len() - 1));
        let right = summaries.remove(at + 1);
        summaries[at] = summaries[at].merge(&right);
    }
    summaries.remove(0)
}

pub fn cut(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| bytes[pair[0]..pair[1]].to_vec())
        .collect()
}

/// Text like FASTA, with everything that is hard about it.
pub fn fasta_like() -> impl Strategy<Value = Vec<u8>> {
    let residues = prop::collection::vec(prop::sample::select(b"ACGTacgtACGTNNn".to_vec()), 0..20);
    let odd = prop::collection::vec(
        prop::sample::select(b"ACGTNU-*x>;@ \t\r\x00\xff\xef".to_vec()),
        0..15,
    );
    let line = prop_oneof![
        4 => residues,
        1 => odd,
        2 => prop::sample::select(vec![&b">a"[..], b"> b x", b">", b">\xff", b">aaaaaaaaaaa", b">aaaaaaaaaaaa"])
            .prop_map(<[u8]>::to_vec),
        1 => prop::sample::select(vec![&b";"[..], b"; c", b";aaaaaaaaaaa", b";aaaaaaaaaaaa"])
            .prop_map(<[u8]>::to_vec),
        1 => Just(b"ACGTACGTAC".to_vec()),
        1 => Just(b"ACGTACGTACGTACGTACGTNNNNNNACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACGTACG".to_vec()),
    ];
    let end = prop::sample::select(vec![
        &b"\n"[..],
        b"\n",
        b"\n",
        b"\r\n",
        b"\r\r\n",
        b"\n\n",
        b"\r",
    ]);
    let start = prop::sample::select(vec![
        &b""[..],
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\n",
        b">x\n",
        b">x\n",
    ]);
    let lines = prop::collection::vec((line, end), 0..12);
    let last = prop::sample::select(vec![&b""[..], b"", b"AC", b">", b"\r", b"GG\r\r"]);
    (start, lines, last).prop_map(|(start, lines, last)| {
        let lines = lines.iter().flat_map(|(line, end)| [line.as_slice(), end]);
        std::iter::once(start)
            .chain(lines)
            .chain(std::iter::once(last))
            .flatten()
            .copied()
            .collect()
    })
}

pub fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

fn the_law_holds(
    bytes: &[u8],
    k: u32,
    cuts: &[prop::sample::Index],
    choices: &[prop::sample::Index],
) -> Result<(), TestCaseError> {
    let whole = tell(&scan(bytes, k));
    let slices = cut(bytes, cuts)
        .iter()
        .map(|slice| scan(slice, k))
        .collect();
    prop_assert_eq!(&tell(&merge_in_any_order(slices, choices)), &whole);
    let single_bytes = bytes
        .iter()
        .map(|byte| scan(&[*byte], k))
        .collect::<Vec<_>>();
    if !single_bytes.is_empty() {
        prop_assert_eq!(&tell(&merge_in_any_order(single_bytes, choices)), &whole);
    }
    let kept = cut(bytes, cuts)
        .iter()
        .map(|slice| read_back(&scan(slice, k)))
        .collect();
    let merged = read_back(&merge_in_any_order(kept, choices));
    prop_assert_eq!(&tell(&merged), &whole);
    let mut scanner = Scanner::new(small_ks(k));
    cut(bytes, cuts)
        .iter()
        .for_each(|block| scanner.update(block));
    prop_assert_eq!(&tell(&scanner.finish().0), &whole);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_cut_and_any_merge_tree_tell_the_same_of_text(
        bytes in fasta_like(),
        k in 1..=MAX_K,
        cuts in cuts(),
        choices in cuts(),
    ) {
        the_law_holds(&bytes, k, &cuts, &choices)?;
    }

    #[test]
    fn any_cut_and_any_merge_tree_tell_the_same_of_bytes(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b">;\r\nAN".to_vec())], 0..200),
        k in 1..=MAX_K,
        cuts in cuts(),
        choices in cuts(),
    ) {
        the_law_holds(&bytes, k, &cuts, &choices)?;
    }

    #[test]
    fn merging_leaves_its_arguments_alone(bytes in fasta_like(), at in any::<prop::sample::Index>()) {
        let (left, right) = bytes.split_at(at.index(bytes.len() + 1));
        let (left, right) = (scan(left, 3), scan(right, 3));
        let before = (tell(&left), tell(&right));
        let _ = left.merge(&right);
        prop_assert_eq!((tell(&left), tell(&right)), before);
    }

    #[test]
    fn nothing_is_the_neutral_element(bytes in fasta_like()) {
        let summary = scan(&bytes, 3);
        let nothing = Summary::new(small_ks(3));
        prop_assert_eq!(tell(&summary.merge(&nothing)), tell(&summary));
        prop_assert_eq!(tell(&nothing.merge(&summary)), tell(&summary));
    }

    #[test]
    fn the_scan_does_as_its_naive_twin(bytes in fasta_like(), k in 1..=MAX_K) {
        let told = tell(&scan(&bytes, k));
        match (naive(&bytes, k), told) {
            (Err(expected), Err(fault)) => {
                prop_assert_eq!((fault.kind, fault.offset_byte), expected);
            }
            (Ok((sequences, gaps, composition, counts)), Ok(told)) => {
                prop_assert_eq!(told.sequences, crate::rows::tables::printable(sequences.as_slice()));
                prop_assert_eq!(told.gaps, crate::rows::tables::printable(gaps.as_slice()));
                prop_assert_eq!(told.composition, composition);
                prop_assert_eq!(told.length, composition.length());
                prop_assert_eq!(told.gap_length, composition.n);
                let rows = sequences.iter().filter(|byte| **byte == b'\n').count() as u64;
                prop_assert_eq!(told.record_count, rows - 1);
                for (index, counted) in told.kmers.iter().enumerate() {
                    prop_assert_eq!(*counted, told.counts[index].iter().sum::<u64>());
                }
                prop_assert_eq!(told.counts, counts);
            }
            (expected, told) => prop_assert!(false, "expected {:?}, told {:?}", expected, told),
        }
    }
}
