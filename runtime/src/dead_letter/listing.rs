//! What is parked, as people see it and as it is run again.

use sqlx::{PgPool, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{Behind, DeadLetter, DeadLetterKind, DeadLetters, DeadLettersPage, DeadLettersRequest, StoredHead};
use crate::{
    effects::{DUE_FOR, EXAMINED, Effects, unregistered},
    failure::Stored,
    operation::{EventHead, EventRoute},
};

/// Everything that a domain has parked, and the effects that no running node registers.
pub(crate) struct Parked<'a> {
    pub domain: &'static str,
    pub pool: &'a PgPool,
    /// Effects that this node registers.
    pub effects: &'a Effects,
    /// Reads what events are about.
    pub events: &'a [EventRoute],
}

/// What a redrive takes up again.
pub(crate) enum Work {
    /// Nothing where the head of the event cannot be read.
    Event(Option<EventHead>, Vec<u8>),
    Effect,
}

/// Selects it, by the parameters of [`unregistered`].
macro_rules! listed {
    () => {
        concat!(
            "(select kind, id, source, name, entity, head, payload, reason, attempts, parked_at from parked
              union all
              select 'effect', id, null, name, entity, null, null, 'no running node registers this effect', attempts,
                     due_at from (",
            unregistered!(),
            ") as unregistered) as listed"
        )
    };
}

impl Parked<'_> {
    /// A page of it.
    pub(crate) async fn list(&self, from: Behind, request: &DeadLettersRequest) -> Stored<DeadLetters> {
        let limit = request.limit();
        // A cursor says where to go on; there is nothing to skip behind it.
        let offset = if from.is_some() { 0 } else { request.offset() };
        let (at, id) = from.unzip();
        let total = sqlx::query_scalar(concat!("select count(*) from ", listed!()))
            .bind(self.effects.names())
            .bind(DUE_FOR.as_secs_f64())
            .bind(EXAMINED)
            .fetch_one(self.pool)
            .await?;
        // One more than asked for tells whether there is a next page.
        let rows = sqlx::query(concat!(
            "select * from ",
            listed!(),
            " where (parked_at, id) > (coalesce($4, '-infinity'::timestamptz), coalesce($5, $8))
             order by parked_at, id limit $6 offset $7"
        ))
        .bind(self.effects.names())
        .bind(DUE_FOR.as_secs_f64())
        .bind(EXAMINED)
        .bind(at)
        .bind(id)
        .bind(i64::from(limit) + 1)
        .bind(i64::from(offset))
        .bind(Uuid::nil())
        .fetch_all(self.pool)
        .await?;
        let has_more = rows.len() > limit as usize;
        let data = rows
            .iter()
            .take(limit as usize)
            .map(|row| Ok(self.letter(row)?.0))
            .collect::<Result<Vec<_>, sqlx::Error>>()?;
        let next_cursor = data.last().filter(|_| has_more).map(DeadLetter::cursor);
        Ok(DeadLetters { data, pagination: DeadLettersPage { limit, offset, total, next_cursor } })
    }

    /// One of it. The id of an event is made from its source among others: no two sources share one.
    pub(crate) async fn read(&self, id: Uuid) -> Stored<Option<(DeadLetter, Work)>> {
        let row = sqlx::query(concat!("select * from ", listed!(), " where id = $4 order by kind, source limit 1"))
            .bind(self.effects.names())
            .bind(DUE_FOR.as_secs_f64())
            .bind(EXAMINED)
            .bind(id)
            .fetch_optional(self.pool)
            .await?;
        Ok(row.map(|row| self.letter(&row)).transpose()?)
    }

    fn letter(&self, row: &PgRow) -> Result<(DeadLetter, Work), sqlx::Error> {
        let source: Option<String> = row.try_get("source")?;
        let mut letter = DeadLetter {
            id: row.try_get("id")?,
            kind: DeadLetterKind::Effect,
            source: source.unwrap_or_else(|| self.domain.to_owned()),
            name: row.try_get("name")?,
            entity: row.try_get("entity")?,
            reason: row.try_get("reason")?,
            attempts: row.try_get("attempts")?,
            parked_at: row.try_get("parked_at")?,
        };
        if row.try_get::<&str, _>("kind")? != "event" {
            return Ok((letter, Work::Effect));
        }
        letter.kind = DeadLetterKind::Event;
        let payload: Vec<u8> = row.try_get("payload")?;
        let head = row.try_get("head").ok().map(|Json(head): Json<StoredHead>| head.of(&letter));
        letter.entity = head.as_ref().and_then(|head| self.entity(head, &payload));
        Ok((letter, Work::Event(head, payload)))
    }

    /// What an event is about, where that can be read.
    fn entity(&self, head: &EventHead, payload: &[u8]) -> Option<Uuid> {
        let route = self.events.iter().find(|route| route.is_of(head))?;
        (route.decode)(head, payload).ok().map(|(_, entity)| entity)
    }
}

impl StoredHead {
    fn of(self, letter: &DeadLetter) -> EventHead {
        EventHead {
            id: letter.id,
            source: letter.source.clone(),
            name: letter.name.clone(),
            version: self.version,
            at: self.at,
            position: self.position,
            request_id: self.request_id,
            traceparent: self.traceparent,
        }
    }
}
