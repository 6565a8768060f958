//! Inflates deflate streams with zlib-rs, and stops between their blocks.
//!
//! ```text
//! object  |..gzip header|block|block|block|trailer|gzip header|block|trailer|
//!                             ^ a block starts at any bit: with the 32 KiB of text before it,
//!                               all text from there on can be inflated
//! ```

use std::fmt;

use libz_rs_sys as zlib;

/// How far back a deflate stream may refer (RFC 1951, section 2).
pub const WINDOW_BYTES: usize = 32 * 1024;

/// CRC-32 and length, after a member's deflate stream (RFC 1952, section 2.3.1).
const TRAILER_BYTES: usize = 8;

const RAW: i32 = -15;
const GZIP: i32 = 15 + 16;

/// What zlib sets in `data_type`: the unused bits of the last byte, and where it stopped.
const UNUSED_BITS: i32 = 7;
const IN_LAST_BLOCK: i32 = 64;
const AT_BLOCK_END: i32 = 128;

#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The stream is damaged; what zlib says of it.
    Damaged(String),
    OutOfMemory,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(message) => formatter.write_str(message),
            Self::OutOfMemory => formatter.write_str("no memory to inflate with"),
        }
    }
}

/// One gzip member, from its header or from the start of one of its blocks.
///
/// Input is kept until it is used, so all of it may be given at once, and output taken in parts.
pub struct Inflater {
    /// In a box: its address stays the same, as zlib demands.
    stream: Box<zlib::z_stream>,
    input: Vec<u8>,
    taken: usize,
    text: Vec<u8>,
    /// Bits of the first byte that belong to the block before; None once they were skipped.
    skipped_bits: Option<u32>,
    /// Bytes of the trailer that follow a raw stream, which nothing can verify.
    trailer_left: usize,
    stream_ended: bool,
    failed: bool,
    pub taken_bytes: u64,
    pub needs_input: bool,
    /// Where the last call stopped between two blocks: the unused bits of the last byte taken.
    pub block_end_unused_bits: Option<u32>,
}

// SAFETY: zlib's state belongs to this value alone, is bound to no thread, and is reached through
// `&mut self` only; `&self` reads plain fields.
unsafe impl Send for Inflater {}
// SAFETY: the same.
unsafe impl Sync for Inflater {}

impl Inflater {
    /// A member from its header on; its checksum and length are verified.
    pub fn of_member() -> Result<Self, Failure> {
        Self::new(GZIP, 0, 0)
    }

    /// The rest of a member, from the start of a block on.
    ///
    /// The window is the text before it; the block starts at a bit of the first byte.
    pub fn inside(window: &[u8], skipped_bits: u32) -> Result<Self, Failure> {
        assert!(skipped_bits < 8, "a byte has eight bits");
        assert!(window.len() <= WINDOW_BYTES, "a window has 32 KiB at most");
        let mut inflater = Self::new(RAW, skipped_bits, TRAILER_BYTES)?;
        if !window.is_empty() {
            // SAFETY: the stream is initialized, and the window outlives the call, which copies it.
            let code = unsafe {
                zlib::inflateSetDictionary(
                    &raw mut *inflater.stream,
                    window.as_ptr(),
                    window.len() as u32,
                )
            };
            inflater.checked(code)?;
        }
        Ok(inflater)
    }

    fn new(window_bits: i32, skipped_bits: u32, trailer_left: usize) -> Result<Self, Failure> {
        let mut stream = Box::<zlib::z_stream>::default();
        // SAFETY: a default stream is what `inflateInit2_` asks for, and it is of this version.
        let code = unsafe {
            zlib::inflateInit2_(
                &raw mut *stream,
                window_bits,
                zlib::zlibVersion(),
                size_of::<zlib::z_stream>() as i32,
            )
        };
        if code != zlib::Z_OK {
            return Err(Failure::OutOfMemory);
        }
        Ok(Self {
            stream,
            input: Vec::new(),
            taken: 0,
            text: Vec::new(),
            skipped_bits: (skipped_bits > 0).then_some(skipped_bits),
            trailer_left,
            stream_ended: false,
            failed: false,
            taken_bytes: 0,
            needs_input: true,
            block_end_unused_bits: None,
        })
    }

    /// Whether the member's last byte was taken.
    pub fn ended(&self) -> bool {
        self.stream_ended && self.trailer_left == 0
    }

