//! Reads EDN datum by datum, from left to right, with a stack of its own.

use super::datum::Datum;
use std::io::{self, BufRead};

/// Deeper nesting is an error: no history needs it.
const DEPTH_MAX: usize = 64;

/// A longer datum is an error: it would fill the memory.
const DATUM_BYTES_MAX: u64 = 64 << 20;

/// A line and column of the text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: u64,
    pub column: usize,
}

/// Why there is no next datum.
#[derive(Debug)]
pub enum Stop {
    /// The text ends in the middle of something.
    Cut,
    Wrong(Place, String),
    Io(io::Error),
}

/// A datum of the outermost level.
#[derive(Debug)]
pub struct Item {
    pub place: Place,
    pub datum: Datum,
    /// Where the parts of an outermost map or vector begin: names and values alike.
    pub parts: Vec<Place>,
}

pub struct Scanner<R> {
    input: R,
    here: Place,
    /// The bracket that ends the list of events that we are in.
    around: Option<u8>,
    /// Bytes since the datum began.
    length: u64,
    word: Vec<u8>,
}

/// Something that is open.
struct Frame {
    kind: Kind,
    items: Vec<Datum>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Vector(u8),
    Map,
    Set,
    /// A tag, whose datum counts without it.
    Tag,
    /// `#_`, whose datum does not count.
    Discard,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Stop::Cut,
            _ => Stop::Io(error),
        }
    }
}

impl<R: BufRead> Scanner<R> {
    pub fn new(input: R, here: Place) -> Self {
        Self {
            input,
            here,
            around: None,
            length: 0,
            word: Vec::new(),
        }
    }

    /// The next datum. Vectors and lists of the outermost level are lists of data, not data themselves.
    pub fn next(&mut self) -> Result<Option<Item>, Stop> {
        let mut open: Vec<Frame> = Vec::new();
        let mut place = self.here;
        let mut parts = Vec::new();
        self.length = 0;
        loop {
            let Some(byte) = self.significant()? else {
                return match open.is_empty() && self.around.is_none() {
                    true => Ok(None),
                    false => Err(Stop::Cut),
                };
            };
            let here = self.here;
            match open.as_slice() {
                [] => {
                    place = here;
                    self.length = 0;
                    match (byte, self.around) {
                        (b'[' | b'(', None) => {
                            self.around = Some(closing(byte));
                            self.skip();
                            continue;
                        }
                        (_, Some(end)) if byte == end => {
                            self.around = None;
                            self.skip();
                            continue;
                        }
                        _ => {}
                    }
                }
                [frame] if !matches!(frame.kind, Kind::Tag | Kind::Discard) => parts.push(here),
                [tag, _] if tag.kind == Kind::Tag => parts.push(here),
                _ => {}
            }
            if self.length > DATUM_BYTES_MAX {
                let most = DATUM_BYTES_MAX >> 20;
                return self.wrong(place, format!("a datum of more than {most} MiB"));
            }
            let mut datum = match byte {
                b'[' | b'(' => {
                    self.skip();
                    self.enter(&mut open, Kind::Vector(closing(byte)))?;
                    continue;
                }
                b'{' => {
                    self.skip();
                    self.enter(&mut open, Kind::Map)?;
                    continue;
                }
                b']' | b')' | b'}' => {
                    self.skip();
                    self.close(&mut open, byte, here)?
                }
                b'"' => {
                    self.skip();
                    Datum::Text(self.text()?)
                }
                b'#' => {
                    self.skip();
                    match self.peek()? {
                        None => return Err(Stop::Cut),
                        Some(b'{') => {
                            self.skip();
                            self.enter(&mut open, Kind::Set)?;
                            continue;
                        }
                        Some(b'_') => {
                            self.skip();
                            self.enter(&mut open, Kind::Discard)?;
                            continue;
                        }
                        // `##Inf`
                        Some(b'#') => {
                            self.skip();
                            Datum::Symbol(self.word()?)
                        }
                        Some(_) => {
                            if self.word()?.is_empty() {
                                return self.wrong(here, "a # without a tag");
                            }
                            self.enter(&mut open, Kind::Tag)?;
                            continue;
                        }
                    }
                }
                _ => {
                    let word = self.word()?;
                    if word.is_empty() {
                        return self.wrong(here, format!("unexpected {:?}", char::from(byte)));
                    }
                    atom(word)
                }
            };
            // Hand the datum to what it belongs to.
            loop {
                match open.last_mut() {
                    None => {
                        return Ok(Some(Item {
                            place,
                            datum,
                            parts,
                        }));
                    }
                    Some(frame) => match frame.kind {
                        Kind::Tag => {
                            open.pop();
                            continue;
                        }
                        Kind::Discard => {
                            open.pop();
                            if open.is_empty() {
                                parts.clear();
                            }
                        }
                        _ => frame.items.push(std::mem::replace(&mut datum, Datum::Nil)),
                    },
                }
                break;
            }
        }
    }

    fn enter(&self, open: &mut Vec<Frame>, kind: Kind) -> Result<(), Stop> {
        if open.len() == DEPTH_MAX {
            return self.wrong(self.here, format!("nested deeper than {DEPTH_MAX}"));
        }
        open.push(Frame {
            kind,
            items: Vec::new(),
        });
        Ok(())
    }

