//! Thrift's compact protocol, as far as Parquet's metadata need it.

use crate::rows::varint;

use super::Damage;

/// Structures within structures: Parquet's own are at most 6 deep.
const MAX_DEPTH: u32 = 16;

/// Types of fields and of the elements of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    True = 1,
    False = 2,
    I8 = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Struct = 12,
}

impl Kind {
    fn of(nibble: u8) -> Result<Self, Damage> {
        Ok(match nibble {
            1 => Self::True,
            2 => Self::False,
            3 => Self::I8,
            4 => Self::I16,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::Double,
            8 => Self::Binary,
            9 => Self::List,
            10 => Self::Set,
            12 => Self::Struct,
            _ => return Err(Damage::new("metadata of an unknown type")),
        })
    }
}

pub fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Writes one structure: its fields in ascending order, then `end`.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    /// The last field of the innermost open structure.
    last_field: u8,
}

impl Writer {
    fn field(&mut self, id: u8, kind: Kind) {
        debug_assert!(id > self.last_field && id - self.last_field < 16);
        self.bytes.push((id - self.last_field) << 4 | kind as u8);
        self.last_field = id;
    }

    pub fn bool(&mut self, id: u8, value: bool) {
        self.field(id, if value { Kind::True } else { Kind::False });
    }

    pub fn i8(&mut self, id: u8, value: i8) {
        self.field(id, Kind::I8);
        self.bytes.push(value as u8);
    }

    pub fn i16(&mut self, id: u8, value: i16) {
        self.field(id, Kind::I16);
        self.element(value.into());
    }

    pub fn i32(&mut self, id: u8, value: i32) {
        self.field(id, Kind::I32);
        self.element(value.into());
    }

    pub fn i64(&mut self, id: u8, value: i64) {
        self.field(id, Kind::I64);
        self.element(value);
    }

    pub fn binary(&mut self, id: u8, value: &[u8]) {
        self.field(id, Kind::Binary);
        self.binary_element(value);
    }

    pub fn structure(&mut self, id: u8, fields: impl FnOnce(&mut Self)) {
        self.field(id, Kind::Struct);
        self.structure_element(fields);
    }

    /// A list of `len` elements, which the caller writes next.
    pub fn list(&mut self, id: u8, kind: Kind, len: usize) {
        self.field(id, Kind::List);
        if len < 15 {
            self.bytes.push((len as u8) << 4 | kind as u8);
        } else {
            self.bytes.push(0xf0 | kind as u8);
            varint::write(&mut self.bytes, len as u64);
        }
    }

    /// A number in a list, of 16, 32 or 64 bits.
    pub fn element(&mut self, value: i64) {
        varint::write(&mut self.bytes, zigzag(value));
    }

    pub fn bool_element(&mut self, value: bool) {
        self.bytes
            .push(if value { Kind::True } else { Kind::False } as u8);
    }

