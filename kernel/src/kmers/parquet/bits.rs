//! Numbers of 0 to 64 bits, packed 32 at a time, lowest bits first.

/// How many numbers are packed at once: a multiple of it is what Parquet asks of a miniblock.
pub const LANES: usize = 32;

/// The bytes that 32 numbers of `width` bits take.
pub const fn packed_bytes(width: u32) -> usize {
    width as usize * LANES / 8
}

/// Calls `$function::<WIDTH>` for a width that is known at run time: the shifts are constants then.
macro_rules! for_width {
    ($width:expr, $function:ident($($argument:expr),*)) => {
        for_width!(@ $width, $function($($argument),*),
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
            33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61
            62 63 64)
    };
    (@ $width:expr, $function:ident $arguments:tt, $($each:literal)*) => {
        match $width {
            $($each => for_width!(@@ $function $each $arguments),)*
            _ => unreachable!("a width above 64 bits"),
        }
    };
    (@@ $function:ident $each:literal ($($argument:expr),*)) => {
        $function::<$each>($($argument),*)
    };
}

/// Appends 32 numbers that are below 2^width.
pub fn pack(values: &[u64; LANES], width: u32, out: &mut Vec<u8>) {
    for_width!(width, pack_width(values, out));
}

/// Calls `$lane!` with each lane: with constant shifts, the words stay in registers.
macro_rules! for_each_lane {
    ($lane:ident) => {
        for_each_lane!(@ $lane, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25
            26 27 28 29 30 31)
    };
    (@ $lane:ident, $($each:literal)*) => {
        $($lane!($each);)*
    };
}

fn pack_width<const WIDTH: usize>(values: &[u64; LANES], out: &mut Vec<u8>) {
    // 32 numbers fill WIDTH halves of a word.
    let mut words = [0_u64; LANES + 1];
    macro_rules! lane {
        ($lane:literal) => {
            let (word, shift) = ($lane * WIDTH / 64, $lane * WIDTH % 64);
            words[word] |= values[$lane] << shift;
            if shift + WIDTH > 64 {
                words[word + 1] |= values[$lane] >> (64 - shift);
            }
        };
    }
    for_each_lane!(lane);
    let mut bytes = [[0; 8]; LANES + 1];
    for (bytes, word) in bytes.iter_mut().zip(words).take(WIDTH.div_ceil(2)) {
        *bytes = word.to_le_bytes();
    }
    out.extend_from_slice(&bytes.as_flattened()[..WIDTH * LANES / 8]);
}

/// The 32 numbers of `width` bits, at most 64, in `packed`, whose length is `packed_bytes(width)`.
pub fn unpack(packed: &[u8], width: u32, values: &mut [u64; LANES]) {
    for_width!(width, unpack_width(packed, values));
}

fn unpack_width<const WIDTH: usize>(packed: &[u8], values: &mut [u64; LANES]) {
    let mut bytes = [[0_u8; 8]; LANES + 1];
    bytes.as_flattened_mut()[..WIDTH * LANES / 8].copy_from_slice(packed);
    let mut words = [0; LANES + 1];
    for (word, bytes) in words.iter_mut().zip(bytes).take(WIDTH.div_ceil(2)) {
        *word = u64::from_le_bytes(bytes);
    }
    let mask = if WIDTH == 64 {
        u64::MAX
    } else {
        (1 << WIDTH) - 1
    };
    macro_rules! lane {
        ($lane:literal) => {
            let (word, shift) = ($lane * WIDTH / 64, $lane * WIDTH % 64);
            let mut bits = words[word] >> shift;
            if shift + WIDTH > 64 {
                bits |= words[word + 1] << (64 - shift);
            }
            values[$lane] = bits & mask;
        };
    }
    for_each_lane!(lane);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bit after bit.
    fn naive(values: &[u64; LANES], width: u32) -> Vec<u8> {
        let mut bytes = vec![0; packed_bytes(width)];
        let bits = values
            .iter()
            .flat_map(|value| (0..width).map(move |bit| value >> bit & 1 == 1));
        for (index, bit) in bits.enumerate() {
            bytes[index / 8] |= u8::from(bit) << (index % 8);
        }
        bytes
    }

    proptest! {
        #[test]
        fn packed_numbers_are_those_of_the_twin(
            any in prop::array::uniform32(any::<u64>()), width in 0_u32..=64
        ) {
            let values = any.map(|value| if width == 0 { 0 } else { value >> (64 - width) });
            let mut packed = Vec::new();
            pack(&values, width, &mut packed);
            prop_assert_eq!(&packed, &naive(&values, width));
            let mut read = [1; LANES];
            unpack(&packed, width, &mut read);
            prop_assert_eq!(read, values);
        }
    }
}
