//! History files compressed by zstd.
//!
//! They are written in frames of about a megabyte, so that a cut file keeps everything up to its last whole
//! frame, and `zstdcat` reads them like any other.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Write};

/// What every zstd frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bytes of text that go into one frame.
const FRAME_BYTES: usize = 1 << 20;

/// Bytes of text that are made ready at a time when reading.
const TEXT_BYTES: usize = 256 << 10;

/// The level at which histories are as small as they get without costing time.
const LEVEL: i32 = 1;

/// A file from its beginning, though that was looked at already.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// The text of a file, whether it is compressed or not: its first bytes say.
pub enum Text<R: BufRead> {
    Plain(Whole<R>),
    Zstd(Box<BufReader<zstd::Decoder<'static, Whole<R>>>>),
}

impl<R: BufRead> Text<R> {
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut head = Vec::with_capacity(MAGIC.len());
        input
            .by_ref()
            .take(MAGIC.len() as u64)
            .read_to_end(&mut head)?;
        let compressed = head == MAGIC;
        let whole = Cursor::new(head).chain(input);
        Ok(match compressed {
            true => Self::Zstd(Box::new(BufReader::with_capacity(
                TEXT_BYTES,
                zstd::Decoder::with_buffer(whole)?,
            ))),
            false => Self::Plain(whole),
        })
    }

    pub fn is_compressed(&self) -> bool {
        matches!(self, Self::Zstd(_))
    }
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer),
            Self::Zstd(input) => input.read(buffer),
        }
    }
}

impl<R: BufRead> BufRead for Text<R> {
    #[inline]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(input) => input.fill_buf(),
            Self::Zstd(input) => input.fill_buf(),
        }
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        match self {
            Self::Plain(input) => input.consume(amount),
            Self::Zstd(input) => input.consume(amount),
        }
    }
}

/// Compresses what is written to it, frame by frame. [`flush`](Write::flush) ends a frame.
#[derive(Debug)]
pub struct Frames<W: Write> {
    out: W,
    text: Vec<u8>,
}

impl<W: Write> Frames<W> {
    pub fn new(out: W) -> Self {
        Self {
            out,
            text: Vec::with_capacity(FRAME_BYTES + (64 << 10)),
        }
    }

    /// Ends the last frame and gives the file back.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.out)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if !self.text.is_empty() {
            let frame = zstd::bulk::compress(&self.text, LEVEL)?;
            self.out.write_all(&frame)?;
            self.text.clear();
        }
        Ok(())
    }
}

impl<W: Write> Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() >= FRAME_BYTES {
            self.end_frame()?;
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end_frame()?;
        self.out.flush()
    }
}
