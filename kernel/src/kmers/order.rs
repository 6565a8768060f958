//! A bucket in order, and counted: two counting sorts by its top bits, then a repair of the few
//! places that lower bits decide.

use crate::kmers::rest::Rest;

/// The bits of a counting sort.
const DIGIT_BITS: u32 = 9;
const DIGITS: usize = 1 << DIGIT_BITS;

/// A bucket that has more is split first, by so many bits.
const MOST_AT_ONCE: usize = 1 << 16;
const SPLIT_BITS: u32 = 6;

/// Buckets of so few bits are counted in a table.
const TABLE_BITS: u32 = 12;

/// Codes in order, and how often each is there.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub codes: Vec<u64>,
    pub counts: Vec<u64>,
}

impl Counted {
    fn clear(&mut self) {
        self.codes.clear();
        self.counts.clear();
    }

    /// Takes what is in order, each as often as it is there.
    #[inline(always)]
    fn count_runs<R: Rest>(&mut self, sorted: &[R], first: u64) {
        const AT_ONCE: usize = 8;
        let mut index = 0;
        while index < sorted.len() {
            if let Some(window) = sorted[index..].first_chunk::<{ AT_ONCE + 1 }>() {
                let is_repeated = |place: usize| window[place] == window[place + 1];
                if !(0..AT_ONCE).fold(false, |any, place| any | is_repeated(place)) {
                    let rests = &window[..AT_ONCE];
                    self.codes
                        .extend(rests.iter().map(|rest| first | (*rest).into()));
                    self.counts.extend([1; AT_ONCE]);
                    index += AT_ONCE;
                    continue;
                }
            }
            let rest = sorted[index];
            let start = index;
            while index < sorted.len() && sorted[index] == rest {
                index += 1;
            }
            self.codes.push(first | rest.into());
            self.counts.push((index - start) as u64);
        }
    }
}

/// What a thread puts buckets in order with.
pub struct Orderer<R> {
    taken: Vec<R>,
    spare: Vec<R>,
    table: Vec<u64>,
    counted: Counted,
}

impl<R: Rest> Default for Orderer<R> {
    fn default() -> Self {
        Self {
            taken: Vec::new(),
            spare: Vec::new(),
            table: Vec::new(),
            counted: Counted::default(),
        }
    }
}

impl<R: Rest> Orderer<R> {
    /// The codes of a bucket, which has those from `first` on that differ in `rest_bits`.
    #[inline(always)]
    pub fn count<'b>(
        &mut self,
        bucket: impl Iterator<Item = &'b [R::Slot]> + Clone,
        first: u64,
        rest_bits: u32,
    ) -> &Counted
    where
        R::Slot: 'b,
    {
        self.counted.clear();
        let mask = mask(rest_bits);
        let length: usize = bucket.clone().map(<[_]>::len).sum();
        if rest_bits <= TABLE_BITS && length >= 1 << rest_bits >> 4 {
            let rests = bucket.flatten().map(|slot| R::load(slot).into() & mask);
            self.count_in_table(rests, first, rest_bits);
            return &self.counted;
        }
        for room in [&mut self.taken, &mut self.spare] {
            if room.len() < length {
                room.resize(length, R::default());
            }
        }
        let (taken, spare) = (&mut self.taken[..length], &mut self.spare[..length]);
        let rests = bucket
            .flatten()
            .map(|slot| R::of(R::load(slot).into() & mask));
        if length <= MOST_AT_ONCE {
            let mut digits = Digits::of(rests.clone(), rest_bits);
            digits.by_low(rests, spare);
            digits.by_high(spare.iter().copied(), taken);
            digits.repair(taken);
            self.counted.count_runs(taken, first);
            return &self.counted;
        }
        let shift = rest_bits.saturating_sub(SPLIT_BITS);
        let digit = |rest: u64| (rest >> shift) as usize;
        let mut ends = [0; 1 << SPLIT_BITS];
        rests
            .clone()
            .for_each(|rest| ends[digit(rest.into()) % ends.len()] += 1);
        begin(&mut ends);
        place(rests, taken, digit, &mut ends);
        let mut start = 0;
        for end in ends.map(|end| end as usize) {
            let (part, spare) = (&mut taken[start..end], &mut spare[start..end]);
            let mut digits = Digits::of(part.iter().copied(), shift);
            digits.by_low(part.iter().copied(), spare);
            digits.by_high(spare.iter().copied(), part);
            digits.repair(part);
            self.counted.count_runs(part, first);
            start = end;
        }
        &self.counted
    }

    #[inline(always)]
    fn count_in_table(&mut self, rests: impl Iterator<Item = u64>, first: u64, rest_bits: u32) {
        self.table.clear();
        self.table.resize(1 << rest_bits, 0);
        let last = self.table.len() - 1;
        for rest in rests {
            self.table[rest as usize & last] += 1;
        }
        for (rest, count) in self.table.iter().enumerate() {
            if *count > 0 {
                self.counted.codes.push(first | rest as u64);
                self.counted.counts.push(*count);
            }
        }
    }
}

