//! What goes wrong: faults, whom they hit, when, and the journal that undoes them.
