//! Explanations: what they say is so, is small, and is shown again by other means.

mod claims;
mod cores;
mod script;
mod transactions;
