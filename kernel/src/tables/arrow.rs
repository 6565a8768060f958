//! A table as a stream of Arrow record batches, by the C interfaces that every Arrow library reads:
//! <https://arrow.apache.org/docs/format/CStreamInterface.html>.
//!
//! Of Arrow's many types a table needs one, so the structures are made here:
//!
//! ```text
//! batch    struct, no buffers but that for nulls, which is absent
//!   kmer   uint64, not nullable: the codes
//!   count  uint64, not nullable
//! ```
//!
//! Whoever takes a structure calls its `release`, once; or moves its bytes elsewhere and sets
//! `release` of the old place to null. A child may be moved away from its parent in the same way.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

/// The columns, in order.
const COLUMNS: [&CStr; 2] = [c"kmer", c"count"];

/// What `get_next` answers after an error: an input or output error.
const EIO: c_int = 5;

/// The codes and counts of some rows.
pub type Columns = [Vec<u64>; 2];

/// Where a stream gets its batches from.
pub trait Batches: Send {
    /// The next rows, as many codes as counts; None at the end; or what went wrong.
    fn next(&mut self) -> Result<Option<Columns>, String>;
}

#[repr(C)]
pub struct Schema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut Schema,
    dictionary: *mut Schema,
    release: Option<unsafe extern "C" fn(*mut Schema)>,
    private_data: *mut c_void,
}

#[repr(C)]
pub struct Array {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut Array,
    dictionary: *mut Array,
    release: Option<unsafe extern "C" fn(*mut Array)>,
    private_data: *mut c_void,
}

#[repr(C)]
pub struct Stream {
    get_schema: Option<unsafe extern "C" fn(*mut Stream, *mut Schema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut Stream, *mut Array) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut Stream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut Stream)>,
    private_data: *mut c_void,
}

// SAFETY: the private data is a `Source`, which is Send; its pointers are to itself.
unsafe impl Send for Stream {}

/// What a stream keeps.
struct Source {
    batches: Box<dyn Batches>,
    metadata: Vec<u8>,
    /// What went wrong; nothing comes after it.
    error: Option<CString>,
    has_ended: bool,
}

/// What a schema points to.
struct SchemaParts {
    metadata: Vec<u8>,
    children: [*mut Schema; 2],
}

/// What an array points to.
struct ArrayParts {
    buffers: Vec<*const c_void>,
    children: Vec<*mut Array>,
    /// The second buffer of a column.
    _values: Vec<u64>,
}

impl Stream {
    /// A stream of batches, whose schema has some metadata.
    pub fn new(batches: Box<dyn Batches>, metadata: &[(&str, &str)]) -> Self {
        let source = Box::new(Source {
            batches,
            metadata: encoded(metadata),
            error: None,
            has_ended: false,
        });
        Self {
            get_schema: Some(get_schema),
            get_next: Some(get_next),
            get_last_error: Some(get_last_error),
            release: Some(release_stream),
            private_data: Box::into_raw(source).cast(),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it was not released, and nobody else has it.
            unsafe { release(self) };
        }
    }
}

/// Pairs as Arrow has them: their number, then each one's length and bytes, in native integers.
fn encoded(metadata: &[(&str, &str)]) -> Vec<u8> {
    let texts = metadata.iter().flat_map(|(key, value)| [key, value]);
    let number = |number: usize| (number as i32).to_ne_bytes();
    let mut bytes = number(metadata.len()).to_vec();
    for text in texts {
        bytes.extend(number(text.len()));
        bytes.extend(text.bytes());
    }
    bytes
}

/// # Safety
/// `stream` is one of `Stream::new` that was not released, and `out` is room for a schema.
unsafe extern "C" fn get_schema(stream: *mut Stream, out: *mut Schema) -> c_int {
    // SAFETY: the private data of such a stream is its source; one thread at a time uses a stream.
    let source = unsafe { &*(*stream).private_data.cast::<Source>() };
    let column = |name: &CStr| Schema {
        format: c"L".as_ptr(), // uint64
        name: name.as_ptr(),
        metadata: null(),
        flags: 0, // not nullable
        n_children: 0,
        children: null_mut(),
        dictionary: null_mut(),
        release: Some(release_column),
        private_data: null_mut(),
    };
    let mut parts = Box::new(SchemaParts {
        metadata: source.metadata.clone(),
        children: COLUMNS.map(|name| Box::into_raw(Box::new(column(name)))),
    });
    let schema = Schema {
        format: c"+s".as_ptr(), // struct
        name: c"".as_ptr(),
        metadata: parts.metadata.as_ptr().cast(),
        flags: 0,
        n_children: 2,
        children: parts.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_schema),
        private_data: Box::into_raw(parts).cast(),
    };
    // SAFETY: there is room for a schema, whose old bytes mean nothing.
    unsafe { out.write(schema) };
    0
}

