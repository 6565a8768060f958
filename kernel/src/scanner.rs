//! The scan of one slice, fed in blocks of any size.

use crate::dense::Bulk;
use crate::findings;
use crate::kmers::text::{Blocks, Counter};
use crate::ks::Ks;
use crate::machine::Portable;
use crate::summary::Summary;
use crate::text::Tools;

pub struct Scanner {
    summary: Summary,
    tools: Tools<Counter<Bulk>>,
}

impl Scanner {
    pub fn new(ks: Ks) -> Self {
        Self {
            summary: Summary::new(ks),
            tools: Tools::new(Counter {
                small: Bulk::new(ks.small),
                packed: Blocks::default(),
                large: ks.large,
            }),
        }
    }

    pub fn update(&mut self, block: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = crate::machine::Avx512::detect() {
            // SAFETY: the token proves that the processor has what the function needs.
            unsafe { update_avx512(&mut self.summary, &mut self.tools, machine, block) };
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(machine) = crate::machine::Avx2::detect() {
            // SAFETY: the token proves that the processor has what the function needs.
            unsafe { update_avx2(&mut self.summary, &mut self.tools, machine, block) };
            return;
        }
        self.summary.feed(Portable, &mut self.tools, block);
    }

    /// The most memory that the rows so far take until their fold is done.
    pub fn rows_memory_bytes(&self) -> u64 {
        let text = &self.summary.text;
        findings::memory_bytes(&text.new_records, &text.new_gaps)
    }

    /// Whether rows were left out, for want of memory.
    pub fn is_out_of_memory(&self) -> bool {
        self.summary.text.out_of_memory
    }

    /// The summary, and the text that was packed.
    pub fn finish(self) -> (Summary, Blocks) {
        let (mut summary, counter) = (self.summary, self.tools.counter);
        summary.text.dense.add(&counter.small.finish());
        summary.text.seal();
        let mut packed = counter.packed;
        for (lead, ()) in std::mem::take(&mut summary.text.packed).iter() {
            packed.0.extend_from_slice(&lead.0);
        }
        (summary, packed)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn update_avx2(
    summary: &mut Summary,
    tools: &mut Tools<Counter<Bulk>>,
    machine: crate::machine::Avx2,
    block: &[u8],
) {
    summary.feed(machine, tools, block);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn update_avx512(
    summary: &mut Summary,
    tools: &mut Tools<Counter<Bulk>>,
    machine: crate::machine::Avx512,
    block: &[u8],
) {
    summary.feed(machine, tools, block);
}
