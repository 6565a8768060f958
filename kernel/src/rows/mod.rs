//! What a text holds of whole records and gaps: rows in compact blocks, and as tables.

pub mod gaps;
pub mod records;
pub mod rope;
pub mod tables;
pub mod varint;
