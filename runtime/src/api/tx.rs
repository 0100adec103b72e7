//! The transaction of a batch, as handlers use it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use contract::Event;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    api::{
        domain::Effect,
        routes::EffectRow,
        sql::{Collected, LastWrites, Locks, Reads, Writes},
    },
    error::InternalError,
};

/// The cause of an event or effect: a command, an event or an effect result. The ids of events and effects are derived
/// from their cause and entity. A restored domain that runs the same cause again for an existing entity therefore emits
/// the same ids, and calls external systems with the same idempotency keys. Ids of entities are generated (version 7),
/// not derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The id of the event or the effect; for a command, an id derived from its command id, caller and operation.
    pub id: Uuid,
    /// Its name, such as `orders.place` or `payments.succeeded`.
    pub name: String,
    /// The id of the original request, passed on to everything it causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The version of an entity: the number of its events, without gaps, 0 before the first. Only [`Tx::emit`] advances it.
/// A domain stores it in the entity's row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Version(i64);

impl Version {
    /// The version as a number, as in messages.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Whether it equals the version that a caller expects. True if the caller expects none.
    pub fn is_expected(self, expected: Option<i64>) -> bool {
        expected.is_none_or(|expected| expected == self.0)
    }

    /// An arbitrary version, for tests.
    #[cfg(feature = "test-support")]
    pub fn for_test(version: i64) -> Self {
        Self(version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An emitted event, as it is stored in the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EmittedEvent {
    pub id: Uuid,
    pub name: String,
    pub entity: Uuid,
    pub version: i64,
    pub cause: Uuid,
    pub cause_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    pub data: Box<RawValue>,
}

/// The transaction of a batch. State, answers, inbox rows, events and effects are committed together or not at all.
pub struct Tx<'c> {
    connection: &'c mut PgConnection,
    now: DateTime<Utc>,
    /// Whether a row was written since the last [`mark`](Self::mark).
    wrote: AtomicBool,
    /// Names of the effects that the domain registers.
    registered: &'c [&'static str],
    pub(crate) events: Vec<EmittedEvent>,
    pub(crate) effects: Vec<EffectRow>,
    pub(crate) last_writes: Collected,
    /// Whether a statement was to run after a last write, which it would not see.
    is_out_of_order: bool,
    /// The number of events or effects per cause, name and entity.
    left: HashMap<(Uuid, &'static str, Uuid), usize>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(connection: &'c mut PgConnection, now: DateTime<Utc>, registered: &'c [&'static str]) -> Self {
        Self {
            connection,
            now,
            wrote: AtomicBool::new(false),
            registered,
            events: Vec::new(),
            effects: Vec::new(),
            last_writes: Collected::default(),
            is_out_of_order: false,
            left: HashMap::new(),
        }
    }

