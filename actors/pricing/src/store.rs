//! All SQL of this domain.

mod promotions;
mod rules;
mod shipping_zones;
mod tax_rates;

pub(crate) use promotions::{
    code_is_taken, count_automatic, count_promotions, delete_promotion, insert_promotion, list_promotions,
    lock_promotion, promotion, update_promotion,
};
pub(crate) use rules::rules;
pub(crate) use shipping_zones::{
    count_shipping_zones, delete_shipping_zone, insert_shipping_zone, list_shipping_zones, lock_shipping_zone,
    shipping_zone, update_shipping_zone,
};
pub(crate) use tax_rates::{
    count_tax_rates, delete_tax_rate, insert_tax_rate, list_tax_rates, lock_tax_rate, tax_rate, tax_rate_exists,
    update_tax_rate,
};
