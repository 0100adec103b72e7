//! Converts serde's error messages, which name types of this program, into plain words.
//!
//! A type with a string format of its own supplies its text: its error, or the `expecting` text of its visitor, ends
//! with a phrase such as `expected a colour code (format: colour)`, which becomes "must be a colour code".

use super::{join, strict};
use crate::{Detail, DetailCode};

/// The detail for an error at a path of a body.
pub(super) fn explain(path: &str, text: &str) -> Detail {
    // A rejected key with NUL is part of the path.
    let path = path.replace('\0', "");
    if let Some(field) = quoted_after(text, "missing field ") {
        return Detail::required(join(&path, field));
    }
    if let Some(field) = quoted_after(text, "duplicate field ") {
        return Detail::repeated(join(&path, field));
    }
    let field = join(&path, "");
    if text == strict::NUL {
        Detail::characters(field, "NUL")
    } else if text.starts_with("UUID parsing failed") {
        Detail::uuid(field)
    } else if text.starts_with("number out of range") {
        out_of_range(field)
    } else if let Some((words, format)) = own_format(text) {
        Detail::format(field, format, format!("must be {words}"))
    } else if let Some((found, expected)) = text.rsplit_once(", expected ") {
        of_expected(field, found, expected)
    } else {
        not_valid(field)
    }
}

fn of_expected(field: String, found: &str, expected: &str) -> Detail {
    let nulls = ["invalid type: null", "invalid type: unit value", "invalid type: Option value"];
    if nulls.contains(&found) {
        return Detail::null(field);
    }
    if found.starts_with("unknown variant ") || expected.starts_with("one of ") {
        return Detail::one_of(field, &expected.split('`').skip(1).step_by(2).collect::<Vec<_>>());
    }
    let is_number = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"].contains(&expected);
    if is_number && found.starts_with("invalid value: integer ") {
        return out_of_range(field);
    }
    let is_object = expected == "a map" || expected.starts_with("struct ");
    match expected {
        _ if is_number => Detail::of_type(field, "integer"),
        _ if is_object => Detail::of_type(field, "object"),
        "f32" | "f64" => Detail::of_type(field, "number"),
        "a boolean" => Detail::of_type(field, "boolean"),
        "a string" | "a borrowed string" | "string or map" => Detail::of_type(field, "string"),
        "a sequence" => Detail::of_type(field, "array"),
        "a 16 byte array" => Detail::uuid(field),
        other if other.contains("UUID") => Detail::uuid(field),
        _ => not_valid(field),
    }
}

/// The description and the name of a type's own string format.
fn own_format(text: &str) -> Option<(&str, &str)> {
    let (words, format) = text.strip_suffix(')')?.rsplit_once(" (format: ")?;
    Some((words.rsplit_once("expected ").map_or(words, |(_, expected)| expected), format))
}

fn out_of_range(field: String) -> Detail {
    Detail::new(field, DetailCode::Range, "is out of range")
}

fn not_valid(field: String) -> Detail {
    Detail::new(field, DetailCode::Invalid, "is not valid")
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_prefix('`')?.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_name_of_this_program_is_exposed() {
        for (text, expected) in [
            ("invalid type: string \"x\", expected i64", Detail::of_type("a", "integer")),
            ("invalid value: integer `-1`, expected u32", Detail::new("a", DetailCode::Range, "is out of range")),
            ("invalid type: map, expected a string", Detail::of_type("a", "string")),
            ("invalid type: null, expected a string", Detail::null("a")),
            ("invalid type: unit value, expected struct Money", Detail::null("a")),
            ("invalid type: integer `3`, expected struct Money", Detail::of_type("a", "object")),
            ("invalid type: string \", expected a map\", expected a boolean", Detail::of_type("a", "boolean")),
            ("unknown variant `x`, expected one of `a`, `b`, `c`", Detail::one_of("a", &["a", "b", "c"])),
            ("unknown variant `x`, expected `a` or `b`", Detail::one_of("a", &["a", "b"])),
            ("invalid type: integer `3`, expected one of `a`, `b`", Detail::one_of("a", &["a", "b"])),
            ("UUID parsing failed: invalid character", Detail::uuid("a")),
            ("expected a colour code (format: colour)", Detail::format("a", "colour", "must be a colour code")),
            (
                "invalid type: integer `3`, expected a colour code (format: colour)",
                Detail::format("a", "colour", "must be a colour code"),
            ),
            ("something of a library", Detail::new("a", DetailCode::Invalid, "is not valid")),
            ("missing field `price`", Detail::required("a.price")),
            ("duplicate field `a`b`", Detail::repeated("a.a`b")),
        ] {
            assert_eq!(explain("a", text), expected, "{text}");
        }
        assert_eq!(explain("", "missing field `price`"), Detail::required("price"));
    }
}
