//! Column and offset indexes: what each page holds, and where it is.

use super::table::{Chunk, Page};
use super::thrift::{Kind, Reader, Writer};
use super::{Damage, GROUP_PAGES, PAGE_ROWS};

const UNORDERED: i32 = 0;
const ASCENDING: i32 = 1;

pub fn column_index(chunk: &Chunk, is_sorted: bool) -> Vec<u8> {
    let pages = &chunk.pages;
    let mut writer = Writer::default();
    writer.list(1, Kind::True, pages.len());
    pages.iter().for_each(|_| writer.bool_element(false)); // no page of nulls
    writer.list(2, Kind::Binary, pages.len());
    for page in pages {
        writer.binary_element(&page.min.to_le_bytes());
    }
    writer.list(3, Kind::Binary, pages.len());
    for page in pages {
        writer.binary_element(&page.max.to_le_bytes());
    }
    writer.i32(4, if is_sorted { ASCENDING } else { UNORDERED });
    writer.list(5, Kind::I64, pages.len());
    pages.iter().for_each(|_| writer.element(0)); // no nulls
    writer.end()
}

/// The offset index of a chunk that begins at `start_byte`.
pub fn offset_index(chunk: &Chunk, start_byte: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    let mut offset = start_byte + u64::from(chunk.dictionary_bytes);
    writer.list(1, Kind::Struct, chunk.pages.len());
    for (index, page) in chunk.pages.iter().enumerate() {
        writer.structure_element(|writer| {
            writer.i64(1, offset as i64);
            writer.i32(2, page.size_bytes as i32);
            writer.i64(3, (index * PAGE_ROWS) as i64);
        });
        offset += u64::from(page.size_bytes);
    }
    writer.end()
}

/// The pages that a column index and an offset index tell of.
pub fn read_pages(column_index: &[u8], offset_index: &[u8]) -> Result<Vec<Page>, Damage> {
    let (mut mins, mut maxs, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    Reader::new(column_index).structure(|id, kind, reader| {
        let values = match (id, kind) {
            (2, Kind::List) => &mut mins,
            (3, Kind::List) => &mut maxs,
            _ => return Ok(false),
        };
        reader.list(Kind::Binary, |index, reader| {
            check_place(index)?;
            values.push(value(reader.binary()?)?);
            Ok(())
        })?;
        Ok(true)
    })?;
    Reader::new(offset_index).structure(|id, kind, reader| {
        if (id, kind) != (1, Kind::List) {
            return Ok(false);
        }
        reader.list(Kind::Struct, |index, reader| {
            check_place(index)?;
            let mut size = 0;
            reader.structure(|id, kind, reader| {
                if (id, kind) != (2, Kind::I32) {
                    return Ok(false);
                }
                size = reader.size()?;
                Ok(true)
            })?;
            let fits = u32::try_from(size).map_err(|_| Damage::new("a page that is too large"));
            sizes.push(fits?);
            Ok(())
        })?;
        Ok(true)
    })?;
    if mins.len() != maxs.len() || mins.len() != sizes.len() {
        return Err(Damage::new("indexes of different numbers of pages"));
    }
    let pages = sizes.into_iter().zip(mins.into_iter().zip(maxs));
    Ok(pages
        .map(|(size_bytes, (min, max))| Page {
            size_bytes,
            min,
            max,
        })
        .collect())
}

/// Holds for every page that a group can have, so that a list is bounded.
fn check_place(index: usize) -> Result<(), Damage> {
    if index < GROUP_PAGES {
        Ok(())
    } else {
        Err(Damage::new("more pages than fanfold writes"))
    }
}

pub fn value(bytes: &[u8]) -> Result<u64, Damage> {
    let bytes = bytes.try_into();
    Ok(u64::from_le_bytes(bytes.map_err(|_| {
        Damage::new("statistics that are not 8 bytes long")
    })?))
}
