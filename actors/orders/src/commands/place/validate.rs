//! Validates the fields of an order. Field paths are those of the request body.

use std::collections::BTreeMap;

use contract::{Detail, DetailCode, Fields, LineBreaks};
use subjects::{
    VariantId,
    inventory::Units,
    orders::{MAX_LINES, MAX_QUANTITY, NewOrder, OrdersError},
};

use crate::fields::payment_method;

/// Checks all fields of an order. A guest has no account, so an e-mail address is required.
pub(super) fn validate(order: &NewOrder, is_guest: bool) -> Result<(), OrdersError> {
    let mut fields = Fields::default();
    order.shipping_address.check(&mut fields, "shipping_address");
    if let Some(address) = &order.billing_address {
        address.check(&mut fields, "billing_address");
    }
    if let Some(items) = &order.items {
        if items.is_empty() || items.len() > MAX_LINES {
            fields.wrong(Detail::count("items", 1, MAX_LINES));
        }
        for (index, units) in items.iter().enumerate().take(MAX_LINES) {
            fields.range(&format!("items[{index}].quantity"), units.quantity, 1..=MAX_QUANTITY);
        }
    }
    match &order.email {
        Some(email) => fields.email("email", email),
        None if is_guest => fields.wrong(Detail::required("email")),
        None => {}
    }
    if let Some(coupon) = &order.coupon {
        fields.text("coupon", coupon, 1..=50, LineBreaks::Forbidden);
    }
    if let Some(notes) = &order.notes {
        fields.text("notes", notes, 0..=2000, LineBreaks::Allowed);
    }
    if let Some(payment) = &order.payment {
        payment_method(&mut fields, "payment.method", &payment.method);
    }
    fields.finish().map_err(|fields| OrdersError::InvalidOrder { fields })
}

/// Merges the lines of each variant into one, in the order of first mention.
pub(super) fn merge(items: &[Units]) -> Result<Vec<Units>, OrdersError> {
    let mut merged: Vec<Units> = Vec::with_capacity(items.len());
    let mut places: BTreeMap<VariantId, usize> = BTreeMap::new();
    for (index, units) in items.iter().enumerate() {
        let Some(place) = places.get(&units.variant_id) else {
            places.insert(units.variant_id, merged.len());
            merged.push(*units);
            continue;
        };
        let line = &mut merged[*place];
        line.quantity = line.quantity.saturating_add(units.quantity);
        if line.quantity > MAX_QUANTITY {
            let message = format!("must be at most {MAX_QUANTITY} per variant, over all lines");
            let detail = Detail::new(format!("items[{index}].quantity"), DetailCode::Range, message);
            return Err(OrdersError::InvalidOrder { fields: vec![detail.with("max", MAX_QUANTITY)] });
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use subjects::{Address, orders::PaymentChoice};

    use super::*;

    fn address() -> Address {
        Address {
            first_name: None,
            last_name: None,
            street: "1 Main Street".into(),
            street2: None,
            city: "Springfield".into(),
            state: None,
            zip_code: "12345".into(),
            country: "US".into(),
            phone: None,
        }
    }

    fn order() -> NewOrder {
        NewOrder {
            items: Some(vec![Units { variant_id: VariantId::new(), quantity: 1 }]),
            shipping_address: address(),
            billing_address: None,
            email: None,
            shipping_method: None,
            coupon: None,
            notes: None,
            expected_total: None,
            payment: None,
        }
    }

    fn wrong_fields(order: &NewOrder) -> Vec<String> {
        match validate(order, false) {
            Err(OrdersError::InvalidOrder { fields }) => fields.into_iter().map(|wrong| wrong.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_order_can_be_read() {
        assert_eq!(validate(&order(), false), Ok(()));
        assert_eq!(validate(&NewOrder { items: None, ..order() }, false), Ok(()));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let units = |quantity| Units { variant_id: VariantId::new(), quantity };
        let bad = NewOrder {
            items: Some(vec![units(1), units(0), units(10_001)]),
            shipping_address: Address { city: String::new(), street: "a\0b".into(), ..address() },
            billing_address: Some(Address { country: "usa".into(), ..address() }),
            email: Some("nobody".into()),
            shipping_method: None,
            coupon: Some(" ".into()),
            notes: Some("x".repeat(2001)),
            expected_total: None,
            payment: Some(PaymentChoice { method: "4242424242424242".into() }),
        };
        assert_eq!(
            wrong_fields(&bad),
            [
                "shipping_address.street",
                "shipping_address.city",
                "billing_address.country",
                "items[1].quantity",
                "items[2].quantity",
                "email",
                "coupon",
                "notes",
                "payment.method"
            ]
        );
        assert_eq!(wrong_fields(&NewOrder { items: Some(Vec::new()), ..order() }), ["items"]);
        assert_eq!(wrong_fields(&NewOrder { items: Some(vec![units(1); 101]), ..order() }), ["items"]);
    }

    #[test]
    fn lines_of_one_variant_become_one() {
        let (a, b) = (VariantId::new(), VariantId::new());
        let units = |variant_id, quantity| Units { variant_id, quantity };
        assert_eq!(merge(&[units(b, 1), units(a, 2), units(b, 3)]), Ok(vec![units(b, 4), units(a, 2)]));
        let Err(OrdersError::InvalidOrder { fields }) = merge(&[units(a, 6000), units(a, 6000)]) else { panic!() };
        assert_eq!(fields[0].field, "items[1].quantity");
    }
}
