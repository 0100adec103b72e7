//! Runs commands: prepare, lane, reply.

use std::time::{Duration, Instant};

use contract::{ErrorKind, Fault, Format};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use super::{Asked, Backed, Endpoint, Responder, Sent};
use crate::{
    caller::Caller,
    command_log::{self, CommandKey},
    context::{Context, ServiceContext},
    failure::Breakage,
    guard::guarded,
    lane::{CommandItem, LaneMessage, LaneReply},
    operation::{CommandRoute, DecodedCommand, Erased, PreparedCommand},
    tx::Cause,
};

/// How often a command is prepared in all when its lane finds the prepared result stale.
const PREPARES: u32 = 3;

/// After this time in `prepare`, a stored answer is looked up: a repeated command does not need the prepared result. Long
/// enough that a node under load does not pay for it, and shorter than a gateway's first attempt (1.5 s).
const LOOK_AFTER: Duration = Duration::from_secs(1);

impl Backed<'_> {
    pub(super) async fn command(
        &self,
        route: &CommandRoute,
        asked: &Asked,
        caller: Option<Caller>,
        permit: OwnedSemaphorePermit,
    ) -> Sent {
        let decoded = match asked.decode(|format, body| (route.decode)(format, body)) {
            Ok(decoded) => decoded,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let caller = match self.settle_caller(route.meta.access, caller, asked.capability) {
            Ok(caller) => caller,
            Err(fault) => return fault.into(),
        };
        let id = match asked.command_id() {
            Ok(id) => id,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let run = Run {
            route,
            id: id.unwrap_or_else(Uuid::now_v7),
            is_known_to_caller: id.is_some(),
            key: decoded.key,
            fingerprint: beside_token(decoded.fingerprint, &caller, asked.capability),
            message: decoded.message,
            is_due: false,
        };
        let work = guarded(self.run_command(run, self.context(asked, caller), Some(permit)));
        match tokio::time::timeout_at(asked.deadline.into(), work).await {
            Ok(Ok(reply)) => self.out(route, asked, reply),
            Ok(Err(breakage)) => self.broken(route.meta.operation, &breakage),
            Err(_) => Fault::deadline(self.domain).into(),
        }
    }

    async fn run_command(
        &self,
        run: Run<'_>,
        request: ServiceContext,
        mut permit: Option<OwnedSemaphorePermit>,
    ) -> Result<LaneReply, Breakage> {
        let caller_key = request.caller.key();
        let cause = Cause::of_command(run.id, self.domain, run.route.meta.operation, &request);
        let context = Context { request, db: self.backing.db.internal_reads.clone() };
        for _ in 0..PREPARES {
            let prepare = (run.route.prepare)(&context, &run.message, cause.clone());
            // Beside `prepare`, which may hold one of the few connections that the look-up needs.
            let prepared = tokio::select! {
                biased;
                prepared = prepare => prepared,
                reply = self.answer_of_repeat(&run, &caller_key) => return Ok(reply),
            };
            let prepared = match prepared {
                Ok(PreparedCommand::ForLane(prepared)) => prepared,
                // This rejection bypasses the lane, which would replay the answer of a repeated command.
                Ok(PreparedCommand::TurnedAway(body)) => {
                    let stored = self.stored_answer(&run, &caller_key).await?;
                    return Ok(stored.unwrap_or(LaneReply::Refused { body, replayed: false }));
                }
                Err(breakage) => return self.stored_answer(&run, &caller_key).await?.ok_or(breakage),
            };
            let (reply, answer) = oneshot::channel();
            let key = run.key.unwrap_or(cause.id);
            let item = CommandItem {
                route: run.route.clone(),
                caller_key: caller_key.clone(),
                id: run.id,
                key,
                fingerprint: run.fingerprint.clone(),
                prepared,
                deadline: context.deadline,
                reply,
                permit: permit.take(),
                is_due: run.is_due,
            };
            self.backing.lanes.cast(key, LaneMessage::Command(Box::new(item)));
            match answer.await {
                Ok(LaneReply::Stale) => {}
                Ok(reply) => return Ok(reply),
                // The lane was restarted. Whether the command ran is unknown; repeating its id is safe.
                Err(_) => return Ok(LaneReply::Fault(Fault::unavailable(self.domain))),
            }
        }
        let text = "What the command relies on keeps changing. Try again.";
        Ok(LaneReply::Fault(Fault::new(ErrorKind::Unavailable, "contended", text).of(self.domain)))
    }

    /// Completes with the stored answer if there is one, after [`LOOK_AFTER`]; never completes otherwise.
    async fn answer_of_repeat(&self, run: &Run<'_>, caller_key: &str) -> LaneReply {
        tokio::time::sleep(LOOK_AFTER).await;
        match self.stored_answer(run, caller_key).await {
            Ok(Some(reply)) => reply,
            // `prepare` or the lane meets the same error of the database.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// The stored answer of an earlier run, if the caller supplied the command id.
    async fn stored_answer(&self, run: &Run<'_>, caller_key: &str) -> Result<Option<LaneReply>, Breakage> {
        if !run.is_known_to_caller {
            return Ok(None);
        }
        let key = CommandKey { caller: caller_key, operation: run.route.meta.operation, id: run.id };
        match command_log::look_up(&self.backing.db.internal_reads, &[key]).await?.pop() {
            Some((_, stored)) => stored.reply(&run.fingerprint, self.domain),
            None => Ok(None),
        }
    }

    fn out(&self, route: &CommandRoute, asked: &Asked, reply: LaneReply) -> Sent {
        match reply {
            LaneReply::Reply { body, replayed } if asked.format == Format::MessagePack => {
                Sent::Reply { body, replayed }
            }
            LaneReply::Reply { body, replayed } => match (route.recode)(&body, asked.format) {
                Ok(body) => Sent::Reply { body, replayed },
                Err(error) => self.broken(route.meta.operation, &Breakage::other(error)),
            },
            LaneReply::Refused { body, replayed } => Sent::Error { body, replayed },
            LaneReply::Fault(fault) => fault.into(),
            LaneReply::Stale => Fault::unavailable(self.domain).into(),
        }
    }
}

/// Adds the capability to the fingerprint where the caller presents it beside an access token: with another capability
/// it is another command. Without a token the capability identifies the caller.
fn beside_token(fingerprint: Vec<u8>, caller: &Caller, capability: Option<Uuid>) -> Vec<u8> {
    match (caller, capability) {
        (Caller::User(_), Some(digest)) if !fingerprint.is_empty() => {
            Sha256::new().chain_update(fingerprint).chain_update(digest).finalize().to_vec()
        }
        _ => fingerprint,
    }
}

/// A decoded command on its way through prepare and lane.
struct Run<'a> {
    route: &'a CommandRoute,
    id: Uuid,
    is_known_to_caller: bool,
    key: Option<Uuid>,
    fingerprint: Vec<u8>,
    message: Erased,
    is_due: bool,
}

impl Responder {
    /// Runs the command of a due deadline through prepare and lane. Returns whether it was replied to or rejected.
    pub(crate) async fn run_due(&self, operation: &str, id: Uuid, command: DecodedCommand, deadline: Instant) -> bool {
        let route = self.endpoints.values().find_map(|endpoint| match endpoint {
            Endpoint::Command(route) if route.meta.operation == operation => Some(route),
            _ => None,
        });
        // Registration has checked both.
        let (Some(backed), Some(route)) = (self.backed(), route) else { return false };
        let DecodedCommand { message, key, fingerprint } = command;
        let run = Run { route, id, is_known_to_caller: false, key, fingerprint, message, is_due: true };
        let request = ServiceContext::of_system(self.client.clone(), deadline, None, None);
        let reason = match backed.run_command(run, request, None).await {
            Ok(LaneReply::Reply { .. } | LaneReply::Refused { .. }) => return true,
            Ok(LaneReply::Stale) => return false,
            Ok(LaneReply::Fault(fault)) => fault.to_string(),
            Err(breakage) => breakage.to_string(),
        };
        tracing::warn!(domain = self.domain, operation, reason, "a deadline was not acted on yet");
        false
    }
}
