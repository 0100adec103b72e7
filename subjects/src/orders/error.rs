//! The errors of orders.

use contract::{Detail, DetailCode, domain_error};

use super::OrderStatus;
use crate::{Money, OrderId, VariantId, carts::Totals};

domain_error! {
    /// The errors of orders.
    pub enum OrdersError {
        OrderNotFound: NotFound "order_not_found" = "There is no such order.";
        InvalidOrder { fields: Vec<Detail> }: Invalid "invalid_order" =
            "Some fields of the order are not valid." => fields.clone();
        CartEmpty: Conflict "cart_empty" = "The cart is empty.";
        CartNotFound: NotFound "cart_not_found" = "There is no such cart.";
        CartInCheckout { order_id: OrderId, order_number: String }: Conflict "cart_in_checkout" =
            "An order from this cart is still pending, or was confirmed and the cart has not changed since."
            => vec![Detail::value("order_id", &order_id.to_string()), Detail::value("order_number", order_number)];
        NotForSale { variant_id: VariantId }: NotFound "not_for_sale" = "The product does not exist or is not for sale."
            => vec![Detail::value("variant_id", &variant_id.to_string())];
        OutOfStock { variant_id: VariantId, available: i64 }: Conflict "out_of_stock" = "Not enough stock."
            => vec![
                Detail::value("variant_id", &variant_id.to_string()),
                Detail::new("quantity", DetailCode::Range, format!("{available} units are available"))
                    .with("max", *available),
            ];
        UnknownCoupon { coupon: String }: Invalid "unknown_coupon" = "There is no such coupon."
            => vec![
                Detail::new("coupon", DetailCode::NotFound, "is not the code of a promotion").with("value", &**coupon),
            ];
        CouponNotApplicable { coupon: String }: Conflict "coupon_not_applicable" =
            "The coupon does not apply to this order." => vec![Detail::value("coupon", coupon)];
        ShippingMethodRequired: Invalid "shipping_method_required" = "The order needs a shipping method."
            => vec![Detail::required("shipping_method")];
        ShippingMethodUnavailable: Conflict "shipping_method_unavailable" =
            "The shipping method is not available for this order.";
        ShippingUnavailable: Conflict "shipping_unavailable" =
            "No shipping method to this address is available in the currency of the order.";
        TotalChanged { totals: Totals }: Conflict "total_changed" =
            "The total has changed. The details contain the new totals."
            => total_details(totals);
        IllegalTransition { status: OrderStatus }: Conflict "illegal_transition" =
            "The order's status does not allow this."
            => vec![Detail::state("status", status.as_str(), format!("the order is {}", status.as_str()))];
        RefundPending: Conflict "refund_pending" = "A full refund of the order is already pending.";
        NotYourOrder: Forbidden "not_your_order" = "The order contains lines of other sellers.";
        OrderVersionMismatch: PreconditionFailed "order_version_mismatch" = "The order was changed in the meantime.";
        InvalidCursor: Malformed "invalid_cursor" = "The cursor is not valid.";
    }
}

/// Every amount by its path in the order, for programs.
fn total_details(totals: &Totals) -> Vec<Detail> {
    let Totals { subtotal, discount, shipping, tax, total } = totals;
    let sums = [("subtotal", subtotal), ("discount", discount), ("shipping", shipping), ("tax", tax), ("total", total)];
    let detail = |(name, money): (&str, &Money)| {
        [
            Detail::value(format!("totals.{name}.amount"), &money.amount),
            Detail::value(format!("totals.{name}.currency"), &money.currency.code()),
        ]
    };
    sums.into_iter().flat_map(detail).collect()
}
