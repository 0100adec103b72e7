//! The audit log: one row per command of an audited role, written in the command's transaction.

mod listing;
mod messages;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use contract::Format;
use serde::Deserialize;
use uuid::Uuid;

pub(crate) use listing::list;
pub(crate) use messages::ListAuditRequest;
pub use messages::{AuditEntry, AuditFilter, AuditPage};

use crate::{
    api::{audit::AuditedField, sql::LastWrites, tx::EmittedEvent},
    columns,
    error::InternalError,
};

/// What the audit log stores of a command, but for its time.
pub(crate) struct AuditedCommand {
    pub caller: Uuid,
    pub role: String,
    pub operation: &'static str,
    /// The entity that the command names.
    pub entity: Option<Uuid>,
    /// The cause of the events that the command emits.
    pub cause: Uuid,
    pub fields: Vec<AuditedField>,
    pub request_id: Option<String>,
    pub client_address: Option<IpAddr>,
}

impl AuditedCommand {
    /// The entity of its first event; if it has emitted none, the one that it names, or else the `id` of its reply.
    fn entity(&self, events: &[EmittedEvent], reply: &[u8]) -> Option<Uuid> {
        let emitted = events.iter().find(|event| event.cause == self.cause).map(|event| event.entity);
        emitted.or(self.entity).or_else(|| Format::MessagePack.decode::<WithId>(reply).ok()?.id)
    }
}

/// A reply about an entity.
#[derive(Deserialize)]
struct WithId {
    id: Option<Uuid>,
}

/// Adds the rows of commands that succeeded, each with its reply in MessagePack.
pub(super) fn write(
    mut writes: LastWrites<'_>,
    commands: &[(&AuditedCommand, &[u8])],
    events: &[EmittedEvent],
    now: DateTime<Utc>,
) -> Result<(), InternalError> {
    if commands.is_empty() {
        return Ok(());
    }
    let fields = commands.iter().map(|(command, _)| serde_json::to_string(&command.fields));
    let fields = fields.collect::<Result<Vec<_>, _>>().map_err(InternalError::other)?;
    let write = writes.write(
        "insert into audit_log (id, at, caller, role, operation, entity, fields, request_id, client_address)
         select id, $1, caller, role, operation, entity, fields::jsonb, request_id, client_address::inet
         from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::text[])
              as t(id, caller, role, operation, entity, fields, request_id, client_address)",
    );
    let write = write.bind(now).bind(commands.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>());
    columns!(write, commands, row; row.0.caller, row.0.role.as_str(), row.0.operation, row.0.entity(events, row.1))
        .bind(fields)
        .bind(commands.iter().map(|(command, _)| command.request_id.as_deref()).collect::<Vec<_>>())
        .bind(commands.iter().map(|(command, _)| command.client_address.map(|at| at.to_string())).collect::<Vec<_>>());
    Ok(())
}
