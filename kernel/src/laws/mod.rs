//! What must hold for any bytes, and the naive twin that judges.

#[cfg(test)]
mod crafted;
#[cfg(test)]
mod cuts;
pub mod fuzzing;
#[cfg(test)]
mod packed;
pub mod twin;
