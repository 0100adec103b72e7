use subjects::inventory::{
    Availabilities, Availability, CheckAvailability, Committed, DOMAIN, GetProductStock, GetStock, InventoryError,
    LOCATION, ListLowStock, ListMovements, LowStock, LowStocks, Movement, Movements, ProductStock, Released,
    ReservationRejected, Reserved, SetStock, Shortage, Stock, StockChanged, StockCount, Units,
};

use super::{changed, fields, made, order_id, page, pagination, product_id, variant_id};
use crate::goldens::Goldens;

pub fn units() -> Vec<Units> {
    vec![Units { variant_id: variant_id(), quantity: 2 }]
}

fn stock() -> Stock {
    Stock {
        variant_id: variant_id(),
        product_id: Some(product_id()),
        sku: "SHIRT-M-BLUE".into(),
        location: LOCATION.into(),
        on_hand: Some(12),
        reserved: Some(2),
        available: 10,
        min_stock: Some(3),
        version: Some(5),
        updated_at: changed(),
    }
}

pub fn add(goldens: &mut Goldens) {
    goldens.query(&GetStock { variant_id: variant_id() }, &stock());
    let of_product = ProductStock {
        product_id: product_id(),
        location: LOCATION.into(),
        on_hand: Some(12),
        reserved: Some(2),
        available: 10,
        updated_at: changed(),
        variants: vec![stock()],
    };
    goldens.query(&GetProductStock { product_id: product_id() }, &of_product);
    let low = LowStocks { data: vec![Stock { min_stock: Some(10), ..stock() }], pagination: pagination() };
    goldens.query(&ListLowStock { page: page() }, &low);
    let count = StockCount { on_hand: 12, min_stock: Some(Some(3)) };
    goldens.command(&SetStock { variant_id: variant_id(), count, expected_version: Some(4) }, &stock());
    let availability = Availability { variant_id: variant_id(), available: 10, requested: 2, is_available: true };
    goldens.query(&CheckAvailability { items: units() }, &Availabilities { data: vec![availability] });
    let movement = Movement {
        variant_id: variant_id(),
        location: LOCATION.into(),
        reason: "reserved".into(),
        on_hand_delta: 0,
        reserved_delta: 2,
        order_id: Some(order_id()),
        at: made(),
    };
    let movements = Movements { data: vec![movement], pagination: pagination() };
    goldens.query(&ListMovements { variant_id: variant_id(), page: page() }, &movements);

    goldens.event(&StockChanged {
        variant_id: variant_id(),
        sku: "SHIRT-M-BLUE".into(),
        on_hand: 12,
        reserved: 2,
        available: 10,
    });
    goldens.event(&LowStock { variant_id: variant_id(), sku: "SHIRT-M-BLUE".into(), available: 3, min_stock: 3 });
    goldens.event(&Reserved { order_id: order_id(), items: units() });
    let shortages = vec![Shortage { variant_id: variant_id(), requested: 2, available: 1 }];
    goldens.event(&ReservationRejected { order_id: order_id(), shortages });
    goldens.event(&Released { order_id: order_id(), items: units() });
    goldens.event(&Committed { order_id: order_id(), items: units() });

    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<InventoryError> {
    vec![
        InventoryError::VariantNotFound,
        InventoryError::ProductNotFound,
        InventoryError::InvalidStock { fields: fields() },
        InventoryError::InvalidItems { fields: fields() },
        InventoryError::BelowReserved { reserved: 2 },
        InventoryError::NotYourVariant,
        InventoryError::StockVersionMismatch,
        InventoryError::InvalidCursor,
    ]
}
