//! The rate limits of a gateway.

use anyhow::Result;
use gateway::RateLimits;

use super::{Settings, table};

/// The limits; those of a local stack are higher, because all its clients share one address.
pub(crate) fn rates(Settings { sources, .. }: &Settings, is_local: bool) -> Result<RateLimits> {
    let RateLimits { auth, payments, writes, reads } = if is_local { RateLimits::LOCAL } else { RateLimits::default() };
    Ok(RateLimits {
        auth: sources.optional(&table::RATE_AUTH)?.unwrap_or(auth),
        payments: sources.optional(&table::RATE_PAYMENTS)?.unwrap_or(payments),
        writes: sources.optional(&table::RATE_WRITES)?.unwrap_or(writes),
        reads: sources.optional(&table::RATE_READS)?.unwrap_or(reads),
    })
}
