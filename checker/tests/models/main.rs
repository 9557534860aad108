//! Every model: the checkers against the definition, on small histories that are often wrong, and on
//! larger ones with planted violations.

#[path = "../definition/mod.rs"]
mod definition;
mod objects;
mod spoil;
mod weak;

use checker::history::Operation;
use checker::model::Model;
