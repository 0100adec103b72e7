//! Positions in a domain's event log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A position in a domain's event log: the epoch of the database server and a transaction id. Ordered by epoch first.
///
/// Everything below the oldest running transaction is final, which no time-ordered id guarantees. An epoch begins with
/// each start of the server, so that old cursors never hide the new commits of a restored database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The epoch: microseconds since 1970 at which it began, or the previous epoch plus one.
    pub epoch: i64,
    /// The committing transaction's id (`pg_current_xact_id()`).
    pub xid: i64,
}

impl Position {
    /// A position below all positions of every log.
    pub const START: Self = Self { epoch: 0, xid: 0 };

    /// The greatest position below this one.
    #[must_use]
    pub fn just_below(self) -> Self {
        Self { epoch: self.epoch, xid: self.xid - 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.xid)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, xid) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self { epoch: epoch.parse()?, xid: xid.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_order_by_epoch_and_read_back_as_written() {
        let (old, new) = (Position { epoch: 1, xid: 900 }, Position { epoch: 2, xid: 3 });
        assert!(old < new);
        assert_eq!(new.to_string().parse(), Ok(new));
        assert!("7".parse::<Position>().is_err());
    }
}
