//! Dead letters: events and effects that could not be handled are stored with a reason, listed, and redriven by an
//! operator. Lanes store them: `../lane/events/dead_letter.rs`, `../lane/effects.rs`.

mod listing;
mod messages;
mod redrive;

pub(crate) use listing::DeadLetterRows;
pub use messages::{DeadLetter, DeadLetterKind, DeadLetters};
pub(crate) use messages::{ListRequest, RedriveRequest};
