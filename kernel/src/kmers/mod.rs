//! Tables of k-mers, for k from 9 to 32.

pub mod parquet;
