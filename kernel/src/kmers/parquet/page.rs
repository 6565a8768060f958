//! A page's header: what its body is, and how it is proven.

use crc_fast::CrcAlgorithm::Crc32IsoHdlc;

use super::Damage;
use super::thrift::{Kind, Reader, Writer};

pub const PLAIN: i32 = 0;
pub const RLE: i32 = 3;
pub const DELTA_BINARY_PACKED: i32 = 5;
pub const RLE_DICTIONARY: i32 = 8;

pub const DATA_PAGE: i32 = 0;
pub const DICTIONARY_PAGE: i32 = 2;

/// What a page holds, and its least and greatest value where that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Codes { min: u64, max: u64 },
    Counts { min: u64, max: u64 },
    Dictionary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub content: Content,
    pub values: usize,
    pub uncompressed_bytes: usize,
}

/// The least and greatest value, in a header or of a chunk. Readers of unsigned columns look at
/// these fields alone, not at the older ones.
pub fn statistics(writer: &mut Writer, id: u8, min: u64, max: u64) {
    writer.structure(id, |writer| {
        writer.i64(3, 0); // no nulls
        writer.binary(5, &max.to_le_bytes());
        writer.binary(6, &min.to_le_bytes());
    });
}

impl Header {
    /// The bytes that stand before `body`.
    pub fn before(&self, body: &[u8]) -> Vec<u8> {
        let mut writer = Writer::default();
        let is_dictionary = self.content == Content::Dictionary;
        writer.i32(
            1,
            if is_dictionary {
                DICTIONARY_PAGE
            } else {
                DATA_PAGE
            },
        );
        writer.i32(2, self.uncompressed_bytes as i32);
        writer.i32(3, body.len() as i32);
        writer.i32(4, crc_fast::checksum(Crc32IsoHdlc, body) as u32 as i32);
        let values = self.values as i32;
        match self.content {
            Content::Codes { min, max } => data(&mut writer, values, DELTA_BINARY_PACKED, min, max),
            Content::Counts { min, max } => data(&mut writer, values, RLE_DICTIONARY, min, max),
            Content::Dictionary => writer.structure(7, |writer| {
                writer.i32(1, values);
                writer.i32(2, PLAIN);
                writer.bool(3, false); // in order of appearance
            }),
        }
        writer.end()
    }
}

fn data(writer: &mut Writer, values: i32, encoding: i32, min: u64, max: u64) {
    writer.structure(5, |writer| {
        writer.i32(1, values);
        writer.i32(2, encoding);
        // There are no levels in a column without nulls and lists, but their encoding is required.
        writer.i32(3, RLE);
        writer.i32(4, RLE);
        statistics(writer, 5, min, max);
    });
}

/// The body of a page, and its uncompressed size, after its header and CRC have been checked.
///
/// The number of values is in the header alone for a dictionary; otherwise it is known before.
pub fn body_of(
    page: &[u8],
    content: Content,
    values: Option<usize>,
) -> Result<(Header, &[u8]), Damage> {
    let mut reader = Reader::new(page);
    let mut uncompressed_bytes = 0;
    let mut found = 0;
    reader.structure(|id, kind, reader| {
        match (id, kind) {
            (2, Kind::I32) => uncompressed_bytes = reader.size()?,
            (7, Kind::Struct) => reader.structure(|id, kind, reader| {
                if (id, kind) != (1, Kind::I32) {
                    return Ok(false);
                }
                found = reader.size()?;
                Ok(true)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let body = reader.rest();
    let header = Header {
        content,
        values: values.unwrap_or(found as usize),
        uncompressed_bytes: uncompressed_bytes as usize,
    };
    if header.before(body) != page[..page.len() - body.len()] {
        return Err(Damage::new(
            "a page whose bytes don't match its checksum or statistics",
        ));
    }
    Ok((header, body))
}