/// # Safety
/// `stream` is one of `Stream::new` that was not released, and `out` is room for an array.
unsafe extern "C" fn get_next(stream: *mut Stream, out: *mut Array) -> c_int {
    // SAFETY: as in `get_schema`; nobody else has a reference to the source meanwhile.
    let source = unsafe { &mut *(*stream).private_data.cast::<Source>() };
    if source.error.is_some() {
        return EIO;
    }
    let next = if source.has_ended {
        Ok(None)
    } else {
        source.batches.next()
    };
    let array = match next {
        Ok(Some([codes, counts])) if codes.len() == counts.len() => batch(codes, counts),
        Ok(None) => {
            source.has_ended = true;
            end()
        }
        Ok(Some(_)) => {
            source.error = Some(c"not as many counts as codes".into());
            return EIO;
        }
        Err(message) => {
            let message = message.replace('\0', " ");
            source.error = Some(CString::new(message).unwrap_or_default());
            return EIO;
        }
    };
    // SAFETY: there is room for an array, whose old bytes mean nothing.
    unsafe { out.write(array) };
    0
}

/// # Safety
/// `stream` is one of `Stream::new` that was not released.
unsafe extern "C" fn get_last_error(stream: *mut Stream) -> *const c_char {
    // SAFETY: as in `get_schema`.
    let source = unsafe { &*(*stream).private_data.cast::<Source>() };
    source.error.as_ref().map_or(null(), |error| error.as_ptr())
}

/// # Safety
/// `stream` is one of `Stream::new` that was not released.
unsafe extern "C" fn release_stream(stream: *mut Stream) {
    // SAFETY: the private data is the box that `Stream::new` made, and is freed once: nobody calls
    // this again, as `release` is null then.
    unsafe {
        drop(Box::from_raw((*stream).private_data.cast::<Source>()));
        (*stream).release = None;
    }
}

/// # Safety
/// `schema` is of `get_schema`, and was not released.
unsafe extern "C" fn release_schema(schema: *mut Schema) {
    // SAFETY: the private data is the box that `get_schema` made. The children are boxes of it, and
    // are its own still, though their contents may have been moved away.
    unsafe {
        let parts = Box::from_raw((*schema).private_data.cast::<SchemaParts>());
        for child in parts.children {
            let mut child = Box::from_raw(child);
            if let Some(release) = child.release {
                release(&mut *child);
            }
        }
        (*schema).release = None;
    }
}

/// # Safety
/// `schema` is a column of `get_schema`, and was not released.
unsafe extern "C" fn release_column(schema: *mut Schema) {
    // SAFETY: it can be written to. It points to nothing but what is static.
    unsafe { (*schema).release = None };
}

fn array(length: usize, parts: ArrayParts) -> Array {
    let mut parts = Box::new(parts);
    Array {
        length: length as i64,
        null_count: 0,
        offset: 0,
        n_buffers: parts.buffers.len() as i64,
        n_children: parts.children.len() as i64,
        buffers: parts.buffers.as_mut_ptr(),
        children: parts.children.as_mut_ptr(),
        dictionary: null_mut(),
        release: Some(release_array),
        private_data: Box::into_raw(parts).cast(),
    }
}

fn batch(codes: Vec<u64>, counts: Vec<u64>) -> Array {
    let length = codes.len();
    let column = |values: Vec<u64>| {
        let parts = ArrayParts {
            buffers: vec![null(), values.as_ptr().cast()], // moving a vector doesn't move its values
            children: Vec::new(),
            _values: values,
        };
        Box::into_raw(Box::new(array(length, parts)))
    };
    let parts = ArrayParts {
        buffers: vec![null()],
        children: vec![column(codes), column(counts)],
        _values: Vec::new(),
    };
    array(length, parts)
}

/// What comes after the last batch: an array that is released already.
fn end() -> Array {
    Array {
        length: 0,
        null_count: 0,
        offset: 0,
        n_buffers: 0,
        n_children: 0,
        buffers: null_mut(),
        children: null_mut(),
        dictionary: null_mut(),
        release: None,
        private_data: null_mut(),
    }
}

