//! Type-erased commands.

mod forms;

use std::sync::Arc;

use contract::{Answer as KeptAnswer, Command, DecodeError, ErrorBody, Format, UnknownFields};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) use forms::{one_by_one, prepared, together, unprepared};

use super::{Erased, RequestMeta, Run};
use crate::{
    api::{
        audit::{Described, describe},
        context::{Context, ServiceContext},
        tx::Cause,
    },
    error::InternalError,
};

const ANOTHERS: &str = "a command was passed to the handler of another command";

/// Prepares the item for the lane: the message with the prepared result.
pub(crate) type PrepareCommand =
    dyn for<'a> Fn(&'a Context, &'a Erased, Cause) -> BoxFuture<'a, PrepareResult> + Send + Sync;

type PrepareResult = Result<PreparedCommand, InternalError>;

/// A command that a domain handles.
#[derive(Clone)]
pub(crate) struct CommandRoute {
    pub meta: RequestMeta,
    pub keeps_answer: bool,
    pub is_sensitive: bool,
    pub decode: fn(Format, &[u8]) -> Result<DecodedCommand, DecodeError>,
    pub prepare: Arc<PrepareCommand>,
    pub run: Run<Vec<Outcome>>,
    /// Describes the message for the audit log.
    pub describe: fn(&Erased) -> Result<Described, InternalError>,
    /// Converts a stored reply to another format.
    pub recode: fn(Vec<u8>, Format) -> Result<Vec<u8>, DecodeError>,
}

impl CommandRoute {
    pub(crate) fn new<C: Command>(prepare: Arc<PrepareCommand>, run: Run<Vec<Outcome>>) -> Self {
        Self {
            meta: RequestMeta::of::<C>(true),
            keeps_answer: C::ANSWER == KeptAnswer::Kept,
            is_sensitive: C::SENSITIVE,
            decode: |format, body| decoded(format.decode_request::<C>(body, UnknownFields::Ignore)?),
            prepare,
            run,
            describe: described::<C>,
            recode: recode::<C>,
        }
    }
}

/// A decoded command.
pub(crate) struct DecodedCommand {
    pub message: Erased,
    pub key: Option<Uuid>,
    /// A hash of the body, to detect a repeat with another body. If the answer is a secret, a hash of the key only;
    /// empty without a key.
    pub fingerprint: Vec<u8>,
}

/// The outcome of a command. Bodies are MessagePack, as the command log stores them.
pub(crate) enum Outcome {
    Reply(Vec<u8>),
    Rejected(Box<ErrorBody>),
    /// Rejected after a write. The batch is rolled back and the command runs alone; if it is rejected again, only its
    /// rejection is stored.
    RejectedAfterWrite(Box<ErrorBody>),
    /// The prepared result is stale: prepare again.
    Stale,
}

/// The result of `prepare`.
pub(crate) enum PreparedCommand {
    /// The item for the lane. `Err` is a domain error, which the lane stores like any other answer.
    ForLane(Result<Erased, Box<ErrorBody>>),
    /// Rejected without a lane; the rejection is not stored.
    RejectedUnrecorded(Box<ErrorBody>),
}

fn described<C: Command>(message: &Erased) -> Result<Described, InternalError> {
    let message: &C = message.downcast_ref().ok_or_else(|| InternalError::other(ANOTHERS))?;
    describe(message, message.key(), C::RECORDED).map_err(InternalError::other)
}

fn recode<C: Command>(stored: Vec<u8>, format: Format) -> Result<Vec<u8>, DecodeError> {
    if format == Format::MessagePack {
        return Ok(stored);
    }
    let reply: C::Reply = Format::MessagePack.decode(&stored)?;
    format.encode(&reply)
}

pub(super) fn decoded<C: Command>(message: C) -> Result<DecodedCommand, DecodeError> {
    let canonical = Format::MessagePack.encode(&message)?;
    // A command with a secret answer may itself contain a secret, such as a password, of which no fast hash may be
    // stored. A key is never a secret.
    let fingerprint = match (C::ANSWER, message.key()) {
        (KeptAnswer::Kept, _) => Sha256::digest(&canonical).to_vec(),
        (KeptAnswer::Secret, Some(key)) => Sha256::digest(key).to_vec(),
        (KeptAnswer::Secret, None) => Vec::new(),
    };
    Ok(DecodedCommand { key: message.key(), fingerprint, message: Box::new(message) })
}

impl Cause {
    /// The cause for what a command emits.
    pub(crate) fn of_command(id: Uuid, domain: &str, operation: &str, request: &ServiceContext) -> Self {
        // Two callers may use the same command id; the ids of their events must still differ.
        let id = Uuid::new_v5(&id, format!("{}/{domain}.{operation}", request.caller.key()).as_bytes());
        let (request_id, traceparent) = (request.request_id.clone(), request.traceparent.clone());
        Self { id, name: format!("{domain}.{operation}"), request_id, traceparent }
    }
}

#[cfg(test)]
mod tests {
    use contract::{Access, Answer, command, domain_error};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::lane::command_log::is_reused;

    domain_error! {
        enum Never {
            Never: Conflict "never" = "never";
        }
    }

    #[derive(Clone, Serialize, Deserialize)]
    struct Open {
        what: Uuid,
        password: String,
    }
    command!(Open, "things", "open", Access::Public => (), Never, key = |c| Some(c.what), answer = Answer::Secret);

    #[derive(Clone, Serialize, Deserialize)]
    struct Enter {
        password: String,
    }
    command!(Enter, "things", "enter", Access::Public => (), Never, key = |_| None, answer = Answer::Secret);

    #[derive(Clone, Serialize, Deserialize)]
    struct Change {
        to: String,
    }
    command!(Change, "things", "change", Access::Public => (), Never, key = |_| None);

    fn fingerprint<C: Command>(command: C) -> Vec<u8> {
        decoded(command).unwrap().fingerprint
    }

    #[test]
    fn a_secret_leaves_no_fingerprint_but_what_it_opens_does() {
        let open = |what, password: &str| fingerprint(Open { what: Uuid::from_u128(what), password: password.into() });
        assert!(is_reused(&open(1, "a"), &open(2, "a")));
        assert_eq!(open(1, "a"), open(1, "b"), "nothing of the password");
        assert!(fingerprint(Enter { password: "a".into() }).is_empty());
        let change = |to: &str| fingerprint(Change { to: to.into() });
        assert!(is_reused(&change("a"), &change("b")) && !is_reused(&change("a"), &change("a")));
    }

    #[test]
    fn a_command_without_a_fingerprint_matches_any_other() {
        assert!(!is_reused(&[], &fingerprint(Change { to: "a".into() })));
    }
}
