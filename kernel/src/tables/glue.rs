//! What Python sees of tables of k-mers.

use std::ffi::CString;
use std::io;

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyCapsule, PyIterator};

use crate::_kernel::{bytes, numbers_of, unread};
use crate::kmers::parquet::{ENCODING, PartReader, ReadAt};
use crate::tables::arrow::{Batches, Column, Field, Kind, Stream};
use crate::tables::letters::{Form, codes_of_text, rows_as_text};
use crate::tables::lines::Lines;
use crate::tables::merge::{Refusal, Rows, Shared};
use crate::tables::top::Top;

/// A function of Python that reads a file, or an object in a store.
struct Ranges(Py<PyAny>);

impl ReadAt for Ranges {
    fn read_at(&self, start_byte: u64, len: usize) -> io::Result<Vec<u8>> {
        let read = |py: Python<'_>| {
            let end_byte = start_byte.saturating_add(len as u64);
            let found = self.0.bind(py).call1((start_byte, end_byte))?;
            PyResult::Ok(found.cast::<PyBytes>()?.as_bytes().to_vec())
        };
        Ok(Python::attach(read)?)
    }
}

/// A part of a table of k-mers that is open for reading: a Parquet file that fanfold wrote.
///
/// Its footer is proven when it is opened, and every page when it is read.
///
/// Args:
///     read: is given the first byte of a range and the one behind the last, and returns these
///         bytes of the file. What it raises is passed on.
///     size_bytes: the size of the file.
///
/// Attributes:
///     k: the length of the k-mers.
///     canonical: whether they are canonical.
///     rows: how many there are.
///     groups: how many row groups there are.
///     first_code: the smallest code; None without rows.
///     last_code: the largest code; None without rows.
///
/// Raises:
///     ValueError: the file is not a part that fanfold wrote, or is damaged.
#[pyclass(frozen, module = "fanfold._kernel")]
pub struct KmerPart(PartReader<Ranges>);

#[pymethods]
impl KmerPart {
    #[new]
    fn new(py: Python<'_>, read: Py<PyAny>, size_bytes: u64) -> PyResult<Self> {
        let part = py.detach(|| PartReader::open(Ranges(read), size_bytes));
        Ok(Self(part.map_err(unread)?))
    }

    #[getter]
    fn k(&self) -> u32 {
        self.0.k()
    }

    #[getter]
    fn canonical(&self) -> bool {
        self.0.is_canonical()
    }

    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    #[getter]
    fn groups(&self) -> usize {
        self.0.groups()
    }

    #[getter]
    fn first_code(&self) -> Option<u64> {
        self.0.codes().map(|(first, _)| first)
    }

    #[getter]
    fn last_code(&self) -> Option<u64> {
        self.0.codes().map(|(_, last)| last)
    }

    /// Read the rows of a row group, 1,048,576 or fewer.
    ///
    /// Args:
    ///     index: which, from 0.
    ///
    /// Returns:
    ///     Their codes and their counts, as native unsigned 64-bit integers.
    ///
    /// Raises:
    ///     ValueError: a page is damaged.
    ///     IndexError: there is no such group.
    fn read_group<'py>(
        &self,
        py: Python<'py>,
        index: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        if index >= self.0.groups() {
            let message = format!("there is no row group {index}");
            return Err(PyIndexError::new_err(message));
        }
        let (mut codes, mut counts) = (Vec::new(), Vec::new());
        let read = py.detach(|| {
            self.0.for_each_page_of(index, |page_codes, page_counts| {
                codes.extend_from_slice(page_codes);
                counts.extend_from_slice(page_counts);
                Ok(())
            })
        });
        read.map_err(unread)?;
        Ok((
            bytes_of_numbers(py, &codes)?,
            bytes_of_numbers(py, &counts)?,
        ))
    }

    /// The counts of some k-mers, 0 for those that the part doesn't have.
    ///
    /// Only the pages that may hold one of them are read.
    ///
    /// Args:
    ///     codes: native unsigned 64-bit integers, sorted.
    ///
    /// Returns:
    ///     As many native unsigned 64-bit integers.
    ///
    /// Raises:
    ///     ValueError: the codes are not sorted, or a page is damaged.
    fn get<'py>(
        &self,
        py: Python<'py>,
        codes: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let codes = numbers_of(codes)?;
        let found = py.detach(|| self.0.get(&codes)).map_err(unread)?;
        bytes_of_numbers(py, &found)
    }
}

