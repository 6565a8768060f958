//! The Python module `fanfold._kernel`: glue only.

mod bases;
mod bounds;
mod checksum;
mod dense;
mod distances;
mod ends;
mod fault;
mod findings;
mod form;
mod inflater;
mod kmers;
mod ks;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod machine;
mod rows;
mod scanner;
mod summary;
mod survey;
mod tables;
mod text;

use pyo3::prelude::*;

/// The compiled part: everything that touches every base.
///
/// A buffer that is passed in must not be written to until the call returns: the kernel reads it
/// without holding the interpreter's lock.
#[pymodule]
#[pyo3(module = "fanfold")]
mod _kernel {
    use std::fs::File;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use pyo3::buffer::PyBuffer;
    use pyo3::exceptions::{PyInterruptedError, PyMemoryError, PyRuntimeError, PyValueError};
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict};

    use crate::bounds::MAX_BYTES;
    use crate::dense::SmallK;
    use crate::findings::Refusal;
    use crate::form::Unreadable;
    use crate::kmers::codes::Question;
    use crate::kmers::count::Failure;
    use crate::kmers::parquet::{PartReader, PartWriter, ReadError, WriteError};
    use crate::kmers::table_count::{Partition, TableCount, TableFailure};
    use crate::kmers::text::Blocks;
    use crate::kmers::text_form;
    use crate::ks::{Ks, LargeKs};
    use crate::text::composition::Composition;
    use crate::{checksum, distances, findings, form, inflater, scanner, summary, survey};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use crate::tables::glue::{
        KmerMerge, KmerPart, KmerTop, kmer_codes, kmer_stream, kmer_text, table_stream,
    };

    /// The CRC-64/NVME of `data`, continued from `crc`, the CRC of what came before it.
    #[pyfunction]
    #[pyo3(signature = (data, crc = 0))]
    fn crc64nvme(py: Python<'_>, data: PyBuffer<u8>, crc: u64) -> PyResult<u64> {
        let bytes = super::bytes_of(&data)?;
        Ok(py.detach(|| checksum::crc64nvme(bytes, crc)))
    }

    /// The CRC-64/NVME of two runs of bytes in a row, from theirs and the second one's length.
    #[pyfunction]
    fn crc64nvme_combine(left: u64, right: u64, right_bytes: u64) -> u64 {
        checksum::combine(left, right, right_bytes)
    }

    /// The distance of each pair of genomes: 1 minus the cosine of their canonical counts.
    ///
    /// The same counts give the same bits on every machine. Of counts that are equal, or proportional,
    /// it is just 0.
    ///
    /// Args:
    ///     counts: of each genome 4^k counts by code, native unsigned 64-bit integers, of the given
    ///         strand or of canonical k-mers.
    ///     k: the length of the k-mers.
    ///
    /// Returns:
    ///     n times n native doubles, row after row; not a number where a genome has no k-mer.
    ///
    /// Raises:
    ///     ValueError: a genome hasn't 4^k counts.
    #[pyfunction]
    fn cosine_distances<'py>(
        py: Python<'py>,
        counts: Vec<PyBuffer<u64>>,
        k: u32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        checked_k(k)?;
        let slots = 1_usize << (2 * k);
        let vectors = counts
            .iter()
            .map(|buffer| match buffer.item_count() {
                count if count == slots => Ok(distances::canonical_vector(&buffer.to_vec(py)?, k)),
                count => Err(PyValueError::new_err(format!(
                    "{count} counts, where {k}-mers have {slots}"
                ))),
            })
            .collect::<PyResult<Vec<_>>>()?;
        let found = py.detach(|| {
            let distances = distances::cosine_distances(&vectors);
            distances
                .into_iter()
                .flat_map(f64::to_ne_bytes)
                .collect::<Vec<_>>()
        });
        bytes(py, &found)
    }

    /// An order that puts like beside like: of the leaves of a tree by average linkage (UPGMA).
    ///
    /// Args:
    ///     distances: n times n doubles, row after row.
    ///
    /// Raises:
    ///     ValueError: they are no square.
    #[pyfunction]
    fn clustered_order(py: Python<'_>, distances: PyBuffer<f64>) -> PyResult<Vec<usize>> {
        let count = distances.item_count().isqrt();
        if count * count != distances.item_count() {
            return Err(PyValueError::new_err("the distances are no square"));
        }
        let all = distances.to_vec(py)?;
        Ok(py.detach(|| distances::clustered_order(&all, count)))
    }

    /// Write k-mers and their counts as a part of a table: a Parquet file, which is replaced.
    ///
    /// The bytes are the same for the same rows, k and strand, on every machine.
    ///
    /// Args:
    ///     path: the file.
    ///     k: the length of the k-mers, 9 to 32.
    ///     canonical: whether the k-mers are canonical.
    ///     codes: native unsigned 64-bit integers that ascend, each below 4^k.
    ///     counts: as many, each from 1.
    ///
    /// Returns:
    ///     ``rows``, ``total`` (the sum of the counts), ``first_code`` and ``last_code`` (None without
    ///     rows) and ``size_bytes``.
    ///
    /// Raises:
    ///     ValueError: k, the codes or the counts are not as above.
    ///     OSError: the file can't be written.
    #[pyfunction]
    fn write_kmer_part<'py>(
        py: Python<'py>,
        path: PathBuf,
        k: u32,
        canonical: bool,
        codes: &Bound<'py, PyAny>,
        counts: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (codes, counts) = (numbers_of(codes)?, numbers_of(counts)?);
        let written = py.detach(|| {
            let mut writer = PartWriter::new(File::create(path)?, k, canonical)?;
            writer.push(&codes, &counts)?;
            Ok(writer.finish()?.0)
        });
        let facts = written.map_err(|error| match error {
            WriteError::Refused(message) => PyValueError::new_err(message),
            WriteError::Sink(error) => error.into(),
        })?;
        let found = PyDict::new(py);
        found.set_item("rows", facts.rows)?;
        found.set_item("total", facts.total)?;
        found.set_item("first_code", facts.codes.map(|(first, _)| first))?;
        found.set_item("last_code", facts.codes.map(|(_, last)| last))?;
        found.set_item("size_bytes", facts.size_bytes)?;
        Ok(found)
    }

    /// Read a part of a table of k-mers, and prove it.
    ///
    /// Returns:
    ///     ``k``, ``canonical``, ``rows``, ``first_code`` and ``last_code`` (None without rows), and
    ///     ``codes`` and ``counts`` as native unsigned 64-bit integers.
    ///
    /// Raises:
    ///     ValueError: the file is not a part that fanfold wrote, or is damaged.
    ///     OSError: the file can't be read.
    #[pyfunction]
    fn read_kmer_part<'py>(py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyDict>> {
        let read = py.detach(|| {
            let part = open_part(path)?;
            let (mut codes, mut counts) = (Vec::new(), Vec::new());
            part.for_each_page(|page_codes, page_counts| {
                codes.extend(page_codes.iter().flat_map(|code| code.to_ne_bytes()));
                counts.extend(page_counts.iter().flat_map(|count| count.to_ne_bytes()));
                Ok(())
            })?;
            Ok((part, codes, counts))
        });
        let (part, codes, counts) = read.map_err(unread)?;
        let found = PyDict::new(py);
        found.set_item("k", part.k())?;
        found.set_item("canonical", part.is_canonical())?;
        found.set_item("rows", part.rows())?;
        found.set_item("first_code", part.codes().map(|(first, _)| first))?;
        found.set_item("last_code", part.codes().map(|(_, last)| last))?;
        found.set_item("codes", bytes(py, &codes)?)?;
        found.set_item("counts", bytes(py, &counts)?)?;
        Ok(found)
    }

    /// The numbers of a buffer, which may lie anywhere if there are none.
    pub(crate) fn numbers_of(buffer: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
        if buffer.len()? == 0 {
            return Ok(Vec::new());
        }
        PyBuffer::get(buffer)?.to_vec(buffer.py())
    }

    fn open_part(path: PathBuf) -> Result<PartReader<File>, ReadError> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        PartReader::open(file, size_bytes)
    }

    pub(crate) fn unread(error: ReadError) -> PyErr {
        match error {
            ReadError::Source(error) => error.into(),
            error => PyValueError::new_err(error.to_string()),
        }
    }

    fn checked_k(k: u32) -> PyResult<SmallK> {
        k.try_into().map_err(PyValueError::new_err::<String>)
    }

    fn checked_ks(k: u32, large_k: Option<(u32, u32)>) -> PyResult<Ks> {
        Ok(Ks {
            small: checked_k(k)?,
            large: large_k
                .map(LargeKs::try_from)
                .transpose()
                .map_err(PyValueError::new_err::<String>)?,
        })
    }

    /// Text that was packed for k-mers from 9 on: the bases of some stretches, in memory.
    ///
    /// Attributes:
    ///     size_bytes: the memory that it takes.
    #[pyclass(frozen)]
    struct PackedText(Arc<Blocks>);

    #[pymethods]
    impl PackedText {
        /// The text that `to_bytes` made these bytes of.
        ///
        /// Raises:
        ///     ValueError: they can't be any text's.
        #[staticmethod]
        fn from_bytes(py: Python<'_>, data: PyBuffer<u8>) -> PyResult<Self> {
            let bytes = super::bytes_of(&data)?;
            let blocks = py.detach(|| text_form::decode(bytes));
            let blocks = blocks.ok_or_else(|| PyValueError::new_err("not packed text"))?;
            Ok(Self(Arc::new(blocks)))
        }

        /// The bytes of the text, the same for the same text.
        fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            let encoded = py.detach(|| text_form::encode(&self.0));
            bytes(py, &encoded)
        }

        #[getter]
        fn size_bytes(&self) -> usize {
            self.0.size_bytes()
        }
    }

    /// A count of all k-mers of one length, from 9 to 32.
    ///
    /// Args:
    ///     texts: all text that has k-mers: that of every slice, and that of the findings.
    ///     k: the length of the k-mers; the text was packed for it.
    ///     canonical: whether a k-mer and its reverse complement are counted as one.
    ///     threads: how many to use.
    ///     memory_bytes: the most memory for k-mers, beside the text.
    ///     partition: which of how many ranges of whole parts of the table: (index, count).
    #[pyclass(frozen)]
    struct KmerCount(TableCount);

    #[pymethods]
    impl KmerCount {
        #[new]
        fn new(
            texts: Vec<PyRef<'_, PackedText>>,
            k: u32,
            canonical: bool,
            threads: usize,
            memory_bytes: usize,
            partition: (usize, usize),
        ) -> PyResult<Self> {
            LargeKs::try_from((k, k)).map_err(PyValueError::new_err::<String>)?;
            let (index, count) = partition;
            if index >= count {
                return Err(PyValueError::new_err("there is no such partition"));
            }
            Ok(Self(TableCount {
                question: Question { k, canonical },
                texts: texts.iter().map(|text| Arc::clone(&text.0)).collect(),
                threads,
                memory_bytes,
                partition: Partition { index, count },
                stop: AtomicBool::new(false),
            }))
        }

        /// Count, and write the partition's parts into a folder: `part-00000.parquet` and so on.
        ///
        /// Returns:
        ///     ``parts``, a list of (name, rows, size_bytes, crc64nvme); ``total``; ``distinct``;
        ///     ``spectrum``, a list of (multiplicity, k-mers that have it), ascending; ``top`` and
        ///     ``bottom``, the 10 most and least frequent as (k-mer, count), ties by k-mer.
        ///
        /// Raises:
        ///     OSError: a part can't be written.
        ///     MemoryError: there is none for the k-mers.
        ///     InterruptedError: `stop` was called.
        ///     RuntimeError: the count contradicts itself.
        fn run<'py>(&self, py: Python<'py>, folder: PathBuf) -> PyResult<Bound<'py, PyDict>> {
            let table = py.detach(|| self.0.run(&folder)).map_err(uncounted)?;
            let found = PyDict::new(py);
            let parts = table.parts.iter().map(|part| {
                let name = part.path.file_name().unwrap_or_default();
                (name, part.rows, part.size_bytes, part.crc64nvme)
            });
            found.set_item("parts", parts.collect::<Vec<_>>())?;
            found.set_item("total", table.total)?;
            found.set_item("distinct", table.distinct)?;
            found.set_item("spectrum", table.tally.spectrum())?;
            let k = self.0.question.k as usize;
            let spelled = |rows: &[(u64, u64)]| {
                let spelled = rows.iter().map(|(count, code)| {
                    let mut letters = vec![0; k];
                    crate::bases::spell(*code, &mut letters);
                    (String::from_utf8_lossy(&letters).into_owned(), *count)
                });
                spelled.collect::<Vec<_>>()
            };
            found.set_item("top", spelled(&table.tally.top))?;
            found.set_item("bottom", spelled(&table.tally.bottom))?;
            Ok(found)
        }

        /// End a count that runs on another thread, soon.
        fn stop(&self) {
            self.0.stop.store(true, Ordering::Relaxed);
        }
    }

    fn uncounted(failure: TableFailure) -> PyErr {
        match failure {
            Failure::Mismatch => {
                PyRuntimeError::new_err("the text has other k-mers than were counted in it before")
            }
            Failure::OutOfMemory => PyMemoryError::new_err("no memory for the k-mers"),
            Failure::Stopped => PyInterruptedError::new_err("the count was stopped"),
            Failure::Sink(WriteError::Sink(error)) => error.into(),
            Failure::Sink(WriteError::Refused(message)) => PyRuntimeError::new_err(message),
        }
    }

    /// The scan of one slice, fed in blocks of any size.
    ///
    /// Counts k-mers of length `k` (1 to 8), from which those of every smaller k follow.
    ///
    /// Args:
    ///     k: that length.
    ///     large_k: the least and the largest k, 9 to 32, that text is packed for; None packs none.
    #[pyclass]
    struct Scanner(Option<scanner::Scanner>, Option<Arc<Blocks>>);

    #[pymethods]
    impl Scanner {
        #[new]
        #[pyo3(signature = (k, large_k = None))]
        fn new(k: u32, large_k: Option<(u32, u32)>) -> PyResult<Self> {
            let scanner = scanner::Scanner::new(checked_ks(k, large_k)?);
            Ok(Self(Some(scanner), None))
        }

        /// Scan the bytes that follow. Never fails on their contents.
        ///
        /// Raises:
        ///     MemoryError: there is none for the rows of records and gaps.
        fn update(&mut self, py: Python<'_>, data: PyBuffer<u8>) -> PyResult<()> {
            let bytes = super::bytes_of(&data)?;
            let scanner = self.0.as_mut().ok_or_else(finished)?;
            py.detach(|| scanner.update(bytes));
            if scanner.is_out_of_memory() {
                return Err(out_of_memory());
            }
            Ok(())
        }

        /// The most memory that the rows so far take until their fold is done.
        #[getter]
        fn rows_memory_bytes(&self) -> PyResult<u64> {
            Ok(self.0.as_ref().ok_or_else(finished)?.rows_memory_bytes())
        }

        /// The summary of all bytes; ends the scan.
        ///
        /// Raises:
        ///     MemoryError: there was none for the rows of records and gaps.
        fn finish(&mut self, py: Python<'_>) -> PyResult<Summary> {
            let scanner = self.0.take().ok_or_else(finished)?;
            let (summary, packed) = py.detach(|| scanner.finish());
            self.1 = Some(Arc::new(packed));
            whole(summary)
        }

        /// The text that was packed, once the scan is finished.
        ///
        /// Raises:
        ///     RuntimeError: it is not.
        #[getter]
        fn packed(&self) -> PyResult<PackedText> {
            let packed = self.1.as_ref().map(|packed| PackedText(Arc::clone(packed)));
            packed.ok_or_else(|| PyRuntimeError::new_err("the scan is not finished"))
        }
    }

    /// The summary, if no row was left out.
    fn whole(summary: summary::Summary) -> PyResult<Summary> {
        if summary.text.out_of_memory {
            return Err(out_of_memory());
        }
        Ok(Summary(summary))
    }

    fn out_of_memory() -> PyErr {
        PyMemoryError::new_err("no memory for the rows of records and gaps")
    }

    fn finished() -> PyErr {
        PyRuntimeError::new_err("the scan is finished")
    }

    /// Inflates one gzip member, which comes in pieces, and can stop between its deflate blocks.
    ///
    /// Attributes:
    ///     eof: whether the member's last byte was taken.
    ///     needs_input: whether there is no more text without more input.
    ///     unused_data: bytes that were given and not taken; those beyond the member, at its end.
    ///     taken_bytes: how many bytes were taken.
    ///     next_block_bit: where the next block starts, in bits from the first byte that was given,
    ///         if the last call stopped between two blocks; else None.
    #[pyclass]
    struct Inflater(inflater::Inflater);

    #[pymethods]
    impl Inflater {
        /// A member from its header on, whose checksum and length are verified.
        #[new]
        fn new() -> PyResult<Self> {
            inflater::Inflater::of_member()
                .map(Self)
                .map_err(not_inflated)
        }

        /// The rest of a member, from the start of a block on. Its trailer is passed over.
        ///
        /// Args:
        ///     window: the member's text before that block, 32 KiB at most.
        ///     skipped_bits: the bits of the first byte that belong to the block before, 0 to 7.
        ///
        /// Raises:
        ///     ValueError: there are more.
        #[staticmethod]
        fn inside(window: PyBuffer<u8>, skipped_bits: u32) -> PyResult<Self> {
            let window = super::bytes_of(&window)?;
            if window.len() > inflater::WINDOW_BYTES || skipped_bits > 7 {
                return Err(PyValueError::new_err(
                    "a window has 32 KiB at most, and a byte 8 bits",
                ));
            }
            inflater::Inflater::inside(window, skipped_bits)
                .map(Self)
                .map_err(not_inflated)
        }

        #[getter]
        fn eof(&self) -> bool {
            self.0.ended()
        }

        #[getter]
        fn needs_input(&self) -> bool {
            self.0.needs_input
        }

        #[getter]
        fn unused_data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            bytes(py, self.0.unused())
        }

        #[getter]
        fn taken_bytes(&self) -> u64 {
            self.0.taken_bytes
        }

        #[getter]
        fn next_block_bit(&self) -> Option<u64> {
            let unused = u64::from(self.0.block_end_unused_bits?);
            Some(8 * self.0.taken_bytes - unused)
        }

        /// The text before the block that the last call stopped at: 32 KiB, or all that there is.
        fn window<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            bytes(py, &self.0.window().map_err(not_inflated)?)
        }

        /// The text that follows, at most `max_length` bytes of it.
        ///
        /// Args:
        ///     data: the bytes that follow what was given before, any number of them.
        ///     max_length: the most text; what is left comes out of the next calls.
        ///     stops_between_blocks: whether to stop where another block of the member begins.
        ///
        /// Raises:
        ///     ValueError: the member is damaged.
        ///     MemoryError: there is not enough memory.
        #[pyo3(signature = (data, max_length, stops_between_blocks = false))]
        fn decompress<'py>(
            &mut self,
            py: Python<'py>,
            data: PyBuffer<u8>,
            max_length: usize,
            stops_between_blocks: bool,
        ) -> PyResult<Bound<'py, PyBytes>> {
            let input = super::bytes_of(&data)?;
            let inflater = &mut self.0;
            let text = py.detach(|| inflater.inflate(input, max_length, stops_between_blocks));
            bytes(py, text.map_err(not_inflated)?)
        }
    }

    fn not_inflated(failure: inflater::Failure) -> PyErr {
        match failure {
            inflater::Failure::OutOfMemory => PyMemoryError::new_err(failure.to_string()),
            inflater::Failure::Damaged(message) => PyValueError::new_err(message),
        }
    }

    /// The summary of a slice of an object: a value that never changes.
    ///
    /// Summaries are a monoid under `merge`, with ``Summary(k)`` as the empty element: however an
    /// object is cut into consecutive slices, and in whatever tree neighbours are merged, the summary
    /// of the whole is the same. Faults of the text are part of the value, found by `findings`.
    ///
    /// Attributes:
    ///     k: the length of the k-mers that are counted; those of smaller lengths follow.
    ///     size_bytes: bytes that were scanned.
    ///     total_bases: A, C, G and T among them, in either case, but for those up to the first line
    ///         end, as long as only what stands before can tell whether they are sequence.
    ///     gc_count: G and C among `total_bases`.
    ///     uracil_count: U of the same lines.
    #[pyclass(frozen)]
    struct Summary(summary::Summary);

    #[pymethods]
    impl Summary {
        #[new]
        #[pyo3(signature = (k, large_k = None))]
        fn new(k: u32, large_k: Option<(u32, u32)>) -> PyResult<Self> {
            Ok(Self(summary::Summary::new(checked_ks(k, large_k)?)))
        }

        /// The summary that was kept as `state_json`, `kmer_counts_json` and `rows`.
        ///
        /// What is read merges and reports without a fault, whoever wrote it: no number is more than
        /// `size_bytes` allows.
        ///
        /// Raises:
        ///     ValueError: they are not what those wrote, or their numbers don't fit each other.
        ///     MemoryError: there is none for the rows.
        #[staticmethod]
        fn from_forms(
            py: Python<'_>,
            state: PyBuffer<u8>,
            kmer_counts: PyBuffer<u8>,
            rows: PyBuffer<u8>,
        ) -> PyResult<Self> {
            let (state, kmer_counts) = (super::bytes_of(&state)?, super::bytes_of(&kmer_counts)?);
            let rows = super::bytes_of(&rows)?;
            py.detach(|| summary::Summary::from_forms(state, kmer_counts, rows))
                .map(Self)
                .map_err(|unreadable| match unreadable {
                    Unreadable::Damaged(message) => PyValueError::new_err(message),
                    Unreadable::OutOfMemory => out_of_memory(),
                })
        }

        fn __repr__(&self) -> String {
            let composition = self.0.text.composition();
            format!(
                "<Summary k={} size_bytes={} total_bases={} gc_count={}>",
                self.0.ks().small.get(),
                self.0.bytes,
                composition.acgt(),
                composition.gc()
            )
        }

        #[getter]
        fn k(&self) -> u32 {
            self.0.ks().small.get()
        }

        #[getter]
        fn size_bytes(&self) -> u64 {
            self.0.bytes
        }

        #[getter]
        fn total_bases(&self) -> u64 {
            self.0.text.composition().acgt()
        }

        #[getter]
        fn uracil_count(&self) -> u64 {
            self.0.text.composition().u
        }

        #[getter]
        fn gc_count(&self) -> u64 {
            self.0.text.composition().gc()
        }

        /// The summary of this one's bytes followed by `right`'s.
        ///
        /// Raises:
        ///     ValueError: the two count different k-mers, or have more than 2^56 bytes together.
        fn merge(&self, py: Python<'_>, right: &Self) -> PyResult<Self> {
            if self.0.ks() != right.0.ks() {
                return Err(PyValueError::new_err(format!(
                    "a summary with k = {} can't be merged with one with k = {}",
                    self.0.ks(),
                    right.0.ks()
                )));
            }
            if self.0.bytes + right.0.bytes > MAX_BYTES {
                return Err(PyValueError::new_err(format!(
                    "summaries of {} and {} bytes are too large to be merged",
                    self.0.bytes, right.0.bytes
                )));
            }
            whole(py.detach(|| self.0.merge(&right.0)))
        }

        /// All that a merge needs, but for the counts of k-mers and the rows, as JSON.
        fn state_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            let json = py.detach(|| self.0.to_json()).map_err(unwritable)?;
            bytes(py, &json)
        }

        /// The observed k-mers of the lengths `ks` and of `k`, as a JSON map in order of codes.
        fn kmer_counts_json<'py>(
            &self,
            py: Python<'py>,
            ks: Vec<u32>,
        ) -> PyResult<Bound<'py, PyBytes>> {
            for &k in &ks {
                checked_k(k)?;
            }
            let json = py
                .detach(|| self.0.kmer_counts_json(&ks))
                .map_err(unwritable)?;
            bytes(py, &json)
        }

        /// The rows of closed records and gaps, about 25 bytes and the name a record.
        ///
        /// Raises:
        ///     MemoryError: there is none for them.
        fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            let rows = py.detach(|| self.0.rows());
            bytes(py, &rows.map_err(|_| out_of_memory())?)
        }

        /// What the bytes hold when they are a whole object, or its leftmost fault.
        ///
        /// Raises:
        ///     MemoryError: there is none for the names of all records.
        fn findings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            match py.detach(|| findings::Findings::of(&self.0)) {
                Ok(findings) => Ok(Bound::new(py, Findings(findings))?.into_any()),
                Err(Refusal::Fault(fault)) => Ok(Bound::new(py, Fault(fault))?.into_any()),
                Err(Refusal::OutOfMemory) => Err(out_of_memory()),
            }
        }
    }

    fn unwritable(error: serde_json::Error) -> PyErr {
        PyRuntimeError::new_err(error.to_string())
    }

    /// Unlike `PyBytes::new`, fails where there is no memory.
    pub(crate) fn bytes<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, content.len(), |bytes| {
            bytes.copy_from_slice(content);
            Ok(())
        })
    }

    /// What is wrong with a text.
    ///
    /// Attributes:
    ///     kind: ``utf-16``, ``header-too-long``, ``comment-too-long``, ``bare-cr``,
    ///         ``nul-in-header``, ``invalid-byte``, ``fastq``, ``sequence-before-header``, ``empty``
    ///         or ``no-record``.
    ///     offset_byte: where, in the text.
    ///     byte: the byte that was found there.
    #[pyclass(frozen)]
    struct Fault(crate::fault::Fault);

    #[pymethods]
    impl Fault {
        fn __repr__(&self) -> String {
            format!(
                "<Fault kind='{}' offset_byte={} byte={}>",
                self.0.kind.name(),
                self.0.offset_byte,
                self.0.byte
            )
        }

        #[getter]
        fn kind(&self) -> &'static str {
            self.0.kind.name()
        }

        #[getter]
        fn offset_byte(&self) -> u64 {
            self.0.offset_byte
        }

        #[getter]
        fn byte(&self) -> u8 {
            self.0.byte
        }
    }

    /// What a whole object holds.
    ///
    /// Attributes:
    ///     composition: residues by kind, both cases together: A, C, G, T, N, U, iupac,
    ///         gap_characters, asterisk, other; and lowercase across the kinds.
    ///     length: the records' lengths, summed, in residues.
    ///     gap_length: the lengths of the maximal runs of N, summed.
    ///     record_count: how many records there are.
    ///     comment_lines: lines that start with ``;``.
    ///     empty_records: records of length 0.
    ///     repeated_names: records whose name an earlier one bears.
    ///     fai_refusal: why ``samtools faidx`` refuses the text, or None.
    ///     fai_rows: rows of its index.
    ///     fai_lineless: records it leaves out because they have no sequence line.
    ///     fai_repeated: records it leaves out because an earlier row bears their name.
    #[pyclass(frozen)]
    struct Findings(findings::Findings);

    impl Findings {
        fn counted(&self, k: u32) -> PyResult<()> {
            if (1..=self.0.dense.k.get()).contains(&k) {
                return Ok(());
            }
            Err(uncounted_k(k))
        }
    }

    fn uncounted_k(k: u32) -> PyErr {
        PyValueError::new_err(format!("{k}-mers were not counted"))
    }

    #[pymethods]
    impl Findings {
        fn __repr__(&self) -> String {
            format!(
                "<Findings record_count={} length={} gap_length={}>",
                self.0.record_count, self.0.length, self.0.gap_length
            )
        }

        #[getter]
        fn composition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
            let Composition {
                a,
                c,
                g,
                t,
                n,
                u,
                iupac,
                gap_characters,
                asterisk,
                other,
                lowercase,
            } = self.0.composition;
            let counts = PyDict::new(py);
            for (name, count) in [
                ("A", a),
                ("C", c),
                ("G", g),
                ("T", t),
                ("N", n),
                ("U", u),
                ("iupac", iupac),
                ("gap_characters", gap_characters),
                ("asterisk", asterisk),
                ("other", other),
                ("lowercase", lowercase),
            ] {
                counts.set_item(name, count)?;
            }
            Ok(counts)
        }

        #[getter]
        fn length(&self) -> u64 {
            self.0.length
        }

        #[getter]
        fn gap_length(&self) -> u64 {
            self.0.gap_length
        }

        #[getter]
        fn record_count(&self) -> u64 {
            self.0.record_count
        }

        #[getter]
        fn comment_lines(&self) -> u64 {
            self.0.comments
        }

        #[getter]
        fn empty_records(&self) -> u64 {
            self.0.empty_records
        }

        #[getter]
        fn repeated_names(&self) -> u64 {
            self.0.repeated_names
        }

        #[getter]
        fn fai_refusal(&self) -> Option<&str> {
            self.0.index.refusal.as_deref()
        }

        #[getter]
        fn fai_rows(&self) -> u64 {
            self.0.index.rows
        }

        #[getter]
        fn fai_lineless(&self) -> u64 {
            self.0.index.lineless
        }

        #[getter]
        fn fai_repeated(&self) -> u64 {
            self.0.index.repeated.len() as u64
        }

        /// 4^k counts by code, as native unsigned 64-bit integers.
        ///
        /// The code has 2 bits a base, A=0 C=1 G=2 T=3, the first base in the highest bits. Of
        /// canonical k-mers (the smaller of a k-mer and its reverse complement) only their own slots
        /// are filled.
        fn kmer_counts<'py>(
            &self,
            py: Python<'py>,
            k: u32,
            canonical: bool,
        ) -> PyResult<Bound<'py, PyBytes>> {
            self.counted(k)?;
            let counts: Vec<u8> = py.detach(|| {
                let counts = self.0.kmer_counts(k, canonical);
                counts.into_iter().flat_map(u64::to_ne_bytes).collect()
            });
            bytes(py, &counts)
        }

        /// The observed k-mers of the lengths `ks`, as one flat JSON map, each in order of codes.
        fn kmer_counts_json<'py>(
            &self,
            py: Python<'py>,
            ks: Vec<u32>,
            canonical: bool,
        ) -> PyResult<Bound<'py, PyBytes>> {
            for &k in &ks {
                self.counted(k)?;
            }
            let table = |k| (k, self.0.kmer_counts(k, canonical));
            let json = py
                .detach(|| form::kmer_counts_json(ks.into_iter().map(table).collect()))
                .map_err(unwritable)?;
            bytes(py, &json)
        }

        /// The packed text that no slice has: of what joins slices.
        #[getter]
        fn packed(&self) -> PackedText {
            let blocks = self.0.packed.iter();
            let blocks = blocks.flat_map(|(blocks, ())| blocks.0.iter().cloned());
            PackedText(Arc::new(Blocks(blocks.collect())))
        }

        /// The sum of max(0, length - k + 1) over the runs of bases, counted apart from k-mers.
        fn kmers_in_runs(&self, k: u32) -> PyResult<u64> {
            if k == 0 || k > self.0.ks.edge() + 1 {
                return Err(uncounted_k(k));
            }
            Ok(self.0.run_lengths.kmers(k))
        }

        /// Write ``kmers.k<k>.tsv`` page by page: the observed k-mers, in order of codes.
        ///
        /// Raises:
        ///     ValueError: k-mers of this length were not counted.
        fn write_kmers(&self, k: u32, canonical: bool, write: &Bound<'_, PyAny>) -> PyResult<()> {
            self.counted(k)?;
            self.0
                .kmers_tsv(k, canonical, |page| write_page(write, page))
        }

        /// Write ``sequences.tsv`` page by page.
        fn write_sequences(&self, write: &Bound<'_, PyAny>) -> PyResult<()> {
            self.0.sequences_tsv(|page| write_page(write, page))
        }

        /// Write ``gaps.bed`` page by page.
        fn write_gaps(&self, write: &Bound<'_, PyAny>) -> PyResult<()> {
            self.0.gaps_bed(|page| write_page(write, page))
        }

        /// Write the index that ``samtools faidx`` would.
        fn write_fai(&self, write: &Bound<'_, PyAny>) -> PyResult<()> {
            self.0.fai(|page| write_page(write, page))
        }
    }

    /// One pass over the tables of a report: everything that lengths and gaps decide, under a view.
    ///
    /// All of ``sequences.tsv`` comes first, then all of ``gaps.bed``. The tables are checked as they
    /// come, whoever wrote them. A record's gaps are those that follow the last record's until they
    /// make up its N, so names may repeat or be empty; each gap must bear its record's name. A survey
    /// that refused its tables has ended.
    ///
    /// It keeps 40 bytes of a record and, for each of the thresholds 1, 10 and `min_gap`, 8 bytes of a
    /// contig.
    ///
    /// Args:
    ///     min_gap: a run of N of at least this length is a gap, from 1.
    ///     min_length: records shorter than this are left out of lengths and gaps.
    ///     genome_size: what NG(x) and auNG refer to, from 1, or None.
    ///
    /// Raises:
    ///     ValueError: `min_gap` or `genome_size` is 0, or one of them is 2^63 or more.
    #[pyclass]
    struct Survey(Option<survey::Survey>);

    #[pymethods]
    impl Survey {
        #[new]
        fn new(min_gap: u64, min_length: u64, genome_size: Option<u64>) -> PyResult<Self> {
            let view = survey::View {
                min_gap,
                min_length,
                genome_size,
            };
            if !view.is_valid() {
                return Err(PyValueError::new_err(
                    "min_gap and genome_size are 1 or more, and all below 2^63",
                ));
            }
            Ok(Self(Some(survey::Survey::new(view).map_err(refused)?)))
        }

        /// Take the next bytes of ``sequences.tsv``, cut anywhere.
        ///
        /// Raises:
        ///     ValueError: they are not what fanfold writes: a line is not the header, a column is
        ///         missing, too many or no number, the numbers of a row contradict each other, the
        ///         lengths add up to 2^63 or more, or a row is longer than a name of 1 MiB allows. The
        ///         message tells the line. Also after `add_gaps`.
        ///     MemoryError: there is none for the records.
        ///     RuntimeError: the survey has ended.
        fn add_sequences(&mut self, py: Python<'_>, data: PyBuffer<u8>) -> PyResult<()> {
            let block = super::bytes_of(&data)?;
            // A survey that refuses its tables has ended.
            let mut survey = self.0.take().ok_or_else(ended)?;
            py.detach(|| survey.add_sequences(block)).map_err(refused)?;
            self.0 = Some(survey);
            Ok(())
        }

        /// Take the next bytes of ``gaps.bed``, cut anywhere, after all of ``sequences.tsv``.
        ///
        /// Raises:
        ///     ValueError: they are not what fanfold writes, or ``sequences.tsv`` has no header or no
        ///         last line end: a gap is empty, is not behind the one before it, ends behind its
        ///         record, bears another name, or is more than the record has N. The message tells the
        ///         line.
        ///     MemoryError: there is none for the contigs.
        ///     RuntimeError: the survey has ended.
        fn add_gaps(&mut self, py: Python<'_>, data: PyBuffer<u8>) -> PyResult<()> {
            let block = super::bytes_of(&data)?;
            let mut survey = self.0.take().ok_or_else(ended)?;
            py.detach(|| survey.add_gaps(block)).map_err(refused)?;
            self.0 = Some(survey);
            Ok(())
        }

        /// The JSON of `fanfold.report.survey.Survey`; ends the survey.
        ///
        /// Raises:
        ///     ValueError: a table has no last line end, ``sequences.tsv`` has no header, or gaps of a
        ///         record are missing.
        ///     MemoryError: there is none for the contigs.
        ///     RuntimeError: the survey has ended.
        fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            let survey = self.0.take().ok_or_else(ended)?;
            let found = py.detach(|| survey.finish()).map_err(refused)?;
            let json = py.detach(|| serde_json::to_vec(&found));
            bytes(py, &json.map_err(unwritable)?)
        }
    }

    fn refused(refusal: survey::Refusal) -> PyErr {
        match refusal {
            survey::Refusal::Wrong(message) => PyValueError::new_err(message),
            survey::Refusal::OutOfMemory => out_of_memory(),
        }
    }

    fn ended() -> PyErr {
        PyRuntimeError::new_err("the survey has ended")
    }

    fn write_page(write: &Bound<'_, PyAny>, page: &[u8]) -> PyResult<()> {
        write.call1((bytes(write.py(), page)?,)).map(drop)
    }
}

/// The bytes of a Python buffer, which the caller holds exported for as long as they are used.
fn bytes_of(buffer: &pyo3::buffer::PyBuffer<u8>) -> PyResult<&[u8]> {
    if !buffer.is_c_contiguous() {
        return Err(pyo3::exceptions::PyBufferError::new_err(
            "the buffer must be contiguous",
        ));
    }
    if buffer.len_bytes() == 0 {
        return Ok(&[]);
    }
    // SAFETY: the buffer is contiguous, non-empty, and exported for `buffer`'s life, so it is
    // neither moved nor freed. That nobody writes to it meanwhile is the stub's contract.
    Ok(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) })
}
