//! What a row costs, in time and bytes.
//!
//!     cargo test --release kmers::parquet::bench -- --ignored --nocapture

use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

use super::{PartReader, PartWriter};

const ROUNDS: usize = 5;
/// Distinct 31-mers of a genome of 250 Mb.
const DISTINCT: f64 = 2.4e8;

struct Random(u64);

impl Random {
    /// xorshift64
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Above 0, up to 1.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// CPU time of this thread where the system tells it, else the time of day, in ns.
fn now(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let first = told.and_then(|told| told.split(' ').next()?.parse().ok());
    first.unwrap_or_else(|| start.elapsed().as_nanos() as f64)
}

/// The codes of uniformly random 31-mers, and counts as in human chromosome 20.
fn sparse(rows: usize) -> (Vec<u64>, Vec<u64>) {
    let mut random = Random(88_172_645_463_325_252);
    let mean = (1_u64 << 62) as f64 / DISTINCT;
    let mut code = 0;
    let codes = (0..rows).map(|_| {
        code += 1 + (-random.unit().ln() * mean) as u64;
        code
    });
    let codes = codes.collect();
    let counts = (0..rows).map(|_| match random.unit() {
        0.0164.. => 1,
        0.0064.. => 2,
        rest => 3 + (0.0064 / rest).powf(0.8) as u64,
    });
    (codes, counts.collect())
}

/// All 11-mers, with counts as of a genome with 60 of each, unevenly.
fn dense() -> (Vec<u64>, Vec<u64>) {
    let mut random = Random(88_172_645_463_325_252);
    let counts = (0..1 << 22).map(|_| 1 + (-random.unit().ln() * 60.0) as u64);
    ((0..1 << 22).collect(), counts.collect())
}

fn measure(name: &str, k: u32, (codes, counts): &(Vec<u64>, Vec<u64>)) {
    let path = std::env::temp_dir().join(format!("fanfold-bench-{}.parquet", std::process::id()));
    let start = Instant::now();
    let rows = codes.len() as f64;
    let asked: Vec<_> = codes.iter().step_by(codes.len() / 1000).copied().collect();
    let mut best = [f64::MAX; 4];
    let mut size_bytes = 0;
    for _ in 0..ROUNDS {
        let times = [
            now(start),
            {
                let mut writer = PartWriter::new(std::io::sink(), k, true).unwrap();
                for (codes, counts) in codes.chunks(50_000).zip(counts.chunks(50_000)) {
                    writer.push(codes, counts).unwrap();
                }
                size_bytes = writer.finish().unwrap().0.size_bytes;
                now(start)
            },
            {
                let mut out = Vec::new();
                for page in codes.chunks(super::PAGE_ROWS) {
                    out.clear();
                    super::delta::encode(page, &mut out);
                }
                now(start)
            },
        ];
        let file = BufWriter::new(File::create(&path).unwrap());
        let mut writer = PartWriter::new(file, k, true).unwrap();
        writer.push(codes, counts).unwrap();
        writer.finish().unwrap();
        let reading = now(start);
        let reader = PartReader::open(File::open(&path).unwrap(), size_bytes).unwrap();
        reader.for_each_page(|_, _| Ok(())).unwrap();
        let looking_up = now(start);
        let reader = PartReader::open(File::open(&path).unwrap(), size_bytes).unwrap();
        assert_eq!(reader.get(&asked).unwrap().len(), asked.len());
        let found = [
            (times[1] - times[0]) / rows,
            (times[2] - times[1]) / rows,
            (looking_up - reading) / rows,
            (now(start) - looking_up) / 1e6,
        ];
        best = std::array::from_fn(|index| best[index].min(found[index]));
    }
    std::fs::remove_file(&path).unwrap();
    println!(
        "{name}: {rows} rows, {:.3} bytes a row; write {:.2} ns a row, of which codes {:.2}; \
         read {:.2} ns a row; look up 1,000 in {:.0} ms",
        size_bytes as f64 / rows,
        best[0],
        best[1],
        best[2],
        best[3],
    );
}

#[test]
#[ignore = "a measurement"]
fn rows_cost() {
    measure("random 31-mers", 31, &sparse(1 << 24));
    measure("all 11-mers", 11, &dense());
}
