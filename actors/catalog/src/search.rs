//! What a client searches for, as PostgreSQL's full text search reads it.

/// How much of a search is read.
const MAX_CHARACTERS: usize = 200;
const MAX_WORDS: usize = 16;

/// Every word must stand in the name or the description, or begin a word there. `None` where there is no word at all,
/// which finds nothing.
pub(crate) fn to_tsquery(text: &str) -> Option<String> {
    let text: String = text.chars().take(MAX_CHARACTERS).collect();
    // Nothing but letters and digits gets through, so a word cannot end its quotes.
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MAX_WORDS);
    let query = words.map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & ");
    if query.is_empty() { None } else { Some(query) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_asked_for() {
        assert_eq!(to_tsquery("linen  Shirt").as_deref(), Some("'linen':* & 'Shirt':*"));
        assert_eq!(to_tsquery("10.5-inch, don't").as_deref(), Some("'10':* & '5':* & 'inch':* & 'don':* & 't':*"));
    }

    #[test]
    fn no_text_is_more_than_words() {
        assert_eq!(to_tsquery("') | !\\ :* \0 &"), None);
        assert_eq!(to_tsquery("a'\0b").as_deref(), Some("'a':* & 'b':*"));
        assert!(to_tsquery(&"x".repeat(10_000)).is_some_and(|query| query.len() < 300));
    }
}
