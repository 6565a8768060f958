//! Buckets of k-mers by the first bits of their codes, in one arena, and the way into them.
//!
//! What goes to thousands of places in turn is put together a cache line at a time, in the cache,
//! and a whole line goes past the caches to memory: so the processor doesn't fetch first what is
//! overwritten, which costs two to three times as much.
//!
//! ```text
//! arena   | bucket 0         | bucket 1         | …
//!         | share 0 | share 1| share 0 | share 1|     each share's thread writes its own
//! ```

use std::marker::PhantomData;
use std::ops::Range;

use memmap2::MmapMut;

use crate::kmers::codes::{Prefixes, Window};
use crate::kmers::histogram::{Histogram, Span};
use crate::kmers::rest::{LINE_BYTES, Rest};

/// Memory that buckets are laid out in, used again for every range of codes.
///
/// It comes from the system as zeros, a page at its first use: so threads wait for pages side by
/// side.
pub struct Arena<R: Rest> {
    map: MmapMut,
    count: usize,
    slots: PhantomData<R::Slot>,
}

impl<R: Rest> Arena<R> {
    /// Room for so many lines; None where there is no memory.
    pub fn new(lines: usize) -> Option<Self> {
        let count = lines.max(1).checked_mul(line_length::<R>())?;
        let map = MmapMut::map_anon(count.checked_mul(size_of::<R>())?).ok()?;
        // Lines go to thousands of places in turn, and the processor remembers the addresses of few
        // pages: they are to be large. Without that it is slower, and right.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Some(Self {
            map,
            count,
            slots: PhantomData,
        })
    }

    /// All of it; it begins where a cache line does.
    fn slots(&self) -> &[R::Slot] {
        let first = self.map.as_ptr().cast::<R::Slot>();
        assert!(first.addr().is_multiple_of(LINE_BYTES));
        // SAFETY: the map has as many bytes, aligned as asserted, as long as it is borrowed. Zeros
        // are values of atomics, which are all that reads and writes it.
        unsafe { std::slice::from_raw_parts(first, self.count) }
    }
}

/// The rests in a cache line.
pub const fn line_length<R>() -> usize {
    LINE_BYTES / size_of::<R>()
}

/// Where the k-mers of a range of prefixes go.
pub struct Buckets<'a, R: Rest> {
    slots: &'a [R::Slot],
    span: Span,
    prefixes: Range<usize>,
    shares: usize,
    /// Where each share's part of each bucket is.
    parts: Vec<Range<usize>>,
}

impl<'a, R: Rest> Buckets<'a, R> {
    /// Lays buckets out for the k-mers that shares of the text have; None if the arena is too small.
    pub fn new(arena: &'a Arena<R>, shares: &[&Histogram], prefixes: Range<usize>) -> Option<Self> {
        let slots = arena.slots();
        let mut parts = Vec::with_capacity(prefixes.len() * shares.len());
        let mut start = 0_usize;
        for prefix in prefixes.clone() {
            for share in shares {
                let count = usize::try_from(share.counts[prefix]).ok()?;
                let end = start.checked_add(count).filter(|end| *end <= slots.len())?;
                parts.push(start..end);
                start = end.next_multiple_of(line_length::<R>());
            }
        }
        Some(Self {
            slots,
            span: shares.first()?.span,
            prefixes,
            shares: shares.len(),
            parts,
        })
    }

    /// The lines that the buckets of a histogram's prefixes take at most.
    pub fn lines(shares: &[&Histogram], prefix: usize) -> u64 {
        let lines = |share: &&Histogram| share.counts[prefix].div_ceil(line_length::<R>() as u64);
        shares.iter().map(lines).sum()
    }

    pub fn span(&self) -> Span {
        self.span
    }

    /// What the bucket of a prefix holds, in no order.
    pub fn bucket(&self, prefix: usize) -> impl Iterator<Item = &[R::Slot]> + Clone {
        let first = (prefix - self.prefixes.start) * self.shares;
        let parts = &self.parts[first..first + self.shares];
        parts.iter().map(|part| &self.slots[part.clone()])
    }