    fn close(&self, open: &mut Vec<Frame>, byte: u8, here: Place) -> Result<Datum, Stop> {
        let found = char::from(byte);
        let Some(frame) = open.pop() else {
            return self.wrong(here, format!("a {found} that nothing opened"));
        };
        let expected = match frame.kind {
            Kind::Vector(end) => end,
            Kind::Map | Kind::Set => b'}',
            Kind::Tag | Kind::Discard => {
                return self.wrong(here, format!("a {found} where a tag's datum should be"));
            }
        };
        if byte != expected {
            let expected = char::from(expected);
            return self.wrong(here, format!("a {found}; expected {expected}"));
        }
        Ok(match frame.kind {
            Kind::Set => Datum::Set(frame.items),
            Kind::Map => {
                if frame.items.len() % 2 == 1 {
                    return self.wrong(here, "a map whose last name has no value");
                }
                let mut items = frame.items.into_iter();
                let mut pairs = Vec::with_capacity(items.len() / 2);
                while let (Some(name), Some(value)) = (items.next(), items.next()) {
                    pairs.push((name, value));
                }
                Datum::Map(pairs)
            }
            _ => Datum::Vector(frame.items),
        })
    }

    fn wrong<T>(&self, place: Place, problem: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Wrong(place, problem.into()))
    }

    #[inline]
    fn peek(&mut self) -> Result<Option<u8>, Stop> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Passes over the byte that was peeked.
    #[inline]
    fn skip(&mut self) {
        self.input.consume(1);
        self.here.column += 1;
        self.length += 1;
    }

    /// The next byte that is neither space nor comment.
    fn significant(&mut self) -> Result<Option<u8>, Stop> {
        while let Some(byte) = self.peek()? {
            match byte {
                b'\n' => {
                    self.skip();
                    self.new_line();
                }
                b',' => self.skip(),
                b';' => {
                    while self.peek()?.is_some_and(|byte| byte != b'\n') {
                        self.skip();
                    }
                }
                _ if byte.is_ascii_whitespace() => self.skip(),
                _ => return Ok(Some(byte)),
            }
        }
        Ok(None)
    }

    fn new_line(&mut self) {
        self.here.line += 1;
        self.here.column = 1;
    }

    /// What follows an opening quote.
    fn text(&mut self) -> Result<String, Stop> {
        let start = self.here;
        self.word.clear();
        loop {
            let byte = self.peek()?.ok_or(Stop::Cut)?;
            self.skip();
            match byte {
                b'"' => break,
                b'\n' => {
                    self.new_line();
                    self.word.push(byte);
                }
                b'\\' => {
                    let escaped = self.peek()?.ok_or(Stop::Cut)?;
                    self.skip();
                    match escaped {
                        b'n' => self.word.push(b'\n'),
                        b't' => self.word.push(b'\t'),
                        b'r' => self.word.push(b'\r'),
                        b'b' => self.word.push(8),
                        b'f' => self.word.push(12),
                        b'\\' | b'"' => self.word.push(escaped),
                        b'u' => self.unicode(start)?,
                        _ => return self.wrong(start, "a text with an unknown escape"),
                    }
                }
                _ => self.word.push(byte),
            }
            self.bounded(start)?;
        }
        self.utf8(start)
    }

    /// The four digits of `\u0041`.
    fn unicode(&mut self, start: Place) -> Result<(), Stop> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.peek()?.ok_or(Stop::Cut)?;
            let Some(digit) = char::from(byte).to_digit(16) else {
                return self.wrong(start, "a text with an unknown escape");
            };
            self.skip();
            code = code * 16 + digit;
        }
        // Half of a pair stands alone only in texts that were broken before.
        let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.word
            .extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// A keyword, symbol, number or character, up to what ends it.
    fn word(&mut self) -> Result<String, Stop> {
        let start = self.here;
        self.word.clear();
        while let Some(byte) = self.peek()? {
            let character = self.word == b"\\";
            let ends = byte.is_ascii_whitespace()
                || matches!(
                    byte,
                    b',' | b';' | b'"' | b'[' | b']' | b'(' | b')' | b'{' | b'}'
                );
            if ends && !character {
                break;
            }
            self.skip();
            if byte == b'\n' {
                self.new_line();
            }
            self.word.push(byte);
            self.bounded(start)?;
        }
        self.utf8(start)
    }

    fn bounded(&self, start: Place) -> Result<(), Stop> {
        match self.length > DATUM_BYTES_MAX {
            true => self.wrong(
                start,
                format!("a datum of more than {} MiB", DATUM_BYTES_MAX >> 20),
            ),
            false => Ok(()),
        }
    }

    fn utf8(&mut self, start: Place) -> Result<String, Stop> {
        match std::str::from_utf8(&self.word) {
            Ok(word) => Ok(word.to_owned()),
            Err(_) => self.wrong(start, "a text that is not UTF-8"),
        }
    }
}

fn closing(open: u8) -> u8 {
    match open {
        b'[' => b']',
        _ => b')',
    }
}

fn atom(word: String) -> Datum {
    if let Some(keyword) = word.strip_prefix(':') {
        return Datum::Keyword(keyword.to_owned());
    }
    match word.as_str() {
        "nil" => return Datum::Nil,
        "true" => return Datum::Bool(true),
        "false" => return Datum::Bool(false),
        _ => {}
    }
    // `12N` is a whole number of any size.
    let digits = word.strip_suffix('N').unwrap_or(&word);
    match digits.parse() {
        Ok(number) => Datum::Int(number),
        Err(_) => Datum::Symbol(word),
    }
}
