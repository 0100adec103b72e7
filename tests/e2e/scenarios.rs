//! The scenarios of docs/scenarios.md that need a whole shop and are in no other module. One file per theme.

mod clocks;
mod commands;
mod restore;
mod restore_owner;
mod streams;
