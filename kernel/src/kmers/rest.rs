//! What is stored of a code in a bucket: the bits that its bucket doesn't say.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Bytes of a cache line.
pub const LINE_BYTES: usize = 64;

/// A cache line of rests.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
pub struct Line<T>(T);

/// An unsigned integer that holds the bits.
pub trait Rest: Copy + Default + Ord + Send + Sync + Into<u64> {
    /// A place in memory that threads share: an atomic, of which zeros are a value.
    type Slot: Send + Sync;
    /// As many as are in a cache line.
    type Line: Copy + Default + AsRef<[Self]> + AsMut<[Self]>;

    /// The bits of a code that fit.
    fn of(code: u64) -> Self;
    fn store(slot: &Self::Slot, rest: Self);
    fn load(slot: &Self::Slot) -> Self;
}

macro_rules! rest {
    ($rest:ty, $slot:ty) => {
        impl Rest for $rest {
            type Slot = $slot;
            type Line = Line<[$rest; LINE_BYTES / size_of::<$rest>()]>;

            #[inline(always)]
            fn of(code: u64) -> Self {
                code as Self
            }

            #[inline(always)]
            fn store(slot: &$slot, rest: Self) {
                slot.store(rest, Ordering::Relaxed);
            }

            #[inline(always)]
            fn load(slot: &$slot) -> Self {
                slot.load(Ordering::Relaxed)
            }
        }

        impl AsRef<[$rest]> for Line<[$rest; LINE_BYTES / size_of::<$rest>()]> {
            #[inline(always)]
            fn as_ref(&self) -> &[$rest] {
                &self.0
            }
        }

        impl AsMut<[$rest]> for Line<[$rest; LINE_BYTES / size_of::<$rest>()]> {
            #[inline(always)]
            fn as_mut(&mut self) -> &mut [$rest] {
                &mut self.0
            }
        }
    };
}

rest!(u16, AtomicU16);
rest!(u32, AtomicU32);
rest!(u64, AtomicU64);
