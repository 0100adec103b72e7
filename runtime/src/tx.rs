//! The transaction of a batch, as handlers see it.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use contract::Event;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::Effect,
    failure::Breakage,
    sql::{Locks, Reads, Writes},
};

/// What made something happen: a command, an event, an effect's result. The ids of events and effects are derived from it and
/// their entity, so that a restored domain which runs the same cause again for an entity that exists emits the same ids, and calls
/// the outside world under the same keys. Ids of entities are generated (version 7), not derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The id of the command, the event or the effect.
    pub id: Uuid,
    /// Its name, such as `orders.place` or `payments.succeeded`.
    pub name: String,
    /// Follows everything that a request causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Counts the events of one entity: 1, 2, 3 ... without a gap, 0 before the first. Only [`Tx::emit`] advances it; a domain
/// stores it in the entity's row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Version(i64);

impl Version {
    /// The number, as messages carry it.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Whether it is the one that a caller expects, or the caller expects none.
    pub fn is_expected(self, expected: Option<i64>) -> bool {
        expected.is_none_or(|expected| expected == self.0)
    }

    /// A version as a row may hold it, for tests.
    pub fn for_test(version: i64) -> Self {
        Self(version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An event that waits for its commit.
#[derive(Debug, Clone)]
pub(crate) struct PendingEvent {
    pub id: Uuid,
    pub name: &'static str,
    pub entity: Uuid,
    pub version: i64,
    pub cause: Cause,
    pub data: String,
}

/// An effect that waits for its commit.
#[derive(Debug, Clone)]
pub(crate) struct PendingEffect {
    pub id: Uuid,
    pub name: &'static str,
    pub entity: Uuid,
    pub cause: Cause,
    pub body: String,
}

/// The transaction of a batch. State, answers, inbox rows, events and effects are written in it, or none of them.
pub struct Tx<'c> {
    connection: &'c mut PgConnection,
    now: DateTime<Utc>,
    /// A row was written since the last mark.
    wrote: AtomicBool,
    /// Names of the effects that the domain registers.
    registered: &'c [&'static str],
    pub(crate) events: Vec<PendingEvent>,
    pub(crate) effects: Vec<PendingEffect>,
    /// How many of a kind each cause has left for an entity.
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
            left: HashMap::new(),
        }
    }

    /// To read.
    pub fn reads(&mut self) -> Reads<'_> {
        Reads::of_connection(self.connection)
    }

    /// To lock rows and read them.
    pub fn locks(&mut self) -> Locks<'_> {
        Locks::of_connection(self.connection)
    }

    /// To write. Decide first: a rejection after a write costs the batch a rollback.
    pub fn writes(&mut self) -> Writes<'_> {
        Writes::of_connection(self.connection, &self.wrote)
    }

    /// The database's clock at the start of the transaction. No other clock decides anything.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Emits an event: advances its entity's version and numbers the event with it. Published after the commit. Emit before
    /// the row is written, so that it holds the version of its last event.
    ///
    /// # Errors
    /// Where the event cannot be written as JSON, which is a defect of its type.
    pub fn emit<E: Event>(&mut self, cause: &Cause, version: &mut Version, event: &E) -> Result<(), Breakage> {
        let entity = event.entity();
        let index = self.next_index(cause, E::NAME, entity);
        let data = to_json(event)?;
        version.0 += 1;
        self.events.push(PendingEvent {
            id: derived_id(cause.id, E::NAME, entity, index),
            name: E::NAME,
            entity,
            version: version.0,
            cause: cause.clone(),
            data,
        });
        Ok(())
    }

    /// Emits the first event of an entity, and returns the version that this gives it.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn emit_first<E: Event>(&mut self, cause: &Cause, event: &E) -> Result<Version, Breakage> {
        let mut version = Version::default();
        self.emit(cause, &mut version, event)?;
        Ok(version)
    }

    /// Leaves work for the outside world: performed after the commit, at least once, effects of one entity one at a
    /// time in commit order. Returns the id that serves as the outside world's idempotency key.
    ///
    /// # Errors
    /// Where the domain does not register the effect, or it cannot be written as JSON, which is a defect of its type.
    pub fn effect<F: Effect>(&mut self, cause: &Cause, entity: Uuid, effect: &F) -> Result<Uuid, Breakage> {
        if !self.registered.contains(&F::NAME) {
            // It would never be performed, nor would any later effect of the entity.
            let type_name = std::any::type_name::<F>();
            return Err(Breakage::other(format!("the effect `{}` of `{type_name}` is not registered", F::NAME)));
        }
        let index = self.next_index(cause, F::NAME, entity);
        let id = derived_id(cause.id, F::NAME, entity, index);
        let body = to_json(effect)?;
        self.effects.push(PendingEffect { id, name: F::NAME, entity, cause: cause.clone(), body });
        Ok(id)
    }

    /// Tells apart what one cause leaves of one kind for one entity.
    fn next_index(&mut self, cause: &Cause, name: &'static str, entity: Uuid) -> usize {
        let count = self.left.entry((cause.id, name, entity)).or_default();
        *count += 1;
        *count - 1
    }

    /// Whether a cause has left an event or an effect.
    pub(crate) fn has_left(&self, cause: &Cause) -> bool {
        self.events.iter().any(|event| event.cause.id == cause.id)
            || self.effects.iter().any(|effect| effect.cause.id == cause.id)
    }

    /// Where the transaction stands, to go back to when an item is refused.
    pub(crate) fn mark(&mut self) -> (usize, usize) {
        self.wrote = AtomicBool::new(false);
        (self.events.len(), self.effects.len())
    }

    /// Drops what an item left behind; false where it wrote, so that only a rollback helps.
    pub(crate) fn undo(&mut self, (events, effects): (usize, usize)) -> bool {
        self.events.truncate(events);
        self.effects.truncate(effects);
        !self.wrote.load(Ordering::Relaxed)
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Breakage> {
    serde_json::to_string(value).map_err(Breakage::other)
}

/// The id of an event or an effect: a hash of its cause, type, entity and index behind the entity's own time, so that ids of an entity
/// lie close together in every index.
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

    /// Scenario 25: ids come from the cause.
    #[test]
    fn the_same_cause_speaks_with_the_same_ids() {
        let (cause, entity) = (Uuid::from_u128(1), Uuid::now_v7());
        assert_eq!(derived_id(cause, "placed", entity, 0), derived_id(cause, "placed", entity, 0));
        assert_ne!(derived_id(cause, "placed", entity, 0), derived_id(cause, "placed", entity, 1));
        assert_ne!(derived_id(cause, "placed", entity, 0), derived_id(cause, "failed", entity, 0));
        assert_ne!(derived_id(cause, "placed", entity, 0), derived_id(Uuid::from_u128(2), "placed", entity, 0));
    }
}
