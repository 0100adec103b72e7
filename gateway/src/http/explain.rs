//! Messages for poem-openapi's parameter errors, whose own texts name types of this program.

use contract::{Detail, DetailCode};

/// Translates the error text of a parameter.
pub(crate) fn parameter(name: &str, text: &str) -> Detail {
    if let Some(rule) = text.strip_prefix("verification failed. ") {
        let (rule, rest) = rule.split_once('(').unwrap_or((rule, ""));
        let value = rest.split([',', ')']).next().unwrap_or_default();
        let bound = |code, bound: &str, message| {
            let detail = Detail::new(name, code, message);
            // The bounds are numbers, as declared by the routes.
            value.parse::<i64>().map_or(detail.clone(), |value| detail.with(bound, value))
        };
        return match rule {
            "minimum" => bound(DetailCode::Range, "min", format!("must be at least {value}")),
            "maximum" => bound(DetailCode::Range, "max", format!("must be at most {value}")),
            "minLength" => bound(DetailCode::Length, "min", format!("must have at least {value} characters")),
            "maxLength" => bound(DetailCode::Length, "max", format!("must have at most {value} characters")),
            "pattern" => Detail::format(name, "pattern", "does not have the right form"),
            _ => Detail::new(name, DetailCode::Invalid, "is not valid"),
        };
    }
    if text.contains("\"integer") {
        Detail::new(name, DetailCode::Type, "must be an integer in range").with("expected", "integer")
    } else if text.contains("\"number") {
        Detail::of_type(name, "number")
    } else if text.contains("\"boolean") {
        Detail::of_type(name, "boolean")
    } else if text.contains("\"string_uuid") {
        Detail::uuid(name)
    } else {
        Detail::new(name, DetailCode::OneOf, "is not one of the documented values")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_parameters_are_explained() {
        let detail = parameter("limit", "verification failed. maximum(100, exclusive: false)");
        assert_eq!(detail, Detail::new("limit", DetailCode::Range, "must be at most 100").with("max", 100));
        let detail = parameter("limit", "failed to parse \"integer_uint32\": invalid digit found in string");
        assert_eq!((detail.code, detail.message.as_str()), (DetailCode::Type, "must be an integer in range"));
    }
}
