//! Plain words for what poem-openapi says of a parameter, whose own words name types of this program.

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
    fn rules_of_parameters_are_told_in_words() {
        assert_eq!(parameter("verification failed. maximum(100, exclusive: false)"), "must be at most 100");
        assert_eq!(
            parameter("failed to parse \"integer_uint32\": invalid digit found in string"),
            "must be an integer in range"
        );
    }
}
