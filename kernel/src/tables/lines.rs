//! The rows of a tab-separated table, from its bytes.

use crate::rows::tables::printable;
use crate::tables::arrow::{Column, Field, Kind};

/// Takes the bytes of a table in pieces, and gives the rows that they complete.
pub struct Lines {
    kinds: Vec<Kind>,
    /// What the first line has to be, until it was there.
    header: Option<Vec<u8>>,
    /// The start of a line whose end is still to come.
    open: Vec<u8>,
}

/// What is wrong with a line.
const DAMAGED: &str = "a line is not one of this table";

impl Lines {
    pub fn new(fields: &[Field], has_header: bool) -> Self {
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_bytes()).collect();
        Self {
            kinds: fields.iter().map(|(_, kind)| *kind).collect(),
            header: has_header.then(|| names.join(&b'\t')),
            open: Vec::new(),
        }
    }

    /// The columns of the rows that end in a block.
    pub fn take(&mut self, block: &[u8]) -> Result<Vec<Column>, String> {
        let mut columns: Vec<_> = self.kinds.iter().copied().map(Column::new).collect();
        let Some(last) = memchr::memrchr(b'\n', block) else {
            self.open.extend_from_slice(block);
            return Ok(columns);
        };
        let (ending, begun) = block.split_at(last + 1);
        let mut text = std::mem::take(&mut self.open);
        text.extend_from_slice(ending);
        self.open.extend_from_slice(begun);
        text.pop();
        let mut lines = text.split(|byte| *byte == b'\n');
        if let Some(header) = self.header.take()
            && lines.next().unwrap_or_default() != header
        {
            return Err("the first line does not name the columns of this table".to_owned());
        }
        for line in lines {
            push(line, &mut columns).ok_or(DAMAGED)?;
        }
        Ok(columns)
    }

    /// Whether nothing is cut off.
    pub fn finish(&self) -> Result<(), String> {
        if self.open.is_empty() && self.header.is_none() {
            return Ok(());
        }
        Err("the table is cut off".to_owned())
    }
}

/// Takes a line apart; None if it has other fields.
fn push(line: &[u8], columns: &mut [Column]) -> Option<()> {
    let mut fields = line.split(|byte| *byte == b'\t');
    for column in columns {
        let field = fields.next()?;
        match column {
            Column::Numbers(values) => values.push(str::from_utf8(field).ok()?.parse().ok()?),
            Column::Shares(values) if field.is_empty() => values.push(None),
            Column::Shares(values) => {
                values.push(Some(str::from_utf8(field).ok()?.parse().ok()?));
            }
            Column::Texts(ends, texts) => {
                texts.push_str(&printable(field));
                ends.push(i32::try_from(texts.len()).ok()?);
            }
        }
    }
    fields.next().is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields() -> Vec<Field> {
        vec![
            (c"name".into(), Kind::Text),
            (c"length".into(), Kind::Number),
            (c"gc".into(), Kind::Share),
        ]
    }

    fn rows(columns: &[Column]) -> Vec<(String, u64, Option<f64>)> {
        let [
            Column::Texts(ends, texts),
            Column::Numbers(numbers),
            Column::Shares(shares),
        ] = columns
        else {
            panic!("other columns");
        };
        let names = ends
            .windows(2)
            .map(|ends| texts[ends[0] as usize..ends[1] as usize].to_owned());
        let rest = numbers.iter().zip(shares);
        names
            .zip(rest)
            .map(|(name, (number, share))| (name, *number, *share))
            .collect()
    }

    proptest! {
        #[test]
        fn rows_are_those_of_the_text_however_it_is_cut(
            expected in prop::collection::vec(
                ("[a-zé\"]{0,6}", any::<u64>(), prop::option::of(0_u32..1000)),
                0..20,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            has_header: bool,
        ) {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(name, number, share)| (name, number, share.map(|share| f64::from(share) / 8.0)))
                .collect();
            let mut text = if has_header { "name\tlength\tgc\n".to_owned() } else { String::new() };
            for (name, number, share) in &expected {
                let share = share.map_or(String::new(), |share| share.to_string());
                text.push_str(&format!("{name}\t{number}\t{share}\n"));
            }
            let text = text.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut lines = Lines::new(&fields(), has_header);
            let mut found = Vec::new();
            for cut in cuts.windows(2) {
                found.extend(rows(&lines.take(&text[cut[0]..cut[1]]).unwrap()));
            }
            prop_assert_eq!(lines.finish(), Ok(()));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn other_lines_are_refused() {
        let refused = [
            "a\t1\n",
            "a\t1\t2\t3\n",
            "a\t-1\t2\n",
            "a\tx\t2\n",
            "a\t1\tx\n",
            "\n",
            "a\t18446744073709551616\t\n",
        ];
        for text in refused {
            let found = Lines::new(&fields(), false).take(text.as_bytes());
            assert_eq!(found, Err(DAMAGED.to_owned()), "{text}");
        }
        let found = Lines::new(&fields(), false).take(b"\xff\\\t1\t\n").unwrap();
        assert_eq!(rows(&found), [("\\xff\\x5c".to_owned(), 1, None)]);
        assert!(Lines::new(&fields(), true).take(b"a\t1\t\n").is_err());
        let mut cut_off = Lines::new(&fields(), false);
        cut_off.take(b"a\t1\t\nb").unwrap();
        assert!(cut_off.finish().is_err());
        assert!(Lines::new(&fields(), true).finish().is_err());
    }
}
