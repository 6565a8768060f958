//! Exact counts of all k-mers of a k from 9 to 32, in order of their codes.
//!
//! A scan packs the bases of runs into pieces of text (`text`), each of which tells which of its
//! k-mers count; so all pieces together, in any order, have the k-mers of the object. How many
//! begin with which bases is counted on the way (`histogram`). Then the text is read as often as
//! memory asks, each time for a range of codes (`count`): the k-mers of the range go into buckets by
//! their first bits (`buckets`), and each bucket is put in order and counted (`order`). Tables of
//! them are Parquet files (`parquet`).

pub mod buckets;
pub mod codes;
pub mod count;
pub mod histogram;
pub mod order;
pub mod parquet;
pub mod rest;
pub mod table_count;
pub mod tally;
pub mod text;
pub mod text_form;
#[cfg(test)]
pub mod twin;