pub fn mask(bits: u32) -> u64 {
    u64::MAX.checked_shr(64 - bits).unwrap_or(0)
}

/// Two counting sorts of rests that differ in the lowest `bits`: by the second highest digit, then
/// by the highest.
struct Digits {
    high: u32,
    low: u32,
    high_ends: [u32; DIGITS],
    low_ends: [u32; DIGITS],
}

impl Digits {
    #[inline(always)]
    fn of<R: Rest>(rests: impl Iterator<Item = R>, bits: u32) -> Self {
        let mut digits = Self {
            high: bits.saturating_sub(DIGIT_BITS),
            low: bits.saturating_sub(2 * DIGIT_BITS),
            high_ends: [0; DIGITS],
            low_ends: [0; DIGITS],
        };
        for rest in rests {
            let rest = rest.into();
            digits.high_ends[(rest >> digits.high) as usize % DIGITS] += 1;
            digits.low_ends[(rest >> digits.low) as usize % DIGITS] += 1;
        }
        begin(&mut digits.high_ends);
        begin(&mut digits.low_ends);
        digits
    }

    #[inline(always)]
    fn by_low<R: Rest>(&mut self, from: impl Iterator<Item = R>, to: &mut [R]) {
        let low = self.low;
        place(from, to, |rest| (rest >> low) as usize, &mut self.low_ends);
    }

    #[inline(always)]
    fn by_high<R: Rest>(&mut self, from: impl Iterator<Item = R>, to: &mut [R]) {
        let high = self.high;
        place(
            from,
            to,
            |rest| (rest >> high) as usize,
            &mut self.high_ends,
        );
    }

    /// Puts in order what lower bits decide.
    #[inline(always)]
    fn repair<R: Rest>(&self, rests: &mut [R]) {
        if self.low > 0 {
            repair(rests, self.low);
        }
    }
}

/// Makes of the number of rests of each digit where they begin.
#[inline(always)]
fn begin(counts: &mut [u32]) {
    let mut start = 0;
    for count in counts {
        (*count, start) = (start, start + *count);
    }
}

/// Moves rests in the order of a digit, its higher bits left out; `starts` becomes where each ends.
#[inline(always)]
fn place<R: Rest, const N: usize>(
    from: impl Iterator<Item = R>,
    to: &mut [R],
    digit: impl Fn(u64) -> usize,
    starts: &mut [u32; N],
) {
    for rest in from {
        let next = &mut starts[digit(rest.into()) % N];
        to[*next as usize] = rest;
        *next += 1;
    }
}

/// Sorts rests that are in order but for the lowest `bits`, where these decide.
#[inline(always)]
fn repair<R: Rest>(rests: &mut [R], bits: u32) {
    let group = |rest: R| rest.into() >> bits;
    let mut index = 1;
    while index < rests.len() {
        let (before, here) = (rests[index - 1], rests[index]);
        if here < before {
            let is_other = |rest: &R| group(*rest) != group(here);
            let first = rests[..index].iter().rposition(is_other);
            let first = first.map_or(0, |place| place + 1);
            let length = rests[index..].iter().position(is_other);
            let end = length.map_or(rests.len(), |length| index + length);
            if end - first == 2 {
                rests.swap(first, first + 1);
            } else {
                rests[first..end].sort_unstable();
            }
            index = end;
        }
        index += 1;
    }
}
