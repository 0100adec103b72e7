//! Access to orders: which parts of an order a caller sees, and which commands are allowed.

use runtime::Caller;
use subjects::{
    carts::Totals,
    orders::{Order, OrdersError},
    roles,
};
use uuid::Uuid;

use crate::store::Record;

/// The buyer and the sellers of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The buyer's account.
    pub user_id: Option<Uuid>,
    /// The digest of the guest's cart token, while it still opens the order.
    pub guest: Option<Uuid>,
    /// The sellers of the lines, in the order of the lines.
    pub sellers: Vec<Uuid>,
}

/// The role of a caller towards an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// An admin or the system: sees and changes everything.
    Admin,
    /// The buyer, by account or guest token.
    Buyer,
    /// The seller of at least one line.
    Seller(Uuid),
}

/// The role of the caller; `None` without access, which callers must report as an unknown order. `guest` is the digest
/// of the request's cart token.
pub(crate) fn view(owner: &Owner, caller: &Caller, guest: Option<Uuid>) -> Option<View> {
    if caller.has_role(roles::ADMIN) || *caller == Caller::System {
        return Some(View::Admin);
    }
    if is_buyer(owner, caller, guest) {
        return Some(View::Buyer);
    }
    let seller = caller.user().filter(|identity| identity.role == roles::SELLER)?.id;
    owner.sellers.contains(&seller).then_some(View::Seller(seller))
}

/// Whether the caller placed the order, regardless of other roles.
pub(crate) fn is_buyer(owner: &Owner, caller: &Caller, guest: Option<Uuid>) -> bool {
    let digest = match caller {
        Caller::Capability(digest) => Some(*digest),
        _ => guest,
    };
    owner.is_buyer(caller.user_id(), digest)
}

impl Owner {
    /// Whether this account or this digest of a cart token placed the order.
    pub(crate) fn is_buyer(&self, user_id: Option<Uuid>, guest: Option<Uuid>) -> bool {
        self.user_id.is_some() && self.user_id == user_id || self.guest.is_some() && self.guest == guest
    }

    /// Whether the seller sells every line.
    fn is_sold_by(&self, seller: Uuid) -> bool {
        !self.sellers.is_empty() && self.sellers.iter().all(|one| *one == seller)
    }
}

/// Whether the caller may cancel the order: its buyer, an admin, or the seller of every line.
pub(crate) fn may_cancel(owner: &Owner, caller: &Caller, guest: Option<Uuid>) -> Result<(), OrdersError> {
    match view(owner, caller, guest).ok_or(OrdersError::OrderNotFound)? {
        View::Admin | View::Buyer => Ok(()),
        View::Seller(seller) if owner.is_sold_by(seller) => Ok(()),
        View::Seller(_) => Err(OrdersError::NotYourOrder),
    }
}

/// Whether the caller may process and ship the order: an admin, or the seller of every line, but not the buyer as such.
pub(crate) fn may_ship(owner: &Owner, caller: &Caller) -> Result<(), OrdersError> {
    if caller.has_role(roles::ADMIN) || *caller == Caller::System {
        return Ok(());
    }
    let seller = caller.user_id().filter(|_| caller.has_role(roles::SELLER));
    if seller.is_some_and(|seller| owner.is_sold_by(seller)) {
        return Ok(());
    }
    Err(if view(owner, caller, None).is_some() { OrdersError::NotYourOrder } else { OrdersError::OrderNotFound })
}

/// The order as the caller sees it; `None` without access.
pub(crate) fn seen(record: Record, caller: &Caller, guest: Option<Uuid>) -> Option<Order> {
    let mut order = record.order;
    match view(&record.owner, caller, guest)? {
        View::Admin | View::Buyer => {}
        View::Seller(seller) => {
            order.items.retain(|item| item.seller_id.0 == seller);
            let sum = order.items.iter().map(|item| item.line_total.amount).fold(0, i64::saturating_add);
            order.totals = Totals::of_subtotal(subjects::Money::new(sum, order.currency));
            // Sellers do not see data between the buyer and the shop.
            order.tax_lines.clear();
            order.discounts.clear();
            order.billing_address = None;
            order.notes = None;
        }
    }
    Some(order)
}