    pub fn scatter(&self, share: usize) -> Scatter<'_, R> {
        let parts = self.parts.iter().skip(share).step_by(self.shares);
        Scatter {
            slots: self.slots,
            span: self.span,
            first: self.prefixes.start as u32,
            lines: vec![R::Line::default(); self.prefixes.len()],
            filled: vec![0; self.prefixes.len()],
            room: parts.cloned().collect(),
            fits: true,
        }
    }
}

/// The way of a share's k-mers into the buckets.
pub struct Scatter<'a, R: Rest> {
    slots: &'a [R::Slot],
    span: Span,
    /// The prefix of the first bucket.
    first: u32,
    lines: Vec<R::Line>,
    filled: Vec<u8>,
    /// What is empty in each bucket.
    room: Vec<Range<usize>>,
    fits: bool,
}

impl<R: Rest> Scatter<'_, R> {
    /// Takes those k-mers that belong to the buckets.
    #[inline(always)]
    pub fn take(&mut self, window: &Window, starts: Range<usize>) {
        let prefixes = self.span.prefixes(window);
        let buckets = prefixes.map(|prefix| prefix.wrapping_sub(self.first));
        let mut kept = below(&buckets, self.lines.len() as u32);
        kept &= u32::MAX >> (32 - starts.len()) << starts.start;
        while kept != 0 {
            let base = kept.trailing_zeros() as usize;
            kept &= kept - 1;
            let bucket = buckets[base] as usize;
            let line = &mut self.lines[bucket];
            let filled = usize::from(self.filled[bucket]);
            // The bits of the bucket fall off, or are masked away when they are read.
            line.as_mut()[filled % line_length::<R>()] = R::of(window.code(base));
            self.filled[bucket] = (filled + 1) as u8;
            if filled + 1 == line_length::<R>() {
                self.filled[bucket] = 0;
                self.store_line(bucket);
            }
        }
    }

    #[inline(always)]
    fn store_line(&mut self, bucket: usize) {
        let room = &mut self.room[bucket];
        if room.len() < line_length::<R>() {
            self.fits = false;
            return;
        }
        let slots = &self.slots[room.start..room.start + line_length::<R>()];
        room.start += line_length::<R>();
        stream::<R>(self.lines[bucket].as_ref(), slots);
    }

    /// Stores the lines that are not full; whether the k-mers were those of the histogram.
    pub fn finish(mut self) -> bool {
        for (bucket, filled) in self.filled.iter().enumerate() {
            let (rests, room) = (self.lines[bucket].as_ref(), &mut self.room[bucket]);
            let rests = &rests[..usize::from(*filled)];
            self.fits &= room.len() == rests.len();
            for (slot, rest) in self.slots[room.clone()].iter().zip(rests) {
                R::store(slot, *rest);
            }
        }
        // What went past the caches is to be there for other threads.
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every processor of this kind has SSE.
        unsafe {
            std::arch::x86_64::_mm_sfence();
        }
        self.fits
    }
}

/// Which numbers are below a limit, the first one's bit lowest.
#[inline(always)]
fn below(numbers: &Prefixes, limit: u32) -> u32 {
    const LANES: usize = 8;
    let mut lanes = [0; LANES];
    for (group, numbers) in numbers.chunks_exact(LANES).enumerate() {
        for (place, lane) in lanes.iter_mut().enumerate() {
            *lane |= u32::from(numbers[place] < limit) << (group * LANES + place);
        }
    }
    lanes.iter().fold(0, |all, lane| all | lane)
}

/// Stores a line past the caches.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn stream<R: Rest>(line: &[R], slots: &[R::Slot]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};

    assert!(size_of_val(line) == LINE_BYTES && size_of_val(slots) == LINE_BYTES);
    let from = line.as_ptr().cast::<__m128i>();
    let to = slots.as_ptr().cast::<__m128i>().cast_mut();
    assert!(to.is_aligned());
    for index in 0..LINE_BYTES / size_of::<__m128i>() {
        // SAFETY: both have a line's bytes, as asserted. The slots are atomics, which may be written
        // through a shared reference; no other thread reads or writes them before `finish`.
        unsafe { _mm_stream_si128(to.add(index), _mm_loadu_si128(from.add(index))) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn stream<R: Rest>(line: &[R], slots: &[R::Slot]) {
    for (slot, rest) in slots.iter().zip(line) {
        R::store(slot, *rest);
    }
}
