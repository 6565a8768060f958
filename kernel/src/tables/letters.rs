//! Letters of codes, and codes of letters.

use std::ops::RangeInclusive;

use crate::bases::LETTERS;

/// What a row is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `ACGT`, a tab, and the count.
    Tsv,
    /// A header of the count, and the letters below, as `jellyfish dump` writes it.
    Fasta,
}

/// The letters of every four bases.
const QUADS: [[u8; 4]; 256] = {
    let mut quads = [[0; 4]; 256];
    let mut code = 0;
    while code < 256 {
        let mut place = 0;
        while place < 4 {
            quads[code][place] = LETTERS[code >> (6 - 2 * place) & 3];
            place += 1;
        }
        code += 1;
    }
    quads
};

/// The most letters of a k-mer.
const MAX_K: usize = 32;

/// The digits of the largest count.
const MAX_DIGITS: usize = 20;

/// The rows whose counts are in a range, as text.
pub fn rows_as_text(
    codes: &[u64],
    rows_counts: &[u64],
    k: u32,
    form: Form,
    counts: &RangeInclusive<u64>,
) -> Vec<u8> {
    let k = k as usize;
    let mut text = Vec::new();
    for (&code, &count) in codes.iter().zip(rows_counts) {
        if !counts.contains(&count) {
            continue;
        }
        let letters = letters_of(code);
        let letters = &letters[MAX_K - k..];
        let (digits, first) = digits_of(count);
        let digits = &digits[first..];
        let pieces: [&[u8]; 5] = match form {
            Form::Tsv => [letters, b"\t", digits, b"\n", b""],
            Form::Fasta => [b">", digits, b"\n", letters, b"\n"],
        };
        pieces
            .iter()
            .for_each(|piece| text.extend_from_slice(piece));
    }
    text
}

/// The letters of a code, as those of a 32-mer.
fn letters_of(code: u64) -> [u8; MAX_K] {
    let mut letters = [0; MAX_K];
    for (quad, byte) in letters.chunks_exact_mut(4).zip(code.to_be_bytes()) {
        quad.copy_from_slice(&QUADS[usize::from(byte)]);
    }
    letters
}

/// The digits of a number, and where the first one is.
fn digits_of(mut number: u64) -> ([u8; MAX_DIGITS], usize) {
    let mut digits = [b'0'; MAX_DIGITS];
    let mut first = MAX_DIGITS;
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return (digits, first);
        }
    }
}

/// The codes of k-mers that stand side by side in `text`, in either case; of the smaller of each
/// and its reverse complement if they are to be canonical.
///
/// Fails with the place of the first k-mer that has another letter.
pub fn codes_of_text(text: &[u8], k: u32, canonical: bool) -> Result<Vec<u64>, usize> {
    let kmers = text.chunks(k as usize).enumerate();
    kmers
        .map(|(place, letters)| {
            let code = letters.iter().try_fold(0, |code, letter| {
                let letter = letter.to_ascii_uppercase();
                let base = LETTERS.iter().position(|known| *known == letter)?;
                Some(code << 2 | base as u64)
            });
            let code = code.filter(|_| letters.len() == k as usize).ok_or(place)?;
            Ok(if canonical {
                code.min(reverse_complement(code, k))
            } else {
                code
            })
        })
        .collect()
}

fn reverse_complement(code: u64, k: u32) -> u64 {
    (0..k).fold(0, |back, place| back << 2 | (3 - (code >> (2 * place) & 3)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bases::spell;

    fn naive(code: u64, k: u32) -> String {
        let mut letters = vec![0; k as usize];
        spell(code, &mut letters);
        String::from_utf8(letters).unwrap()
    }

    fn rows() -> impl Strategy<Value = (u32, Vec<(u64, u64)>)> {
        (1..=32_u32).prop_flat_map(|k| {
            let code = 0..=u64::MAX >> (64 - 2 * k);
            let count = prop_oneof![1..12_u64, Just(u64::MAX), any::<u64>()];
            (Just(k), prop::collection::vec((code, count), 0..20))
        })
    }

    proptest! {
        #[test]
        fn rows_are_written_as_a_formatter_does((k, rows) in rows(), least in 0..12_u64, most: u64) {
            let (codes, counts): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
            let chosen: Vec<_> = rows
                .iter()
                .filter(|(_, count)| least <= *count && *count <= most)
                .map(|(code, count)| (naive(*code, k), count))
                .collect();
            let text = |form| {
                let text = rows_as_text(&codes, &counts, k, form, &(least..=most));
                String::from_utf8(text).unwrap()
            };
            let lines = chosen.iter().map(|(kmer, count)| format!("{kmer}\t{count}\n"));
            prop_assert_eq!(text(Form::Tsv), lines.collect::<String>());
            let records = chosen.iter().map(|(kmer, count)| format!(">{count}\n{kmer}\n"));
            prop_assert_eq!(text(Form::Fasta), records.collect::<String>());
        }

        #[test]
        fn letters_give_their_codes_back((k, rows) in rows(), lower: bool, canonical: bool) {
            let kmers: Vec<_> = rows.iter().map(|(code, _)| naive(*code, k)).collect();
            let mut text = kmers.concat();
            if lower {
                text.make_ascii_lowercase();
            }
            let expected: Vec<_> = kmers
                .iter()
                .map(|kmer| {
                    let back = |letter| LETTERS[3 - LETTERS.iter().position(|l| *l == letter).unwrap()];
                    let back = kmer.bytes().rev().map(back).collect();
                    let back = String::from_utf8(back).unwrap();
                    if canonical { kmer.min(&back).clone() } else { kmer.clone() }
                })
                .collect();
            let found = codes_of_text(text.as_bytes(), k, canonical).unwrap();
            let found: Vec<_> = found.into_iter().map(|code| naive(code, k)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn another_letter_is_found_in_its_kmer() {
        assert_eq!(codes_of_text(b"ACGTTTNAA", 3, true), Err(2));
        assert_eq!(codes_of_text(b"ACGT", 3, false), Err(1));
        assert_eq!(codes_of_text(b"", 32, true), Ok(vec![]));
    }
}
