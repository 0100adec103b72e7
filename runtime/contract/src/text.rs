//! Normalization of text, and its comparison for emptiness and equality.
//!
//! The decoder converts every string of a request to Unicode's composed form (NFC), so that a name looks and compares
//! the same whichever keyboard wrote it. [`as_sent`] marks the exceptions.

use std::borrow::Cow;

use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};
use serde::{Deserialize, Deserializer};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Converts a text to its composed form (NFC).
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Whether a character is invisible by itself: it makes a text neither non-empty nor different from another text.
pub fn is_invisible(character: char) -> bool {
    !character.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Removes surrounding whitespace and invisible characters.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// The form in which texts that must be unique are compared: compatible characters are equal (NFKC), invisible
/// characters are removed.
pub fn compatible(text: &str) -> String {
    trimmed(text).chars().filter(|c| !is_invisible(*c)).nfkc().collect()
}

/// For `#[serde(deserialize_with)]`: keeps a text as sent, such as a password, which must not be normalized.
///
/// # Errors
/// If the value is not a string.
pub fn as_sent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    AsSent::deserialize(deserializer).map(|text| text.0)
}

/// Marks a string that the decoder must not normalize.
#[derive(Deserialize)]
pub(crate) struct AsSent(String);

impl AsSent {
    pub(crate) const NAME: &'static str = "AsSent";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_form() {
        assert_eq!(composed("Caf\u{65}\u{301}"), "Caf\u{e9}");
        assert!(matches!(composed("Café"), Cow::Borrowed(_)));
    }

    #[test]
    fn invisible_characters_make_no_text() {
        assert_eq!(trimmed(" \u{200b}\u{feff}\u{3164} "), "");
        // Inside a text they may be significant: this family is a single glyph.
        assert_eq!(trimmed("\u{200b} 👨\u{200d}👩 \u{2060}"), "👨\u{200d}👩");
    }

    #[test]
    fn texts_that_read_alike_are_the_same_where_they_must_be_unique() {
        for same in ["ＳＫＵ-1", "SKU\u{200b}-1", " SKU-1\u{feff}", "S\u{ad}KU-1"] {
            assert_eq!(compatible(same), "SKU-1", "{same:?}");
        }
        assert_eq!(compatible("ﬁne \u{212b}"), compatible("fine Å"));
        assert_ne!(compatible("SKU-1"), compatible("SKU-2"));
    }
}
