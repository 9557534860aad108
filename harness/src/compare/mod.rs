//! `shakedown compare`: which runs are meant, what is known of them, and runs made in turns.
//!
//! [`subject`] reads runs into the sides of a comparison, [`interleaved`] makes the runs of an A/B comparison;
//! what follows from them is [`results::compare`].

pub mod interleaved;
pub mod subject;
pub(crate) mod words;
