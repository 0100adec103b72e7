//! Text: its one form, when it is empty, when two texts are the same.
//!
//! The decoder brings every text of a request into Unicode's composed form (NFC), so that a name looks and compares the same
//! whichever keyboard wrote it. [`as_sent`] is for the exception.

use std::borrow::Cow;

use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};
use serde::{Deserialize, Deserializer};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A text in its composed form (NFC).
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Whether a character shows nothing by itself: it neither makes a text non-empty nor different from another one.
pub fn is_invisible(character: char) -> bool {
    !character.is_ascii() && CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// A text without the blanks and invisible characters around it.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// The form of a text that may stand only once: compatible characters are the same (NFKC), invisible ones fall.
pub fn compatible(text: &str) -> String {
    trimmed(text).chars().filter(|c| !is_invisible(*c)).nfkc().collect()
}

/// For `#[serde(deserialize_with)]`: a text that is kept as it was sent, such as a password. Bringing it into another form
/// could change what it opens.
///
/// # Errors
/// Where it is no text.
pub fn as_sent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    AsSent::deserialize(deserializer).map(|text| text.0)
}

/// What tells the decoder to let a text alone.
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
        // Inside a text they may matter: this family is one picture.
        assert_eq!(trimmed("\u{200b} 👨\u{200d}👩 \u{2060}"), "👨\u{200d}👩");
    }

    #[test]
    fn texts_that_look_alike_are_the_same_where_one_may_stand_only_once() {
        for same in ["ＳＫＵ-1", "SKU\u{200b}-1", " SKU-1\u{feff}", "S\u{ad}KU-1"] {
            assert_eq!(compatible(same), "SKU-1", "{same:?}");
        }
        assert_eq!(compatible("ﬁne \u{212b}"), compatible("fine Å"));
        assert_ne!(compatible("SKU-1"), compatible("SKU-2"));
    }
}
