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
        self.taken.clear();
        for part in bucket {
            let rests = part.iter().map(|slot| R::of(R::load(slot).into() & mask));
            self.taken.extend(rests);
        }
        if self.spare.len() < length {
            self.spare.resize(length, R::default());
        }
        let (taken, spare) = (self.taken.as_mut_slice(), &mut self.spare[..length]);
        if length <= MOST_AT_ONCE {
            sort(taken, spare, rest_bits);
            self.counted.count_runs(taken, first);
            return &self.counted;
        }
        let shift = rest_bits.saturating_sub(SPLIT_BITS);
        let mut ends = [0; 1 << SPLIT_BITS];
        counting_sort(taken, spare, |rest| (rest >> shift) as usize, &mut ends);
        let mut start = 0;
        for end in ends.map(|end| end as usize) {
            sort(&mut spare[start..end], &mut taken[start..end], shift);
            self.counted.count_runs(&spare[start..end], first);
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

/// Puts rests in order that differ in the lowest `bits`, by way of as much spare room.
#[inline(always)]
fn sort<R: Rest>(rests: &mut [R], spare: &mut [R], bits: u32) {
    let high = bits.saturating_sub(DIGIT_BITS);
    let low = bits.saturating_sub(2 * DIGIT_BITS);
    let digit = |shift: u32| move |rest: u64| (rest >> shift) as usize;
    counting_sort(rests, spare, digit(low), &mut [0; DIGITS]);
    counting_sort(spare, rests, digit(high), &mut [0; DIGITS]);
    if low > 0 {
        repair(rests);
    }
}

/// Moves rests in the order of a digit, its higher bits left out; `ends` becomes where each ends.
#[inline(always)]
fn counting_sort<R: Rest, const N: usize>(
    from: &[R],
    to: &mut [R],
    digit: impl Fn(u64) -> usize,
    ends: &mut [u32; N],
) {
    for rest in from {
        ends[digit((*rest).into()) % N] += 1;
    }
    let mut start = 0;
    for end in ends.iter_mut() {
        (*end, start) = (start, start + *end);
    }
    for rest in from {
        let next = &mut ends[digit((*rest).into()) % N];
        to[*next as usize] = *rest;
        *next += 1;
    }
}

/// Sorts what is nearly in order: by insertion, unless that has to move more than a little.
#[inline(always)]
fn repair<R: Rest>(rests: &mut [R]) {
    let mut moves = 4 * rests.len();
    for index in 1..rests.len() {
        let rest = rests[index];
        let mut place = index;
        while place > 0 && rests[place - 1] > rest {
            rests[place] = rests[place - 1];
            place -= 1;
        }
        rests[place] = rest;
        moves = moves.saturating_sub(index - place);
        if moves == 0 {
            rests.sort_unstable();
            return;
        }
    }
}
