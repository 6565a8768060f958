//! The tail of a part: indexes and footer, to bytes and back.

use crate::checksum::crc64nvme;

use super::index::{column_index, offset_index, read_pages};
use super::page::{
    DATA_PAGE, DELTA_BINARY_PACKED, DICTIONARY_PAGE, PLAIN, RLE, RLE_DICTIONARY, statistics,
};
use super::table::{Chunk, Group, MAX_K, MIN_K, Table};
use super::thrift::{Kind, Reader, Writer};
use super::{Damage, GROUP_ROWS, MAGIC};

/// What the bytes of a part depend on, besides its rows: a new one for every change.
const FORMAT_VERSION: &str = "1";
const CREATED_BY: &str = "fanfold version 1";
/// What a code is, in words.
pub const ENCODING: &str = "2 bits a base, A=0 C=1 G=2 T=3, the first base in the highest bits";

/// The footer's length and the magic bytes.
pub const END_BYTES: usize = 8;
/// More than the footer of 10^11 rows.
pub const MAX_FOOTER_BYTES: u64 = 64 << 20;
/// Less than a row group takes in a footer, so that a footer bounds what is kept of it.
const MIN_GROUP_BYTES: usize = 128;
/// More than the indexes of a row group take.
const MAX_GROUP_INDEX_BYTES: u64 = 8 << 10;

const REQUIRED: i32 = 0;
const INT64: i32 = 2;
const CONVERTED_UINT_64: i32 = 14;
const LOGICAL_INTEGER: u8 = 10;
const UNCOMPRESSED: i32 = 0;
const ZSTD: i32 = 6;

/// Where a column's indexes are.
#[derive(Clone, Copy, Default)]
struct Places {
    offset_index: (u64, u64),
    column_index: (u64, u64),
}

/// All bytes behind the last page.
pub fn tail(table: &Table) -> Vec<u8> {
    let mut start_byte = MAGIC.len() as u64;
    let mut offset = start_byte + table.groups.iter().map(Group::size_bytes).sum::<u64>();
    let mut bytes = Vec::new();
    let mut add = |index: Vec<u8>| {
        let place = (offset, index.len() as u64);
        offset += place.1;
        bytes.extend(index);
        place
    };
    let mut places = vec![[Places::default(); 2]; table.groups.len()];
    for (group, places) in table.groups.iter().zip(&mut places) {
        places[0].column_index = add(column_index(&group.kmers, true));
        places[1].column_index = add(column_index(&group.counts, false));
    }
    for (group, places) in table.groups.iter().zip(&mut places) {
        places[0].offset_index = add(offset_index(&group.kmers, start_byte));
        start_byte += group.kmers.size_bytes();
        places[1].offset_index = add(offset_index(&group.counts, start_byte));
        start_byte += group.counts.size_bytes();
    }
    // The CRC is that of the tail so far, with zeros for the CRC.
    let unproven = footer(table, &places, 0);
    let proven = footer(table, &places, crc64nvme(&unproven, crc64nvme(&bytes, 0)));
    bytes.extend_from_slice(&proven);
    bytes.extend_from_slice(&(proven.len() as u32).to_le_bytes());
    bytes.extend_from_slice(MAGIC);
    bytes
}

