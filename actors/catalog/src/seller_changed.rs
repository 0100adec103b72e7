//! A projection of who may sell: stores what identity tells and emits nothing, so that one event hides or shows however
//! many products. Events come in any order; the highest version of an account stands.

use std::collections::BTreeMap;

use contract::Event;
use runtime::{Breakage, Delivered, Project, ReactBatch, Tx};
use subjects::{
    identity::{UserChanged, UserDeactivated, UserReactivated},
    roles,
};

use crate::{
    Catalog,
    store::{self, SellerRow},
};

/// An event that tells whether an account may sell.
trait OfSeller: Event {
    fn may_sell(&self) -> bool;
}

impl OfSeller for UserChanged {
    fn may_sell(&self) -> bool {
        self.is_active && is_sellers_role(&self.role)
    }
}

impl OfSeller for UserDeactivated {
    fn may_sell(&self) -> bool {
        false
    }
}

impl OfSeller for UserReactivated {
    fn may_sell(&self) -> bool {
        is_sellers_role(&self.role)
    }
}

fn is_sellers_role(role: &str) -> bool {
    matches!(role, roles::SELLER | roles::ADMIN)
}

/// The newest of each account, sorted by account.
fn newest<'a, E: OfSeller + 'a>(events: impl Iterator<Item = (i64, &'a E)>) -> Vec<SellerRow> {
    let mut rows = BTreeMap::new();
    for (version, event) in events {
        let row = SellerRow { id: event.entity(), may_sell: event.may_sell(), version };
        let newest = rows.entry(row.id).or_insert(row);
        if newest.version < version {
            *newest = row;
        }
    }
    rows.into_values().collect()
}

impl<E: OfSeller> ReactBatch<E> for Catalog {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<E>]) -> Result<(), Breakage> {
        let rows = newest(events.iter().map(|event| (event.version, &event.message)));
        let now = tx.now();
        store::write_sellers(tx.write(), &rows, now).await
    }
}

impl<E: OfSeller> Project<E> for Catalog {
    async fn forget(&self, tx: &mut Tx<'_>) -> Result<(), Breakage> {
        store::forget_sellers(tx.write()).await
    }
}

#[cfg(test)]
mod tests {
    use subjects::UserId;
    use uuid::Uuid;

    use super::*;

    fn changed(user: u128, role: &str, is_active: bool) -> UserChanged {
        UserChanged { user_id: UserId(Uuid::from_u128(user)), role: role.into(), is_active }
    }

    #[test]
    fn an_active_seller_or_admin_may_sell() {
        for (role, is_active, may_sell) in [
            ("seller", true, true),
            ("admin", true, true),
            ("customer", true, false),
            ("seller", false, false),
            ("support", true, false),
        ] {
            assert_eq!(changed(1, role, is_active).may_sell(), may_sell, "{role} {is_active}");
        }
        let user_id = UserId(Uuid::from_u128(1));
        assert!(!UserDeactivated { user_id }.may_sell());
        assert!(UserReactivated { user_id, role: "seller".into() }.may_sell());
        assert!(!UserReactivated { user_id, role: "customer".into() }.may_sell());
    }

    #[test]
    fn the_highest_version_stands_whatever_the_order() {
        let events =
            [(3, changed(9, "customer", true)), (2, changed(9, "seller", true)), (5, changed(1, "seller", true))];
        let rows = newest(events.iter().map(|(version, event)| (*version, event)));
        let told: Vec<_> = rows.iter().map(|row| (row.id.as_u128(), row.version, row.may_sell)).collect();
        assert_eq!(told, [(1, 5, true), (9, 3, false)]);
    }
}
