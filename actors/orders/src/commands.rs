//! The commands of the domain: one file each, with its validation, its decision and its handler.

mod cancel;
pub(crate) mod place;
mod request_expiry;
mod set_status;
