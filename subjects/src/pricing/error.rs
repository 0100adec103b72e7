//! The errors of pricing.

use contract::{Detail, DetailCode, domain_error};

domain_error! {
    /// The errors of pricing.
    pub enum PricingError {
        TaxRateNotFound: NotFound "tax_rate_not_found" = "There is no such tax rate.";
        ShippingZoneNotFound: NotFound "shipping_zone_not_found" = "There is no such shipping zone.";
        PromotionNotFound: NotFound "promotion_not_found" = "There is no such promotion.";
        InvalidTaxRate { fields: Vec<Detail> }: Invalid "invalid_tax_rate" =
            "Some fields of the tax rate are not valid." => fields.clone();
        InvalidShippingZone { fields: Vec<Detail> }: Invalid "invalid_shipping_zone" =
            "Some fields of the shipping zone are not valid." => fields.clone();
        InvalidPromotion { fields: Vec<Detail> }: Invalid "invalid_promotion" =
            "Some fields of the promotion are not valid." => fields.clone();
        TaxRateExists: Conflict "tax_rate_exists" =
            "There is a tax rate of this name for the same country, state and tax category.";
        CodeTaken: Conflict "promotion_code_taken" = "Another promotion has this code.";
        TooMany { limit: i64 }: Conflict "too_many_rules" = "There are too many rules of this kind."
            => vec![
                Detail::new("limit", DetailCode::Range, format!("at most {limit} are allowed")).with("max", *limit),
            ];
        TaxRateVersionMismatch: PreconditionFailed "tax_rate_version_mismatch" =
            "The tax rate was changed in the meantime.";
        ShippingZoneVersionMismatch: PreconditionFailed "shipping_zone_version_mismatch" =
            "The shipping zone was changed in the meantime.";
        PromotionVersionMismatch: PreconditionFailed "promotion_version_mismatch" =
            "The promotion was changed in the meantime.";
        InvalidQuote: Invalid "invalid_quote" =
            "The lines have several currencies or a negative price, or their total is too large.";
        InvalidCursor: Malformed "invalid_cursor" = "The cursor is not valid.";
    }
}
