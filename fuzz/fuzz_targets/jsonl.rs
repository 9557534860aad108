#![no_main]

use checker::formats::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| checker_fuzz::parse(Format::Jsonl, bytes));
