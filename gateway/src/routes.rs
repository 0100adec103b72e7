//! The routes, one file per domain: each builds a message, sends it and writes the reply.
//!
//! To read first: `orders.rs`, `carts.rs`, `health.rs`.

pub(crate) mod admin;
pub(crate) mod audit_log;
pub(crate) mod auth;
pub(crate) mod carts;
pub(crate) mod dead_letters;
pub(crate) mod health;
pub(crate) mod home;
pub(crate) mod inventory;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod pricing;
pub(crate) mod products;
