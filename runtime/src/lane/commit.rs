//! The last statement of every batch: the handlers' last writes, answers, events and effects, and the deletion of
//! confirmed outbox rows.
//!
//! To read first: `batch.rs` (`transact`), which runs this statement and then commits.

use chrono::{DateTime, Utc};
use contract::Position;
use sqlx::{PgConnection, Row};
use std::{collections::BTreeMap, time::Instant};
use uuid::Uuid;

use crate::{
    api::{routes::EffectRow, sql::Collected, tx::EmittedEvent},
    columns,
    error::InternalError,
    log::event_log::Digest,
};

/// A row of the command log.
pub(super) struct AnswerRow {
    pub caller: String,
    pub operation: &'static str,
    pub id: Uuid,
    pub fingerprint: Vec<u8>,
    pub status: i16,
    pub answer: Option<Vec<u8>>,
}

/// What a batch has committed: the events to publish and the effects to start.
pub(crate) struct Committed {
    pub position: Position,
    pub at: DateTime<Utc>,
    pub events: Vec<EmittedEvent>,
    /// A lower bound for the start of the leases of its events and effects.
    pub leases_since: Instant,
    /// Effects whose lease this node holds.
    pub effects: Vec<EffectRow>,
    /// Whether the batch left effects without a lease: each waits for an earlier effect of its entity, or was in the
    /// table already.
    pub has_waiting_effects: bool,
}

/// The parts of the statement. Each `{}` is the place of one parameter, in this order. The epoch is read inside the
/// committing transaction and never cached: right after a restore a cached epoch would hide new commits behind old
/// cursors.
const EPOCH: &str = "this_epoch as (
    select epoch from epoch where started = pg_postmaster_start_time() order by epoch desc limit 1)";
const ANSWERS: &str = "answers as (
    insert into command_log (caller, operation, id, fingerprint, status, reply)
    select * from unnest({}::text[], {}::text[], {}::uuid[], {}::bytea[], {}::smallint[], {}::bytea[]))";
const EVENTS: &str = "logged as (
    insert into event_log (epoch, xid, at, digest, events)
    select epoch, pg_current_xact_id()::text::bigint, clock_timestamp(), {}::text::jsonb, {}::text::json
    from this_epoch returning epoch, xid, at),
queued as (
    insert into outbox (epoch, xid, lease_until)
    select epoch, xid, clock_timestamp() + interval '5 seconds' from logged)";
const CONFIRMED: &str = "confirmed as (
    delete from outbox using unnest({}::bigint[], {}::bigint[]) as gone(epoch, xid)
    where outbox.epoch = gone.epoch and outbox.xid = gone.xid)";
const EFFECTS: &str = "left_effects as (
    insert into effect (id, name, entity, cause, body, lease_until)
    select e.id, e.name, e.entity, e.cause::jsonb, e.body,
           clock_timestamp() + case when e.place = 1 and not exists (select 1 from effect o where o.entity = e.entity)
                                    then interval '15 seconds' else interval '-1 second' end
    from (select *, row_number() over (partition by entity order by ordinality) as place
          from unnest({}::uuid[], {}::text[], {}::uuid[], {}::text[], {}::text[]) with ordinality
               as t(id, name, entity, cause, body, ordinality)) e
    order by e.ordinality
    -- A command whose answer is not kept may run twice, and leaves the same work behind.
    on conflict (id) do nothing
    returning id, lease_until > clock_timestamp() as is_ours)";

/// What the statement returns, without and with events and effects.
macro_rules! result {
    ($logged_at:literal, $ours:literal) => {
        concat!(
            "select (select epoch from this_epoch) as epoch, pg_current_xact_id()::text::bigint as xid,
                 clock_timestamp() as at, ",
            $logged_at,
            " as logged_at, ",
            $ours,
            " as ours"
        )
    };
}
const RESULTS: [[&str; 2]; 2] = [
    [
        result!("null::timestamptz", "array[]::uuid[]"),
        result!("null::timestamptz", "array(select id from left_effects where is_ours)"),
    ],
    [
        result!("(select at from logged)", "array[]::uuid[]"),
        result!("(select at from logged)", "array(select id from left_effects where is_ours)"),
    ],
];

pub(super) async fn write(
    connection: &mut PgConnection,
    last_writes: Collected,
    answers: &[AnswerRow],
    events: Vec<EmittedEvent>,
    effects: Vec<EffectRow>,
    confirmed: &[Position],
) -> Result<Committed, InternalError> {
    let mut digests: BTreeMap<&str, Digest> = BTreeMap::new();
    for event in &events {
        digests.entry(&event.name).or_default().add(event.id);
    }
    let leases_since = Instant::now();
    let (has_answers, has_events) = (!answers.is_empty(), !events.is_empty());
    let (has_confirmed, has_effects) = (!confirmed.is_empty(), !effects.is_empty());
    // A single statement saves round trips. It has only the parts that the batch needs, because the server pays for
    // each.
    let parts = [(has_answers, ANSWERS), (has_events, EVENTS), (has_confirmed, CONFIRMED), (has_effects, EFFECTS)];
    let parts: Vec<&str> = [EPOCH]
        .into_iter()
        .chain(parts.into_iter().filter_map(|(is_needed, part)| is_needed.then_some(part)))
        .chain([RESULTS[usize::from(has_events)][usize::from(has_effects)]])
        .collect();
    let mut query = last_writes.query(&parts)?;
    if has_answers {
        query = columns!(query, answers, row; row.caller.as_str(), row.operation, row.id, row.fingerprint.as_slice(),
            row.status, row.answer.as_deref());
    }
    if has_events {
        // JSON is bound as text: the log stores the events exactly as written.
        query = query.bind(to_json(&digests)?).bind(to_json(&events)?);
    }
    if has_confirmed {
        let (epochs, xids): (Vec<i64>, Vec<i64>) = confirmed.iter().map(|p| (p.epoch, p.xid)).unzip();
        query = query.bind(epochs).bind(xids);
    }
    if has_effects {
        let causes = effects.iter().map(|effect| to_json(&effect.cause)).collect::<Result<Vec<_>, _>>()?;
        query = columns!(query, effects, effect; effect.id, effect.name.as_str(), effect.entity).bind(causes);
        query = columns!(query, effects, effect; effect.body.as_str());
    }
    let row = query.fetch_one(connection).await?;
    let Some(epoch) = row.try_get::<Option<i64>, _>("epoch")? else {
        return Err(InternalError::StaleEpoch);
    };
    let ours: Vec<Uuid> = row.try_get("ours")?;
    let waiting = effects.len() > ours.len();
    let at: DateTime<Utc> = row.try_get::<Option<_>, _>("logged_at")?.unwrap_or(row.try_get("at")?);
    Ok(Committed {
        position: Position { epoch, xid: row.try_get("xid")? },
        at,
        events,
        effects: effects.into_iter().filter(|effect| ours.contains(&effect.id)).collect(),
        leases_since,
        has_waiting_effects: waiting,
    })
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String, InternalError> {
    serde_json::to_string(value).map_err(InternalError::other)
}
