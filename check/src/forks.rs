//! Histories that a restore has ended. A database restored from a backup starts a new epoch, and the epoch's row holds
//! the position at which the previous one stops. Positions above it, or in an epoch that the log does not have, belong
//! to a lost history.

use anyhow::Result;
use contract::Position;
use sqlx::{PgPool, Row};

/// The epochs of a log in order, each with the transaction id at which the previous one stops.
pub(crate) struct Forks(Vec<(i64, i64)>);

impl Forks {
    pub(crate) async fn read(log: &PgPool) -> Result<Self> {
        let rows = sqlx::query("select epoch, forked_at from epoch order by epoch").fetch_all(log).await?;
        let epochs = rows.iter().map(|row| Ok((row.try_get("epoch")?, row.try_get("forked_at")?)));
        Ok(Self(epochs.collect::<Result<_, sqlx::Error>>()?))
    }

    /// The explanation to append to a violation about a position that the log does not have.
    pub(crate) fn explain(&self, position: Position) -> &'static str {
        if self.has_ended(position) { ": a restore of the database has ended its history" } else { "" }
    }

    fn has_ended(&self, position: Position) -> bool {
        match self.0.binary_search_by_key(&position.epoch, |(epoch, _)| *epoch) {
            Ok(index) => self.0.get(index + 1).is_some_and(|(_, forked_at)| position.xid > *forked_at),
            // An epoch that began after the backup.
            Err(index) => index > 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario 2: positions above the fork of a restored database are reported as such.
    #[test]
    fn positions_above_a_fork_or_in_an_unknown_epoch_belong_to_an_ended_history() {
        let forks = Forks(vec![(100, 0), (200, 750)]);
        let has_ended = |epoch, xid| forks.has_ended(Position { epoch, xid });
        assert!(!has_ended(100, 750) && has_ended(100, 751));
        assert!(has_ended(150, 1), "begun after the backup, and gone with it");
        assert!(!has_ended(200, 9000), "the present epoch goes on");
        assert!(!has_ended(7, 1), "older than all that is known");
    }
}
