//! The commands of the domain: one file each, with its validation, its decision and its handler.

mod act_in_sandbox;
pub(crate) mod create_intent;
mod read_again;
mod receive_webhook;
mod refund;
mod verify;
