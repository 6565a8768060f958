//! A table as a stream of Arrow record batches, by the C interfaces that every Arrow library reads:
//! <https://arrow.apache.org/docs/format/CStreamInterface.html>.
//!
//! Of Arrow's many types tables need three, so the structures are made here:
//!
//! ```text
//! batch      struct, no buffers but that for nulls, which is absent
//!   numbers  uint64: no nulls, values
//!   shares   float64: nulls where there are some, values
//!   texts    utf8: no nulls, where each text ends, all texts
//! ```
//!
//! Whoever takes a structure calls its `release`, once; or moves its bytes elsewhere and sets
//! `release` of the old place to null. A child may be moved away from its parent in the same way.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

/// What `get_next` answers after an error: an input or output error.
const EIO: c_int = 5;

/// `ARROW_FLAG_NULLABLE`
const NULLABLE: i64 = 2;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Share,
    Text,
}

impl Kind {
    fn format(self) -> &'static CStr {
        match self {
            Self::Number => c"L", // uint64
            Self::Share => c"g",  // float64
            Self::Text => c"u",   // utf8, of 32-bit offsets
        }
    }
}

/// The values of a column in some rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    Numbers(Vec<u64>),
    Shares(Vec<Option<f64>>),
    /// Where each text ends, after a 0, and all texts.
    Texts(Vec<i32>, String),
}

impl Column {
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Numbers(Vec::new()),
            Kind::Share => Self::Shares(Vec::new()),
            Kind::Text => Self::Texts(vec![0], String::new()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Numbers(_) => Kind::Number,
            Self::Shares(_) => Kind::Share,
            Self::Texts(..) => Kind::Text,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Shares(values) => values.len(),
            Self::Texts(ends, _) => ends.len() - 1,
        }
    }

    fn array(self) -> Array {
        let length = self.len();
        match self {
            Self::Numbers(values) => {
                let buffers = vec![null(), values.as_ptr().cast()];
                array(length, 0, buffers, Kept::Numbers(values))
            }
            Self::Shares(values) => {
                let nulls = values.iter().filter(|value| value.is_none()).count();
                let bits = validity(&values);
                let values: Vec<_> = values.into_iter().map(Option::unwrap_or_default).collect();
                let buffers = vec![bits.as_ptr().cast(), values.as_ptr().cast()];
                array(length, nulls, buffers, Kept::Shares(bits, values))
            }
            Self::Texts(ends, texts) => {
                let buffers = vec![null(), ends.as_ptr().cast(), texts.as_ptr().cast()];
                array(length, 0, buffers, Kept::Texts(ends, texts))
            }
        }
    }
}

/// Which values are there, the first one's bit lowest.
fn validity(values: &[Option<f64>]) -> Vec<u8> {
    let bytes = values.chunks(8).map(|values| {
        let bits = values.iter().enumerate();
        bits.fold(0, |byte, (place, value)| {
            byte | u8::from(value.is_some()) << place
        })
    });
    bytes.collect()
}

/// Where a stream gets its batches from.
pub trait Batches: Send {
    /// The next rows, all columns of one length; None at the end; or what went wrong.
    fn next(&mut self) -> Result<Option<Vec<Column>>, String>;
}

/// A column's name, and what it holds.
pub type Field = (CString, Kind);

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
    fields: Vec<Field>,
    metadata: Vec<u8>,
    /// What went wrong; nothing comes after it.
    error: Option<CString>,
    has_ended: bool,
}

/// What a schema points to.
struct SchemaParts {
    metadata: Vec<u8>,
    children: Vec<*mut Schema>,
}

/// What an array points to.
struct ArrayParts {
    buffers: Vec<*const c_void>,
    children: Vec<*mut Array>,
    _kept: Kept,
}

/// What the buffers of an array are. They don't move when it does.
#[expect(dead_code, reason = "pointers lead to them")]
enum Kept {
    Nothing,
    Numbers(Vec<u64>),
    Shares(Vec<u8>, Vec<f64>),
    Texts(Vec<i32>, String),
}

