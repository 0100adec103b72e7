use subjects::{
    Currency,
    orders::{
        CancelOrder, Cancelled, Confirmed, DOMAIN, Delivered, Expired, ExpiryDue, ExpiryRequested, Failed, Failure,
        FulfillmentStatus, GetHistory, GetLines, GetOrder, GetPayable, History, HistoryEntry, Line, LineFact, Lines,
        ListOrders, NewOrder, Order, OrderItem, OrderStatus, Orders, OrdersError, Payable, PaymentChoice, PaymentDue,
        PaymentStatus, PlaceOrder, Placed, RefundDue, RequestExpiry, Returned, SetStatus, Shipped, StatusChange,
        StatusChanged,
    },
};

use super::{
    address, at, buyer_id, cart_id,
    carts::totals,
    changed, fields,
    inventory::units,
    item_id, made, order_id, page, pagination,
    payments::payment_action,
    pricing::{discount, option, tax_line},
    product_id, seller_id, text, usd, variant_id,
};
use crate::goldens::Goldens;

pub const NUMBER: &str = "SK-260102-3F7K2Q-9ZXB1M";

pub fn failure() -> Failure {
    Failure { code: "card_declined".into(), message: "The card was declined.".into() }
}

fn order() -> Order {
    let item = OrderItem {
        id: item_id(),
        product_id: product_id(),
        variant_id: variant_id(),
        seller_id: seller_id(),
        sku: "SHIRT-M-BLUE".into(),
        name: "Linen shirt, M, blue".into(),
        quantity: 2,
        unit_price: usd(4999),
        line_total: usd(9998),
    };
    Order {
        id: order_id(),
        order_number: NUMBER.into(),
        status: OrderStatus::Failed,
        payment_status: PaymentStatus::Failed,
        fulfillment_status: FulfillmentStatus::Unfulfilled,
        items: vec![item],
        totals: totals(),
        tax_lines: vec![tax_line()],
        discounts: vec![discount()],
        shipping_method: Some(option()),
        currency: Currency::USD,
        failure: Some(failure()),
        payment: None,
        shipping_address: address(),
        billing_address: Some(address()),
        notes: text("Ring twice."),
        payment_deadline: at("2026-01-02T03:19:05.678901Z"),
        version: 4,
        created_at: made(),
        updated_at: changed(),
    }
}

fn new_order() -> NewOrder {
    NewOrder {
        items: Some(units()),
        shipping_address: address(),
        billing_address: Some(address()),
        email: text("ada@example.com"),
        shipping_method: Some(option().id),
        coupon: text("linen"),
        notes: text("Ring twice."),
        expected_total: Some(usd(11_148)),
        payment: Some(PaymentChoice { method: "pm_card_visa".into() }),
    }
}

fn requests(goldens: &mut Goldens) {
    goldens.command(&PlaceOrder { order: new_order() }, &order());
    let waits = Order { payment: Some(payment_action()), failure: None, status: OrderStatus::Pending, ..order() };
    goldens.query(&GetOrder { id: NUMBER.into() }, &waits);
    let list = ListOrders { status: Some(OrderStatus::Pending), page: page() };
    goldens.query(&list, &Orders { data: vec![order()], pagination: pagination() });
    let entry = HistoryEntry {
        event: "confirmed".into(),
        status: OrderStatus::Confirmed,
        version: 3,
        at: made(),
        cause: "payments.succeeded".into(),
    };
    goldens.query(&GetHistory { id: NUMBER.into() }, &History { data: vec![entry] });
    let cancel = CancelOrder { order_id: order_id().into(), reason: text("Ordered twice.") };
    goldens.command(&cancel, &order());
    let change = StatusChange { status: OrderStatus::Shipped };
    goldens.command(&SetStatus { order_id: order_id().into(), change, expected_version: Some(3) }, &order());
    goldens.command(&RequestExpiry { order_id: order_id() }, &ExpiryRequested { was_pending: true });
    let payable = GetPayable {
        order_id: order_id().into(),
        user_id: Some(buyer_id().0),
        is_admin: true,
        guest: Some(uuid::Uuid::from_u128(0x6e57)),
    };
    let owed = Payable {
        order_id: order_id(),
        order_number: NUMBER.into(),
        user_id: Some(buyer_id()),
        amount: usd(11_148),
        status: OrderStatus::Pending,
    };
    goldens.query(&payable, &owed);
    let line = Line { line_id: item_id(), unit_price: usd(4999), quantity: 2, paid: Some(usd(10_092)), returnable: 1 };
    goldens.query(&GetLines { order_id: order_id() }, &Lines { lines: vec![line] });
}

fn events(goldens: &mut Goldens) {
    let line = LineFact {
        product_id: product_id(),
        variant_id: variant_id(),
        seller_id: seller_id(),
        sku: "SHIRT-M-BLUE".into(),
        quantity: 2,
        unit_price: usd(4999),
    };
    goldens.event(&Placed {
        order_id: order_id(),
        order_number: NUMBER.into(),
        user_id: Some(buyer_id()),
        cart_id: Some(cart_id()),
        items: vec![line],
        totals: totals(),
    });
    goldens.event(&PaymentDue {
        order_id: order_id(),
        order_number: NUMBER.into(),
        user_id: Some(buyer_id()),
        amount: usd(11_148),
        payment_method: text("pm_card_visa"),
    });
    goldens.event(&Confirmed {
        order_id: order_id(),
        order_number: NUMBER.into(),
        user_id: Some(buyer_id()),
        cart_id: Some(cart_id()),
        items: units(),
        total: usd(11_148),
    });
    goldens.event(&Failed { order_id: order_id(), failure: failure() });
    goldens.event(&Cancelled { order_id: order_id(), was: OrderStatus::Confirmed });
    goldens.event(&ExpiryDue { order_id: order_id() });
    goldens.event(&Expired { order_id: order_id() });
    goldens.event(&RefundDue { order_id: order_id(), status: OrderStatus::Cancelled });
    goldens.event(&StatusChanged {
        order_id: order_id(),
        status: OrderStatus::Processing,
        payment_status: PaymentStatus::PartiallyRefunded,
    });
    goldens.event(&Returned { order_id: order_id(), items: units() });
    goldens.event(&Shipped { order_id: order_id() });
    goldens.event(&Delivered { order_id: order_id() });
}

pub fn add(goldens: &mut Goldens) {
    requests(goldens);
    events(goldens);
    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<OrdersError> {
    vec![
        OrdersError::OrderNotFound,
        OrdersError::InvalidOrder { fields: fields() },
        OrdersError::CartEmpty,
        OrdersError::CartNotFound,
        OrdersError::CartInCheckout { order_id: order_id(), order_number: NUMBER.into() },
        OrdersError::NotForSale { variant_id: variant_id() },
        OrdersError::OutOfStock { variant_id: variant_id(), available: 3 },
        OrdersError::UnknownCoupon { coupon: "linnen".into() },
        OrdersError::CouponNotApplicable { coupon: "linen".into() },
        OrdersError::ShippingMethodRequired,
        OrdersError::ShippingMethodUnavailable,
        OrdersError::ShippingUnavailable,
        OrdersError::TotalChanged { totals: totals() },
        OrdersError::IllegalTransition { status: OrderStatus::Delivered },
        OrdersError::RefundPending,
        OrdersError::NotYourOrder,
        OrdersError::OrderVersionMismatch,
        OrdersError::InvalidCursor,
    ]
}