    pub fn binary_element(&mut self, value: &[u8]) {
        varint::write(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    pub fn structure_element(&mut self, fields: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.last_field);
        fields(self);
        self.bytes.push(0);
        self.last_field = outer;
    }

    /// The bytes of the outermost structure.
    pub fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

/// Reads what anybody may have written: every length is checked against the bytes that are there.
pub struct Reader<'a> {
    bytes: &'a [u8],
    depth: u32,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, depth: 0 }
    }

    /// The bytes that were not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or_else(cut_off)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64, Damage> {
        varint::read(&mut self.bytes).ok_or_else(cut_off)
    }

    /// A number of 16, 32 or 64 bits.
    pub fn number(&mut self) -> Result<i64, Damage> {
        Ok(unzigzag(self.varint()?))
    }

    /// A number that can't be negative.
    pub fn size(&mut self) -> Result<u64, Damage> {
        u64::try_from(self.number()?).map_err(|_| Damage::new("a size below zero"))
    }

    pub fn binary(&mut self) -> Result<&'a [u8], Damage> {
        let len = self.varint()?;
        self.take(usize::try_from(len).map_err(|_| cut_off())?)
    }

    /// Hands each field to `field`, which reads it, or returns false to have it skipped.
    pub fn structure(
        &mut self,
        mut field: impl FnMut(i64, Kind, &mut Self) -> Result<bool, Damage>,
    ) -> Result<(), Damage> {
        self.deeper()?;
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                self.depth -= 1;
                return Ok(());
            }
            id = match head >> 4 {
                0 => self.number()?,
                delta => id.saturating_add(delta.into()),
            };
            let kind = Kind::of(head & 15)?;
            if !field(id, kind, self)? {
                self.skip(kind)?;
            }
        }
    }

    /// Hands each element of a list of `kind` to `element`, which must read it.
    pub fn list(
        &mut self,
        kind: Kind,
        mut element: impl FnMut(usize, &mut Self) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let (found, len) = self.list_head()?;
        if found != kind {
            return Err(Damage::new("a list of another type"));
        }
        (0..len).try_for_each(|index| element(index, self))
    }

    fn list_head(&mut self) -> Result<(Kind, usize), Damage> {
        let head = self.byte()?;
        let len = match head >> 4 {
            15 => self.varint()?,
            len => len.into(),
        };
        // An element takes a byte at least.
        match usize::try_from(len) {
            Ok(len) if len <= self.bytes.len() => Ok((Kind::of(head & 15)?, len)),
            _ => Err(cut_off()),
        }
    }

    fn deeper(&mut self) -> Result<(), Damage> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Damage::new("metadata nested too deeply"));
        }
        Ok(())
    }

    fn skip(&mut self, kind: Kind) -> Result<(), Damage> {
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::I8 => self.take(1).map(drop),
            Kind::Double => self.take(8).map(drop),
            Kind::I16 | Kind::I32 | Kind::I64 => self.varint().map(drop),
            Kind::Binary => self.binary().map(drop),
            Kind::Struct => self.structure(|_, _, _| Ok(false)),
            Kind::List | Kind::Set => {
                self.deeper()?;
                let (kind, len) = self.list_head()?;
                for _ in 0..len {
                    match kind {
                        Kind::True | Kind::False => self.take(1).map(drop)?,
                        kind => self.skip(kind)?,
                    }
                }
                self.depth -= 1;
                Ok(())
            }
        }
    }
}

fn cut_off() -> Damage {
    Damage::new("metadata that are cut off")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_back_and_unknown_ones_are_skipped() {
        let mut writer = Writer::default();
        writer.bool(1, true);
        writer.i8(2, -3);
        writer.i16(3, 300);
        writer.i32(4, -70_000);
        writer.i64(5, i64::MIN);
        writer.list(6, Kind::Binary, 20);
        (0..20).for_each(|_| writer.binary_element(b"abc"));
        writer.list(7, Kind::True, 2);
        writer.bool_element(false);
        writer.bool_element(true);
        writer.structure(8, |inner| {
            inner.binary(1, b"x");
            inner.structure(3, |innermost| innermost.i64(2, 7));
        });
        writer.i64(9, 42);
        let bytes = writer.end();

        let mut found = Vec::new();
        let mut reader = Reader::new(&bytes);
        reader
            .structure(|id, _, reader| {
                if ![4, 5, 9].contains(&id) {
                    return Ok(false);
                }
                found.push((id, reader.number()?));
                Ok(true)
            })
            .unwrap();
        assert_eq!(found, [(4, -70_000), (5, i64::MIN), (9, 42)]);
        assert!(reader.rest().is_empty());
        for end in 0..bytes.len() {
            assert!(
                Reader::new(&bytes[..end])
                    .structure(|_, _, _| Ok(false))
                    .is_err()
            );
        }
    }

    #[test]
    fn nesting_and_lengths_are_bounded() {
        let deep = vec![0x1c; 1 << 20];
        assert!(Reader::new(&deep).structure(|_, _, _| Ok(false)).is_err());
        let lists = vec![0x19; 1 << 20];
        assert!(Reader::new(&lists).structure(|_, _, _| Ok(false)).is_err());
        let long = [0x19, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        assert!(Reader::new(&long).structure(|_, _, _| Ok(false)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Reader::new(&bytes).structure(|_, _, _| Ok(false));
        }

        #[test]
        fn numbers_survive_zigzag(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }
    }
}
