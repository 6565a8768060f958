//! What is done with tables of k-mers: rows as text, the most frequent ones, two tables side by
//! side, and a table as a stream of Arrow.
//!
//! Tables come in blocks of (codes, counts), in order of codes. Python hands the blocks on, so that
//! all of this takes the memory of a few blocks, however large a table is.

pub mod arrow;
pub mod glue;
pub mod letters;
mod lines;
pub mod merge;
pub mod top;
