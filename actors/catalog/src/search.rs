//! Converts search texts to PostgreSQL full-text queries.

/// Limits of a search text; the rest is ignored.
const MAX_CHARACTERS: usize = 200;
const MAX_WORDS: usize = 16;

/// Builds a query that matches products whose name or description has, for every word, a word with that prefix. Returns
/// `None` if the text has no words; such a search matches nothing.
pub(crate) fn to_tsquery(text: &str) -> Option<String> {
    let text: String = text.chars().take(MAX_CHARACTERS).collect();
    // Words consist of letters and digits only, so they cannot escape their quotes.
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MAX_WORDS);
    let query = words.map(|word| format!("'{word}':*")).collect::<Vec<_>>().join(" & ");
    if query.is_empty() { None } else { Some(query) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_search_term() {
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