fn bytes_of_numbers<'py>(py: Python<'py>, numbers: &[u64]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, 8 * numbers.len(), |bytes| {
        for (bytes, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_ne_bytes());
        }
        Ok(())
    })
}

fn checked_k(k: u32) -> PyResult<u32> {
    match k {
        1..=32 => Ok(k),
        _ => Err(PyValueError::new_err(format!("k must be 1 to 32, not {k}"))),
    }
}

/// The codes of k-mers that stand side by side in a text, in either case.
///
/// Args:
///     text: the letters of all of them, without anything between.
///     k: the length of the k-mers, 1 to 32.
///     canonical: whether a k-mer stands for the smaller of itself and its reverse complement.
///
/// Returns:
///     Native unsigned 64-bit integers.
///
/// Raises:
///     ValueError: a k-mer has another letter than A, C, G and T, or is cut off.
#[pyfunction]
pub fn kmer_codes<'py>(
    py: Python<'py>,
    text: &[u8],
    k: u32,
    canonical: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let k = checked_k(k)?;
    let codes = py.detach(|| codes_of_text(text, k, canonical));
    let codes = codes.map_err(|place| {
        let letters = text[place * k as usize..].chunks(k as usize).next();
        let letters = String::from_utf8_lossy(letters.unwrap_or_default()).into_owned();
        PyValueError::new_err(format!("{letters} is no {k}-mer"))
    })?;
    bytes_of_numbers(py, &codes)
}

/// Rows of a table as text: a line each of letters, a tab, and the count.
///
/// Args:
///     codes: the codes, native unsigned 64-bit integers.
///     counts: as many counts.
///     k: the length of the k-mers, 1 to 32.
///     is_fasta: whether to write a record each instead: the count in the header, and the letters.
///     least: rows with smaller counts are left out.
///     most: rows with larger counts are left out, unless it is None.
///
/// Raises:
///     ValueError: k can't be, or there are not as many counts as codes.
#[pyfunction]
#[pyo3(signature = (codes, counts, k, is_fasta = false, least = 0, most = None))]
pub fn kmer_text<'py>(
    py: Python<'py>,
    codes: &Bound<'py, PyAny>,
    counts: &Bound<'py, PyAny>,
    k: u32,
    is_fasta: bool,
    least: u64,
    most: Option<u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let k = checked_k(k)?;
    let [codes, counts] = columns_of(codes, counts)?;
    let form = if is_fasta { Form::Fasta } else { Form::Tsv };
    let range = least..=most.unwrap_or(u64::MAX);
    let text = py.detach(|| rows_as_text(&codes, &counts, k, form, &range));
    bytes(py, &text)
}

/// The codes and counts of some rows.
type Columns = [Vec<u64>; 2];

fn columns_of(codes: &Bound<'_, PyAny>, counts: &Bound<'_, PyAny>) -> PyResult<Columns> {
    let columns = [numbers_of(codes)?, numbers_of(counts)?];
    match &columns {
        [codes, counts] if codes.len() == counts.len() => Ok(columns),
        [codes, counts] => Err(PyValueError::new_err(format!(
            "{} codes, but {} counts",
            codes.len(),
            counts.len()
        ))),
    }
}

/// The most frequent k-mers of a table, whose rows it is given.
///
/// Args:
///     most: how many to keep.
#[pyclass(module = "fanfold._kernel")]
pub struct KmerTop(Top);

