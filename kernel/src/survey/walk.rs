//! One walk over the gaps, beside the records that they are in.

use std::cmp::Reverse;
use std::collections::TryReserveError;
use std::hash::{BuildHasher, RandomState};

use super::View;
use super::bins::{GapBin, GapBins};
use super::contigs::{Contigs, ContigsFound, at_thresholds};
use super::found::GapLengths;
use super::gap_counts::GapCounts;
use super::rows::{GapRow, Wrong};
use super::sequences::{Record, Sequences};
use super::tracks::{GapGroup, TRACKS, Tracks};

/// A record whose gaps are not all there yet.
struct Open {
    record: Record,
    is_in_view: bool,
    track: Option<usize>,
    /// N that no gap had yet.
    missing: u64,
    /// Where the next gap may start: a base behind the last one's end.
    free_base: u64,
}

pub struct Walk {
    view: View,
    hasher: RandomState,
    records: Vec<Record>,
    /// Records that are done, the open one included.
    done: usize,
    open: Option<Open>,
    all_gaps: GapLengths,
    contigs: Vec<Contigs>,
    tracks: Tracks,
    gap_bins: GapBins,
    gap_counts: GapCounts,
}

impl Walk {
    pub fn over(
        records: Vec<Record>,
        view: View,
        sequences: &Sequences,
    ) -> Result<Self, TryReserveError> {
        let places = sequences.listed.longest_places(TRACKS);
        let longest = places.first().map_or(0, |place| records[*place].length);
        Ok(Self {
            view,
            hasher: sequences.hasher.clone(),
            records,
            done: 0,
            open: None,
            all_gaps: GapLengths::default(),
            contigs: at_thresholds(view, sequences.in_view as usize)?,
            tracks: Tracks::of(places, longest),
            gap_bins: GapBins::new(),
            gap_counts: GapCounts::default(),
        })
    }

    pub fn take_line(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let gap = GapRow::read(line)?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self
                .open_next()?
                .ok_or("no record has N left for this gap")?,
        };
        let length = gap.end_base - gap.start_base;
        if self.hasher.hash_one(gap.name) != open.record.tag {
            return Err(Wrong::Row("the gap is not of the record that has N left"));
        }
        if gap.start_base < open.free_base {
            return Err(Wrong::Row("the gap is not behind the one before it"));
        }
        if gap.end_base > open.record.length {
            return Err(Wrong::Row("the gap ends behind its record"));
        }
        if length > open.missing {
            return Err(Wrong::Row("the gaps of a record are longer than its N"));
        }
        self.all_gaps.add(length);
        if open.is_in_view {
            self.add_in_view(&open, &gap)?;
        }
        open.missing -= length;
        open.free_base = gap.end_base + 1;
        if open.missing > 0 {
            self.open = Some(open);
        } else if open.is_in_view {
            self.end_record(open.record.length)?;
        }
        Ok(())
    }

    fn add_in_view(&mut self, open: &Open, gap: &GapRow) -> Result<(), TryReserveError> {
        for contigs in &mut self.contigs {
            contigs.run(gap.start_base, gap.end_base)?;
        }
        let length = gap.end_base - gap.start_base;
        if length >= self.view.min_gap {
            self.gap_bins.add(length);
            self.gap_counts.add(length)?;
            if let Some(track) = open.track {
                self.tracks.add(track, gap.start_base, gap.end_base);
            }
        }
        Ok(())
    }

    fn end_record(&mut self, length: u64) -> Result<(), TryReserveError> {
        for contigs in &mut self.contigs {
            contigs.end_record(length)?;
        }
        Ok(())
    }

    /// The next record with N; those before it are done.
    fn open_next(&mut self) -> Result<Option<Open>, TryReserveError> {
        while let Some(&record) = self.records.get(self.done) {
            let place = self.done;
            self.done += 1;
            let is_in_view = record.length >= self.view.min_length;
            if record.n > 0 {
                return Ok(Some(Open {
                    record,
                    is_in_view,
                    track: self.tracks.of_record(place),
                    missing: record.n,
                    free_base: 0,
                }));
            }
            if is_in_view {
                self.end_record(record.length)?;
            }
        }
        Ok(None)
    }

    pub fn finish(mut self) -> Result<Walked, Wrong> {
        if self.open.is_some() || self.open_next()?.is_some() {
            return Err(Wrong::Row("gaps are missing: a record has N left"));
        }
        Ok(Walked {
            all_gaps: self.all_gaps,
            contigs: ContigsFound::of(self.view, self.contigs),
            tracks: self.tracks.into_groups(),
            gap_bins: self.gap_bins.used(),
            gap_n50: self.gap_counts.n50(),
            longest_first: longest_first(self.records, self.view),
        })
    }
}

/// The records in view, the longest first, of equals the first in the file.
fn longest_first(mut records: Vec<Record>, view: View) -> Vec<Record> {
    records.retain(|record| record.length >= view.min_length);
    for (record, place) in records.iter_mut().zip(0..) {
        record.tag = place;
    }
    records.sort_unstable_by_key(|record| (Reverse(record.length), record.tag));
    records
}

/// What a walk found.
pub struct Walked {
    pub all_gaps: GapLengths,
    pub contigs: ContigsFound,
    pub tracks: Vec<Vec<GapGroup>>,
    pub gap_bins: Vec<GapBin>,
    pub gap_n50: u64,
    pub longest_first: Vec<Record>,
}
