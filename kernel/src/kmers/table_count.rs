//! The count of the k-mers of one length into the parts of a table.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::checksum;
use crate::kmers::codes::Question;
use crate::kmers::count::{Count, Failure, Look, Share, Sink, parts};
use crate::kmers::histogram::{Histogram, Span};
use crate::kmers::order::Counted;
use crate::kmers::parquet::{PartWriter, WriteError};
use crate::kmers::tally::Tally;
use crate::kmers::text::Blocks;
use crate::machine::on_best_machine;

/// The most k-mers of a part that has more than one prefix. It is part of the form of tables: it
/// cuts them, and the same table is to be the same files everywhere.
const PART_KMERS: u64 = 1 << 23;

/// What goes to a file at once.
const WRITE_BYTES: usize = 1 << 20;

/// A part that is written.
#[derive(Clone, Debug)]
pub struct Part {
    pub path: PathBuf,
    pub rows: u64,
    pub size_bytes: u64,
    pub crc64nvme: u64,
}

/// A table that is written, or the parts of a partition of it.
#[derive(Debug)]
pub struct Table {
    pub parts: Vec<Part>,
    pub total: u64,
    pub distinct: u64,
    pub tally: Tally,
}

/// Why there is no table.
pub type TableFailure = Failure<WriteError>;

/// A count that is asked for.
pub struct TableCount {
    pub question: Question,
    /// All text that has k-mers.
    pub texts: Vec<Arc<Blocks>>,
    pub threads: usize,
    /// The most memory for k-mers.
    pub memory_bytes: usize,
    /// Which parts of the table.
    pub partition: Partition,
    /// Tells from outside that the count is to end.
    pub stop: AtomicBool,
}

/// One of some partitions of a table, each of which is a range of whole parts.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    pub index: usize,
    pub count: usize,
}

impl Partition {
    /// The parts of the table that are its own, by where their k-mers come among all.
    fn own(self, kmers: &[u64]) -> Range<usize> {
        let all = kmers.iter().map(|count| u128::from(*count)).sum::<u128>();
        let mut before = 0_u128;
        let owners = kmers.iter().map(|count| {
            let owner = before * self.count as u128 / all.max(1);
            before += u128::from(*count);
            owner.min(self.count as u128 - 1) as usize
        });
        let owners: Vec<_> = owners.collect();
        let first = owners.partition_point(|owner| *owner < self.index);
        first..owners.partition_point(|owner| *owner <= self.index)
    }
}

impl TableCount {
    /// Counts, and writes the parts of the partition into a folder.
    pub fn run(&self, folder: &Path) -> Result<Table, TableFailure> {
        let shares = self.shares()?;
        let mut sum = Histogram::new(Span::whole(self.question));
        shares.iter().for_each(|share| sum.add(&share.histogram));
        let parts = parts(&sum.counts, PART_KMERS);
        let kmers: Vec<_> = parts
            .iter()
            .map(|part| sum.counts[part.clone()].iter().sum())
            .collect();
        let own = self.partition.own(&kmers);
        let parts = &parts[own.clone()];
        let written = Mutex::new(vec![None; parts.len()]);
        let count = Count {
            question: self.question,
            shares: &shares,
            memory_bytes: self.memory_bytes,
            stop: &self.stop,
        };
        count.run(parts, &|index| {
            let path = folder.join(format!("part-{:05}.parquet", own.start + index));
            PartSink::open(path, index, self.question, &written)
        })?;
        self.whole(&kmers[own.clone()], written)
    }

