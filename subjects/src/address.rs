//! A postal address, as it is copied into an order.

use contract::Detail;
use serde::{Deserialize, Serialize};

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Address {
    /// Of whoever receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Of whoever receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Street and number.
    pub street: String,
    /// Anything more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street2: Option<String>,
    /// City or town.
    pub city: String,
    /// State or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Postal code.
    pub zip_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// For the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Address {
    /// What is wrong with it, each field below `prefix`. Empty when it can be used.
    pub fn problems(&self, prefix: &str) -> Vec<Detail> {
        let mut problems = Vec::new();
        let required = [("street", &self.street), ("city", &self.city), ("zip_code", &self.zip_code)];
        for (field, value) in required {
            if value.trim().is_empty() || value.chars().count() > 200 {
                problems.push(Detail::length(format!("{prefix}.{field}"), 1, 200));
            }
        }
        let optional = [
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("street2", &self.street2),
            ("state", &self.state),
            ("phone", &self.phone),
        ];
        for (field, value) in optional {
            if value.as_ref().is_some_and(|text| text.chars().count() > 200) {
                problems.push(Detail::length(format!("{prefix}.{field}"), 0, 200));
            }
        }
        let given = optional.iter().filter_map(|(field, value)| value.as_deref().map(|text| (*field, text)));
        for (field, text) in required.map(|(field, value)| (field, value.as_str())).into_iter().chain(given) {
            if text.chars().any(char::is_control) {
                problems.push(Detail::characters(format!("{prefix}.{field}"), "control characters"));
            }
        }
        if self.country.len() != 2 || !self.country.bytes().all(|b| b.is_ascii_uppercase()) {
            let message = "must be an ISO 3166-1 alpha-2 code";
            problems.push(Detail::format(format!("{prefix}.country"), "country", message));
        }
        problems
    }
}
