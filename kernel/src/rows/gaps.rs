//! Rows of gaps: the closed runs of N.

use std::collections::TryReserveError;

use crate::rows::rope::{Rope, Shift};
use crate::rows::varint;

/// A gap, in the residues of its record: 0-based, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// 0 is the record that was open before the first header, 1 the first header's.
    pub record: u64,
    pub start_base: u64,
    pub end_base: u64,
}

/// How the gaps of a right part move when it is joined.
#[derive(Clone, Copy, Debug, Default)]
pub struct GapShift {
    /// Headers in the left part.
    pub records: u64,
    /// Residues that its open record has.
    pub bases: u64,
}

impl Shift for GapShift {
    fn within(self, outer: Self) -> Self {
        Self {
            records: self.records + outer.records,
            // Without a header the left part's open record is the outer one's.
            bases: if self.records == 0 {
                self.bases + outer.bases
            } else {
                self.bases
            },
        }
    }
}

/// Gaps in order, each told from the one before: the step in records, the step in bases within a
/// record (from the last gap's end, or from the record's start), and the length.
#[derive(Clone, Debug, Default)]
pub struct GapBlock {
    pub bytes: Vec<u8>,
    /// Of gaps.
    pub count: u64,
    record: u64,
    end_base: u64,
}

impl GapBlock {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        // A gap is three numbers, and each ends with a byte below 0x80.
        let ends = bytes.iter().filter(|byte| **byte < 0x80).count();
        Self {
            count: ends as u64 / 3,
            bytes,
            ..Self::default()
        }
    }

    /// Fails, and leaves the gap out, when there is no memory for it.
    pub fn push(&mut self, gap: Gap) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(3 * varint::MAX_BYTES)?;
        if gap.record != self.record {
            self.end_base = 0;
        }
        varint::write(&mut self.bytes, gap.record - self.record);
        varint::write(&mut self.bytes, gap.start_base - self.end_base);
        varint::write(&mut self.bytes, gap.end_base - gap.start_base);
        self.count += 1;
        (self.record, self.end_base) = (gap.record, gap.end_base);
        Ok(())
    }

    /// The gaps; an item is none where the bytes are damaged, and then the last.
    pub fn iter(&self) -> impl Iterator<Item = Option<Gap>> {
        let mut rest = self.bytes.as_slice();
        let (mut record, mut end_base) = (0_u64, 0_u64);
        std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| {
                let read = |rest: &mut &[u8]| -> Option<Gap> {
                    let step = varint::read(rest)?;
                    let from = if step == 0 { end_base } else { 0 };
                    let start_base = from.checked_add(varint::read(rest)?)?;
                    Some(Gap {
                        record: record.checked_add(step)?,
                        start_base,
                        end_base: start_base.checked_add(varint::read(rest)?)?,
                    })
                };
                let gap = read(&mut rest);
                if let Some(gap) = gap {
                    (record, end_base) = (gap.record, gap.end_base);
                } else {
                    rest = &[];
                }
                gap
            })
        })
    }
}

pub type Gaps = Rope<GapBlock, GapShift>;

impl Gaps {
    /// The gaps in order, moved to where they stand. No block is damaged: those that are read are
    /// checked.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        self.iter().flat_map(|(block, shift)| {
            block.iter().flatten().map(move |gap| {
                let bases = if gap.record == 0 { shift.bases } else { 0 };
                Gap {
                    record: gap.record + shift.records,
                    start_base: gap.start_base + bases,
                    end_base: gap.end_base + bases,
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(gaps: &[(u64, u64, u64)]) -> Gaps {
        let mut block = GapBlock::default();
        for &(record, start_base, end_base) in gaps {
            let gap = Gap {
                record,
                start_base,
                end_base,
            };
            block.push(gap).unwrap();
        }
        Gaps::leaf(block)
    }

    fn listed(gaps: &Gaps) -> Vec<(u64, u64, u64)> {
        gaps.gaps()
            .map(|gap| (gap.record, gap.start_base, gap.end_base))
            .collect()
    }

    #[test]
    fn joined_gaps_stand_where_their_records_do() {
        let right = block(&[(0, 1, 2), (0, 7, 9), (2, 0, 4)]);
        let middle = Gaps::join(
            Gaps::default(),
            right,
            GapShift {
                records: 0,
                bases: 10,
            },
        );
        assert_eq!(listed(&middle), [(0, 11, 12), (0, 17, 19), (2, 0, 4)]);
        let whole = Gaps::join(
            block(&[(1, 5, 6)]),
            middle,
            GapShift {
                records: 3,
                bases: 100,
            },
        );
        assert_eq!(
            listed(&whole),
            [(1, 5, 6), (3, 111, 112), (3, 117, 119), (5, 0, 4)]
        );
    }

    #[test]
    fn a_damaged_block_says_so_once() {
        let damaged = GapBlock::from_bytes(vec![1, 5]);
        assert_eq!(damaged.iter().collect::<Vec<_>>(), [None]);
    }
}
