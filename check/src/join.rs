//! A merge join of two tables in two databases, in constant memory.

use std::cmp::Ordering;

use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use sqlx::{FromRow, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

/// One side: the rows of a statement, sorted by the key in its first column.
pub(crate) fn side<'a, T>(
    database: &'a PgPool,
    statement: &'static str,
) -> BoxStream<'a, Result<(Uuid, T), sqlx::Error>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + 'a,
{
    let keyed = |row: PgRow| Ok((row.try_get(0)?, T::from_row(&row)?));
    sqlx::query(statement).fetch(database).map(move |row| row.and_then(keyed)).boxed()
}

/// Joins two sides that are sorted by key. Calls `each` once per key, with the row of each side that has it.
pub(crate) async fn join<A, B>(
    mut left: impl Stream<Item = Result<(Uuid, A), sqlx::Error>> + Unpin,
    mut right: impl Stream<Item = Result<(Uuid, B), sqlx::Error>> + Unpin,
    mut each: impl FnMut(Uuid, Option<A>, Option<B>),
) -> Result<(), sqlx::Error> {
    let (mut one, mut other) = (left.try_next().await?, right.try_next().await?);
    loop {
        let order = match (&one, &other) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let a = if order.is_le() { std::mem::replace(&mut one, left.try_next().await?) } else { None };
        let b = if order.is_ge() { std::mem::replace(&mut other, right.try_next().await?) } else { None };
        let key = a.as_ref().map(|(key, _)| *key).or(b.as_ref().map(|(key, _)| *key)).unwrap_or_default();
        each(key, a.map(|(_, a)| a), b.map(|(_, b)| b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(keys: &[u128]) -> impl Stream<Item = Result<(Uuid, u128), sqlx::Error>> + Unpin {
        futures::stream::iter(keys.iter().map(|key| Ok((Uuid::from_u128(*key), *key))).collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn every_key_comes_once_with_what_each_side_has() {
        let mut seen = Vec::new();
        join(side(&[1, 2, 5]), side(&[2, 3, 5, 6]), |key, a, b| seen.push((key.as_u128(), a, b))).await.unwrap();
        assert_eq!(
            seen,
            [(1, Some(1), None), (2, Some(2), Some(2)), (3, None, Some(3)), (5, Some(5), Some(5)), (6, None, Some(6))]
        );
    }
}
