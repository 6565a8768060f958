//! What may be open at both ends of a text: a line, a gap, a run of bases, a record.
//!
//! Breaks cut a text into pieces: line feeds into lines, other residues into gaps and runs,
//! headers into records. The pieces at the ends go on in the neighbours, if there are any; those
//! between two breaks are whole.
//!
//! ```text
//!          break       break              break
//! .. left    |   whole   |   whole   ...    |    right ..
//! ```
//!
//! While there is no break, `right` reaches from end to end, and there is no `left`.

/// The pieces at the ends of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends<T> {
    /// The piece before the first break, if there is a break.
    pub left: Option<T>,
    /// The piece after the last break.
    pub right: T,
}

impl<T: Copy + Default> Ends<T> {
    /// The piece that touches the left end.
    pub fn first(&self) -> &T {
        self.left.as_ref().unwrap_or(&self.right)
    }

    /// Each piece once.
    pub fn pieces(&self) -> impl Iterator<Item = &T> {
        self.left.iter().chain([&self.right])
    }

    /// A break follows. Returns the piece that it ends, if that is whole.
    pub fn close(&mut self) -> Option<T> {
        let piece = std::mem::take(&mut self.right);
        if self.left.is_some() {
            return Some(piece);
        }
        self.left = Some(piece);
        None
    }

    /// The ends of this text and `next` in a row, and the piece that this makes whole, if any.
    pub fn then(&self, next: &Self, join: impl Fn(&T, &T) -> T) -> (Self, Option<T>) {
        let mut ends = Self {
            left: self.left,
            right: join(&self.right, next.first()),
        };
        if next.left.is_none() {
            return (ends, None);
        }
        let whole = ends.close();
        ends.right = next.right;
        (ends, whole)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;
    use crate::bases::Bases;
    use crate::dense::runs::Run;
    use crate::rows::records::Part;
    use crate::text::composition::BYTES;
    use crate::text::geometry::Line;

    /// The ends of a text, and its whole pieces in order.
    type Pieces<T> = (Ends<T>, Vec<T>);

    /// Breaks between pieces, one at least.
    fn pieces_of<T: Copy + Default>(pieces: &[T]) -> Pieces<T> {
        let mut ends = Ends::default();
        let mut whole = Vec::new();
        for (place, piece) in pieces.iter().enumerate() {
            if place > 0 {
                whole.extend(ends.close());
            }
            ends.right = *piece;
        }
        (ends, whole)
    }

    fn join<T: Copy + Default>(
        left: &Pieces<T>,
        right: &Pieces<T>,
        join: impl Fn(&T, &T) -> T,
    ) -> Pieces<T> {
        let (ends, whole) = left.0.then(&right.0, join);
        (
            ends,
            [left.1.as_slice(), whole.as_slice(), &right.1].concat(),
        )
    }

    /// Texts as pieces between breaks: what is joined is what was never cut, in any order.
    fn is_a_monoid<T: Copy + Default + PartialEq + Debug>(
        texts: &[Vec<T>; 3],
        piece: impl Fn(&T, &T) -> T + Copy,
    ) -> Result<(), TestCaseError> {
        let [one, two, three] = texts.each_ref().map(|pieces| pieces_of(pieces));
        let left = join(&join(&one, &two, piece), &three, piece);
        let right = join(&one, &join(&two, &three, piece), piece);
        prop_assert_eq!(&left, &right);

        let nothing = pieces_of(&[]);
        prop_assert_eq!(&join(&nothing, &left, piece), &left);
        prop_assert_eq!(&join(&left, &nothing, piece), &left);

        let mut uncut = vec![T::default()];
        for pieces in texts {
            let Some((first, rest)) = pieces.split_first() else {
                continue;
            };
            let seam = uncut.last_mut().expect("there is one");
            *seam = piece(seam, first);
            uncut.extend_from_slice(rest);
        }
        prop_assert_eq!(left, pieces_of(&uncut));
        Ok(())
    }

    fn texts<S: Strategy>(piece: S) -> impl Strategy<Value = [Vec<S::Value>; 3]> {
        prop::array::uniform3(prop::collection::vec(piece, 0..4))
    }

    fn line() -> impl Strategy<Value = Line> {
        (0..4_u64, 0..4_u64).prop_map(|(graphic, blanks)| Line {
            bytes: graphic + blanks,
            graphic,
        })
    }

    fn part() -> impl Strategy<Value = Part> {
        let residues = prop::collection::vec(prop::sample::select(b"Nnu-*R".to_vec()), 0..4);
        let lines = prop::collection::vec((line(), any::<bool>()), 0..3);
        (residues, lines).prop_map(|(residues, lines)| {
            let mut part = Part::default();
            for byte in residues {
                part.composition.add_residue(BYTES[usize::from(byte)], byte);
            }
            for (line, is_blank) in lines {
                part.geometry.push(line, is_blank);
                part.graphic += line.graphic;
            }
            part
        })
    }

    fn run_of(text: &[u8], edge: u32) -> Run {
        let edge = text.len().min(edge as usize);
        let bases = |letters| Bases::from_text(letters).expect("they are bases");
        Run {
            length_bases: text.len() as u64,
            first: bases(&text[..edge]),
            last: bases(&text[text.len() - edge..]),
        }
    }

    proptest! {
        #[test]
        fn gaps_are_a_monoid(gaps in texts(0..3_u64)) {
            is_a_monoid(&gaps, |left, right| left + right)?;
        }

        #[test]
        fn lines_are_a_monoid(lines in texts(line())) {
            is_a_monoid(&lines, Line::then)?;
        }

        #[test]
        fn records_are_a_monoid(parts in texts(part())) {
            is_a_monoid(&parts, Part::then)?;
        }

        #[test]
        fn runs_are_a_monoid(
            runs in texts(prop::collection::vec(prop::sample::select(b"ACGT".to_vec()), 0..40)),
            edge in 0..=31_u32,
        ) {
            let runs = runs.map(|text| text.iter().map(|run| run_of(run, edge)).collect());
            is_a_monoid(&runs, |left, right| left.then(right, edge))?;
        }

        #[test]
        fn a_run_s_pieces_tell_what_the_whole_does(
            left in "[ACGT]{0,40}",
            right in "[ACGT]{0,40}",
            edge in 0..=31_u32,
        ) {
            let joined = run_of(left.as_bytes(), edge).then(&run_of(right.as_bytes(), edge), edge);
            prop_assert_eq!(joined, run_of((left + &right).as_bytes(), edge));
        }
    }

    #[test]
    fn a_piece_is_whole_between_two_breaks() {
        let mut ends = Ends {
            left: None,
            right: 1,
        };
        assert_eq!((ends.close(), ends.left), (None, Some(1)));
        ends.right = 2;
        assert_eq!((ends.close(), ends.right), (Some(2), 0));
        assert_eq!(ends.pieces().collect::<Vec<_>>(), [&1, &0]);
    }
}
