//! What must not stand in a server's log: panics, failed assertions, broken memory.
//!
//! A server may die of such a line and be back before any client notices, or go on with a thread less. So
//! the lines are searched for, whatever was broken at the time: no fault excuses a bug. Patterns are
//! plain texts, searched for as they are; [`LogPatterns::except`] names lines that are harmless.

use crate::verdict::Verdict;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// Of a longer line only so much is searched.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Of a line so much is shown, and of each pattern so many lines.
const SHOWN_CHARS: usize = 300;
const SHOWN_LINES: usize = 10;

/// Pattern and what it tells.
const STANDARD: &[(&str, &str)] = &[
    ("panic", "panicked at"),
    ("panic", "panic: "),
    ("panic", "goroutine 1 [running]"),
    ("assertion", "assertion failed"),
    ("assertion", "assertion `"),
    ("assertion", "Assertion `"),
    ("assertion", "Assertion failed"),
    ("memory", "AddressSanitizer"),
    ("memory", "Segmentation fault"),
    ("memory", "segmentation violation"),
    ("memory", "double free or corruption"),
    ("memory", "has overflowed its stack"),
    ("memory", "stack smashing detected"),
    ("memory", "memory allocation of "),
    ("memory", "java.lang.OutOfMemoryError"),
    ("race", "WARNING: DATA RACE"),
    ("race", "ThreadSanitizer"),
    ("fatal", "fatal error: "),
    ("fatal", "Exception in thread \""),
    ("fatal", "unexpected signal during runtime execution"),
];

/// What to look for.
#[derive(Clone, Debug)]
pub struct LogPatterns {
    patterns: Vec<(String, String)>,
    harmless: Vec<String>,
}

/// Logs being searched.
#[derive(Debug)]
pub struct Search<'p> {
    patterns: &'p LogPatterns,
    found: BTreeMap<String, Vec<Found>>,
    counts: BTreeMap<String, u64>,
    first: Option<Found>,
    files: u64,
    lines: u64,
}

/// A line that matched.
#[derive(Clone, Debug)]
struct Found {
    /// What the pattern tells.
    what: String,
    node: String,
    file: String,
    line: u64,
    text: String,
}

impl LogPatterns {
    /// Panics, failed assertions, broken memory and races, as programs in Rust, Go, C, C++ and Java write
    /// them.
    pub fn standard() -> Self {
        let of = |(what, text): &(&str, &str)| ((*what).to_owned(), (*text).to_owned());
        Self {
            patterns: STANDARD.iter().map(of).collect(),
            harmless: Vec::new(),
        }
    }

    /// Looks for `text` as well; `what` is what it tells, in a word.
    pub fn with(mut self, what: &str, text: &str) -> Self {
        self.patterns.push((what.to_owned(), text.to_owned()));
        self
    }

    /// Lines with this text in them are harmless.
    pub fn except(mut self, text: &str) -> Self {
        self.harmless.push(text.to_owned());
        self
    }

    pub fn search(&self) -> Search<'_> {
        Search {
            patterns: self,
            found: BTreeMap::new(),
            counts: BTreeMap::new(),
            first: None,
            files: 0,
            lines: 0,
        }
    }

    fn find(&self, line: &str) -> Option<&str> {
        let (what, _) = self
            .patterns
            .iter()
            .find(|(_, text)| line.contains(text.as_str()))?;
        let harmless = self
            .harmless
            .iter()
            .any(|text| line.contains(text.as_str()));
        (!harmless).then_some(what.as_str())
    }
}

impl Search<'_> {
    /// Reads a log to its end. Lines need not be text, nor short.
    pub fn read(&mut self, node: &str, file: &str, mut log: impl BufRead) -> io::Result<()> {
        self.files += 1;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let mut part = (&mut log).take(LINE_BYTES_MAX as u64);
            if part.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() == LINE_BYTES_MAX && !line.ends_with(b"\n") {
                skip_line(&mut log)?;
            }
            self.lines += 1;
            let text = String::from_utf8_lossy(&line);
            if let Some(what) = self.patterns.find(&text) {
                let text = text.trim_end().chars().take(SHOWN_CHARS).collect();
                self.note(Found {
                    what: what.to_owned(),
                    node: node.to_owned(),
                    file: file.to_owned(),
                    line: number,
                    text,
                });
            }
        }
        Ok(())
    }

    fn note(&mut self, found: Found) {
        *self.counts.entry(found.what.clone()).or_default() += 1;
        self.first.get_or_insert_with(|| found.clone());
        let of_its_kind = self.found.entry(found.what.clone()).or_default();
        if of_its_kind.len() < SHOWN_LINES {
            of_its_kind.push(found);
        }
    }

    /// Unknown when there was no log.
    pub fn verdict(self) -> Verdict {
        let count: u64 = self.counts.values().sum();
        let verdict = match &self.first {
            Some(found) => Verdict::invalid(found.sentence(count)),
            None if self.files == 0 => Verdict::unknown("no server's log was kept"),
            None => Verdict::valid(),
        };
        let shown = |found: &Found| json!({"node": found.node, "file": found.file, "line": found.line, "text": found.text});
        let lines: BTreeMap<&str, Vec<_>> = self
            .found
            .iter()
            .map(|(what, found)| (what.as_str(), found.iter().map(shown).collect()))
            .collect();
        let verdict = verdict
            .with("files", self.files)
            .with("lines", self.lines)
            .with("matches", count);
        match lines.is_empty() {
            true => verdict,
            false => verdict.with("found", json!(lines)),
        }
    }
}

