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
    pub look: for<'a> fn(&'a Sources) -> BoxFuture<'a, Result<Vec<Suspect>>>,
}

/// All checks, in the order in which they run.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "stock",
        promise: "per variant: received = available + reserved + sold, and the ledger adds up to each of them",
        look: |sources| Box::pin(stock::look(sources)),
    },
    Check {
        name: "reservations",
        promise: "per variant: reserved is what open reservations hold, sold is what committed ones took",
        look: |sources| Box::pin(reservations::look(sources)),
    },
    Check {
        name: "fulfilment",
        promise: "inventory holds, sold or gave back for every order what its status says",
        look: |sources| Box::pin(fulfilment::look(sources)),
    },
    Check {
        name: "balance",
        promise: "per order: captured - refunded = what it owes, and both sides name the same payment status",
        look: |sources| Box::pin(balance::look(sources)),
    },
    Check {
        name: "captures",
        promise: "per order: one successful capture at most, told once",
        look: |sources| Box::pin(captures::look(sources)),
    },
    Check {
        name: "provider",
        promise: "the provider charged and gave back what payments has booked",
        look: |sources| Box::pin(provider::look(sources)),
    },
    Check {
        name: "status_edges",
        promise: "order status walks legal edges only, and its history ends where the order stands",
        look: |sources| Box::pin(status_edges::look(sources)),
    },
    Check {
        name: "versions",
        promise: "event versions per entity have no gap and no repeat, and end where the entity stands",
        look: |sources| Box::pin(versions::look(sources)),
    },
    Check {
        name: "digests",
        promise: "every commit of the log has the digest of its events",
        look: |sources| Box::pin(digests::look(sources)),
    },
    Check {
        name: "streams",
        promise: "every logged event inside the stream's age is in the stream, and the log knows every stream event",
        look: |sources| Box::pin(streams::look(sources)),
    },
    Check {
        name: "inboxes",
        promise: "every consumer has handled what its cursors say, and nothing that no log knows",
        look: |sources| Box::pin(inboxes::look(sources)),
    },
    Check {
        name: "projections",
        promise: "what catalog shows of the stock and of who may sell is what inventory and identity told last",
        look: |sources| Box::pin(projections::look(sources)),
    },
    Check {
        name: "deadlines",
        promise: "nothing that is not final is past its deadline",
        look: |sources| Box::pin(deadlines::look(sources)),
    },
    Check { name: "outbox", promise: "every commit was published", look: |sources| Box::pin(outbox::look(sources)) },
    Check {
        name: "dead_letters",
        promise: "no event and no effect is parked",
        look: |sources| Box::pin(dead_letters::look(sources)),
    },
];
