//! The statuses of an order, of its payment and of its fulfillment.

use serde::{Deserialize, Serialize};

use crate::labels;

labels! {
    /// The status of an order.
    #[derive(Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
    #[serde(rename_all = "snake_case")]
    pub OrderStatus {
        /// Not decided: the stock is not reserved, or the payment is open.
        Pending = "pending",
        /// Paid, its stock sold.
        Confirmed = "confirmed",
        /// Being packed.
        Processing = "processing",
        /// With the carrier.
        Shipped = "shipped",
        /// With the customer.
        Delivered = "delivered",
        /// Cancelled by a person.
        Cancelled = "cancelled",
        /// Out of stock, or the payment was declined.
        Failed = "failed",
        /// Never paid.
        Expired = "expired",
        /// Refunded in full without a cancellation.
        Refunded = "refunded",
    }
}

impl OrderStatus {
    /// The statuses that may follow this one. The state machine, the conservation checks and the documents use it.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Confirmed, Self::Failed, Self::Cancelled, Self::Expired],
            Self::Confirmed => &[Self::Processing, Self::Cancelled, Self::Refunded],
            Self::Processing => &[Self::Shipped, Self::Cancelled, Self::Refunded],
            Self::Shipped => &[Self::Delivered, Self::Refunded],
            Self::Delivered => &[Self::Refunded],
            Self::Cancelled | Self::Failed | Self::Expired | Self::Refunded => &[],
        }
    }

    /// Whether an order may go from this status to another.
    pub fn may_become(self, status: Self) -> bool {
        self.next().contains(&status)
    }

    /// Whether no other status follows.
    pub fn is_final(self) -> bool {
        self.next().is_empty()
    }
}

labels! {
    /// The status of an order's payment.
    #[derive(Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
    #[serde(rename_all = "snake_case")]
    pub PaymentStatus {
        Pending = "pending",
        Processing = "processing",
        Succeeded = "succeeded",
        Failed = "failed",
        Cancelled = "cancelled",
        PartiallyRefunded = "partially_refunded",
        Refunded = "refunded",
    }
}

labels! {
    /// The status of an order's fulfillment.
    #[derive(Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
    #[serde(rename_all = "snake_case")]
    pub FulfillmentStatus {
        Unfulfilled = "unfulfilled",
        Partial = "partial",
        Fulfilled = "fulfilled",
        Returned = "returned",
    }
}
