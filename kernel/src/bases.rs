//! Short strings of bases, as codes.

/// The letters by code: numeric order is lexicographic order.
pub const LETTERS: [u8; 4] = *b"ACGT";

/// The code of a base from its plane code (see `machine::Planes`): A, C, T, G.
pub const CODE_OF_PLANE: [u64; 4] = [0, 1, 3, 2];

/// The code of each letter; 4 for a byte that is none.
const CODE_OF_LETTER: [u8; 256] = {
    let mut codes = [4; 256];
    let mut code = 0;
    while code < 4 {
        codes[LETTERS[code] as usize] = code as u8;
        code += 1;
    }
    codes
};

/// The most bases of a string: a code has 2 bits a base, and a mask of all of them one more.
const MAX_BASES: u32 = 31;

/// Up to 31 bases, 2 bits each, the first in the highest bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bases {
    pub length: u32,
    pub code: u64,
}

/// Writes the letters of a k-mer's code; k is how many there is room for.
pub fn spell(code: u64, letters: &mut [u8]) {
    for (place, letter) in letters.iter_mut().rev().enumerate() {
        *letter = LETTERS[(code >> (2 * place) & 3) as usize];
    }
}

impl Bases {
    /// At most 31, first to last.
    pub fn of_codes(codes: impl ExactSizeIterator<Item = u64>) -> Self {
        let length = codes.len();
        assert!(
            length <= MAX_BASES as usize,
            "{length} bases are too many for a code"
        );
        Self {
            length: length as u32,
            code: codes.fold(0, |code, base| code << 2 | base),
        }
    }

    pub fn push(&mut self, code: u64) {
        *self = self.then(Self { length: 1, code });
    }

    /// The last `length` bases, or all when there are fewer.
    pub fn last(self, length: u32) -> Self {
        let length = length.min(self.length);
        Self {
            length,
            code: self.code & mask(length),
        }
    }

    /// The first `length` bases, or all when there are fewer.
    pub fn first(self, length: u32) -> Self {
        let length = length.min(self.length);
        Self {
            length,
            code: self.code >> (2 * (self.length - length)),
        }
    }

    /// These bases, then `next`; 31 in all at most.
    pub fn then(self, next: Self) -> Self {
        let length = self.length + next.length;
        assert!(
            length <= MAX_BASES,
            "{length} bases are too many for a code"
        );
        Self {
            length,
            code: self.code << (2 * next.length) | next.code,
        }
    }

    /// The codes of its k-mers, first to last.
    pub fn kmers(self, k: u32) -> impl Iterator<Item = u64> {
        (0..(self.length + 1).saturating_sub(k))
            .rev()
            .map(move |after| self.code >> (2 * after) & mask(k))
    }

    /// The codes of the bases, first to last.
    pub fn codes(self) -> impl DoubleEndedIterator<Item = u64> {
        (0..self.length)
            .rev()
            .map(move |after| self.code >> (2 * after) & 3)
    }

    pub fn to_text(self) -> String {
        self.codes()
            .map(|code| char::from(LETTERS[code as usize]))
            .collect()
    }

    /// The bases of a text of at most 31 letters `ACGT`.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let length = u32::try_from(text.len()).ok()?;
        if length > MAX_BASES {
            return None;
        }
        // By a table and without branches, which random bases would make the processor mispredict.
        let (mut code, mut unknown) = (0, 0);
        for letter in text {
            let base = CODE_OF_LETTER[usize::from(*letter)];
            unknown |= base;
            code = code << 2 | u64::from(base & 3);
        }
        (unknown < 4).then_some(Self { length, code })
    }
}

const fn mask(length: u32) -> u64 {
    (1 << (2 * length)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_cut_joined_and_read_as_text_is() {
        let text = b"GATTACA";
        let bases = Bases::from_text(text).unwrap();
        assert_eq!(bases.to_text().as_bytes(), text);
        for cut in 0..=7 {
            let (left, right) = (bases.first(cut), bases.last(7 - cut));
            assert_eq!(left.to_text().as_bytes(), &text[..cut as usize]);
            assert_eq!(right.to_text().as_bytes(), &text[cut as usize..]);
            assert_eq!(left.then(right), bases);
        }
        for k in 1..=8 {
            let kmers: Vec<_> = bases.kmers(k).collect();
            let naive: Vec<_> = text
                .windows(k as usize)
                .map(|window| Bases::from_text(window).unwrap().code)
                .collect();
            assert_eq!(kmers, naive);
        }
        assert_eq!(Bases::from_text(b"GAN"), None);
        assert_eq!(Bases::from_text(&[b'T'; 32]), None);
    }

    #[test]
    #[should_panic(expected = "32 bases are too many for a code")]
    fn strings_longer_than_a_code_are_not_joined() {
        let bases = Bases::from_text(&[b'T'; 16]).unwrap();
        bases.then(bases);
    }
}
