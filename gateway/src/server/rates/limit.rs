//! Limits as they are configured.

use std::{str::FromStr, time::Duration};

use super::{bucket::Size, class::Class};

/// A limit: so many requests at once, and as many again evenly over the second or minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// No limit.
    Off,
    /// Requests per second.
    PerSecond(u32),
    /// Requests per minute.
    PerMinute(u32),
}

/// The largest limit, so that a token takes a microsecond at least.
const MOST: u32 = 1_000_000;

/// `20/s`, `300/m` or `off`.
impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = || {
            let (count, unit) = text.split_once('/')?;
            let count = count.parse().ok().filter(|count| (1..=MOST).contains(count))?;
            match unit {
                "s" => Some(Self::PerSecond(count)),
                "m" => Some(Self::PerMinute(count)),
                _ => None,
            }
        };
        match text {
            "off" => Ok(Self::Off),
            _ => limit().ok_or_else(|| format!("not a limit such as 20/s or 300/m, of 1 to {MOST}, nor off")),
        }
    }
}

impl RateLimit {
    pub(super) fn size(self) -> Option<Size> {
        let size = |tokens, seconds| Some(Size { tokens, window: Duration::from_secs(seconds) });
        match self {
            Self::Off => None,
            Self::PerSecond(tokens) => size(tokens, 1),
            Self::PerMinute(tokens) => size(tokens, 60),
        }
    }
}

/// The limits of each address and of each account, by class of routes.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits {
    /// Registration, login, refresh, logout.
    pub auth: RateLimit,
    /// What creates, verifies or refunds a payment.
    pub payments: RateLimit,
    /// All other writes.
    pub writes: RateLimit,
    /// All reads.
    pub reads: RateLimit,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            auth: RateLimit::PerMinute(120),
            payments: RateLimit::PerMinute(120),
            writes: RateLimit::PerSecond(50),
            reads: RateLimit::PerSecond(200),
        }
    }
}

impl RateLimits {
    /// Those of a local stack, whose clients, tests and benches share one address.
    pub const LOCAL: Self = Self {
        auth: RateLimit::PerSecond(1000),
        payments: RateLimit::PerSecond(10_000),
        writes: RateLimit::PerSecond(20_000),
        reads: RateLimit::PerSecond(200_000),
    };

    pub(super) fn of(&self, class: Class) -> RateLimit {
        match class {
            Class::Auth => self.auth,
            Class::Payments => self.payments,
            Class::Writes => self.writes,
            Class::Reads => self.reads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_per_second_or_minute_or_off() {
        assert_eq!("20/s".parse(), Ok(RateLimit::PerSecond(20)));
        assert_eq!("300/m".parse(), Ok(RateLimit::PerMinute(300)));
        assert_eq!("off".parse(), Ok(RateLimit::Off));
        for wrong in ["", "20", "0/s", "-1/s", "20/h", "1000001/s", "20 / s", "OFF", "1.5/s"] {
            assert!(wrong.parse::<RateLimit>().unwrap_err().contains("not a limit"), "{wrong}");
        }
    }
}
