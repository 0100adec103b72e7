//! The rate limits of a gateway.

use anyhow::Result;
use gateway::RateLimits;

use super::read;

/// Reads `SOUK_RATE_AUTH`, `SOUK_RATE_PAYMENTS`, `SOUK_RATE_WRITES` and `SOUK_RATE_READS`.
pub(crate) fn rates(is_local: bool) -> Result<RateLimits> {
    let RateLimits { auth, payments, writes, reads } = if is_local { RateLimits::LOCAL } else { RateLimits::default() };
    Ok(RateLimits {
        auth: read("SOUK_RATE_AUTH", auth)?,
        payments: read("SOUK_RATE_PAYMENTS", payments)?,
        writes: read("SOUK_RATE_WRITES", writes)?,
        reads: read("SOUK_RATE_READS", reads)?,
    })
}
