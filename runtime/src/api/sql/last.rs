//! Writes that are sent with the commit of a batch.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use parking_lot::RwLock;
use sqlx::{
    Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Type, error::BoxDynError, postgres::PgArguments,
    query::Query,
};

use crate::error::InternalError;

/// Collects writes that are sent as one statement with the answers and events of the batch, which saves a round trip
/// for each. None sees the rows of another, so no two may write the same row. A statement that is run after them fails
/// the batch, because it would not see what they write.
pub struct LastWrites<'t>(&'t mut Collected);

impl LastWrites<'_> {
    /// Adds an `insert`, `update` or `delete`. Bind its parameters to the result.
    pub fn write(&mut self, sql: &'static str) -> LastWrite<'_> {
        self.0.statements.push((sql, self.0.arguments.len()));
        LastWrite(self.0)
    }

    /// The same again, for the first of several functions.
    pub fn reborrow(&mut self) -> LastWrites<'_> {
        LastWrites(self.0)
    }
}

impl std::fmt::Debug for LastWrites<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LastWrites")
    }
}

/// A write whose parameters are being bound.
pub struct LastWrite<'t>(&'t mut Collected);

impl LastWrite<'_> {
    /// Binds the next parameter. A value that cannot be encoded fails the batch.
    pub fn bind<'v, T: Encode<'v, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        if let Err(error) = self.0.arguments.add(value) {
            self.0.error.get_or_insert(error);
        }
        self
    }
}

impl std::fmt::Debug for LastWrite<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LastWrite")
    }
}

/// The writes of a batch so far.
#[derive(Default)]
pub(crate) struct Collected {
    /// Each with the number of parameters before its own.
    statements: Vec<(&'static str, usize)>,
    arguments: PgArguments,
    error: Option<BoxDynError>,
}

/// The texts of statements with their parameters numbered, by the parts that they are made of. Bounded by the number of
/// ways in which handlers combine their writes.
static TEXTS: LazyLock<RwLock<HashMap<Vec<&'static str>, Arc<str>>>> = LazyLock::new(RwLock::default);

impl Collected {
    pub(crate) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    pub(crate) fn writes(&mut self) -> LastWrites<'_> {
        LastWrites(self)
    }

    /// Runs the writes now, in one statement, because more is to follow.
    pub(crate) async fn flush(&mut self, connection: &mut PgConnection) -> Result<(), InternalError> {
        if !self.is_empty() {
            std::mem::take(self).query(&["select"])?.execute(connection).await?;
        }
        Ok(())
    }

    /// The writes and `parts` as one statement. The last part is the statement itself, and the ones before it are
    /// common table expressions. Each part has placeholders `{}`, which are bound after the parameters of the writes.
    pub(crate) fn query(self, parts: &[&'static str]) -> Result<Query<'static, Postgres, PgArguments>, InternalError> {
        if let Some(error) = self.error {
            return Err(InternalError::other(error));
        }
        let key: Vec<&str> = self.statements.iter().map(|(sql, _)| *sql).chain(parts.iter().copied()).collect();
        let known = TEXTS.read().get(&key).cloned();
        let text = known.unwrap_or_else(|| {
            let text = Arc::<str>::from(text(&self.statements, self.arguments.len(), parts));
            TEXTS.write().insert(key, text.clone());
            text
        });
        Ok(sqlx::query_with(AssertSqlSafe(text), self.arguments))
    }
}

fn text(statements: &[(&str, usize)], bound: usize, parts: &[&str]) -> String {
    let mut tables: Vec<String> = statements
        .iter()
        .enumerate()
        .map(|(index, (sql, before))| format!("write_{index} as ({})", renumbered(sql, *before)))
        .collect();
    let mut number = bound;
    for part in parts {
        let mut pieces = part.split("{}");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            number += 1;
            text += &format!("${number}{piece}");
        }
        tables.push(text);
    }
    let statement = tables.pop().unwrap_or_default();
    if tables.is_empty() { statement } else { format!("with {}\n{statement}", tables.join(",\n")) }
}

/// Adds `before` to the numbers of the parameters.
fn renumbered(sql: &str, before: usize) -> String {
    let mut pieces = sql.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at(end);
        match number.parse::<usize>() {
            Ok(number) => text += &format!("${}{rest}", number + before),
            Err(_) => text += &format!("${piece}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_each_write_follow_those_before_it() {
        let mut collected = Collected::default();
        let mut writes = collected.writes();
        writes.write("insert into a select $2, $1::text[]").bind(1).bind("x");
        writes.reborrow().write("delete from b where c = $1").bind(2);
        let text = text(
            &collected.statements,
            collected.arguments.len(),
            &["d as (insert into e select {}, {})", "select {}"],
        );
        assert_eq!(
            text,
            "with write_0 as (insert into a select $2, $1::text[]),\nwrite_1 as (delete from b where c = $3),\n\
             d as (insert into e select $4, $5)\nselect $6"
        );
        assert_eq!(super::text(&[], 0, &["select {}"]), "select $1");
    }
}
