//! The queries of the domain: one file each.

mod action;
mod config;
pub(crate) mod get;
mod pending_refund;