#[pymethods]
impl KmerTop {
    #[new]
    fn new(most: usize) -> Self {
        Self(Top::new(most))
    }

    /// Take some rows.
    ///
    /// Args:
    ///     codes: their codes, native unsigned 64-bit integers.
    ///     counts: as many counts.
    ///
    /// Raises:
    ///     ValueError: there are not as many counts as codes.
    fn push(
        &mut self,
        py: Python<'_>,
        codes: &Bound<'_, PyAny>,
        counts: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let [codes, counts] = columns_of(codes, counts)?;
        py.detach(|| self.0.push(&codes, &counts));
        Ok(())
    }

    /// The codes and the counts of the most frequent rows, of equals the first by code.
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let (codes, counts): (Vec<_>, Vec<_>) = self.0.rows().into_iter().unzip();
        Ok((
            bytes_of_numbers(py, &codes)?,
            bytes_of_numbers(py, &counts)?,
        ))
    }
}

/// A merge of two tables of k-mers, whose rows it is given in order of codes.
///
/// Attributes:
///     shared: k-mers that both have.
///     distinct: k-mers of each.
///     squares: the sum of the squares of the counts of each.
///     products: the sum of the products of both counts of each shared k-mer.
#[pyclass(module = "fanfold._kernel")]
pub struct KmerMerge(Shared);

#[pymethods]
impl KmerMerge {
    #[new]
    fn new() -> Self {
        Self(Shared::default())
    }

    #[getter]
    fn shared(&self) -> u64 {
        self.0.shared
    }

    #[getter]
    fn distinct(&self) -> (u64, u64) {
        self.0.distinct.into()
    }

    #[getter]
    fn squares(&self) -> (u128, u128) {
        self.0.squares.into()
    }

    #[getter]
    fn products(&self) -> u128 {
        self.0.products
    }

    /// Take the rows of both blocks up to the smaller of their last codes.
    ///
    /// A table has ended when its block has no rows: all rows of the other block are taken.
    ///
    /// Args:
    ///     left_codes: codes of the one table, native unsigned 64-bit integers.
    ///     left_counts: as many counts.
    ///     right_codes: codes of the other table.
    ///     right_counts: as many counts.
    ///
    /// Returns:
    ///     How many rows of each were taken; the next blocks begin behind them.
    ///
    /// Raises:
    ///     ValueError: the codes of a block don't ascend, there are not as many counts, or the
    ///         counts of a table add up to 2^64 or more.
    fn push(
        &mut self,
        py: Python<'_>,
        left_codes: &Bound<'_, PyAny>,
        left_counts: &Bound<'_, PyAny>,
        right_codes: &Bound<'_, PyAny>,
        right_counts: &Bound<'_, PyAny>,
    ) -> PyResult<(usize, usize)> {
        let left = columns_of(left_codes, left_counts)?;
        let right = columns_of(right_codes, right_counts)?;
        let taken = py.detach(|| self.0.push([rows_of(&left), rows_of(&right)]));
        let message = match taken {
            Ok([left, right]) => return Ok((left, right)),
            Err(Refusal::Order) => "the codes of a table must ascend",
            Err(Refusal::Length) => "a table must have as many counts as codes",
            Err(Refusal::Total) => "the counts of a table add up to 2^64 or more",
        };
        Err(PyValueError::new_err(message))
    }
}

fn rows_of([codes, counts]: &Columns) -> Rows<'_> {
    Rows { codes, counts }
}

/// Blocks that Python hands on.
struct PyBlocks(Py<PyIterator>);

impl Batches for PyBlocks {
    fn next(&mut self) -> Result<Option<Vec<Column>>, String> {
        next_of(&self.0, |block| {
            let (codes, counts): (Bound<'_, PyAny>, Bound<'_, PyAny>) = block.extract()?;
            let columns = columns_of(&codes, &counts)?;
            Ok(columns.map(Column::Numbers).into())
        })
    }
}

