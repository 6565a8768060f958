//! Exact counts of all k-mers of a k from 9 to 32, in order of their codes.
//!
//! A scan packs the bases of runs into pieces of text (`text`), each of which tells which of its
//! k-mers count; so all pieces together, in any order, have the k-mers of the object. How many
//! begin with which bases is counted on the way (`histogram`). Then the text is read as often as
//! memory asks, each time for a range of codes (`count`): the k-mers of the range go into buckets by
//! their first bits (`buckets`), and each bucket is put in order and counted (`order`). Tables of
//! them are Parquet files (`parquet`).
//!
//! No command counts such k-mers yet: what counts is compiled for its tests alone.

#[cfg(test)]
pub mod buckets;
#[cfg(test)]
pub mod codes;
#[cfg(test)]
pub mod count;
#[cfg(test)]
pub mod histogram;
#[cfg(test)]
pub mod order;
pub mod parquet;
#[cfg(test)]
pub mod rest;
#[cfg(test)]
pub mod text;
#[cfg(test)]
mod twin;
