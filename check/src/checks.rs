//! The checks, one file each. A look reads the rows it compares within one database in one statement or one snapshot,
//! so that it never compares torn states; across databases, further looks decide.

mod balance;
mod captures;
mod dead_letters;
mod deadlines;
mod digests;
mod fulfilment;
mod inboxes;
mod outbox;
mod projections;
mod provider;
mod reservations;
mod status_edges;
mod stock;
mod streams;
mod versions;

use anyhow::Result;
use futures::future::BoxFuture;
use sqlx::{FromRow, PgPool, postgres::PgRow};

use crate::{Sources, Suspect};

/// The most suspects that are followed per check: more of the same kind add no information.
pub(crate) const MOST: usize = 1000;

/// Runs a statement; its parameter limits the rows to [`MOST`].
async fn found<T>(database: &PgPool, statement: &'static str) -> Result<Vec<T>>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    Ok(sqlx::query_as(statement).bind(MOST as i64).fetch_all(database).await?)
}

/// A check.
pub(crate) struct Check {
    pub name: &'static str,
    pub promise: &'static str,
    pub inspect: for<'a> fn(&'a Sources) -> BoxFuture<'a, Result<Vec<Suspect>>>,
}

/// All checks, in the order in which they run.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "stock",
        promise: "per variant: received = available + reserved + sold, and the ledger adds up to each of them",
        inspect: |sources| Box::pin(stock::inspect(sources)),
    },
    Check {
        name: "reservations",
        promise: "per variant: reserved is what open reservations hold, sold is what committed ones took",
        inspect: |sources| Box::pin(reservations::inspect(sources)),
    },
    Check {
        name: "fulfilment",
        promise: "per order: inventory has held, sold or returned what its status requires",
        inspect: |sources| Box::pin(fulfilment::inspect(sources)),
    },
    Check {
        name: "balance",
        promise: "per order: captured - refunded = what it owes, and both sides name the same payment status",
        inspect: |sources| Box::pin(balance::inspect(sources)),
    },
    Check {
        name: "captures",
        promise: "per order: at most one successful capture, emitted once",
        inspect: |sources| Box::pin(captures::inspect(sources)),
    },
    Check {
        name: "provider",
        promise: "the provider charged and refunded what payments has booked",
        inspect: |sources| Box::pin(provider::inspect(sources)),
    },
    Check {
        name: "status_edges",
        promise: "order statuses follow legal transitions, and the history ends with the current status",
        inspect: |sources| Box::pin(status_edges::inspect(sources)),
    },
    Check {
        name: "versions",
        promise: "event versions per entity have no gap and no repeat, and end with the current version",
        inspect: |sources| Box::pin(versions::inspect(sources)),
    },
    Check {
        name: "digests",
        promise: "every commit of the log has the digest of its events",
        inspect: |sources| Box::pin(digests::inspect(sources)),
    },
    Check {
        name: "streams",
        promise: "every logged event inside the stream's age is in the stream, and the log knows every stream event",
        inspect: |sources| Box::pin(streams::inspect(sources)),
    },
    Check {
        name: "inboxes",
        promise: "every consumer has handled what its cursors say, and nothing that no log knows",
        inspect: |sources| Box::pin(inboxes::inspect(sources)),
    },
    Check {
        name: "projections",
        promise: "catalog's projections of stock and sellers match the last events of inventory and identity",
        inspect: |sources| Box::pin(projections::inspect(sources)),
    },
    Check {
        name: "deadlines",
        promise: "nothing that is not final is past its deadline",
        inspect: |sources| Box::pin(deadlines::inspect(sources)),
    },
    Check {
        name: "outbox",
        promise: "every commit was published",
        inspect: |sources| Box::pin(outbox::inspect(sources)),
    },
    Check {
        name: "dead_letters",
        promise: "there are no dead letters",
        inspect: |sources| Box::pin(dead_letters::inspect(sources)),
    },
];
