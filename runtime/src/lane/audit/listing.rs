//! Lists the audit log of a domain.

use contract::page::{COUNTED, Moment, invalid_cursor};
use sqlx::{PgPool, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{AuditEntry, AuditFilter, AuditPage, ListAuditRequest};
use crate::rpc::builtin::{Outcome, first_reply};

/// The condition of both statements, with `$1` and `$2` as the filter.
macro_rules! filtered {
    () => {
        " from audit_log where ($1::uuid is null or caller = $1) and ($2::uuid is null or entity = $2)"
    };
}

/// The columns of an entry.
macro_rules! columns {
    () => {
        "select id, at, caller, role, operation, entity, fields, request_id, host(client_address) as address"
    };
}

/// Answers a request for a page of the list, the newest entries first.
pub(crate) async fn list(domain: &str, pool: &PgPool, request: &ListAuditRequest) -> Outcome<AuditPage> {
    let Some(part) = request.page.part::<(Moment, Uuid)>("audit log") else {
        return Ok(Err(invalid_cursor()));
    };
    let AuditFilter { caller, entity } = request.filter;
    let counted = sqlx::query(concat!("select count(*) from (select", filtered!(), " limit $3) as counted"));
    let counted = counted.bind(caller).bind(entity).bind(COUNTED + 1).fetch_one(pool).await?.try_get(0)?;
    let sql = if part.is_backwards {
        concat!(
            columns!(),
            filtered!(),
            " and ($3::timestamptz is null or (at, id) > ($3, $4)) order by at, id limit $5 offset $6"
        )
    } else {
        concat!(
            columns!(),
            filtered!(),
            " and ($3::timestamptz is null or (at, id) < ($3, $4)) order by at desc, id desc limit $5 offset $6"
        )
    };
    let (at, id) = part.from.map(|(at, id)| (at.0, id)).unzip();
    let query = sqlx::query(sql).bind(caller).bind(entity).bind(at).bind(id);
    let rows = query.bind(part.rows()).bind(part.offset()).fetch_all(pool).await?;
    let entries = rows.iter().map(|row| entry(domain, row)).collect::<Result<Vec<_>, sqlx::Error>>()?;
    let (data, pagination) = part.page(entries, counted, |entry| (Moment(entry.at), entry.id));
    first_reply(AuditPage { data, pagination })
}

fn entry(domain: &str, row: &PgRow) -> Result<AuditEntry, sqlx::Error> {
    let operation: &str = row.try_get("operation")?;
    let Json(fields) = row.try_get("fields")?;
    let address: Option<&str> = row.try_get("address")?;
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        caller: row.try_get("caller")?,
        role: row.try_get("role")?,
        operation: format!("{domain}.{operation}"),
        entity: row.try_get("entity")?,
        fields,
        request_id: row.try_get("request_id")?,
        client_address: address.and_then(|address| address.parse().ok()),
    })
}