fn footer(table: &Table, places: &[[Places; 2]], crc: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.i32(1, 2); // version 2: types that are told apart by LogicalType
    schema(&mut writer);
    writer.i64(3, table.rows() as i64);
    writer.list(4, Kind::Struct, table.groups.len());
    let mut start_byte = MAGIC.len() as u64;
    for (ordinal, (group, places)) in table.groups.iter().zip(places).enumerate() {
        writer.structure_element(|writer| row_group(writer, group, places, start_byte, ordinal));
        start_byte += group.size_bytes();
    }
    let entries = [
        ("fanfold.format", FORMAT_VERSION),
        ("fanfold.k", &table.k.to_string()),
        ("fanfold.canonical", &table.canonical.to_string()),
        ("fanfold.encoding", ENCODING),
        ("fanfold.tail_crc64nvme", &format!("{crc:016x}")),
    ];
    writer.list(5, Kind::Struct, entries.len());
    for (key, value) in entries {
        writer.structure_element(|writer| {
            writer.binary(1, key.as_bytes());
            writer.binary(2, value.as_bytes());
        });
    }
    writer.binary(6, CREATED_BY.as_bytes());
    // Both columns are ordered as their type is: unsigned.
    writer.list(7, Kind::Struct, 2);
    for _ in 0..2 {
        writer.structure_element(|writer| writer.structure(1, |_| ()));
    }
    writer.end()
}

fn schema(writer: &mut Writer) {
    writer.list(2, Kind::Struct, 3);
    writer.structure_element(|writer| {
        writer.binary(4, b"schema");
        writer.i32(5, 2);
    });
    for name in ["kmer", "count"] {
        writer.structure_element(|writer| {
            writer.i32(1, INT64);
            writer.i32(3, REQUIRED);
            writer.binary(4, name.as_bytes());
            writer.i32(6, CONVERTED_UINT_64);
            writer.structure(10, |writer| {
                writer.structure(LOGICAL_INTEGER, |writer| {
                    writer.i8(1, 64);
                    writer.bool(2, false); // unsigned
                });
            });
        });
    }
}

fn row_group(
    writer: &mut Writer,
    group: &Group,
    places: &[Places; 2],
    start_byte: u64,
    ordinal: usize,
) {
    let counts_start_byte = start_byte + group.kmers.size_bytes();
    writer.list(1, Kind::Struct, 2);
    writer.structure_element(|writer| {
        column(writer, places[0], |writer| {
            column_metadata(writer, "kmer", group.rows, &group.kmers, start_byte);
        });
    });
    writer.structure_element(|writer| {
        column(writer, places[1], |writer| {
            column_metadata(
                writer,
                "count",
                group.rows,
                &group.counts,
                counts_start_byte,
            );
        });
    });
    let uncompressed_bytes = group.kmers.uncompressed_bytes + group.counts.uncompressed_bytes;
    writer.i64(2, uncompressed_bytes as i64);
    writer.i64(3, group.rows as i64);
    writer.list(4, Kind::Struct, 1); // sorted by
    writer.structure_element(|writer| {
        writer.i32(1, 0); // the first column,
        writer.bool(2, false); // ascending
        writer.bool(3, false);
    });
    writer.i64(5, start_byte as i64);
    writer.i64(6, group.size_bytes() as i64);
    if let Ok(ordinal) = i16::try_from(ordinal) {
        writer.i16(7, ordinal);
    }
}

fn column(writer: &mut Writer, places: Places, metadata: impl FnOnce(&mut Writer)) {
    writer.i64(2, 0); // as the metadata are not in a second place
    writer.structure(3, metadata);
    writer.i64(4, places.offset_index.0 as i64);
    writer.i32(5, places.offset_index.1 as i32);
    writer.i64(6, places.column_index.0 as i64);
    writer.i32(7, places.column_index.1 as i32);
}