/// What is made of the next that Python gives; what it raises, in words.
fn next_of<T>(
    iterator: &Py<PyIterator>,
    make: impl FnOnce(Bound<'_, PyAny>) -> PyResult<T>,
) -> Result<Option<T>, String> {
    Python::try_attach(|py| {
        let next = iterator.bind(py).clone().next();
        let made = next.map(|next| next.and_then(make)).transpose();
        made.map_err(|error| error.value(py).to_string())
    })
    .unwrap_or_else(|| Err("the interpreter has ended".to_owned()))
}

/// Text of a table that Python hands on.
struct PyLines {
    blocks: Py<PyIterator>,
    lines: Lines,
    has_ended: bool,
}

impl Batches for PyLines {
    fn next(&mut self) -> Result<Option<Vec<Column>>, String> {
        while !self.has_ended {
            let block = next_of(&self.blocks, |block| {
                block.extract::<PyBackedBytes>().map_err(PyErr::from)
            })?;
            self.has_ended = block.is_none();
            let columns = match block {
                Some(block) => self.lines.take(&block)?,
                None => return self.lines.finish().map(|()| None),
            };
            if columns.first().is_some_and(|column| column.len() > 0) {
                return Ok(Some(columns));
            }
        }
        Ok(None)
    }
}

/// A tab-separated table as a capsule with a stream of Arrow record batches, one a block.
///
/// Args:
///     blocks: gives the bytes of the table, some at a time. What it raises ends the stream with
///         the same message.
///     columns: the name of each column, and what it holds: ``text``, ``number`` (unsigned), or
///         ``share``, which may be absent.
///     has_header: whether the first line has the names of the columns.
///
/// Raises:
///     ValueError: there is no such kind of column.
#[pyfunction]
pub fn table_stream<'py>(
    blocks: &Bound<'py, PyAny>,
    columns: Vec<(String, String)>,
    has_header: bool,
) -> PyResult<Bound<'py, PyCapsule>> {
    let field = |(name, kind): (String, String)| -> PyResult<Field> {
        let kind = match kind.as_str() {
            "text" => Kind::Text,
            "number" => Kind::Number,
            "share" => Kind::Share,
            _ => return Err(PyValueError::new_err(format!("no column is of {kind}"))),
        };
        Ok((CString::new(name)?, kind))
    };
    let fields: Vec<_> = columns.into_iter().map(field).collect::<PyResult<_>>()?;
    let lines = PyLines {
        blocks: blocks.try_iter()?.unbind(),
        lines: Lines::new(&fields, has_header),
        has_ended: false,
    };
    let stream = Stream::new(Box::new(lines), fields, &[]);
    PyCapsule::new_with_value(blocks.py(), stream, c"arrow_array_stream")
}

/// A table as a capsule with a stream of Arrow record batches, one a block.
///
/// Args:
///     blocks: gives the codes and the counts of some rows at a time, as native unsigned 64-bit
///         integers. What it raises ends the stream with the same message.
///     k: the length of the k-mers, for the schema's metadata.
///     canonical: whether they are canonical, likewise.
#[pyfunction]
pub fn kmer_stream<'py>(
    blocks: &Bound<'py, PyAny>,
    k: u32,
    canonical: bool,
) -> PyResult<Bound<'py, PyCapsule>> {
    let batches = Box::new(PyBlocks(blocks.try_iter()?.unbind()));
    let metadata = [
        ("fanfold.k", k.to_string()),
        ("fanfold.canonical", canonical.to_string()),
        ("fanfold.encoding", ENCODING.to_owned()),
    ];
    let metadata = metadata
        .each_ref()
        .map(|(key, value)| (*key, value.as_str()));
    let fields = [c"kmer", c"count"].map(|name| (name.into(), Kind::Number));
    let stream = Stream::new(batches, fields.into(), &metadata);
    PyCapsule::new_with_value(blocks.py(), stream, c"arrow_array_stream")
}
