//! Two projections: the stock of each variant as last reported by inventory, and which accounts may sell, so that one
//! event hides or shows any number of products. Events arrive in any order; the highest version of a row wins.

use std::collections::BTreeMap;

use runtime::{EventEnvelope, InternalError, Projection, React, Tx};
use subjects::{
    identity::{UserChanged, UserDeactivated, UserReactivated},
    inventory::StockChanged,
    roles,
};
use uuid::Uuid;

use crate::{
    Catalog,
    store::{self, SellerRow, StockRow},
};

/// The row derived from an event.
#[derive(Debug, Clone, Copy)]
pub enum Input {
    Stock(StockRow),
    Seller(SellerRow),
}

impl From<EventEnvelope<StockChanged>> for Input {
    fn from(event: EventEnvelope<StockChanged>) -> Self {
        let StockChanged { variant_id, available, .. } = event.message;
        Self::Stock(StockRow { variant_id: variant_id.0, available, version: event.version })
    }
}

impl From<EventEnvelope<UserChanged>> for Input {
    fn from(event: EventEnvelope<UserChanged>) -> Self {
        let UserChanged { user_id, role, is_active } = event.message;
        let may_sell = is_active && is_sellers_role(&role);
        Self::Seller(SellerRow { id: user_id.0, may_sell, version: event.version })
    }
}

impl From<EventEnvelope<UserDeactivated>> for Input {
    fn from(event: EventEnvelope<UserDeactivated>) -> Self {
        Self::Seller(SellerRow { id: event.message.user_id.0, may_sell: false, version: event.version })
    }
}

impl From<EventEnvelope<UserReactivated>> for Input {
    fn from(event: EventEnvelope<UserReactivated>) -> Self {
        let UserReactivated { user_id, role } = event.message;
        Self::Seller(SellerRow { id: user_id.0, may_sell: is_sellers_role(&role), version: event.version })
    }
}

fn is_sellers_role(role: &str) -> bool {
    matches!(role, roles::SELLER | roles::ADMIN)
}

/// The row with the highest version of each id, sorted by id.
fn newest<T: Copy>(rows: impl Iterator<Item = (Uuid, i64, T)>) -> Vec<T> {
    let mut newest = BTreeMap::new();
    for (id, version, row) in rows {
        let known = newest.entry(id).or_insert((version, row));
        if known.0 < version {
            *known = (version, row);
        }
    }
    newest.into_values().map(|(_, row)| row).collect()
}

impl React for Catalog {
    type Input = Input;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&Input]) -> Result<(), InternalError> {
        let now = tx.now();
        let stock = newest(inputs.iter().filter_map(|input| match input {
            Input::Stock(row) => Some((row.variant_id, row.version, *row)),
            Input::Seller(_) => None,
        }));
        let sellers = newest(inputs.iter().filter_map(|input| match input {
            Input::Seller(row) => Some((row.id, row.version, *row)),
            Input::Stock(_) => None,
        }));
        store::write_stock(tx.last_writes(), &stock, now);
        store::write_sellers(tx.last_writes(), &sellers, now);
        Ok(())
    }
}

impl Projection<StockChanged> for Catalog {
    async fn reset(&self, tx: &mut Tx<'_>) -> Result<(), InternalError> {
        store::delete_stock(tx.writes()).await
    }
}

macro_rules! apply_sellers {
    ($($event:ty),+) => {$(
        impl Projection<$event> for Catalog {
            async fn reset(&self, tx: &mut Tx<'_>) -> Result<(), InternalError> {
                store::delete_sellers(tx.writes()).await
            }
        }
    )+};
}
apply_sellers!(UserChanged, UserDeactivated, UserReactivated);

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use runtime::Cause;
    use subjects::UserId;

    use super::*;

    fn envelope<E>(message: E, version: i64) -> EventEnvelope<E> {
        let cause = Cause { id: Uuid::nil(), name: String::new(), request_id: None, traceparent: None };
        EventEnvelope { message, version, at: DateTime::UNIX_EPOCH, cause }
    }

    fn may_sell(input: Input) -> bool {
        let Input::Seller(row) = input else { panic!("{input:?}") };
        row.may_sell
    }

    #[test]
    fn an_active_seller_or_admin_may_sell() {
        let user_id = UserId(Uuid::from_u128(1));
        for (role, is_active, expected) in [
            ("seller", true, true),
            ("admin", true, true),
            ("customer", true, false),
            ("seller", false, false),
            ("support", true, false),
        ] {
            let changed = UserChanged { user_id, role: role.into(), is_active };
            assert_eq!(may_sell(envelope(changed, 1).into()), expected, "{role} {is_active}");
        }
        assert!(!may_sell(envelope(UserDeactivated { user_id }, 1).into()));
        assert!(may_sell(envelope(UserReactivated { user_id, role: "seller".into() }, 1).into()));
        assert!(!may_sell(envelope(UserReactivated { user_id, role: "customer".into() }, 1).into()));
    }

    /// Scenario 4: a projection does not wait for missing versions.
    #[test]
    fn the_highest_version_stands_whatever_the_order() {
        let row = |id: u128, version: i64| (Uuid::from_u128(id), version, (id, version));
        let rows = [row(9, 2), row(9, 3), row(9, 1), row(1, 7)];
        assert_eq!(newest(rows.into_iter()), [(1, 7), (9, 3)]);
    }
}
