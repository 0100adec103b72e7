//! Requests about the audit log, and their replies.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use contract::{
    PageRequest, Pagination, ServiceError,
    subject::{guarded, internal},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    api::audit::AuditedField,
    rpc::{
        builtin::BuiltinRequest,
        client::{Call, Client},
    },
};

/// A command that an account of an audited role has run with success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The id of the entry.
    pub id: Uuid,
    /// When the command ran.
    pub at: DateTime<Utc>,
    /// The account.
    pub caller: Uuid,
    /// The role of the account at that time.
    pub role: String,
    /// The domain and its operation, such as `catalog.change_product`.
    pub operation: String,
    /// What the command changed or created; absent if its events, body and reply name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Uuid>,
    /// The fields of the command.
    pub fields: Vec<AuditedField>,
    /// The id of the request, as in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The address of the client, as the gateway found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<IpAddr>,
}

/// Which entries are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Only those of an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Uuid>,
    /// Only those about an entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Uuid>,
}

/// A page of the audit log, the newest entries first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditPage {
    /// The entries.
    pub data: Vec<AuditEntry>,
    /// The position of the page. Its cursors are those of any domain's audit log.
    pub pagination: Pagination,
}

/// A request for a page of the audit log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ListAuditRequest {
    #[serde(default)]
    pub page: PageRequest,
    #[serde(default)]
    pub filter: AuditFilter,
}

impl BuiltinRequest for ListAuditRequest {
    type Reply = AuditPage;

    const INTERNAL: &'static str = internal::AUDIT_LOG;
    const GUARDED: Option<&'static str> = Some(guarded::LIST_AUDIT_LOG);
}

impl Client {
    /// Lists the audit log of a domain. Rights as with [`Client::dead_letters`].
    ///
    /// # Errors
    /// A service error, if the domain rejects the request or does not answer.
    pub async fn audit_log(
        &self,
        domain: &str,
        page: &PageRequest,
        filter: &AuditFilter,
        call: &Call,
    ) -> Result<AuditPage, ServiceError> {
        let request = ListAuditRequest { page: page.clone(), filter: filter.clone() };
        Ok(self.ask_builtin(domain, &request, call).await?.reply)
    }
}
