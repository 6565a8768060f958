//! The Python module `fanfold._kernel`: glue only.

mod bases;
mod bounds;
mod checksum;
mod composition;
#[cfg(test)]
mod crafted;
mod dense;
mod distances;
mod fault;
mod findings;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gaps;
mod geometry;
mod join;
#[cfg(test)]
mod laws;
mod lines;
mod machine;
mod records;
mod rope;
mod runs;
mod scanner;
mod summary;
mod survey;
mod tables;
#[cfg(any(test, fuzzing))]
mod twin;
mod varint;

use pyo3::prelude::*;

#[pymodule]
mod _kernel {
    use pyo3::buffer::PyBuffer;
    use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict};

    use crate::bounds::MAX_BYTES;
    use crate::composition::Composition;
    use crate::dense::MAX_K;
    use crate::findings::Refusal;
    use crate::form::Unreadable;
    use crate::{checksum, distances, findings, form, scanner, summary, survey};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pyfunction]
    #[pyo3(signature = (data, crc = 0))]
    fn crc64nvme(py: Python<'_>, data: PyBuffer<u8>, crc: u64) -> PyResult<u64> {
        let bytes = super::bytes_of(&data)?;
        Ok(py.detach(|| checksum::crc64nvme(bytes, crc)))
    }

    #[pyfunction]
    fn crc64nvme_combine(left: u64, right: u64, right_bytes: u64) -> u64 {
        checksum::combine(left, right, right_bytes)
    }

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

    #[pyfunction]
    fn clustered_order(py: Python<'_>, distances: PyBuffer<f64>) -> PyResult<Vec<usize>> {
        let count = distances.item_count().isqrt();
        if count * count != distances.item_count() {
            return Err(PyValueError::new_err("the distances are no square"));
        }
        let all = distances.to_vec(py)?;
        Ok(py.detach(|| distances::clustered_order(&all, count)))
    }

    fn checked_k(k: u32) -> PyResult<u32> {
        if (1..=MAX_K).contains(&k) {
            Ok(k)
        } else {
            Err(PyValueError::new_err(format!(
                "k must be 1 to {MAX_K}, not {k}"
            )))
        }
    }

    #[pyclass]
    struct Scanner(Option<scanner::Scanner>);

    #[pymethods]
    impl Scanner {
        #[new]
        fn new(k: u32) -> PyResult<Self> {
            Ok(Self(Some(scanner::Scanner::new(checked_k(k)?))))
        }

        fn update(&mut self, py: Python<'_>, data: PyBuffer<u8>) -> PyResult<()> {
            let bytes = super::bytes_of(&data)?;
            let scanner = self.0.as_mut().ok_or_else(finished)?;
            py.detach(|| scanner.update(bytes));
            if scanner.is_out_of_memory() {
                return Err(out_of_memory());
            }
            Ok(())
        }

        #[getter]
        fn rows_memory_bytes(&self) -> PyResult<u64> {
            Ok(self.0.as_ref().ok_or_else(finished)?.rows_memory_bytes())
        }

        fn finish(&mut self, py: Python<'_>) -> PyResult<Summary> {
            let scanner = self.0.take().ok_or_else(finished)?;
            whole(py.detach(|| scanner.finish()))
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

    #[pyclass(frozen)]
    struct Summary(summary::Summary);

    #[pymethods]
    impl Summary {
        #[new]
        fn new(k: u32) -> PyResult<Self> {
            Ok(Self(summary::Summary::new(checked_k(k)?)))
        }

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

        #[getter]
        fn k(&self) -> u32 {
            self.0.k()
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

        fn merge(&self, py: Python<'_>, right: &Self) -> PyResult<Self> {
            if self.0.k() != right.0.k() {
                return Err(PyValueError::new_err(format!(
                    "a summary with k = {} can't be merged with one with k = {}",
                    self.0.k(),
                    right.0.k()
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

        fn state_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            let json = py.detach(|| self.0.to_json()).map_err(unwritable)?;
            bytes(py, &json)
        }

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

        fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
            let rows = py.detach(|| self.0.rows());
            bytes(py, &rows.map_err(|_| out_of_memory())?)
        }

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
    fn bytes<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, content.len(), |bytes| {
            bytes.copy_from_slice(content);
            Ok(())
        })
    }

    #[pyclass(frozen)]
    struct Fault(crate::fault::Fault);

    #[pymethods]
    impl Fault {
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

    #[pyclass(frozen)]
    struct Findings(findings::Findings);

    #[pymethods]
    impl Findings {
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

        fn kmer_counts<'py>(
            &self,
            py: Python<'py>,
            k: u32,
            canonical: bool,
        ) -> PyResult<Bound<'py, PyBytes>> {
            if k == 0 || k > self.0.dense.k {
                return Err(PyValueError::new_err(format!("{k}-mers were not counted")));
            }
            let counts: Vec<u8> = py.detach(|| {
                let counts = self.0.kmer_counts(k, canonical);
                counts.into_iter().flat_map(u64::to_ne_bytes).collect()
            });
            bytes(py, &counts)
        }

        fn kmer_counts_json<'py>(
            &self,
            py: Python<'py>,
            ks: Vec<u32>,
            canonical: bool,
        ) -> PyResult<Bound<'py, PyBytes>> {
            for &k in &ks {
                if k == 0 || k > self.0.dense.k {
                    return Err(PyValueError::new_err(format!("{k}-mers were not counted")));
                }
            }
            let table = |k| (k, self.0.kmer_counts(k, canonical));
            let json = py
                .detach(|| form::kmer_counts_json(ks.into_iter().map(table).collect()))
                .map_err(unwritable)?;
            bytes(py, &json)
        }

        fn kmers_in_runs(&self, k: u32) -> PyResult<u64> {
            if k == 0 || k > self.0.dense.k {
                return Err(PyValueError::new_err(format!("{k}-mers were not counted")));
            }
            Ok(self.0.run_lengths.kmers(k))
        }

        fn write_kmers(&self, k: u32, canonical: bool, write: &Bound<'_, PyAny>) -> PyResult<()> {
            if k == 0 || k > self.0.dense.k {
                return Err(PyValueError::new_err(format!("{k}-mers were not counted")));
            }
            self.0
                .kmers_tsv(k, canonical, |page| write_page(write, page))
        }

        fn write_sequences(&self, write: &Bound<'_, PyAny>) -> PyResult<()> {
            self.0.sequences_tsv(|page| write_page(write, page))
        }

        fn write_gaps(&self, write: &Bound<'_, PyAny>) -> PyResult<()> {
            self.0.gaps_bed(|page| write_page(write, page))
        }

        fn write_fai(&self, write: &Bound<'_, PyAny>) -> PyResult<()> {
            self.0.fai(|page| write_page(write, page))
        }
    }

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

        fn add_sequences(&mut self, py: Python<'_>, data: PyBuffer<u8>) -> PyResult<()> {
            let block = super::bytes_of(&data)?;
            // A survey that refuses its tables has ended.
            let mut survey = self.0.take().ok_or_else(ended)?;
            py.detach(|| survey.add_sequences(block)).map_err(refused)?;
            self.0 = Some(survey);
            Ok(())
        }

        fn add_gaps(&mut self, py: Python<'_>, data: PyBuffer<u8>) -> PyResult<()> {
            let block = super::bytes_of(&data)?;
            let mut survey = self.0.take().ok_or_else(ended)?;
            py.detach(|| survey.add_gaps(block)).map_err(refused)?;
            self.0 = Some(survey);
            Ok(())
        }

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
