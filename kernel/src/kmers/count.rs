//! The count of all k-mers of a text, part by part of the range of codes, in memory that is given.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::kmers::buckets::{Arena, Buckets, Scatter};
use crate::kmers::codes::Question;
use crate::kmers::histogram::{Histogram, Span};
use crate::kmers::order::{Counted, Orderer};
use crate::kmers::rest::{LINE_BYTES, Rest};
use crate::kmers::text::PackedText;
use crate::machine::{Work, on_best_machine};

/// A bucket may have so many lines, however little memory there is.
const LEAST_BUCKET_LINES: usize = 1024;

/// A share of the text, for one thread, and where its k-mers begin.
pub struct Share<'a> {
    pub texts: Vec<&'a PackedText>,
    pub histogram: Histogram,
}

/// Where the k-mers of a part of the range of codes go, in order.
pub trait Sink: Send {
    type Error: Send;

    fn push(&mut self, counted: &Counted) -> Result<(), Self::Error>;

    /// All k-mers of the part were pushed.
    fn finish(self) -> Result<(), Self::Error>;
}

/// Why k-mers are not counted.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure<E = Infallible> {
    /// The text has other k-mers than the histograms say.
    Mismatch,
    OutOfMemory,
    Stopped,
    Sink(E),
}

/// What is to be counted, and with what.
pub struct Count<'a> {
    pub question: Question,
    pub shares: &'a [Share<'a>],
    /// The most memory for k-mers.
    pub memory_bytes: usize,
    /// Tells from outside that the count is to end.
    pub stop: &'a AtomicBool,
}

/// Cuts the range of codes where a part has no more than so many k-mers, or one prefix.
///
/// What it returns depends on the sum of the histograms alone: so every engine makes the same parts.
pub fn parts(counts: &[u64], most_kmers: u64) -> Vec<Range<usize>> {
    let mut parts = Vec::<Range<usize>>::new();
    let mut kmers = 0_u64;
    for (prefix, count) in counts.iter().enumerate() {
        kmers = kmers.saturating_add(*count);
        match parts.last_mut() {
            Some(part) if kmers <= most_kmers || *count == 0 => part.end = prefix + 1,
            _ => {
                kmers = *count;
                parts.push(prefix..prefix + 1);
            }
        }
    }
    parts
}

