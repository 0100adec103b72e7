//! The owner of a cart.

use runtime::Caller;
use subjects::{CartId, carts::CartsError};
use uuid::Uuid;

/// The owner of a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A customer, by account id.
    Customer(Uuid),
    /// A guest, by the digest of the cart token.
    Guest(Uuid),
}

/// The namespace of customer cart ids. Must never change.
const CUSTOMERS: Uuid = Uuid::from_u128(0x6d5f_2b0e_93c4_4c61_8a57_1f0b_7e2d_9c34);

impl Owner {
    /// The owner of the cart that a caller addresses. An account takes precedence over a token.
    pub(crate) fn of(caller: &Caller) -> Result<Self, CartsError> {
        match caller {
            Caller::User(identity) => Ok(Self::Customer(identity.id)),
            Caller::Capability(digest) => Ok(Self::Guest(*digest)),
            Caller::Anonymous | Caller::System => Err(CartsError::CartNotFound),
        }
    }

    pub(crate) fn user_id(self) -> Option<Uuid> {
        match self {
            Self::Customer(user) => Some(user),
            Self::Guest(_) => None,
        }
    }

    pub(crate) fn token_digest(self) -> Option<Uuid> {
        match self {
            Self::Customer(_) => None,
            Self::Guest(digest) => Some(digest),
        }
    }
}

/// The id of a customer's cart. Derived from the customer's id, so that the empty cart shown before the first change
/// has the id that it will be stored under.
pub(crate) fn customers_cart(user: Uuid) -> CartId {
    CartId(Uuid::new_v5(&CUSTOMERS, user.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_has_one_cart_for_ever() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(customers_cart(one), customers_cart(one));
        assert_ne!(customers_cart(one), customers_cart(other));
    }

    #[test]
    fn a_caller_without_an_identity_has_no_cart() {
        assert_eq!(Owner::of(&Caller::Anonymous), Err(CartsError::CartNotFound));
        assert_eq!(Owner::of(&Caller::Capability(Uuid::nil())), Ok(Owner::Guest(Uuid::nil())));
    }
}
