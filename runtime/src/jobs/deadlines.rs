//! Deadlines are columns: four times a second one node queries the domain for due deadlines and runs a command for
//! each, with an id derived from key and deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use uuid::Uuid;

use crate::{
    api::routes::DeadlineRoute,
    database::{Database, lease},
    error::InternalError,
    responder::Responder,
};

/// The most deadlines of one query.
const LIMIT: i64 = 20_000;

/// The most commands that run concurrently: enough to fill batches. The concurrency limiter for requests does not apply
/// to them.
const AT_ONCE: usize = 4096;

/// The lease of one pass. Deadlines that have not started by its end are left to the next pass.
const LEASE: Duration = Duration::from_secs(5);

/// Timeout of a command.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Deadlines {
    pub domain: &'static str,
    pub db: Database,
    pub routes: Vec<DeadlineRoute>,
    pub responder: Arc<Responder>,
    pub node: Uuid,
}

impl Deadlines {
    pub(crate) async fn pass(&self) -> Result<(), InternalError> {
        for route in &self.routes {
            let name = format!("deadlines:{}", route.operation);
            if !lease::hold(&self.db.lanes, &name, self.node, LEASE).await? {
                continue;
            }
            let due = (route.due)(self.db.internal_reads.clone(), LIMIT).await?;
            if due.is_empty() {
                continue;
            }
            let began = Instant::now();
            let mut running = FuturesUnordered::new();
            let mut acted = 0_u64;
            for (id, command) in due {
                if began.elapsed() > LEASE - Duration::from_secs(1) {
                    break;
                }
                if running.len() >= AT_ONCE {
                    acted += u64::from(running.next().await.unwrap_or(false));
                }
                running.push(self.responder.run_due(route.operation, id, command, Instant::now() + TIMEOUT));
            }
            while let Some(done) = running.next().await {
                acted += u64::from(done);
            }
            metrics::counter!("deadlines_acted_on_total", "domain" => self.domain).increment(acted);
        }
        Ok(())
    }
}