fn column_metadata(writer: &mut Writer, name: &str, rows: usize, chunk: &Chunk, start_byte: u64) {
    let has_dictionary = chunk.dictionary_bytes > 0;
    writer.i32(1, INT64);
    let encodings: &[i32] = match has_dictionary {
        false => &[DELTA_BINARY_PACKED, RLE],
        true => &[PLAIN, RLE, RLE_DICTIONARY],
    };
    writer.list(2, Kind::I32, encodings.len());
    for &encoding in encodings {
        writer.element(encoding.into());
    }
    writer.list(3, Kind::Binary, 1);
    writer.binary_element(name.as_bytes());
    writer.i32(4, if has_dictionary { ZSTD } else { UNCOMPRESSED });
    writer.i64(5, rows as i64);
    writer.i64(6, chunk.uncompressed_bytes as i64);
    writer.i64(7, chunk.size_bytes() as i64);
    writer.i64(9, (start_byte + u64::from(chunk.dictionary_bytes)) as i64);
    if has_dictionary {
        writer.i64(11, start_byte as i64);
    }
    statistics(writer, 12, chunk.min(), chunk.max());
    let pages = chunk.pages.len() as i32;
    let kinds: &[[i32; 3]] = match has_dictionary {
        false => &[[DATA_PAGE, DELTA_BINARY_PACKED, pages]],
        true => &[
            [DICTIONARY_PAGE, PLAIN, 1],
            [DATA_PAGE, RLE_DICTIONARY, pages],
        ],
    };
    writer.list(13, Kind::Struct, kinds.len());
    for &[page, encoding, pages] in kinds {
        writer.structure_element(|writer| {
            writer.i32(1, page);
            writer.i32(2, encoding);
            writer.i32(3, pages);
        });
    }
}

/// What a tail can't be made without, as a footer tells it.
#[derive(Default)]
struct Told {
    k: Option<u32>,
    canonical: Option<bool>,
    groups: Vec<ToldGroup>,
}

#[derive(Default)]
struct ToldGroup {
    rows: u64,
    columns: [ToldColumn; 2],
}

#[derive(Clone, Copy, Default)]
struct ToldColumn {
    places: Places,
    uncompressed_bytes: u64,
    data_start_byte: u64,
    dictionary_start_byte: Option<u64>,
}

/// How many bytes of indexes stand before `footer`.
pub fn indexes_bytes(footer: &[u8]) -> Result<u64, Damage> {
    let told = read_footer(footer)?;
    let places = told.groups.iter().flat_map(|group| &group.columns);
    let lengths = places.map(|column| {
        let places = column.places;
        places.column_index.1.saturating_add(places.offset_index.1)
    });
    let indexes_bytes = lengths.fold(0, u64::saturating_add);
    if indexes_bytes > told.groups.len() as u64 * MAX_GROUP_INDEX_BYTES {
        return Err(Damage::new("indexes larger than fanfold writes"));
    }
    Ok(indexes_bytes)
}

/// The table that a tail was made of, which begins at `start_byte`. Proven by making it again.
///
/// The indexes are just as long as the bytes before the footer, so they bound what is kept of them.
pub fn read_tail(bytes: &[u8], footer_at: usize, start_byte: u64) -> Result<Table, Damage> {
    let footer = &bytes[footer_at..bytes.len() - END_BYTES];
    let told = read_footer(footer)?;
    let (Some(k), Some(canonical)) = (told.k, told.canonical) else {
        return Err(Damage::new(
            "a Parquet file that is no part of a k-mer table",
        ));
    };
    let slice = |(offset, len): (u64, u64)| {
        let first = usize::try_from(offset.checked_sub(start_byte)?).ok()?;
        bytes[..footer_at].get(first..first.checked_add(usize::try_from(len).ok()?)?)
    };
    let chunk = |column: &ToldColumn| {
        let outside = || Damage::new("an index outside of the file");
        let column_index = slice(column.places.column_index).ok_or_else(outside)?;
        let offset_index = slice(column.places.offset_index).ok_or_else(outside)?;
        let dictionary = column
            .dictionary_start_byte
            .map_or(0, |start| column.data_start_byte.saturating_sub(start));
        Ok(Chunk {
            dictionary_bytes: u32::try_from(dictionary).unwrap_or(u32::MAX),
            uncompressed_bytes: column.uncompressed_bytes,
            pages: read_pages(column_index, offset_index)?,
        })
    };
    let groups = told.groups.iter().map(|group| {
        Ok(Group {
            rows: usize::try_from(group.rows).unwrap_or(usize::MAX),
            kmers: chunk(&group.columns[0])?,
            counts: chunk(&group.columns[1])?,
        })
    });
    let table = Table {
        k,
        canonical,
        groups: groups.collect::<Result<_, Damage>>()?,
    };
    table.check()?;
    if tail(&table) != bytes {
        return Err(Damage::new(
            "a tail that doesn't match its checksum, or of another format",
        ));
    }
    Ok(table)
}

