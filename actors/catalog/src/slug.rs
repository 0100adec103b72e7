//! Slugs: the readable names of products and categories in URLs.

use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// The maximum length of a slug.
pub(crate) const MAX_SLUG: usize = 120;

/// Whether a slug is valid: lower-case letters, digits and single hyphens between them. It must not parse as an id,
/// because a product is looked up by either.
pub(crate) fn is_slug(text: &str) -> bool {
    (1..=MAX_SLUG).contains(&text.len())
        && text
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
        && Uuid::parse_str(text).is_err()
}

/// Generates a slug from a name: accents are removed; other characters separate words.
pub(crate) fn from_name(name: &str) -> String {
    // Leaves room for a suffix.
    const MAX: usize = MAX_SLUG - 20;
    let mut slug = String::new();
    for character in name.nfkd().flat_map(char::to_lowercase) {
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            '\u{300}'..='\u{36f}' | '\'' | '’' => {}
            'ß' => slug.push_str("ss"),
            'æ' => slug.push_str("ae"),
            'œ' => slug.push_str("oe"),
            'ø' => slug.push('o'),
            'ł' => slug.push('l'),
            'đ' | 'ð' => slug.push('d'),
            'þ' => slug.push_str("th"),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
        if slug.len() >= MAX {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if is_slug(slug) { slug.to_owned() } else { with_suffix("product", slug) }
}

/// Appends a suffix to a slug.
pub(crate) fn with_suffix(slug: &str, suffix: &str) -> String {
    let suffixed = format!("{slug}-{suffix}");
    suffixed.trim_end_matches('-').to_owned()
}

/// A short suffix that is unlikely to collide: the last random digits of an id.
pub(crate) fn suffix_of(id: Uuid) -> String {
    let text = id.simple().to_string();
    text.chars().skip(24).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded() {
        for (name, slug) in [
            ("Linen Shirt", "linen-shirt"),
            ("  Crème brûlée — 2 pieces! ", "creme-brulee-2-pieces"),
            ("Straßenkönig's Æsir", "strassenkonigs-aesir"),
            ("½ Litre", "1-2-litre"),
            ("商品", "product"),
            ("!!!", "product"),
            ("c0ffee00-0000-4000-8000-000000000000", "product-c0ffee00-0000-4000-8000-000000000000"),
        ] {
            assert_eq!(from_name(name), slug, "{name}");
            assert!(is_slug(&from_name(name)));
        }
        assert!(is_slug(&from_name(&"ab ".repeat(100))));
        assert!(is_slug(&with_suffix(&from_name(&"ab ".repeat(100)), &suffix_of(Uuid::now_v7()))));
    }

    #[test]
    fn slugs_are_distinguished_from_other_texts() {
        assert!(is_slug("linen-shirt-2"));
        for text in ["", "-a", "a-", "a--b", "A", "a b", "ä", "a\0", "00000000000000000000000000000000"] {
            assert!(!is_slug(text), "{text:?}");
        }
        assert!(!is_slug(&"a".repeat(121)));
    }
}
