//! Subjects, and the partition of an entity.

use uuid::Uuid;

/// The number of partitions of entity ids. Must never change: another number would re-key every stream.
pub const PARTITIONS: u32 = 64;

/// The partition of an entity: FNV-1a-32 over its id as lower-case hyphenated text, modulo [`PARTITIONS`].
/// The `partition()` subject mapping of the NATS server returns the same number.
pub fn partition(entity: Uuid) -> u32 {
    let mut text = Uuid::encode_buffer();
    let bytes = entity.hyphenated().encode_lower(&mut text).as_bytes();
    bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)) % PARTITIONS
}

/// `req.<domain>.<operation>`, or `req.<domain>.internal.<operation>`.
pub fn request(domain: &str, operation: &str, internal: bool) -> String {
    if internal { format!("req.{domain}.internal.{operation}") } else { format!("req.{domain}.{operation}") }
}

/// Every request of a domain.
pub fn requests_of(domain: &str) -> String {
    format!("req.{domain}.>")
}

/// `evt.<domain>.<event>.<partition>`: the subject of an event of `entity`, stored in the stream.
pub fn event(domain: &str, name: &str, entity: Uuid) -> String {
    format!("evt.{domain}.{name}.{}", partition(entity))
}

/// Every partition of one event.
pub fn event_filter(domain: &str, name: &str) -> String {
    format!("evt.{domain}.{name}.*")
}

/// Every event of a domain, as stored in its stream.
pub fn events_of(domain: &str) -> String {
    format!("evt.{domain}.>")
}

/// `ntf.<domain>.<entity id>`: the notice of an event of `entity`, not stored.
pub fn notice(domain: &str, entity: Uuid) -> String {
    format!("ntf.{domain}.{entity}")
}

/// The domain and the entity of a notice's subject; `None` if it is not one.
pub fn of_notice(subject: &str) -> Option<(&str, Uuid)> {
    let (domain, entity) = subject.strip_prefix("ntf.")?.split_once('.')?;
    Some((domain, entity.parse().ok()?))
}

/// Every notice of a domain.
pub fn notices_of(domain: &str) -> String {
    format!("ntf.{domain}.>")
}

/// The name of the stream that stores a domain's events.
pub fn stream(domain: &str) -> String {
    domain.to_uppercase()
}

/// The name of the durable consumer with which `consumer` reads the events of `source`.
pub fn durable(consumer: &str, source: &str) -> String {
    format!("{consumer}-on-{source}")
}

/// Gateways exchange the counts of their rate limits here. Not stored.
pub const RATES: &str = "gateway.rates";

/// Operations that every domain serves besides its own, to callers with the access configured for its node.
pub mod guarded {
    /// Lists dead-lettered events and effects of the domain, oldest first: a page.
    pub const LIST_DEAD_LETTERS: &str = "list_dead_letters";
    /// Redrives a dead letter: handles the event or runs the effect again. Returns the dead letter.
    pub const REDRIVE_DEAD_LETTER: &str = "redrive_dead_letter";
    /// Lists the commands of audited roles that succeeded, newest first: a page.
    pub const LIST_AUDIT_LOG: &str = "list_audit_log";
}

/// Operations that every domain serves besides its own, to consumers of its events and to the operator.
pub mod internal {
    /// Lists commits of the event log: position, time, digest per type.
    pub const LOG: &str = "log";
    /// Returns events of the log, by position and type.
    pub const EVENTS: &str = "events";
    /// The same as `list_dead_letters`.
    pub const DEAD_LETTERS: &str = "dead_letters";
    /// Republishes the log into the stream.
    pub const REPUBLISH: &str = "republish";
    /// Resets a projection of another domain's events and rebuilds it from the log.
    pub const REBUILD: &str = "rebuild";
    /// Returns the position up to which a domain has handled another domain's events.
    pub const CONSUMED: &str = "consumed";
    /// Deletes old commits of the log that every consumer has handled.
    pub const TRIM: &str = "trim";
    /// The same as `redrive_dead_letter`.
    pub const REDRIVE: &str = "redrive";
    /// The same as `list_audit_log`.
    pub const AUDIT_LOG: &str = "audit_log";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_is_fnv_1a_over_the_hyphenated_text() {
        // Reference values computed with an independent implementation of FNV-1a-32.
        assert_eq!(partition(Uuid::nil()), 17);
        assert!(partition(Uuid::from_u128(u128::MAX)) < PARTITIONS);
    }

    #[test]
    fn internal_requests_have_a_token_of_their_own() {
        assert_eq!(request("orders", "get", false), "req.orders.get");
        assert_eq!(request("orders", "log", true), "req.orders.internal.log");
    }
}
