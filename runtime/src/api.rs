//! All that a domain author reads: the domain and its registration, the transaction and the contexts.
//!
//! To read first: `domain.rs` (traits and registration), `tx.rs` (what a handler may do), `../error.rs` (what it
//! returns).

pub(crate) mod audit;
pub(crate) mod caller;
pub(crate) mod context;
pub(crate) mod domain;
pub(crate) mod machine;
pub(crate) mod routes;
pub(crate) mod service;
pub(crate) mod sql;
pub(crate) mod tx;
