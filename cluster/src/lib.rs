//! strata: a replicated key-value store whose point is recovery, by checkpoint, delta log and Raft.
//!
//! Decisions are pure code ([`raft`], [`replica`]); disk, network and clock are doors with a simulated
//! twin each. Read [`types`] first, then [`raft`] for consensus, [`log`] and [`checkpoint`] for what is
//! kept, [`machine`] for what is computed, [`server`] for the program around it, [`sim`] for its trial.

pub mod api;
pub mod bench;
pub mod bugs;
pub mod checkpoint;
pub mod disk;
pub mod log;
pub mod machine;
pub mod offline;
pub mod pages;
pub mod raft;
pub mod replica;
pub mod server;
pub mod sim;
pub mod store;
pub mod transfer;
pub mod types;
