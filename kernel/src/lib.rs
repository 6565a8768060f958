//! The Python module `fanfold._kernel`: glue only.

mod assembly;
mod bases;
mod checksum;
mod composition;
mod dense;
mod fault;
mod findings;
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
mod tables;
mod varint;

use pyo3::prelude::*;

#[pymodule]
mod _kernel {
    use pyo3::buffer::PyBuffer;
    use pyo3::prelude::*;

    use crate::checksum;

    #[pyfunction]
    #[pyo3(signature = (data, crc = 0))]
    fn crc64nvme(py: Python<'_>, data: PyBuffer<u8>, crc: u64) -> PyResult<u64> {
        let bytes = super::bytes_of(&data)?;
        Ok(py.detach(|| checksum::combine(crc, checksum::crc64nvme(bytes), bytes.len() as u64)))
    }

    #[pyfunction]
    fn crc64nvme_combine(left: u64, right: u64, right_bytes: u64) -> u64 {
        checksum::combine(left, right, right_bytes)
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
