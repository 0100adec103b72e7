//! The end of every batch: one statement that writes answers, events and effects, then the commit.

use chrono::{DateTime, Utc};
use contract::Position;
use sqlx::{PgConnection, Row};
use std::{collections::BTreeMap, time::Instant};
use uuid::Uuid;

use crate::{
    failure::Breakage,
    log::{Digest, LoggedEvent, mark},
    operation::EffectRow,
    tx::{PendingEffect, PendingEvent},
};

/// Answers for the command log, column by column.
#[derive(Default)]
pub(super) struct AnswerRows {
    pub callers: Vec<String>,
    pub operations: Vec<String>,
    pub ids: Vec<Uuid>,
    pub fingerprints: Vec<Vec<u8>>,
    pub statuses: Vec<i16>,
    pub answers: Vec<Option<Vec<u8>>>,
}

/// What a batch has committed and the world must hear of.
pub(crate) struct Committed {
    pub position: Position,
    pub at: DateTime<Utc>,
    pub events: Vec<LoggedEvent>,
    /// Before this the leases of its events and effects had not begun.
    pub leases_since: Instant,
    /// Effects that this node may perform at once.
    pub effects: Vec<EffectRow>,
    /// Whether there are more, which wait for others of their entity.
    pub has_waiting_effects: bool,
}

// Written in one statement to spare round trips. The era is read inside the committing transaction, never cached: right
// after a restore a cached one would hide new commits behind old cursors.
const WRITE: &str = "
with now_era as (select era from era where started = pg_postmaster_start_time() order by era desc limit 1),
answers as (
    insert into command_log (caller, operation, id, fingerprint, status, answer)
    select * from unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[], $5::smallint[], $6::bytea[])),
logged as (
    insert into event_log (era, xid, at, digest, events)
    select era, pg_current_xact_id()::text::bigint, clock_timestamp(), $7::text::jsonb, $8::text::json
    from now_era where $8::text is not null returning era, xid, at),
queued as (
    insert into outbox (era, xid, lease_until)
    select era, xid, clock_timestamp() + interval '5 seconds' from logged),
confirmed as (
    delete from outbox using unnest($9::bigint[], $10::bigint[]) as gone(era, xid)
    where outbox.era = gone.era and outbox.xid = gone.xid),
left_effects as (
    insert into effect (id, name, entity, cause, body, lease_until)
    select e.id, e.name, e.entity, e.cause::jsonb, e.body,
           clock_timestamp() + case when e.place = 1 and not exists (select 1 from effect o where o.entity = e.entity)
                                    then interval '15 seconds' else interval '-1 second' end
    from (select *, row_number() over (partition by entity order by ordinality) as place
          from unnest($11::uuid[], $12::text[], $13::uuid[], $14::text[], $15::text[]) with ordinality
               as t(id, name, entity, cause, body, ordinality)) e
    order by e.ordinality
    -- A command whose answer is not kept may run twice, and leaves the same work behind.
    on conflict (id) do nothing
    returning id, lease_until > clock_timestamp() as is_ours)
select (select era from now_era) as era, pg_current_xact_id()::text::bigint as xid, clock_timestamp() as at,
       (select at from logged) as logged_at,
       array(select id from left_effects where is_ours) as ours";

pub(super) async fn write(
    connection: &mut PgConnection,
    answers: AnswerRows,
    events: &[PendingEvent],
    effects: Vec<PendingEffect>,
    confirmed: &[Position],
) -> Result<Committed, Breakage> {
    let logged = events.iter().map(LoggedEvent::of).collect::<Result<Vec<_>, _>>()?;
    let mut digests: BTreeMap<&str, Digest> = BTreeMap::new();
    for event in events {
        let digest = digests.entry(event.name).or_default();
        digest.count += 1;
        digest.xor ^= mark(event.id);
    }
    // JSON goes over as text: the log keeps it as it was written.
    let body = if logged.is_empty() { None } else { Some(to_json(&logged)?) };
    let (eras, xids): (Vec<i64>, Vec<i64>) = confirmed.iter().map(|p| (p.era, p.xid)).unzip();
    let causes = effects.iter().map(|e| to_json(&e.cause)).collect::<Result<Vec<_>, _>>()?;
    let leases_since = Instant::now();
    let row = sqlx::query(WRITE)
        .bind(answers.callers)
        .bind(answers.operations)
        .bind(answers.ids)
        .bind(answers.fingerprints)
        .bind(answers.statuses)
        .bind(answers.answers)
        .bind(to_json(&digests)?)
        .bind(body)
        .bind(eras)
        .bind(xids)
        .bind(effects.iter().map(|e| e.id).collect::<Vec<_>>())
        .bind(effects.iter().map(|e| e.name.to_owned()).collect::<Vec<_>>())
        .bind(effects.iter().map(|e| e.entity).collect::<Vec<_>>())
        .bind(causes)
        .bind(effects.iter().map(|e| e.body.clone()).collect::<Vec<_>>())
        .fetch_one(connection)
        .await?;
    let Some(era) = row.try_get::<Option<i64>, _>("era")? else {
        return Err(Breakage::StaleEra);
    };
    let ours: Vec<Uuid> = row.try_get("ours")?;
    let waiting = effects.len() > ours.len();
    let at: DateTime<Utc> = row.try_get::<Option<_>, _>("logged_at")?.unwrap_or(row.try_get("at")?);
    Ok(Committed {
        position: Position { era, xid: row.try_get("xid")? },
        at,
        events: logged,
        effects: effects.into_iter().filter(|e| ours.contains(&e.id)).map(EffectRow::of).collect(),
        leases_since,
        has_waiting_effects: waiting,
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Breakage> {
    serde_json::to_string(value).map_err(Breakage::other)
}
