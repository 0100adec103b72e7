//! Merges the old entries of the ledger into opening balances, one per variant.

use std::time::Duration;

use runtime::{History, InternalError, Writes};

use crate::{Inventory, store};

impl History for Inventory {
    async fn trim(&self, db: Writes<'_>, older_than: Duration, limit: u64) -> Result<u64, InternalError> {
        store::merge_movements(db, older_than, limit).await
    }
}
