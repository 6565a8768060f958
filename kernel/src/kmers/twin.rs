//! The count as it is defined, and as it is done: they are the same.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use crate::kmers::codes::Question;
use crate::kmers::count::{Count, Failure, Look, Share, Sink, parts};
use crate::kmers::histogram::{Histogram, Span};
use crate::kmers::order::Counted;
use crate::kmers::text::{PackedText, Piece};
use crate::machine::on_best_machine;

/// Every k-mer of a text of runs, by its code.
pub fn naive(runs: &[Vec<u8>], question: Question) -> BTreeMap<u64, u64> {
    let code = |bases: &mut dyn Iterator<Item = u8>| {
        bases.fold(0_u64, |code, base| code << 2 | u64::from(base))
    };
    let mut counts = BTreeMap::new();
    for run in runs {
        for kmer in run.windows(question.k as usize) {
            let given = code(&mut kmer.iter().copied());
            let back = code(&mut kmer.iter().rev().map(|base| 3 - base));
            let counted = if question.canonical {
                given.min(back)
            } else {
                given
            };
            *counts.entry(counted).or_insert(0) += 1;
        }
    }
    counts
}

/// Packs a run in pieces, each of which carries on the one before.
fn pack(text: &mut PackedText, run: &[u8], piece_bases: usize) {
    for start in (0..run.len()).step_by(piece_bases) {
        let first = start.saturating_sub(31);
        let bases = &run[first..run.len().min(start + piece_bases)];
        text.pieces.push(Piece {
            length: bases.len() as u32,
            carried: (start - first) as u32,
            is_seam: false,
        });
        text.words.extend(bases.chunks(32).map(|chunk| {
            let bases = chunk.iter().enumerate();
            bases.fold(0, |word, (place, base)| {
                word | u64::from(*base) << (62 - 2 * place)
            })
        }));
    }
}

pub fn histogram_of(question: Question, texts: &[&PackedText]) -> Histogram {
    let mut histogram = Histogram::new(Span::whole(question));
    for text in texts {
        on_best_machine(Look {
            question,
            text,
            histogram: &mut histogram,
        });
    }
    histogram
}

pub struct Kept<'a> {
    index: usize,
    rows: Vec<(u64, u64)>,
    to: &'a Mutex<BTreeMap<usize, Vec<(u64, u64)>>>,
}

impl Sink for Kept<'_> {
    type Error = usize;

    fn push(&mut self, counted: &Counted) -> Result<(), usize> {
        let rows = counted
            .codes
            .iter()
            .copied()
            .zip(counted.counts.iter().copied());
        self.rows.extend(rows);
        Ok(())
    }

    fn finish(self) -> Result<(), usize> {
        self.to.lock().unwrap().insert(self.index, self.rows);
        Ok(())
    }
}

fn count(
    question: Question,
    texts: &[PackedText],
    threads: usize,
    memory_bytes: usize,
    most_kmers: u64,
) -> Result<Vec<(u64, u64)>, Failure<usize>> {
    let shares: Vec<_> = (0..threads)
        .map(|thread| {
            let texts: Vec<_> = texts.iter().skip(thread).step_by(threads).collect();
            let histogram = histogram_of(question, &texts);
            Share { texts, histogram }
        })
        .collect();
    let mut sum = Histogram::new(Span::whole(question));
    shares.iter().for_each(|share| sum.add(&share.histogram));
    let kept = Mutex::new(BTreeMap::new());
    let count = Count {
        question,
        shares: &shares,
        memory_bytes,
        stop: &AtomicBool::new(false),
    };
    count.run(&parts(&sum.counts, most_kmers), &|index| {
        Ok(Kept {
            index,
            rows: Vec::new(),
            to: &kept,
        })
    })?;
    Ok(kept.into_inner().unwrap().into_values().flatten().collect())
}

/// Runs that are random, of few bases, of one, of a short period, or palindromic.
fn runs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let random = prop::collection::vec(0..4_u8, 0..300);
    let period = (prop::collection::vec(0..4_u8, 1..6), 1..80_usize)
        .prop_map(|(unit, times)| unit.repeat(times));
    let palindrome = prop::collection::vec(0..4_u8, 0..40).prop_map(|half| {
        let back = half.iter().rev().map(|base| 3 - base);
        half.iter().copied().chain(back).collect()
    });
    prop::collection::vec(prop_oneof![3 => random, 2 => period, 1 => palindrome], 0..6)
}

fn the_count_is_naive(
    runs: &[Vec<u8>],
    question: Question,
    piece_bases: usize,
    threads: usize,
    memory_bytes: usize,
    most_kmers: u64,
) -> Result<(), TestCaseError> {
    let pack_one = |run: &Vec<u8>| {
        let mut text = PackedText::default();
        pack(&mut text, run, piece_bases);
        text
    };
    let texts: Vec<_> = runs.iter().map(pack_one).collect();
    let counted = count(question, &texts, threads, memory_bytes, most_kmers);
    prop_assert_eq!(counted, Ok(naive(runs, question).into_iter().collect()));
    Ok(())
}

proptest! {
    #[test]
    fn the_count_does_as_its_naive_twin(
        runs in runs(),
        k in 9..=32_u32,
        canonical: bool,
        piece_bases in 1..200_usize,
        threads in 1..4_usize,
        memory_bytes in prop_oneof![16_384..65_536_usize, Just(1 << 20)],
        most_kmers in prop_oneof![1..50_u64, Just(1 << 23)],
    ) {
        let question = Question { k, canonical };
        the_count_is_naive(&runs, question, piece_bases, threads, memory_bytes, most_kmers)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_count_needs_next_to_no_memory(
        runs in runs(),
        k in 9..=32_u32,
        canonical: bool,
        lines in 0..8_usize,
    ) {
        let runs = [runs.concat().into_iter().take(60).collect()];
        the_count_is_naive(&runs, Question { k, canonical }, 50, 1, 64 * lines, 20)?;
    }
}

#[test]
fn a_histogram_of_another_text_is_found_out() {
    let question = Question {
        k: 21,
        canonical: true,
    };
    let (mut text, mut other) = (PackedText::default(), PackedText::default());
    pack(&mut text, &[0, 1, 2, 3].repeat(20), 80);
    pack(&mut other, &[0, 0, 1, 3].repeat(20), 80);
    let shares = [Share {
        histogram: histogram_of(question, &[&other]),
        texts: vec![&text],
    }];
    let count = Count {
        question,
        shares: &shares,
        memory_bytes: 1 << 20,
        stop: &AtomicBool::new(false),
    };
    let kept = Mutex::new(BTreeMap::new());
    let all = parts(&shares[0].histogram.counts, 1 << 23);
    let open = |index| {
        Ok(Kept {
            index,
            rows: Vec::new(),
            to: &kept,
        })
    };
    assert_eq!(count.run(&all, &open), Err(Failure::Mismatch));
}
