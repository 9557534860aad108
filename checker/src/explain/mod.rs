pub mod frontier;
pub mod sequential;
pub mod shrink;
mod traces;
pub mod verify;
pub mod words;