    /// Bytes that were given and not taken: once the member has ended, those beyond it.
    pub fn unused(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    /// The text before the block that starts where the last call stopped: 32 KiB, or all there is.
    pub fn window(&mut self) -> Result<Vec<u8>, Failure> {
        let mut window = vec![0; WINDOW_BYTES];
        let mut length = 0_u32;
        // SAFETY: the stream is initialized, and the window has room for the most there can be.
        let code = unsafe {
            zlib::inflateGetDictionary(&raw mut *self.stream, window.as_mut_ptr(), &raw mut length)
        };
        self.checked(code)?;
        window.truncate(length as usize);
        Ok(window)
    }

    /// The text that follows, at most `most_bytes` of it; it lies here until the next call.
    ///
    /// Stops when there is so much, when `input` is used up, at the member's end, and, if
    /// `stops_between_blocks`, where another block of the member begins.
    pub fn inflate(
        &mut self,
        input: &[u8],
        most_bytes: usize,
        stops_between_blocks: bool,
    ) -> Result<&[u8], Failure> {
        if self.failed {
            return Err(Failure::Damaged("it failed before".to_owned()));
        }
        self.failed = true;
        self.text.clear();
        self.text
            .try_reserve_exact(most_bytes)
            .map_err(|_| Failure::OutOfMemory)?;
        self.inflate_more(input, most_bytes, stops_between_blocks)?;
        let stopped_at = self.stream.data_type;
        let is_between = stopped_at & (AT_BLOCK_END | IN_LAST_BLOCK) == AT_BLOCK_END;
        self.block_end_unused_bits =
            (is_between && !self.stream_ended).then_some((stopped_at & UNUSED_BITS) as u32);
        self.failed = false;
        Ok(&self.text)
    }

    fn inflate_more(
        &mut self,
        input: &[u8],
        most_bytes: usize,
        stops_between_blocks: bool,
    ) -> Result<(), Failure> {
        self.keep(input)?;
        self.needs_input = false;
        self.skip_bits()?;
        let flush = if stops_between_blocks {
            zlib::Z_BLOCK
        } else {
            zlib::Z_NO_FLUSH
        };
        while !self.stream_ended {
            match self.step(most_bytes, flush) {
                zlib::Z_STREAM_END => self.stream_ended = true,
                zlib::Z_OK => {}
                zlib::Z_BUF_ERROR => {
                    self.needs_input = self.text.len() < most_bytes;
                    return Ok(());
                }
                code @ (zlib::Z_DATA_ERROR | zlib::Z_MEM_ERROR) => return self.checked(code),
                code => return Err(Failure::Damaged(format!("zlib stopped with code {code}"))),
            }
            if stops_between_blocks && self.stream.data_type & AT_BLOCK_END != 0 {
                return Ok(());
            }
            if self.text.len() == most_bytes && !self.stream_ended {
                return Ok(());
            }
        }
        let rest = self.trailer_left.min(self.unused().len());
        self.trailer_left -= rest;
        self.taken += rest;
        self.taken_bytes += rest as u64;
        self.needs_input = self.trailer_left > 0;
        Ok(())
    }

    /// Keep input behind what is left of the last.
    fn keep(&mut self, input: &[u8]) -> Result<(), Failure> {
        if input.is_empty() {
            return Ok(());
        }
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input
            .try_reserve(input.len())
            .map_err(|_| Failure::OutOfMemory)?;
        self.input.extend_from_slice(input);
        Ok(())
    }

    /// Skip the bits of the first byte that belong to the block before.
    fn skip_bits(&mut self) -> Result<(), Failure> {
        let (Some(skipped), Some(&first)) = (self.skipped_bits, self.input.get(self.taken)) else {
            return Ok(());
        };
        // SAFETY: the stream is initialized; 1 to 7 bits are given, and the value has no others.
        let code = unsafe {
            zlib::inflatePrime(
                &raw mut *self.stream,
                8 - skipped as i32,
                i32::from(first >> skipped),
            )
        };
        self.checked(code)?;
        self.skipped_bits = None;
        self.taken += 1;
        self.taken_bytes += 1;
        Ok(())
    }

    /// One call of zlib: its code. What it takes and makes is taken note of.
    fn step(&mut self, most_bytes: usize, flush: i32) -> i32 {
        let input = &self.input[self.taken..];
        let left = most_bytes - self.text.len();
        let room = self.text.spare_capacity_mut();
        let left = left.min(room.len());
        let input_bytes = u32::try_from(input.len()).unwrap_or(u32::MAX);
        let room_bytes = u32::try_from(left).unwrap_or(u32::MAX);
        self.stream.next_in = input.as_ptr();
        self.stream.avail_in = input_bytes;
        self.stream.next_out = room.as_mut_ptr().cast();
        self.stream.avail_out = room_bytes;
        // SAFETY: the stream is initialized; it reads within the input and writes within the room,
        // neither of which is touched until the call returns, and both pointers are set again
        // before the next one.
        let code = unsafe { zlib::inflate(&raw mut *self.stream, flush) };
        let taken = (input_bytes - self.stream.avail_in) as usize;
        let made = (room_bytes - self.stream.avail_out) as usize;
        self.taken += taken;
        self.taken_bytes += taken as u64;
        // SAFETY: zlib wrote so many bytes of the room, from its start on.
        unsafe { self.text.set_len(self.text.len() + made) };
        code
    }

    fn checked(&self, code: i32) -> Result<(), Failure> {
        match code {
            zlib::Z_OK => Ok(()),
            zlib::Z_MEM_ERROR => Err(Failure::OutOfMemory),
            _ if self.stream.msg.is_null() => Err(Failure::Damaged(format!("zlib: code {code}"))),
            _ => {
                // SAFETY: a message that is not null is a constant string of zlib's.
                let message = unsafe { std::ffi::CStr::from_ptr(self.stream.msg) };
                Err(Failure::Damaged(message.to_string_lossy().into_owned()))
            }
        }
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: the stream was initialized, and this is its end.
        unsafe { zlib::inflateEnd(&raw mut *self.stream) };
    }
}
