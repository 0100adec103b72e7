//! Effects that no running node registers, left by a version that is no longer deployed. They and the later effects of
//! their entities wait until a node registers them, which is expected during a rollout and an error after it.

use std::time::Duration;

use sqlx::Row;

use super::Effects;
use crate::error::InternalError;

/// A node that registers an effect starts it within a second. An effect that has been due for longer than this, is the
/// first of its entity and is not registered here is considered to be registered nowhere.
pub(crate) const DUE_FOR: Duration = Duration::from_secs(60);

/// The most effects that are examined, those due for longest first.
pub(crate) const EXAMINED: i64 = 10_000;

/// Selects them: `$1` are the names that this node registers, `$2` is [`DUE_FOR`] in seconds, `$3` is [`EXAMINED`].
macro_rules! unregistered {
    () => {
        "select id, name, entity, attempts, due_at from (
             select id, name, entity, number, attempts, greatest(lease_until, next_at) as due_at from effect
             where dead_lettered_at is null and greatest(lease_until, next_at) < now() - make_interval(secs => $2)
             order by greatest(lease_until, next_at), number limit $3) as due
         where name <> all($1)
           and not exists (select 1 from effect o where o.entity = due.entity and o.number < due.number)"
    };
}
pub(crate) use unregistered;

impl Effects {
    /// Counts the unregistered effects. Each name is logged once.
    pub(crate) async fn count_unregistered(&self) -> Result<i64, InternalError> {
        let rows = sqlx::query(concat!(
            "select name, count(*) as count from (",
            unregistered!(),
            ") as unregistered group by name order by name"
        ))
        .bind(&self.names)
        .bind(DUE_FOR.as_secs_f64())
        .bind(EXAMINED)
        .fetch_all(&self.db.lanes)
        .await?;
        let mut total = 0;
        for row in rows {
            let (name, count): (String, i64) = (row.try_get("name")?, row.try_get("count")?);
            total += count;
            let is_new = self.reported.lock().insert(name.clone());
            if is_new {
                tracing::error!(
                    domain = self.domain,
                    effect = name,
                    count,
                    "effect not registered by any running node, later effects of its entities are blocked"
                );
            }
        }
        Ok(total)
    }
}
