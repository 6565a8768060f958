//! What a record's residues are.

use serde::{Deserialize, Serialize};

use crate::machine::BitCounts;

/// Numbers of residues by kind, both cases together; `lowercase` counts across the kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composition {
    pub a: u64,
    pub c: u64,
    pub g: u64,
    pub t: u64,
    pub n: u64,
    pub u: u64,
    pub iupac: u64,
    pub gap_characters: u64,
    pub asterisk: u64,
    pub other: u64,
    pub lowercase: u64,
}

/// What a byte is in a sequence line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    Base,
    N,
    U,
    Iupac,
    GapCharacter,
    Asterisk,
    Other,
    Blank,
    LineFeed,
    CarriageReturn,
    Invalid,
}

const fn classify(byte: u8) -> Byte {
    match byte.to_ascii_uppercase() {
        b'A' | b'C' | b'G' | b'T' => Byte::Base,
        b'N' => Byte::N,
        b'U' => Byte::U,
        b'R' | b'Y' | b'S' | b'W' | b'K' | b'M' | b'B' | b'D' | b'H' | b'V' => Byte::Iupac,
        b'-' | b'.' => Byte::GapCharacter,
        b'*' => Byte::Asterisk,
        b' ' | b'\t' => Byte::Blank,
        b'\n' => Byte::LineFeed,
        b'\r' => Byte::CarriageReturn,
        0x21..=0x7e => Byte::Other,
        _ => Byte::Invalid,
    }
}

/// The kind of every byte value.
pub const BYTES: [Byte; 256] = {
    let mut table = [Byte::Invalid; 256];
    let mut value = 0;
    while value < 256 {
        table[value] = classify(value as u8);
        value += 1;
    }
    table
};

impl Composition {
    /// Residues of any kind.
    pub fn length(&self) -> u64 {
        self.acgt()
            + self.n
            + self.u
            + self.iupac
            + self.gap_characters
            + self.asterisk
            + self.other
    }

    pub fn acgt(&self) -> u64 {
        self.a + self.c + self.g + self.t
    }

    pub fn gc(&self) -> u64 {
        self.g + self.c
    }

    pub fn add(&mut self, more: &Self) {
        self.a += more.a;
        self.c += more.c;
        self.g += more.g;
        self.t += more.t;
        self.n += more.n;
        self.u += more.u;
        self.iupac += more.iupac;
        self.gap_characters += more.gap_characters;
        self.asterisk += more.asterisk;
        self.other += more.other;
        self.lowercase += more.lowercase;
    }

    /// Adds `bases` bases, of whose plane codes so many have the low bit, the high bit, and both.
    pub fn add_bases(&mut self, bases: u64, bits: &BitCounts) {
        self.a += bases + bits.both - bits.low - bits.high;
        self.c += bits.low - bits.both;
        self.g += bits.both;
        self.t += bits.high - bits.both;
    }

    /// Counts one residue that is no base.
    pub fn add_residue(&mut self, kind: Byte, byte: u8) {
        match kind {
            Byte::N => self.n += 1,
            Byte::U => self.u += 1,
            Byte::Iupac => self.iupac += 1,
            Byte::GapCharacter => self.gap_characters += 1,
            Byte::Asterisk => self.asterisk += 1,
            Byte::Other => self.other += 1,
            Byte::Base | Byte::Blank | Byte::LineFeed | Byte::CarriageReturn | Byte::Invalid => {
                unreachable!("not a residue that is counted by itself: {kind:?}")
            }
        }
        self.lowercase += u64::from(byte.is_ascii_lowercase());
    }
}
