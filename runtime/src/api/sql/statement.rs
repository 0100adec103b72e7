//! Checks by keywords what a statement does.

/// The statements that a type of connection allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Plain selects.
    Reads,
    /// Selects that lock rows.
    Locks,
    /// All statements.
    Writes,
}

/// Keywords and functions that change rows, sequences or the session, or take locks.
const WRITING: [&str; 20] = [
    "insert",
    "update",
    "delete",
    "merge",
    "truncate",
    "copy",
    "call",
    "do",
    "create",
    "alter",
    "drop",
    "lock",
    "into",
    "share",
    "nextval",
    "setval",
    "set_config",
    "pg_notify",
    "notify",
    "set",
];

impl Allowed {
    /// Checks that the statement is allowed. [`Self::Locks`] also requires a locking clause.
    ///
    /// # Errors
    /// The reason why it is not allowed.
    pub fn check(self, sql: &str) -> Result<(), String> {
        if self == Self::Writes {
            return Ok(());
        }
        let words = words(sql);
        if !matches!(words.first().map(String::as_str), Some("select" | "with")) {
            return Err(format!("not a select: {sql}"));
        }
        let mut locks = false;
        for (index, word) in words.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| words.get(before)).map(String::as_str);
            if matches!(word.as_str(), "update" | "share") && matches!(before, Some("for" | "key")) {
                locks = true;
            } else if WRITING.contains(&word.as_str())
                || word.starts_with("pg_advisory")
                || word.starts_with("pg_try_advisory")
            {
                return Err(format!("`{word}` in a statement that only selects: {sql}"));
            }
        }
        match (self, locks) {
            (Self::Reads, true) => Err(format!("a lock in a statement that only reads: {sql}")),
            (Self::Locks, false) => Err(format!("no lock in a statement that is to lock: {sql}")),
            _ => Ok(()),
        }
    }
}

/// The words of a statement in lower case, without those in comments, literals and quoted identifiers. Includes `key`
/// and `no key` of a locking clause.
fn words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '\'' || first == '"' {
            rest.char_indices().skip(1).find(|(_, c)| *c == first).map_or(rest.len(), |(end, _)| end + 1)
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            words.extend(rest.get(..end).map(str::to_lowercase));
            end
        } else {
            first.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::Allowed;

    #[test]
    fn each_type_allows_what_its_name_says() {
        let read = "select updated_at, 'for update' as \"delete\" from stock -- insert\n where id = any($1)";
        let cte = "with moved as (update stock set sold = 1 returning id) select * from moved";
        let locks =
            ["select 1 from stock for update", "SELECT 1 FROM stock FOR NO KEY UPDATE", "select 1 for key share of s"];
        assert_eq!(Allowed::Reads.check(read), Ok(()));
        assert!(Allowed::Locks.check(read).is_err(), "no lock");
        for lock in locks {
            assert_eq!(Allowed::Locks.check(lock), Ok(()), "{lock}");
            assert!(Allowed::Reads.check(lock).is_err(), "{lock}");
        }
        let advisory = "select pg_advisory_xact_lock(1)";
        for write in [
            cte,
            "insert into stock select 1",
            "delete from stock",
            advisory,
            "select nextval('s')",
            "select 1 into t",
            "",
        ] {
            assert!(Allowed::Reads.check(write).is_err(), "{write}");
            assert!(Allowed::Locks.check(write).is_err(), "{write}");
            assert_eq!(Allowed::Writes.check(write), Ok(()));
        }
    }
}
