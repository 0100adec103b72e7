//! Lists the dead letters of a domain, and reads one for a redrive.

use contract::{
    EventHead,
    page::{COUNTED, Moment, invalid_cursor},
};
use sqlx::{
    Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
    types::Json,
};
use uuid::Uuid;

use super::{DeadLetter, DeadLetterKind, DeadLetters, ListRequest};
use crate::{
    api::routes::EventRoute,
    error::InternalError,
    lane::{
        Lanes,
        effects::{DUE_FOR, EXAMINED, unregistered},
    },
    rpc::builtin::{Outcome, first_reply},
};

/// The dead letters of a domain, and the effects that no running node registers.
pub(crate) struct DeadLetterRows<'a> {
    pub lanes: &'a Lanes,
    /// The routes that decode the entities of events.
    pub events: &'a [EventRoute],
}

/// What a redrive runs again.
pub(super) enum Work {
    /// The head and the payload. The head is `None` if it cannot be decoded.
    Event(Option<Box<EventHead>>, Vec<u8>),
    Effect,
}

/// Selects the list, with the parameters of [`unregistered`].
macro_rules! listed {
    () => {
        concat!(
            "(select kind, id, source, name, entity, head, payload, reason, attempts, dead_lettered_at
              from dead_lettered
              union all
              select 'effect', id, null, name, entity, null, null, 'no running node registers this effect', attempts,
                     due_at from (",
            unregistered!(),
            ") as unregistered) as listed"
        )
    };
}

impl DeadLetterRows<'_> {
    /// A query of the list.
    fn query(&self, sql: &'static str) -> Query<'_, Postgres, PgArguments> {
        sqlx::query(sql).bind(self.lanes.context.effects.names()).bind(DUE_FOR.as_secs_f64()).bind(EXAMINED)
    }

    /// Answers a request for a page of the list.
    pub(crate) async fn list(&self, ListRequest(page): &ListRequest) -> Outcome<DeadLetters> {
        let Some(part) = page.part::<(Moment, Uuid)>("dead letters") else {
            return Ok(Err(invalid_cursor()));
        };
        let pool = &self.lanes.context.db.reads;
        let counted = self.query(concat!("select count(*) from (select from ", listed!(), " limit $4) as counted"));
        let counted = counted.bind(COUNTED + 1).fetch_one(pool).await?.try_get(0)?;
        let sql = if part.is_backwards {
            concat!(
                "select * from ",
                listed!(),
                " where (dead_lettered_at, id) < ($4, $5) order by dead_lettered_at desc, id desc limit $6 offset $7"
            )
        } else {
            concat!(
                "select * from ",
                listed!(),
                " where $4 is null or (dead_lettered_at, id) > ($4, $5)
                  order by dead_lettered_at, id limit $6 offset $7"
            )
        };
        let (at, id) = part.from.map(|(at, id)| (at.0, id)).unzip();
        let rows = self.query(sql).bind(at).bind(id).bind(part.rows()).bind(part.offset()).fetch_all(pool).await?;
        let letters = rows.iter().map(|row| Ok(self.letter(row)?.0)).collect::<Result<Vec<_>, sqlx::Error>>()?;
        let (data, pagination) = part.page(letters, counted, |letter| (Moment(letter.dead_lettered_at), letter.id));
        first_reply(DeadLetters { data, pagination })
    }

    /// Reads one dead letter. The id of an event is derived from its source among others, so no two sources share an
    /// id.
    pub(super) async fn read(&self, id: Uuid) -> Result<Option<(DeadLetter, Work)>, InternalError> {
        let row = self
            .query(concat!("select * from ", listed!(), " where id = $4 order by kind, source limit 1"))
            .bind(id)
            .fetch_optional(&self.lanes.context.db.lanes)
            .await?;
        Ok(row.map(|row| self.letter(&row)).transpose()?)
    }

    fn letter(&self, row: &PgRow) -> Result<(DeadLetter, Work), sqlx::Error> {
        let source: Option<String> = row.try_get("source")?;
        let mut letter = DeadLetter {
            id: row.try_get("id")?,
            kind: DeadLetterKind::Effect,
            source: source.unwrap_or_else(|| self.lanes.context.domain.to_owned()),
            name: row.try_get("name")?,
            entity: row.try_get("entity")?,
            reason: row.try_get("reason")?,
            attempts: row.try_get("attempts")?,
            dead_lettered_at: row.try_get("dead_lettered_at")?,
        };
        if row.try_get::<&str, _>("kind")? != "event" {
            return Ok((letter, Work::Effect));
        }
        letter.kind = DeadLetterKind::Event;
        let payload: Vec<u8> = row.try_get("payload")?;
        let head = row.try_get("head").ok().map(|Json(head): Json<EventHead>| EventHead {
            id: letter.id,
            source: letter.source.clone(),
            name: letter.name.clone(),
            ..head
        });
        letter.entity = head.as_ref().and_then(|head| self.entity(head, &payload));
        Ok((letter, Work::Event(head.map(Box::new), payload)))
    }

    /// The entity of an event, if its payload can be decoded.
    fn entity(&self, head: &EventHead, payload: &[u8]) -> Option<Uuid> {
        let route = self.events.iter().find(|route| route.is_of(head))?;
        (route.decode)(head, payload).ok().map(|(_, entity)| entity)
    }
}
