//! Plain words for what serde says, whose own words name types of this program.

use super::strict;

/// What is wrong with a field of a body, and the field's name where it is not part of the path yet.
pub(super) fn explain(text: &str) -> (Option<&str>, String) {
    if let Some(field) = quoted_after(text, "missing field ") {
        return (Some(field), "is required".into());
    }
    if let Some(field) = quoted_after(text, "duplicate field ") {
        return (Some(field), "is given more than once".into());
    }
    let message = if text == strict::NUL {
        "must not contain NUL".into()
    } else if text.starts_with("UUID parsing failed") {
        "must be a UUID".into()
    } else if text.starts_with("number out of range") {
        "is out of range".into()
    } else if text == "not an ISO 4217 currency code" {
        "must be an ISO 4217 currency code".into()
    } else if let Some((found, expected)) = text.rsplit_once(", expected ") {
        of_expected(found, expected)
    } else {
        "is not valid".into()
    };
    (None, message)
}

fn of_expected(found: &str, expected: &str) -> String {
    let is_null =
        ["null", "unit value", "Option value"].iter().any(|null| found.ends_with(&format!("invalid type: {null}")));
    if is_null {
        return "must not be null".into();
    }
    if found.starts_with("unknown variant ") || expected.starts_with("one of ") {
        let words: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        return format!("must be one of {}", words.join(", "));
    }
    let is_number = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"].contains(&expected);
    if is_number && found.starts_with("invalid value: integer ") {
        return "is out of range".into();
    }
    match expected {
        _ if is_number => "must be an integer".into(),
        "f32" | "f64" => "must be a number".into(),
        "a boolean" => "must be true or false".into(),
        "a string" | "a borrowed string" | "string or map" => "must be a string".into(),
        "a sequence" => "must be an array".into(),
        "a map" => "must be an object".into(),
        "the id or the number of an order" => format!("must be {expected}"),
        "a 16 byte array" => "must be a UUID".into(),
        other if other.starts_with("struct ") => "must be an object".into(),
        other if other.contains("UUID") => "must be a UUID".into(),
        _ => "is not valid".into(),
    }
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_prefix('`')?.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_name_of_this_program_is_told() {
        for (text, expected) in [
            ("invalid type: string \"x\", expected i64", "must be an integer"),
            ("invalid value: integer `-1`, expected u32", "is out of range"),
            ("invalid type: map, expected a string", "must be a string"),
            ("invalid type: null, expected a string", "must not be null"),
            ("invalid type: unit value, expected struct Money", "must not be null"),
            ("invalid type: integer `3`, expected struct Money", "must be an object"),
            ("invalid type: string \", expected a map\", expected a boolean", "must be true or false"),
            ("unknown variant `x`, expected one of `a`, `b`, `c`", "must be one of a, b, c"),
            ("unknown variant `x`, expected `a` or `b`", "must be one of a, b"),
            ("invalid type: integer `3`, expected one of `a`, `b`", "must be one of a, b"),
            ("UUID parsing failed: invalid character", "must be a UUID"),
            ("something of a library", "is not valid"),
        ] {
            assert_eq!(explain(text), (None, expected.to_owned()), "{text}");
        }
        assert_eq!(explain("missing field `price`"), (Some("price"), "is required".to_owned()));
        assert_eq!(explain("duplicate field `a`b`"), (Some("a`b"), "is given more than once".to_owned()));
    }
}
