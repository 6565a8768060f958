//! Which k-mers a scan is for.

use serde::{Deserialize, Serialize};

use crate::dense::SmallK;

/// The smallest k that text is packed for.
pub const MIN_LARGE_K: u32 = 9;
/// The largest: a code has 64 bits.
pub const MAX_LARGE_K: u32 = 32;

/// The lengths of the k-mers of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ks {
    /// K-mers up to this length are counted while text is scanned.
    pub small: SmallK,
    /// Those that text is packed for, if there are any.
    pub large: Option<LargeKs>,
}

/// The least and the largest k that text is packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub struct LargeKs {
    pub least: u32,
    pub most: u32,
}

impl Ks {
    /// The most bases of one side that a k-mer across a seam has.
    pub fn edge(self) -> u32 {
        let large = self.large.map_or(0, |large| large.most - 1);
        large.max(self.small.edge())
    }
}

impl std::fmt::Display for Ks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.small.get())?;
        match self.large {
            Some(LargeKs { least, most }) => write!(formatter, " and {least} to {most}"),
            None => Ok(()),
        }
    }
}

impl From<SmallK> for Ks {
    fn from(small: SmallK) -> Self {
        Self { small, large: None }
    }
}

impl TryFrom<(u32, u32)> for LargeKs {
    type Error = String;

    fn try_from((least, most): (u32, u32)) -> Result<Self, String> {
        if MIN_LARGE_K <= least && least <= most && most <= MAX_LARGE_K {
            Ok(Self { least, most })
        } else {
            Err(format!(
                "text is packed for k from {MIN_LARGE_K} to {MAX_LARGE_K}, not from {least} to {most}"
            ))
        }
    }
}

impl From<LargeKs> for (u32, u32) {
    fn from(large: LargeKs) -> Self {
        (large.least, large.most)
    }
}