impl Found {
    fn sentence(&self, count: u64) -> String {
        let Self {
            what,
            node,
            file,
            line,
            text,
        } = self;
        let more = match count {
            1 => String::new(),
            n => format!(" ({n} such lines)"),
        };
        format!(
            "the log of {node} tells of a {what} ({file}, line {line}): {}{more}",
            text.trim()
        )
    }
}

/// Passes over the rest of a line without keeping it.
fn skip_line(log: &mut impl BufRead) -> io::Result<()> {
    loop {
        let available = log.fill_buf()?;
        let end = available.iter().position(|byte| *byte == b'\n');
        let (length, done) = match end {
            Some(at) => (at + 1, true),
            None => (available.len(), available.is_empty()),
        };
        log.consume(length);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validity;

    fn search(patterns: &LogPatterns, log: &[u8]) -> Verdict {
        let mut search = patterns.search();
        search.read("n1", "server.log", log).unwrap();
        search.verdict()
    }

    #[test]
    fn a_panic_is_told_with_its_place() {
        let log = b"starting\nthread 'main' panicked at src/log.rs:7:5:\nindex out of bounds\n";
        let verdict = search(&LogPatterns::standard(), log);
        assert_eq!(
            verdict.reason,
            "the log of n1 tells of a panic (server.log, line 2): thread 'main' panicked at src/log.rs:7:5:"
        );
        assert_eq!(verdict.details["found"]["panic"][0]["line"], json!(2));
    }

    #[test]
    fn what_other_languages_write_is_found_and_plain_lines_are_not() {
        let standard = LogPatterns::standard();
        for line in [
            "panic: runtime error: invalid memory address",
            "a.out: x.c:3: main: Assertion `n > 0' failed.",
            "assertion `left == right` failed: terms",
            "Exception in thread \"main\" java.lang.NullPointerException",
            "==7==ERROR: AddressSanitizer: heap-use-after-free",
            "WARNING: DATA RACE",
        ] {
            assert_eq!(
                search(&standard, line.as_bytes()).valid,
                Validity::Invalid,
                "{line}"
            );
        }
        let plain = b"no panic\nelected in term 3\nerror: connection refused\nassertive\n";
        assert_eq!(search(&standard, plain).valid, Validity::Valid);
    }

    #[test]
    fn harmless_lines_are_left_alone_and_own_patterns_are_found() {
        let patterns = LogPatterns::standard()
            .with("corruption", "checksum mismatch")
            .except("panic: (test)");
        assert_eq!(search(&patterns, b"panic: (test)\n").valid, Validity::Valid);
        let verdict = search(&patterns, b"checksum mismatch\nchecksum mismatch\n");
        assert!(
            verdict.reason.ends_with("(2 such lines)"),
            "{}",
            verdict.reason
        );
        assert!(
            verdict.reason.contains("a corruption"),
            "{}",
            verdict.reason
        );
    }

    #[test]
    fn long_lines_and_bytes_that_are_no_text_do_no_harm() {
        let mut log = vec![b'x'; 3 * LINE_BYTES_MAX];
        log.extend(b"\n\xff\xfe\x00\npanicked at the end");
        let verdict = search(&LogPatterns::standard(), &log);
        assert!(verdict.reason.contains("line 3"), "{}", verdict.reason);
        assert_eq!(verdict.details["lines"], json!(3));
    }

    #[test]
    fn without_logs_nothing_is_known() {
        let patterns = LogPatterns::standard();
        assert_eq!(patterns.search().verdict().valid, Validity::Unknown);
        assert_eq!(search(&patterns, b"").valid, Validity::Valid);
    }
}