impl Stream {
    /// A stream of batches of some fields, whose schema has some metadata.
    pub fn new(batches: Box<dyn Batches>, fields: Vec<Field>, metadata: &[(&str, &str)]) -> Self {
        let source = Box::new(Source {
            batches,
            fields,
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
    let children = source.fields.iter().map(|(name, kind)| {
        Box::into_raw(Box::new(Schema {
            format: kind.format().as_ptr(),
            name: name.clone().into_raw(),
            metadata: null(),
            flags: if *kind == Kind::Share { NULLABLE } else { 0 },
            n_children: 0,
            children: null_mut(),
            dictionary: null_mut(),
            release: Some(release_field),
            private_data: null_mut(),
        }))
    });
    let mut parts = Box::new(SchemaParts {
        metadata: source.metadata.clone(),
        children: children.collect(),
    });
    let schema = Schema {
        format: c"+s".as_ptr(), // struct
        name: c"".as_ptr(),
        metadata: parts.metadata.as_ptr().cast(),
        flags: 0,
        n_children: parts.children.len() as i64,
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
        Ok(Some(columns)) if are_of(&columns, &source.fields) => batch(columns),
        Ok(None) => {
            source.has_ended = true;
            end()
        }
        Ok(Some(_)) => {
            source.error =
                Some(c"the columns are not those of the schema, or differ in length".into());
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

fn are_of(columns: &[Column], fields: &[Field]) -> bool {
    let length = columns.first().map_or(0, Column::len);
    columns.len() == fields.len()
        && columns
            .iter()
            .zip(fields)
            .all(|(column, (_, kind))| (column.kind(), column.len()) == (*kind, length))
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
/// `schema` is a field of `get_schema`, and was not released.
unsafe extern "C" fn release_field(schema: *mut Schema) {
    // SAFETY: the name is of `CString::into_raw`, and is freed once: nobody calls this again, as
    // `release` is null then. Otherwise it points to nothing but what is static.
    unsafe {
        drop(CString::from_raw((*schema).name.cast_mut()));
        (*schema).release = None;
    }
}

fn array(length: usize, nulls: usize, buffers: Vec<*const c_void>, kept: Kept) -> Array {
    array_of(
        length,
        nulls,
        ArrayParts {
            buffers,
            children: Vec::new(),
            _kept: kept,
        },
    )
}

fn batch(columns: Vec<Column>) -> Array {
    let length = columns.first().map_or(0, Column::len);
    let children = columns
        .into_iter()
        .map(|column| Box::into_raw(Box::new(column.array())));
    let parts = ArrayParts {
        buffers: vec![null()],
        children: children.collect(),
        _kept: Kept::Nothing,
    };
    array_of(length, 0, parts)
}

fn array_of(length: usize, nulls: usize, parts: ArrayParts) -> Array {
    let mut parts = Box::new(parts);
    Array {
        length: length as i64,
        null_count: nulls as i64,
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
        std::vec::IntoIter<Vec<Column>>,
        Option<&'static str>,
        #[expect(dead_code)] Arc<()>,
    );

    impl Batches for Made {
        fn next(&mut self) -> Result<Option<Vec<Column>>, String> {
            let error = self.1.map(str::to_owned);
            self.0
                .next()
                .map_or(error.map_or(Ok(None), Err), |next| Ok(Some(next)))
        }
    }

    fn fields() -> Vec<Field> {
        vec![
            (c"kmer".into(), Kind::Number),
            (c"count".into(), Kind::Number),
        ]
    }

    fn stream(batches: Vec<[Vec<u64>; 2]>, error: Option<&'static str>) -> (Stream, Arc<()>) {
        let batches = batches
            .into_iter()
            .map(|batch| batch.map(Column::Numbers).into());
        stream_of(fields(), batches.collect(), error)
    }

    fn stream_of(
        fields: Vec<Field>,
        batches: Vec<Vec<Column>>,
        error: Option<&'static str>,
    ) -> (Stream, Arc<()>) {
        let token = Arc::new(());
        let made = Made(batches.into_iter(), error, Arc::clone(&token));
        (
            Stream::new(Box::new(made), fields, &[("k", "21"), ("", "x")]),
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
            for (place, (name, _)) in fields().iter().enumerate() {
                let child = &**schema.children.add(place);
                assert_eq!(CStr::from_ptr(child.name), name.as_c_str());
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
            "the columns are not those of the schema, or differ in length"
        );
    }

    #[test]
    fn texts_and_shares_have_buffers_of_their_own() {
        let fields = vec![(c"name".into(), Kind::Text), (c"gc".into(), Kind::Share)];
        let shares: Vec<_> = (0..11)
            .map(|place| (place % 3 > 0).then_some(f64::from(place)))
            .collect();
        let mut names = Column::new(Kind::Text);
        if let Column::Texts(ends, texts) = &mut names {
            for place in 0..11 {
                texts.push_str(&"é".repeat(place));
                ends.push(texts.len() as i32);
            }
        }
        let batch = vec![names, Column::Shares(shares.clone())];
        let (mut stream, _) = stream_of(fields, vec![batch], None);
        let array = next(&mut stream).unwrap();
        drop(stream);
        // SAFETY: the columns have the buffers that Arrow says, of 11 rows.
        unsafe {
            let name = &**array.children;
            assert_eq!((name.n_buffers, name.null_count, name.length), (3, 0, 11));
            let ends = std::slice::from_raw_parts((*name.buffers.add(1)).cast::<i32>(), 12);
            let texts = (*name.buffers.add(2)).cast::<u8>();
            for (place, range) in ends.windows(2).enumerate() {
                let length = (range[1] - range[0]) as usize;
                let text = std::slice::from_raw_parts(texts.add(range[0] as usize), length);
                assert_eq!(text, "é".repeat(place).as_bytes());
            }
            let share = &**array.children.add(1);
            assert_eq!((share.n_buffers, share.null_count), (2, 4));
            let bits = std::slice::from_raw_parts((*share.buffers).cast::<u8>(), 2);
            let values = std::slice::from_raw_parts((*share.buffers.add(1)).cast::<f64>(), 11);
            for (place, expected) in shares.iter().enumerate() {
                let found = (bits[place / 8] >> (place % 8) & 1 == 1).then_some(values[place]);
                assert_eq!(found, *expected);
            }
        }
        release(array);
    }
}
