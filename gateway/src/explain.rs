//! Plain words for what a parser says, whose own words name types of this program.

/// What is wrong with a field of a body, and the field's name where it is a missing one.
pub(crate) fn body(text: &str) -> (Option<&str>, String) {
    // serde_json appends the place in the text, which says nothing to someone who is told the path.
    let text = text.split(" at line ").next().unwrap_or_default();
    if let Some(field) = quoted_after(text, "missing field ") {
        return (Some(field), "is required".into());
    }
    let message = if let Some((_, allowed)) = text.split_once(", expected one of ") {
        format!("must be one of {}", allowed.replace('`', ""))
    } else if text.starts_with("duplicate field") {
        "is given twice".into()
    } else if text.starts_with("UUID parsing failed") {
        "must be a UUID".into()
    } else if text.starts_with("number out of range") {
        "is out of range".into()
    } else if let Some((found, expected)) = text.split_once(", expected ") {
        let is_number = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"].contains(&expected);
        if is_number && found.contains("integer `") { "is out of range".into() } else { must_be(expected).into() }
    } else if text == "not an ISO 4217 currency code" {
        "must be an ISO 4217 currency code".into()
    } else {
        "is not valid".into()
    };
    (None, message)
}

fn must_be(expected: &str) -> &'static str {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" => "must be an integer",
        "f32" | "f64" => "must be a number",
        "a boolean" => "must be true or false",
        "a string" | "a borrowed string" | "string or map" => "must be a string",
        "a sequence" => "must be an array",
        "a map" => "must be an object",
        other if other.starts_with("struct ") => "must be an object",
        other if other.contains("UUID") => "must be a UUID",
        _ => "is not valid",
    }
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_prefix('`')?.split('`').next()
}

/// What is wrong with a query parameter.
pub(crate) fn parameter(text: &str) -> String {
    if let Some(rule) = text.strip_prefix("verification failed. ") {
        let (name, rest) = rule.split_once('(').unwrap_or((rule, ""));
        let value = rest.split([',', ')']).next().unwrap_or_default();
        return match name {
            "minimum" => format!("must be at least {value}"),
            "maximum" => format!("must be at most {value}"),
            "minLength" => format!("must have at least {value} characters"),
            "maxLength" => format!("must have at most {value} characters"),
            "pattern" => "does not have the right form".into(),
            _ => "is not valid".into(),
        };
    }
    let kinds = [
        ("\"integer", "must be an integer in range"),
        ("\"number", "must be a number"),
        ("\"boolean", "must be true or false"),
        ("\"string_uuid", "must be a UUID"),
    ];
    let known = kinds.iter().find(|(name, _)| text.contains(name));
    known.map_or("is not one of the values the document lists", |(_, words)| words).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_name_of_this_program_is_told() {
        for (text, expected) in [
            ("invalid type: string \"x\", expected i64 at line 1 column 9", "must be an integer"),
            ("invalid value: integer `-1`, expected u32", "is out of range"),
            ("invalid type: map, expected a string", "must be a string"),
            ("invalid type: integer `3`, expected struct Money", "must be an object"),
            ("unknown variant `x`, expected one of `a`, `b`", "must be one of a, b"),
            ("UUID parsing failed: invalid character", "must be a UUID"),
            ("something of a library", "is not valid"),
        ] {
            assert_eq!(body(text), (None, expected.to_owned()), "{text}");
        }
        assert_eq!(body("missing field `price` at line 1 column 2"), (Some("price"), "is required".to_owned()));
    }

    #[test]
    fn rules_of_parameters_are_told_in_words() {
        assert_eq!(parameter("verification failed. maximum(100, exclusive: false)"), "must be at most 100");
        assert_eq!(
            parameter("failed to parse \"integer_uint32\": invalid digit found in string"),
            "must be an integer in range"
        );
    }
}
