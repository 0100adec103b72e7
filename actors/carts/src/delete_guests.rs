//! Deletes expired guest carts, which unauthenticated callers can create.

use runtime::{InternalError, Retention, Writes};

use crate::{Carts, store};

impl Retention for Carts {
    async fn delete_expired(&self, db: Writes<'_>, limit: u64) -> Result<u64, InternalError> {
        store::delete_stale(db, limit).await
    }
}
