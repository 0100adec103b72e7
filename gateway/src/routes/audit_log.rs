//! The audit log: every domain stores its own, and checks the caller's rights itself.

use chrono::{DateTime, Utc};
use contract::page::{Moment, invalid_cursor};
use futures::future::try_join_all;
use poem_openapi::{Object, OpenApi};
use runtime::{AuditEntry, AuditFilter, AuditedField};
use serde::Serialize;
use subjects::{DOMAINS, Pagination};
use uuid::Uuid;

use super::dead_letters::{ByAdmins, Domain};
use crate::http::{
    caller::{Caller, QUERY_DEADLINE},
    error::ApiError,
    query::{Query, page},
    reply::{Answer, Reply},
    tag::Tag,
};

/// A field of a command.
#[derive(Object, Serialize)]
#[oai(rename = "AuditedField")]
struct Field {
    /// Its name; of a field in an object, with the object's name: `changes.price`.
    name: String,
    /// Its value, of roles, prices, stock and amounts only; of a field of list entries, the list of their values.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<serde_json::Value>,
}

/// A command that a seller or an admin has run with success.
#[derive(Object, Serialize)]
#[oai(rename = "AuditEntry")]
struct Entry {
    id: Uuid,
    /// When the command ran.
    at: DateTime<Utc>,
    /// The account.
    caller: Uuid,
    /// The role of the account at that time.
    role: String,
    /// The domain and its operation, such as `catalog.change_product`.
    operation: String,
    /// What the command changed or created; absent if its events, body and reply name none.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Uuid>,
    /// The fields of the command.
    fields: Vec<Field>,
    /// The id of the request, as in logs.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The address of the client.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_address: Option<String>,
}

/// A page of the audit log.
#[derive(Object, Serialize)]
struct AuditLog {
    data: Vec<Entry>,
    pagination: Pagination,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, caller, role, operation, entity, fields, request_id, client_address } = entry;
        let fields = fields.into_iter().map(|AuditedField { name, value }| Field { name, value }).collect();
        let client_address = client_address.map(|address| address.to_string());
        Self { id, at, caller, role, operation, entity, fields, request_id, client_address }
    }
}

/// The routes of the audit log.
pub(crate) struct AuditLogApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Admin")]
impl AuditLogApi {
    /// List the audit log
    ///
    /// Who did what: the commands of sellers and admins that succeeded, in all domains or in one, the newest first. A
    /// redrive of a dead letter is not among them. Entries are kept for a year and cannot be changed. 503 while a
    /// domain does not answer.
    #[oai(path = "/admin/audit-log", method = "get", operation_id = "list_audit_log")]
    async fn list_audit_log(
        &self,
        sender: Caller<ByAdmins>,
        /// Only the entries of a domain.
        domain: Query<Option<Domain>>,
        /// Only the entries of an account.
        caller: Query<Option<Uuid>>,
        /// Only the entries about an entity.
        entity: Query<Option<Uuid>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<AuditLog> {
        let request = page(limit, Query(None), cursor);
        let part = request.part::<(Moment, Uuid)>("audit log").ok_or_else(|| ApiError::from(invalid_cursor()))?;
        let domains = domain.0.map_or_else(|| DOMAINS.to_vec(), |Domain(domain)| vec![domain]);
        let filter = AuditFilter { caller: caller.0, entity: entity.0 };
        let (client, call) = (&sender.context.gateway.client, sender.call(QUERY_DEADLINE, None));
        let pages = domains.into_iter().map(|domain| client.audit_log(domain, &request, &filter, &call));
        let pages = try_join_all(pages).await?.into_iter().map(|page| (page.data, page.pagination)).collect();
        let (entries, pagination) = part.merge(pages, |entry| (Moment(entry.at), entry.id));
        Reply::new(&AuditLog { data: entries.into_iter().map(Entry::from).collect(), pagination })
    }
}