fn read_footer(bytes: &[u8]) -> Result<Told, Damage> {
    let mut told = Told::default();
    Reader::new(bytes).structure(|id, kind, reader| {
        match (id, kind) {
            (4, Kind::List) => reader.list(Kind::Struct, |_, reader| {
                let before = reader.rest().len();
                told.groups.push(read_group(reader)?);
                if before - reader.rest().len() < MIN_GROUP_BYTES {
                    return Err(Damage::new("a row group without metadata"));
                }
                Ok(())
            })?,
            (5, Kind::List) => {
                reader.list(Kind::Struct, |_, reader| read_entry(reader, &mut told))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(told)
}

fn read_entry(reader: &mut Reader<'_>, told: &mut Told) -> Result<(), Damage> {
    let (mut key, mut value) = (&b""[..], &b""[..]);
    reader.structure(|id, kind, reader| {
        match (id, kind) {
            (1, Kind::Binary) => key = reader.binary()?,
            (2, Kind::Binary) => value = reader.binary()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let value = str::from_utf8(value).unwrap_or_default();
    match key {
        b"fanfold.k" => told.k = value.parse().ok().filter(|k| (MIN_K..=MAX_K).contains(k)),
        b"fanfold.canonical" => told.canonical = value.parse().ok(),
        b"fanfold.format" if value != FORMAT_VERSION => {
            return Err(Damage::new(format!(
                "format {value:?} of k-mer tables, where this version of fanfold reads {FORMAT_VERSION:?}"
            )));
        }
        _ => (),
    }
    Ok(())
}

fn read_group(reader: &mut Reader<'_>) -> Result<ToldGroup, Damage> {
    let mut group = ToldGroup::default();
    reader.structure(|id, kind, reader| {
        match (id, kind) {
            (1, Kind::List) => reader.list(Kind::Struct, |index, reader| {
                let column = group.columns.get_mut(index);
                *column.ok_or_else(|| Damage::new("a third column"))? = read_column(reader)?;
                Ok(())
            })?,
            (3, Kind::I64) => group.rows = reader.size()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if group.rows > GROUP_ROWS as u64 {
        return Err(Damage::new(
            "row groups of a size that fanfold doesn't write",
        ));
    }
    Ok(group)
}

fn read_column(reader: &mut Reader<'_>) -> Result<ToldColumn, Damage> {
    let mut column = ToldColumn::default();
    reader.structure(|id, kind, reader| {
        let number = match (id, kind) {
            (3, Kind::Struct) => {
                read_metadata(reader, &mut column)?;
                return Ok(true);
            }
            (4, Kind::I64) => &mut column.places.offset_index.0,
            (5, Kind::I32) => &mut column.places.offset_index.1,
            (6, Kind::I64) => &mut column.places.column_index.0,
            (7, Kind::I32) => &mut column.places.column_index.1,
            _ => return Ok(false),
        };
        *number = reader.size()?;
        Ok(true)
    })?;
    Ok(column)
}

fn read_metadata(reader: &mut Reader<'_>, column: &mut ToldColumn) -> Result<(), Damage> {
    reader.structure(|id, kind, reader| {
        match (id, kind) {
            (6, Kind::I64) => column.uncompressed_bytes = reader.size()?,
            (9, Kind::I64) => column.data_start_byte = reader.size()?,
            (11, Kind::I64) => column.dictionary_start_byte = Some(reader.size()?),
            _ => return Ok(false),
        }
        Ok(true)
    })
}
