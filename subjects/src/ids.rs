//! One type per kind of id, so that an order's id cannot stand where a variant's belongs. Ids of new entities are
//! UUIDv7; a customer's cart has a UUIDv5 of the account.

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::NewType))]
        #[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id, ordered by its time of creation.
            #[allow(clippy::new_without_default, reason = "each call makes another one: nothing default about it")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// An account.
    UserId,
    /// A category of products.
    CategoryId,
    /// A product.
    ProductId,
    /// A sellable unit of a product.
    VariantId,
    /// A cart.
    CartId,
    /// A line of a cart or of an order.
    ItemId,
    /// An order.
    OrderId,
    /// The payment of an order.
    PaymentId,
    /// A refund of a payment.
    RefundId,
    /// A tax rate.
    TaxRateId,
    /// A shipping zone.
    ShippingZoneId,
    /// A shipping method of a zone.
    ShippingMethodId,
    /// A promotion.
    PromotionId,
}
