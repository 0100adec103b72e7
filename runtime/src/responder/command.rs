//! Runs commands: prepare, lane, reply.

use std::time::{Duration, Instant};

use contract::{ErrorKind, ServiceError};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use super::{Backing, Endpoint, IncomingRequest, Reply, Responder, settle_caller};
use crate::{
    api::{
        audit::Described,
        caller::Caller,
        context::{Context, ServiceContext},
        routes::{CommandRoute, DecodedCommand, PreparedCommand},
        tx::Cause,
    },
    error::InternalError,
    guard::guarded,
    lane::{
        CommandItem, LaneMessage, LaneReply,
        audit::AuditedCommand,
        command_log::{self, CommandKey},
    },
    rpc::auth::Identity,
};

/// How often a command is prepared in all when its lane finds the prepared result stale.
const PREPARES: u32 = 3;

/// After this time in `prepare`, a stored answer is looked up: a repeated command does not need the prepared result.
/// Long enough that a node under load does not pay for it, and shorter than a gateway's first attempt (1.5 s).
const LOOKUP_AFTER: Duration = Duration::from_secs(1);

impl Responder {
    pub(super) async fn command(
        &self,
        backing: &Backing,
        route: &CommandRoute,
        incoming: &IncomingRequest,
        caller: Option<Caller>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Reply, ServiceError> {
        let mut command = incoming.decode(|format, body| (route.decode)(format, body))?;
        let caller = settle_caller(route.meta.access, caller, incoming.capability)?;
        let id = incoming.command_id()?;
        command.fingerprint = beside_token(command.fingerprint, &caller, incoming.capability);
        let run = Run {
            backing,
            route,
            id: id.unwrap_or_else(Uuid::now_v7),
            is_known_to_caller: id.is_some(),
            command,
            is_due: false,
        };
        let work = guarded(self.run_command(run, self.context(incoming, caller), Some(permit)));
        match tokio::time::timeout_at(incoming.deadline.into(), work).await {
            Ok(Ok(reply)) => self.out(route, incoming, reply),
            Ok(Err(internal_error)) => Err(self.broken(route.meta.operation, incoming, &internal_error)),
            Err(_) => Err(ServiceError::deadline(self.domain)),
        }
    }

    async fn run_command(
        &self,
        run: Run<'_>,
        request: ServiceContext,
        mut permit: Option<OwnedSemaphorePermit>,
    ) -> Result<LaneReply, InternalError> {
        let caller_key = request.caller.key();
        let cause = Cause::of_command(run.id, self.domain, run.route.meta.operation, &request);
        let context = Context { request, db: run.backing.db.internal_reads.clone() };
        for _ in 0..PREPARES {
            let prepare = (run.route.prepare)(&context, &run.command.message, cause.clone());
            // Beside `prepare`, which may hold one of the few connections that the look-up needs.
            let prepared = tokio::select! {
                biased;
                prepared = prepare => prepared,
                reply = self.answer_of_repeat(&run, &caller_key) => return Ok(reply),
            };
            let prepared = match prepared {
                Ok(PreparedCommand::ForLane(prepared)) => prepared,
                // This rejection bypasses the lane, which would replay the answer of a repeated command.
                Ok(PreparedCommand::RejectedUnrecorded(body)) => {
                    let stored = self.stored_answer(&run, &caller_key).await?;
                    return Ok(stored.unwrap_or(LaneReply::Rejected { body, replayed: false }));
                }
                Err(error) => return self.stored_answer(&run, &caller_key).await?.ok_or(error),
            };
            let (reply, answer) = oneshot::channel();
            let key = run.command.key.unwrap_or(cause.id);
            let item = CommandItem {
                route: run.route.clone(),
                caller_key: caller_key.clone(),
                id: run.id,
                key,
                fingerprint: run.command.fingerprint.clone(),
                request_id: cause.request_id.clone(),
                prepared,
                deadline: context.deadline,
                reply,
                permit: permit.take(),
                is_due: run.is_due,
                audited: audited(&run, &context, &cause)?.map(Box::new),
            };
            run.backing.lanes.cast(key, LaneMessage::Command(Box::new(item)));
            match answer.await {
                Ok(LaneReply::Stale) => {}
                Ok(reply) => return Ok(reply),
                // The lane was restarted. Whether the command ran is unknown; repeating its id is safe.
                Err(_) => return Ok(LaneReply::ServiceError(ServiceError::unavailable(self.domain))),
            }
        }
        let text = "The data that the command depends on keeps changing. Try again.";
        Ok(LaneReply::ServiceError(ServiceError::new(ErrorKind::Unavailable, "contended", text).of(self.domain)))
    }

    /// Completes with the stored answer if there is one, after [`LOOKUP_AFTER`]; never completes otherwise.
    async fn answer_of_repeat(&self, run: &Run<'_>, caller_key: &str) -> LaneReply {
        tokio::time::sleep(LOOKUP_AFTER).await;
        match self.stored_answer(run, caller_key).await {
            Ok(Some(reply)) => reply,
            // `prepare` or the lane meets the same error of the database.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// The stored answer of an earlier run, if the caller supplied the command id.
    async fn stored_answer(&self, run: &Run<'_>, caller_key: &str) -> Result<Option<LaneReply>, InternalError> {
        if !run.is_known_to_caller {
            return Ok(None);
        }
        let key = CommandKey { caller: caller_key, operation: run.route.meta.operation, id: run.id };
        match command_log::look_up(&run.backing.db.internal_reads, &[key]).await?.pop() {
            Some((_, stored)) => stored.reply(&run.command.fingerprint, self.domain),
            None => Ok(None),
        }
    }

    fn out(&self, route: &CommandRoute, incoming: &IncomingRequest, reply: LaneReply) -> Result<Reply, ServiceError> {
        match reply {
            LaneReply::Reply { body, replayed } => match (route.recode)(body, incoming.format) {
                Ok(body) => Ok(Reply::Success { body, replayed }),
                Err(error) => Err(self.broken(route.meta.operation, incoming, &InternalError::other(error))),
            },
            LaneReply::Rejected { body, replayed } => Ok(Reply::Error { body, replayed }),
            LaneReply::ServiceError(service_error) => Err(service_error),
            LaneReply::Stale => Err(ServiceError::unavailable(self.domain)),
        }
    }

    /// Runs the command of a due deadline through prepare and lane. Returns whether it was replied to or rejected.
    pub(crate) async fn run_due(&self, operation: &str, id: Uuid, command: DecodedCommand, deadline: Instant) -> bool {
        let route = self.endpoints.values().find_map(|endpoint| match endpoint {
            Endpoint::Command(route) if route.meta.operation == operation => Some(route),
            _ => None,
        });
        // Registration has checked both.
        let (Some(backing), Some(route)) = (&self.backing, route) else { return false };
        let run = Run { backing, route, id, is_known_to_caller: false, command, is_due: true };
        let request = ServiceContext::of_system(self.peers.clone(), deadline, None, None);
        let reason = match self.run_command(run, request, None).await {
            Ok(LaneReply::Reply { .. } | LaneReply::Rejected { .. }) => return true,
            Ok(LaneReply::Stale) => return false,
            Ok(LaneReply::ServiceError(service_error)) => service_error.to_string(),
            Err(internal_error) => internal_error.to_string(),
        };
        tracing::warn!(domain = self.domain, operation, reason, "deadline command failed, retrying");
        false
    }
}

/// What the audit log records of the command, if the caller has an audited role.
fn audited(run: &Run<'_>, context: &Context, cause: &Cause) -> Result<Option<AuditedCommand>, InternalError> {
    let account = context.caller.user().filter(|account| run.backing.audited_roles.contains(&account.role.as_str()));
    let Some(Identity { id, role, .. }) = account else { return Ok(None) };
    let Described { fields, names_key } = (run.route.describe)(&run.command.message)?;
    Ok(Some(AuditedCommand {
        caller: *id,
        role: role.clone(),
        operation: run.route.meta.operation,
        entity: run.command.key.filter(|_| names_key),
        cause: cause.id,
        fields,
        request_id: cause.request_id.clone(),
        client_address: context.client_address,
    }))
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
    backing: &'a Backing,
    route: &'a CommandRoute,
    id: Uuid,
    is_known_to_caller: bool,
    command: DecodedCommand,
    is_due: bool,
}
