//! A model of how a consumer gets every event of another domain exactly once, although the stream may lose, repeat or
//! reorder anything, nodes die or freeze, and databases are restored.
//!
//! It is the protocol of `consume/catch_up.rs`, `log/event_log.rs`, `lane/events.rs` and `lane/events/dead_letter.rs`
//! in `runtime/src`, without its SQL: each step below is one statement or one commit there, and between any two of them
//! anything else may happen. A walk takes random steps and checks after each whether something broke; at its end the
//! faults stop, and what is still not handled then never will be. Each rule of `docs/catch-up.md` can be dropped, to
//! see the schedule that breaks.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`state`] | what the world is: the owner's database, the stream, nodes, lanes, the consumer's database |
//! | [`rules`] | the rules, one switch each |
//! | [`steps`] | what may happen, with [`owner`], [`stream`], [`lane`], [`catch_up`] and [`restore`] doing it |
//! | [`invariants`] | what must never be: TWICE, LOST, GHOST, and NEVER at the end |
//! | [`schedule`] | random walks with a seed |
//! | [`shrink`] | the shortest schedule that still breaks |
//! | [`trace`] | a schedule in words |

pub mod catch_up;
pub mod copies;
pub mod invariants;
pub mod lane;
pub mod owner;
pub mod restore;
pub mod rules;
pub mod schedule;
pub mod set;
pub mod shrink;
pub mod state;
pub mod steps;
pub mod stream;
pub mod trace;
