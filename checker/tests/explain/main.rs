//! Explanations: what they say is so, is small, and is shown again by other means.

mod cores;
mod script;
mod transactions;
