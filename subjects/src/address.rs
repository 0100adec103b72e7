//! A postal address, copied into each order.

use contract::{Detail, Fields, LineBreaks};
use serde::{Deserialize, Serialize};

use crate::shop::Country;

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Address {
    /// The recipient's first name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The recipient's last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Street and number.
    pub street: String,
    /// A second address line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street2: Option<String>,
    /// City or town.
    pub city: String,
    /// State or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Postal code.
    pub zip_code: String,
    /// The country code, ISO 3166-1 alpha-2.
    pub country: String,
    /// A phone number for the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Address {
    /// Adds the invalid fields, each below `prefix`.
    pub fn check(&self, fields: &mut Fields, prefix: &str) {
        for (field, text) in [("street", &self.street), ("city", &self.city), ("zip_code", &self.zip_code)] {
            fields.text(&format!("{prefix}.{field}"), text, 1..=200, LineBreaks::Forbidden);
        }
        for (field, text) in [
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("street2", &self.street2),
            ("state", &self.state),
            ("phone", &self.phone),
        ] {
            if let Some(text) = text {
                fields.text(&format!("{prefix}.{field}"), text, 0..=200, LineBreaks::Forbidden);
            }
        }
        if let Err(message) = self.country.parse::<Country>() {
            fields.wrong(Detail::format(format!("{prefix}.country"), "country", message));
        }
    }
}
