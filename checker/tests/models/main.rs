//! Every model: the checkers against the definition, on small histories that are often wrong, and on
//! larger ones with planted violations.

mod objects;
mod spoil;
mod weak;
