//! Deletes expired guest carts, which unauthenticated callers can create.

use runtime::{Breakage, Tidy, Writes};

use crate::{Carts, store};

impl Tidy for Carts {
    async fn tidy(&self, db: Writes<'_>, limit: u64) -> Result<u64, Breakage> {
        store::delete_stale(db, limit).await
    }
}