impl Count<'_> {
    /// Counts the k-mers of parts, each into a sink of its own, on a thread a share.
    pub fn run<S: Sink>(
        &self,
        parts: &[Range<usize>],
        open: &(impl Fn(usize) -> Result<S, S::Error> + Sync),
    ) -> Result<(), Failure<S::Error>> {
        match Span::whole(self.question).rest_bits() {
            0..=16 => self.run_with::<u16, S>(parts, open),
            17..=32 => self.run_with::<u32, S>(parts, open),
            _ => self.run_with::<u64, S>(parts, open),
        }
    }

    fn run_with<R: Rest, S: Sink>(
        &self,
        parts: &[Range<usize>],
        open: &(impl Fn(usize) -> Result<S, S::Error> + Sync),
    ) -> Result<(), Failure<S::Error>> {
        let histograms: Vec<_> = self.shares.iter().map(|share| &share.histogram).collect();
        let most_lines = self.memory_bytes / LINE_BYTES;
        let part_lines: Vec<_> = parts
            .iter()
            .map(|part| {
                let prefix_lines = prefix_lines::<R>(&histograms, part.clone(), most_lines);
                prefix_lines.iter().copied().fold(0, usize::saturating_add)
            })
            .collect();
        let lines = part_lines.iter().copied().fold(0, usize::saturating_add);
        let lines = lines.min(most_lines);
        let arena = Arena::<R>::new(lines).ok_or(Failure::OutOfMemory)?;
        let mut first = 0;
        while first < parts.len() {
            let end = first + leading(&part_lines[first..], lines);
            if first == end {
                let mut sink = open(first).map_err(Failure::Sink)?;
                self.count_into(&arena, lines, &histograms, parts[first].clone(), &mut sink)?;
                sink.finish().map_err(Failure::Sink)?;
                first += 1;
                continue;
            }
            let prefixes = parts[first].start..parts[end - 1].end;
            let buckets = self.scatter::<R, S::Error>(&arena, &histograms, prefixes)?;
            let next = AtomicUsize::new(first);
            self.on_threads(|_| {
                let mut orderer = Orderer::default();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= end {
                        return Ok(());
                    }
                    let mut sink = open(index).map_err(Failure::Sink)?;
                    self.order(&buckets, parts[index].clone(), &mut orderer, &mut sink)?;
                    sink.finish().map_err(Failure::Sink)?;
                }
            })?;
            first = end;
        }
        Ok(())
    }

    /// Counts the k-mers of prefixes that don't all fit the arena.
    ///
    /// A prefix that doesn't fit by itself is looked at more closely, by its next bits. Where there
    /// are none left, all its k-mers are one, and their number is known.
    fn count_into<R: Rest, S: Sink>(
        &self,
        arena: &Arena<R>,
        most_lines: usize,
        histograms: &[&Histogram],
        prefixes: Range<usize>,
        sink: &mut S,
    ) -> Result<(), Failure<S::Error>> {
        let prefix_lines = prefix_lines::<R>(histograms, prefixes.clone(), most_lines);
        let span = histograms[0].span;
        let mut orderer = Orderer::default();
        let mut first = prefixes.start;
        while first < prefixes.end {
            let fitting = leading(&prefix_lines[first - prefixes.start..], most_lines);
            let end = first + fitting;
            if fitting > 0 {
                let buckets = self.scatter::<R, S::Error>(arena, histograms, first..end)?;
                self.order(&buckets, first..end, &mut orderer, sink)?;
                first = end;
                continue;
            }
            let part = span.part(first);
            if part.free_bits == 0 {
                let count = histograms.iter().map(|share| share.counts[first]).sum();
                let one = Counted {
                    codes: vec![part.first],
                    counts: vec![count],
                };
                sink.push(&one).map_err(Failure::Sink)?;
            } else {
                let closer = self.look_closer::<S::Error>(part)?;
                let closer: Vec<_> = closer.iter().collect();
                let all = 0..closer[0].counts.len();
                self.count_into(arena, most_lines, &closer, all, sink)?;
            }
            first += 1;
        }
        Ok(())
    }

    /// Each share's histogram of a span.
    fn look_closer<E: Send>(&self, span: Span) -> Result<Vec<Histogram>, Failure<E>> {
        let found = Mutex::new(vec![None; self.shares.len()]);
        self.on_threads(|index| {
            let mut histogram = Histogram::new(span);
            for text in &self.shares[index].texts {
                self.check_stop()?;
                on_best_machine(Look {
                    question: self.question,
                    text,
                    histogram: &mut histogram,
                });
            }
            if let Ok(mut found) = found.lock() {
                found[index] = Some(histogram);
            }
            Ok(())
        })?;
        let found = found.into_inner().ok();
        found
            .and_then(|found| found.into_iter().collect())
            .ok_or(Failure::Stopped)
    }

    /// All k-mers of prefixes, in buckets.
    fn scatter<'b, R: Rest, E: Send>(
        &self,
        arena: &'b Arena<R>,
        histograms: &[&Histogram],
        prefixes: Range<usize>,
    ) -> Result<Buckets<'b, R>, Failure<E>> {
        let buckets = Buckets::new(arena, histograms, prefixes).ok_or(Failure::OutOfMemory)?;
        self.on_threads(|index| {
            let mut scatter = buckets.scatter(index);
            for text in &self.shares[index].texts {
                self.check_stop()?;
                on_best_machine(Throw {
                    question: self.question,
                    text,
                    scatter: &mut scatter,
                });
            }
            if scatter.finish() {
                Ok(())
            } else {
                Err(Failure::Mismatch)
            }
        })?;
        Ok(buckets)
    }

    /// Puts the buckets of prefixes in order.
    fn order<R: Rest, S: Sink>(
        &self,
        buckets: &Buckets<R>,
        prefixes: Range<usize>,
        orderer: &mut Orderer<R>,
        sink: &mut S,
    ) -> Result<(), Failure<S::Error>> {
        for prefix in prefixes {
            self.check_stop()?;
            let counted = on_best_machine(Order {
                buckets,
                prefix,
                orderer,
            });
            if !counted.codes.is_empty() {
                sink.push(counted).map_err(Failure::Sink)?;
            }
        }
        Ok(())
    }

    fn check_stop<E>(&self) -> Result<(), Failure<E>> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Stopped);
        }
        Ok(())
    }

    /// Works on a thread a share; the first error, if there is one.
    fn on_threads<E: Send>(
        &self,
        work: impl Fn(usize) -> Result<(), Failure<E>> + Sync,
    ) -> Result<(), Failure<E>> {
        let work = &work;
        thread::scope(|scope| {
            let threads: Vec<_> = (1..self.shares.len())
                .map(|index| scope.spawn(move || work(index)))
                .collect();
            let mut done = work(0);
            for thread in threads {
                let one = thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                done = done.and(one);
            }
            done
        })
    }
}

/// The lines of memory that each prefix takes: more than there are, where it has to be looked at
/// more closely.
///
/// To put a bucket in order takes up to four times its own memory, on each thread.
fn prefix_lines<R: Rest>(
    histograms: &[&Histogram],
    prefixes: Range<usize>,
    most_lines: usize,
) -> Vec<usize> {
    let most_bucket_lines = (most_lines / 16).max(LEAST_BUCKET_LINES) as u64;
    let lines = prefixes.map(|prefix| Buckets::<R>::lines(histograms, prefix));
    lines
        .map(|lines| match usize::try_from(lines) {
            Ok(few) if lines <= most_bucket_lines => few,
            _ => usize::MAX,
        })
        .collect()
}

/// How many of the first sizes fit together.
fn leading(sizes: &[usize], most: usize) -> usize {
    let mut sum = 0_usize;
    sizes
        .iter()
        .take_while(|size| {
            sum = sum.saturating_add(**size);
            sum <= most
        })
        .count()
}

/// Adds the k-mers of a text to a histogram.
pub struct Look<'a> {
    pub question: Question,
    pub text: &'a PackedText,
    pub histogram: &'a mut Histogram,
}

impl Work for Look<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (piece, words) in self.text.iter() {
            for (window, starts) in self.question.windows(piece, words) {
                self.histogram.take(&window, starts);
            }
        }
    }
}

struct Throw<'a, 'b, R: Rest> {
    question: Question,
    text: &'a PackedText,
    scatter: &'a mut Scatter<'b, R>,
}

impl<R: Rest> Work for Throw<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (piece, words) in self.text.iter() {
            for (window, starts) in self.question.windows(piece, words) {
                self.scatter.take(&window, starts);
            }
        }
    }
}

struct Order<'a, 'b, R: Rest> {
    buckets: &'a Buckets<'b, R>,
    prefix: usize,
    orderer: &'a mut Orderer<R>,
}

impl<'a, R: Rest> Work for Order<'a, '_, R> {
    type Output = &'a Counted;

    #[inline(always)]
    fn run(self) -> &'a Counted {
        let span = self.buckets.span().part(self.prefix);
        let bucket = self.buckets.bucket(self.prefix);
        self.orderer.count(bucket, span.first, span.free_bits)
    }
}