    /// Access for plain reads.
    pub fn reads(&mut self) -> Reads<'_> {
        self.is_out_of_order |= !self.last_writes.is_empty();
        Reads::of_connection(self.connection)
    }

    /// Access for reads that lock rows.
    pub fn locks(&mut self) -> Locks<'_> {
        self.is_out_of_order |= !self.last_writes.is_empty();
        Locks::of_connection(self.connection)
    }

    /// Access for writes. Decide before writing: a rejection after a write rolls back the batch.
    pub fn writes(&mut self) -> Writes<'_> {
        self.is_out_of_order |= !self.last_writes.is_empty();
        Writes::of_connection(self.connection, &self.wrote)
    }

    /// Access for writes that nothing in this handler reads again: they are sent with the answers and events of the
    /// batch. No two of them may write the same row.
    pub fn last_writes(&mut self) -> LastWrites<'_> {
        self.last_writes.writes()
    }

    /// Runs the last writes so far, so that statements may follow that depend on them.
    ///
    /// # Errors
    /// Those of the writes.
    pub async fn flush(&mut self) -> Result<(), InternalError> {
        self.check_order()?;
        self.last_writes.flush(self.connection).await
    }

    /// Checks that no statement was run after a last write.
    pub(crate) fn check_order(&self) -> Result<(), InternalError> {
        if self.is_out_of_order { Err(InternalError::other("a statement was run after a last write")) } else { Ok(()) }
    }

    /// The database's time at the start of the transaction, the only clock that decisions depend on.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Emits an event, which is published after the commit: advances the version of its entity and assigns it to the
    /// event. Emit before writing the entity's row, so that the row holds the version of its last event.
    ///
    /// # Errors
    /// If the event cannot be serialized as JSON, which is a defect of its type.
    pub fn emit<E: Event>(&mut self, cause: &Cause, version: &mut Version, event: &E) -> Result<(), InternalError> {
        let entity = event.entity();
        let index = self.next_index(cause, E::NAME, entity);
        let data = to_raw_value(event).map_err(InternalError::other)?;
        version.0 += 1;
        let Cause { id: cause, name: cause_name, request_id, traceparent } = cause.clone();
        let id = derived_id(cause, E::NAME, entity, index);
        let (name, version) = (E::NAME.to_owned(), version.0);
        self.events.push(EmittedEvent { id, name, entity, version, cause, cause_name, request_id, traceparent, data });
        Ok(())
    }

    /// Emits the first event of an entity, and returns the entity's version.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn emit_first<E: Event>(&mut self, cause: &Cause, event: &E) -> Result<Version, InternalError> {
        let mut version = Version::default();
        self.emit(cause, &mut version, event)?;
        Ok(version)
    }

    /// Schedules an effect, a call to an external system: performed after the commit, at least once, effects of one
    /// entity one at a time in commit order. Returns its id, which serves as the idempotency key of the call.
    ///
    /// # Errors
    /// If the domain does not register the effect, or it cannot be serialized as JSON, which is a defect of its type.
    pub fn effect<F: Effect>(&mut self, cause: &Cause, entity: Uuid, effect: &F) -> Result<Uuid, InternalError> {
        if !self.registered.contains(&F::NAME) {
            // An unregistered effect would never be performed and would block all later effects of its entity.
            let type_name = std::any::type_name::<F>();
            return Err(InternalError::other(format!("the effect `{}` of `{type_name}` is not registered", F::NAME)));
        }
        let index = self.next_index(cause, F::NAME, entity);
        let id = derived_id(cause.id, F::NAME, entity, index);
        let body = serde_json::to_string(effect).map_err(InternalError::other)?;
        let (name, cause) = (F::NAME.to_owned(), cause.clone());
        self.effects.push(EffectRow { id, name, entity, cause, body, attempts: 1 });
        Ok(id)
    }

    /// The index that distinguishes several events or effects of one name, cause and entity.
    fn next_index(&mut self, cause: &Cause, name: &'static str, entity: Uuid) -> usize {
        let count = self.left.entry((cause.id, name, entity)).or_default();
        *count += 1;
        *count - 1
    }

    /// Whether a cause has pending events or effects.
    pub(crate) fn has_left(&self, cause: &Cause) -> bool {
        self.events.iter().any(|event| event.cause == cause.id)
            || self.effects.iter().any(|effect| effect.cause.id == cause.id)
    }

    /// Marks the current state, to which [`undo`](Self::undo) returns when an item is rejected.
    pub(crate) fn mark(&mut self) -> (usize, usize) {
        self.wrote = AtomicBool::new(!self.last_writes.is_empty());
        (self.events.len(), self.effects.len())
    }

    /// Discards the events and effects since the mark. Returns false if rows were written too: then roll back.
    pub(crate) fn undo(&mut self, (events, effects): (usize, usize)) -> bool {
        self.events.truncate(events);
        self.effects.truncate(effects);
        self.last_writes.is_empty() && !self.wrote.load(Ordering::Relaxed)
    }
}

/// The id of an event or an effect: the timestamp of the entity's id, followed by a hash of cause, name, entity and
/// index. The shared prefix keeps the ids of an entity close together in every index.
fn derived_id(cause: Uuid, name: &str, entity: Uuid, index: usize) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(cause.as_bytes());
    hash.update(name.as_bytes());
    hash.update(entity.as_bytes());
    hash.update(index.to_be_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[..6].copy_from_slice(&entity.as_bytes()[..6]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario 25: ids are derived from the cause.
    #[test]
    fn the_same_cause_derives_the_same_ids() {
        let (cause, entity) = (Uuid::from_u128(1), Uuid::now_v7());
        assert_eq!(derived_id(cause, "placed", entity, 0), derived_id(cause, "placed", entity, 0));
        assert_ne!(derived_id(cause, "placed", entity, 0), derived_id(cause, "placed", entity, 1));
        assert_ne!(derived_id(cause, "placed", entity, 0), derived_id(cause, "failed", entity, 0));
        assert_ne!(derived_id(cause, "placed", entity, 0), derived_id(Uuid::from_u128(2), "placed", entity, 0));
    }
}