#[cfg(test)]
mod tests {
    use runtime::Identity;

    use super::*;

    fn user(id: u128, role: &str) -> Caller {
        let identity =
            Identity { id: Uuid::from_u128(id), role: role.into(), version: 1, session: Uuid::nil(), issued_at: 0 };
        Caller::User(identity)
    }

    fn owner() -> Owner {
        Owner { user_id: Some(Uuid::from_u128(1)), guest: None, sellers: vec![Uuid::from_u128(8), Uuid::from_u128(9)] }
    }

    #[test]
    fn a_stranger_cannot_see_that_an_order_exists() {
        assert_eq!(view(&owner(), &user(2, roles::CUSTOMER), None), None);
        assert_eq!(view(&owner(), &user(2, roles::SELLER), None), None);
        assert_eq!(view(&owner(), &user(8, roles::CUSTOMER), None), None, "no seller any more");
        assert_eq!(view(&owner(), &Caller::Anonymous, None), None);
        assert_eq!(view(&owner(), &Caller::Capability(Uuid::nil()), None), None);
    }

    #[test]
    fn buyer_seller_and_admin_have_different_views() {
        assert_eq!(view(&owner(), &user(1, roles::CUSTOMER), None), Some(View::Buyer));
        assert_eq!(view(&owner(), &user(7, roles::ADMIN), None), Some(View::Admin));
        assert_eq!(view(&owner(), &user(8, roles::SELLER), None), Some(View::Seller(Uuid::from_u128(8))));
    }

    #[test]
    fn only_the_seller_of_every_line_ships_it() {
        let alone = Owner { sellers: vec![Uuid::from_u128(8); 2], ..owner() };
        assert_eq!(may_ship(&alone, &user(8, roles::SELLER)), Ok(()));
        assert_eq!(may_ship(&owner(), &user(7, roles::ADMIN)), Ok(()));
        assert_eq!(may_ship(&owner(), &user(8, roles::SELLER)), Err(OrdersError::NotYourOrder));
        assert_eq!(may_ship(&alone, &user(9, roles::SELLER)), Err(OrdersError::OrderNotFound));
        assert_eq!(may_ship(&alone, &user(1, roles::SELLER)), Err(OrdersError::NotYourOrder), "the buyer");
    }

    #[test]
    fn the_buyer_and_the_seller_of_every_line_cancel_it() {
        let alone = Owner { sellers: vec![Uuid::from_u128(8); 2], ..owner() };
        assert_eq!(may_cancel(&alone, &user(8, roles::SELLER), None), Ok(()));
        assert_eq!(may_cancel(&owner(), &user(8, roles::SELLER), None), Err(OrdersError::NotYourOrder));
        assert_eq!(may_cancel(&alone, &user(9, roles::SELLER), None), Err(OrdersError::OrderNotFound));
        for caller in [user(1, roles::CUSTOMER), user(1, roles::SELLER), user(7, roles::ADMIN)] {
            assert_eq!(may_cancel(&owner(), &caller, None), Ok(()));
        }
        let without_lines = Owner { sellers: Vec::new(), ..owner() };
        assert_eq!(may_ship(&without_lines, &user(8, roles::SELLER)), Err(OrdersError::OrderNotFound));
    }

    #[test]
    fn a_guests_token_opens_the_order_also_beside_an_account() {
        let digest = Uuid::from_u128(5);
        let guest = Owner { user_id: None, guest: Some(digest), sellers: Vec::new() };
        assert_eq!(view(&guest, &Caller::Capability(digest), None), Some(View::Buyer));
        assert_eq!(view(&guest, &user(3, roles::CUSTOMER), Some(digest)), Some(View::Buyer));
        assert_eq!(view(&guest, &user(3, roles::CUSTOMER), None), None);
        let over = Owner { guest: None, ..guest };
        assert_eq!(view(&over, &Caller::Capability(digest), None), None, "after its 30 days");
    }
}
