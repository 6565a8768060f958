//! Vectors that grow without leaving holes behind.
//!
//! The allocator of glibc maps a large vector by itself: it grows without a copy, and what is not
//! written of it takes no memory. A smaller one may be copied when it grows, and what it leaves
//! stays with the process. So a vector goes from small to large in one step.

use std::collections::TryReserveError;

/// A vector up to this size may be copied.
const SMALL_BYTES: usize = 1 << 20;
/// From 32 MiB on, a vector is mapped by itself, whatever was freed before.
const LARGE_BYTES: usize = 33 << 20;

/// Makes room for `more` items.
pub fn make<T>(vector: &mut Vec<T>, more: usize) -> Result<(), TryReserveError> {
    let length = vector.len();
    if more <= vector.capacity() - length {
        return Ok(());
    }
    let bytes = length.saturating_add(more).saturating_mul(size_of::<T>());
    if (SMALL_BYTES..LARGE_BYTES).contains(&bytes) {
        vector.try_reserve_exact(LARGE_BYTES.div_ceil(size_of::<T>()) - length)
    } else {
        vector.try_reserve(more)
    }
}

pub fn push<T>(vector: &mut Vec<T>, item: T) -> Result<(), TryReserveError> {
    make(vector, 1)?;
    vector.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_vector_of_a_middle_size_is_made() {
        let mut vector = Vec::new();
        let mut capacities = vec![0];
        for number in 0..6_000_000_u64 {
            push(&mut vector, number).unwrap();
            if capacities.last() != Some(&vector.capacity()) {
                capacities.push(vector.capacity());
            }
        }
        assert_eq!(vector.last(), Some(&5_999_999));
        assert!(capacities.len() < 24);
        for capacity in capacities {
            assert!(!(2 * SMALL_BYTES..LARGE_BYTES).contains(&(8 * capacity)));
        }
    }
}
