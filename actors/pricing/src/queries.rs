//! The queries of the domain.

mod quote;
mod rules;
