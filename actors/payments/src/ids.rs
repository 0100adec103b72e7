//! Ids that are derived from others, so that concurrent and repeated inputs of an order refer to the same payment.

use subjects::{OrderId, PaymentId, RefundId};
use uuid::{Builder, Uuid, Version};

/// The payment of an order.
pub(crate) fn payment_of(order: OrderId) -> PaymentId {
    PaymentId(derived(order.0, b"payment"))
}

/// The one automatic refund of a payment.
pub(crate) fn automatic_refund_of(payment: PaymentId) -> RefundId {
    RefundId(derived(payment.0, b"automatic refund"))
}

/// A UUIDv7 with the timestamp of `from`, so that it has the same locality in indexes.
fn derived(from: Uuid, what: &[u8]) -> Uuid {
    let mut bytes = Uuid::new_v5(&from, what).into_bytes();
    bytes[..6].copy_from_slice(&from.as_bytes()[..6]);
    Builder::from_bytes(bytes).with_version(Version::SortRand).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_of_the_same_kind_and_time() {
        let order = OrderId::new();
        let payment = payment_of(order);
        assert_eq!(payment, payment_of(order));
        assert_ne!(payment, payment_of(OrderId::new()));
        assert_eq!(payment.0.get_version(), Some(Version::SortRand));
        assert_eq!(payment.0.get_timestamp(), order.0.get_timestamp());
        assert_ne!(automatic_refund_of(payment).0, payment.0);
    }
}
