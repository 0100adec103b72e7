//! Anybody may make a guest's cart: what opens no more is deleted.

use runtime::{Breakage, Tidy, Writes};

use crate::{Carts, store};

impl Tidy for Carts {
    async fn tidy(&self, db: Writes<'_>, limit: u64) -> Result<u64, Breakage> {
        store::delete_stale(db, limit).await
    }
}
