//! The queries of the domain: one file each.

mod jwks;