    /// The text in shares of about the same size, each with its histogram.
    fn shares(&self) -> Result<Vec<Share<'_>>, TableFailure> {
        let blocks: Vec<_> = self.texts.iter().flat_map(|text| &text.0).collect();
        let threads = self.threads.clamp(1, blocks.len().max(1));
        let make = |index: usize| {
            let texts: Vec<_> = blocks
                .iter()
                .copied()
                .skip(index)
                .step_by(threads)
                .collect();
            let mut histogram = Histogram::new(Span::whole(self.question));
            for text in &texts {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Failure::Stopped);
                }
                on_best_machine(Look {
                    question: self.question,
                    text,
                    histogram: &mut histogram,
                });
            }
            Ok(Share { texts, histogram })
        };
        let make = &make;
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .map(|index| scope.spawn(move || make(index)))
                .collect();
            let first = make(0);
            let others = others.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            std::iter::once(first).chain(others).collect()
        })
    }

    /// The table, if its parts have as many k-mers as the histograms say.
    fn whole(
        &self,
        kmers: &[u64],
        written: Mutex<Vec<Option<Written>>>,
    ) -> Result<Table, TableFailure> {
        let written = written.into_inner().map_err(|_| Failure::Mismatch)?;
        let mut table = Table {
            parts: Vec::new(),
            total: 0,
            distinct: 0,
            tally: Tally::default(),
        };
        for (expected, written) in kmers.iter().zip(written) {
            let written = written.ok_or(Failure::Mismatch)?;
            if written.total != *expected {
                return Err(Failure::Mismatch);
            }
            table.total += written.total;
            table.distinct += written.part.rows;
            table.tally.add(&written.tally);
            table.parts.push(written.part);
        }
        Ok(table)
    }
}

#[derive(Clone)]
struct Written {
    part: Part,
    total: u64,
    tally: Tally,
}

struct PartSink<'a> {
    index: usize,
    path: PathBuf,
    writer: PartWriter<Measured>,
    tally: Tally,
    to: &'a Mutex<Vec<Option<Written>>>,
}

impl<'a> PartSink<'a> {
    fn open(
        path: PathBuf,
        index: usize,
        question: Question,
        to: &'a Mutex<Vec<Option<Written>>>,
    ) -> Result<Self, WriteError> {
        let file = Measured::new(File::create(&path)?);
        Ok(Self {
            index,
            path,
            writer: PartWriter::new(file, question.k, question.canonical)?,
            tally: Tally::default(),
            to,
        })
    }
}

impl Sink for PartSink<'_> {
    type Error = WriteError;

    fn push(&mut self, counted: &Counted) -> Result<(), WriteError> {
        self.tally.push(counted);
        self.writer.push(&counted.codes, &counted.counts)
    }

    fn finish(self) -> Result<(), WriteError> {
        let (facts, file) = self.writer.finish()?;
        begin_storing(&file.file);
        let part = Part {
            path: self.path,
            rows: facts.rows,
            size_bytes: facts.size_bytes,
            crc64nvme: file.crc64nvme,
        };
        let written = Written {
            part,
            total: u64::try_from(facts.total).unwrap_or(u64::MAX),
            tally: self.tally,
        };
        if let Ok(mut to) = self.to.lock() {
            to[self.index] = Some(written);
        }
        Ok(())
    }
}

/// Has the system store a file while work goes on: it is waited for before a report is committed.
fn begin_storing(file: &File) {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;

        // SAFETY: the descriptor is open as long as `file` lives. All of it is meant; where a file
        // system can't do this, it is stored later.
        unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// A file that is written in large pieces, and their checksum.
struct Measured {
    file: File,
    waiting: Vec<u8>,
    crc64nvme: u64,
}

impl Measured {
    fn new(file: File) -> Self {
        Self {
            file,
            waiting: Vec::with_capacity(WRITE_BYTES),
            crc64nvme: 0,
        }
    }
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.crc64nvme = checksum::crc64nvme(&self.waiting, self.crc64nvme);
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn partitions_tile_the_parts_and_are_even(
            kmers in prop::collection::vec(0..1000_u64, 0..60),
            count in 1..20_usize,
        ) {
            let mut end = 0;
            let all: u64 = kmers.iter().sum();
            let largest = kmers.iter().copied().max().unwrap_or(0);
            for index in 0..count {
                let own = Partition { index, count }.own(&kmers);
                let share: u64 = kmers[own.clone()].iter().sum();
                prop_assert!(share <= all / count as u64 + 1 + largest);
                prop_assert_eq!(own.start, end);
                end = own.end;
            }
            prop_assert_eq!(end, kmers.len());
        }
    }
}