/// # Safety
/// `array` is of `get_next`, or a column of it, and was not released.
unsafe extern "C" fn release_array(array: *mut Array) {
    // SAFETY: as in `release_schema`.
    unsafe {
        let parts = Box::from_raw((*array).private_data.cast::<ArrayParts>());
        for child in parts.children {
            let mut child = Box::from_raw(child);
            if let Some(release) = child.release {
                release(&mut *child);
            }
        }
        (*array).release = None;
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;
    use std::sync::Arc;

    use super::*;

    /// Some batches, then an error if there is one. The token tells when they are dropped.
    struct Made(
        std::vec::IntoIter<Columns>,
        Option<&'static str>,
        #[expect(dead_code)] Arc<()>,
    );

    impl Batches for Made {
        fn next(&mut self) -> Result<Option<Columns>, String> {
            let error = self.1.map(str::to_owned);
            self.0
                .next()
                .map_or(error.map_or(Ok(None), Err), |next| Ok(Some(next)))
        }
    }

    fn stream(batches: Vec<Columns>, error: Option<&'static str>) -> (Stream, Arc<()>) {
        let token = Arc::new(());
        let made = Made(batches.into_iter(), error, Arc::clone(&token));
        (
            Stream::new(Box::new(made), &[("k", "21"), ("", "x")]),
            token,
        )
    }

    /// The next array, or the error's text.
    fn next(stream: &mut Stream) -> Result<Array, String> {
        let mut array = MaybeUninit::uninit();
        // SAFETY: the stream is not released, and there is room for an array.
        unsafe {
            match stream.get_next.unwrap()(stream, array.as_mut_ptr()) {
                0 => Ok(array.assume_init()),
                _ => {
                    let message = stream.get_last_error.unwrap()(stream);
                    Err(CStr::from_ptr(message).to_str().unwrap().to_owned())
                }
            }
        }
    }

    /// The values of a column of an array that is not released.
    fn column(array: &Array, place: usize) -> Vec<u64> {
        // SAFETY: a batch has two columns, each with a buffer of as many values as it has rows.
        unsafe {
            let column = &**array.children.add(place);
            assert_eq!((column.n_buffers, column.length), (2, array.length));
            let values = (*column.buffers.add(1)).cast::<u64>();
            std::slice::from_raw_parts(values, array.length as usize).to_vec()
        }
    }

    fn release(mut array: Array) {
        // SAFETY: it is not released yet.
        unsafe { array.release.unwrap()(&mut array) };
        assert!(array.release.is_none());
    }

    #[test]
    fn batches_come_in_order_and_outlive_their_stream() {
        let batches = vec![
            [vec![1, 2], vec![3, u64::MAX]],
            [vec![], vec![]],
            [vec![9], vec![1]],
        ];
        let (mut stream, token) = stream(batches.clone(), None);
        let arrays: Vec<_> = (0..3).map(|_| next(&mut stream).unwrap()).collect();
        for _ in 0..2 {
            assert!(next(&mut stream).unwrap().release.is_none());
        }
        drop(stream);
        assert_eq!(Arc::strong_count(&token), 1);
        for (array, batch) in arrays.into_iter().zip(batches) {
            assert_eq!([column(&array, 0), column(&array, 1)], batch);
            release(array);
        }
    }

    #[test]
    fn a_column_that_was_moved_away_outlives_its_batch() {
        let (mut stream, _) = stream(vec![[vec![1, 2], vec![3, 4]]], None);
        let array = next(&mut stream).unwrap();
        // SAFETY: the column is moved as Arrow says: its bytes are copied, and its old place is
        // marked as released.
        let mut codes = unsafe {
            let child = *array.children;
            let codes = child.read();
            (*child).release = None;
            codes
        };
        release(array);
        // SAFETY: the column has a buffer of two values, and is released once.
        unsafe {
            let values = (*codes.buffers.add(1)).cast::<u64>();
            assert_eq!(std::slice::from_raw_parts(values, 2), [1, 2]);
            codes.release.unwrap()(&mut codes);
        }
    }

    #[test]
    fn the_schema_has_two_columns_and_the_metadata() {
        let (mut stream, _) = stream(vec![], None);
        let mut schema = MaybeUninit::uninit();
        // SAFETY: the stream is not released, there is room for a schema, and what it points to
        // lasts until it is released.
        unsafe {
            assert_eq!(
                stream.get_schema.unwrap()(&mut stream, schema.as_mut_ptr()),
                0
            );
            let mut schema: Schema = schema.assume_init();
            assert_eq!(CStr::from_ptr(schema.format), c"+s");
            for (place, name) in COLUMNS.iter().enumerate() {
                let child = &**schema.children.add(place);
                assert_eq!(CStr::from_ptr(child.name), *name);
                assert_eq!((CStr::from_ptr(child.format), child.flags), (c"L", 0));
            }
            let number = |number: i32| number.to_ne_bytes().to_vec();
            let expected = [
                number(2),
                [number(1), b"k".to_vec(), number(2), b"21".to_vec()].concat(),
                [number(0), number(1), b"x".to_vec()].concat(),
            ]
            .concat();
            let metadata = std::slice::from_raw_parts(schema.metadata.cast::<u8>(), expected.len());
            assert_eq!(metadata, expected);
            schema.release.unwrap()(&mut schema);
            assert!(schema.release.is_none());
        }
    }

    #[test]
    fn an_error_ends_a_stream() {
        let (mut failing, _) = stream(vec![[vec![1], vec![1]]], Some("part 2: \0damaged"));
        release(next(&mut failing).unwrap());
        for _ in 0..2 {
            assert_eq!(next(&mut failing).err().unwrap(), "part 2:  damaged");
        }
        let (mut uneven, _) = stream(vec![[vec![1], vec![]]], None);
        assert_eq!(
            next(&mut uneven).err().unwrap(),
            "not as many counts as codes"
        );
    }
}
