//! Type-erased commands.

mod forms;

use std::{any::Any, marker::PhantomData, sync::Arc};

use contract::{Answer as KeptAnswer, CallError, Command, ErrorBody, Format, UnknownFields};
use futures::future::{BoxFuture, FutureExt};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) use forms::{Before, Handling, NotPrepared, OneByOne, Prepared, Together};

use super::{Erased, RequestMeta};
use crate::{
    caller::Caller,
    context::Context,
    domain::{Commanded, Domain},
    failure::{Breakage, PrepareError},
    tx::{Cause, Tx},
};

/// A command that a domain handles.
#[derive(Clone)]
pub(crate) struct CommandRoute {
    pub meta: RequestMeta,
    pub keeps_answer: bool,
    pub is_sensitive: bool,
    pub handler: Arc<dyn ErasedCommand>,
}

impl CommandRoute {
    pub(crate) fn new<D, C, B, H>(handler: TypedCommand<D, C, B, H>) -> Self
    where
        D: Domain,
        C: Command,
        B: Before<D, C>,
        H: Handling<D, C, B::Prepared>,
    {
        Self {
            meta: RequestMeta::of::<C>(true),
            keeps_answer: C::ANSWER == KeptAnswer::Kept,
            is_sensitive: C::SENSITIVE,
            handler: Arc::new(handler),
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
    Refused(Box<ErrorBody>),
    /// Rejected after a write. The batch is rolled back and the command runs alone; if it is rejected again, only its
    /// rejection is stored.
    RefusedAfterWrite(Box<ErrorBody>),
    /// The prepared result is stale: prepare again.
    Stale,
}

/// The result of `prepare`.
pub(crate) enum PreparedCommand {
    /// The item for the lane. `Err` is a domain error, which the lane stores like any other answer.
    ForLane(Result<Erased, Box<ErrorBody>>),
    /// Rejected without a lane; the rejection is not stored.
    TurnedAway(Box<ErrorBody>),
}

pub(crate) trait ErasedCommand: Send + Sync {
    fn decode(&self, format: Format, body: &[u8]) -> Result<DecodedCommand, contract::DecodeError>;
    fn wrap(&self, message: Erased) -> Option<DecodedCommand>;
    /// Prepares the item for the lane: the message with the prepared result.
    fn prepare<'a>(
        &'a self,
        cx: &'a Context,
        message: Arc<Erased>,
        cause: Cause,
    ) -> BoxFuture<'a, Result<PreparedCommand, Breakage>>;
    fn run<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        commands: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<Vec<Outcome>, Breakage>>
    where
        'c: 'a;
    /// Converts a stored reply to another format.
    fn recode(&self, stored: &[u8], format: Format) -> Result<Vec<u8>, contract::DecodeError>;
}

/// A command of a domain, with its form of preparation (`B`) and of handling in the lane (`H`).
pub(crate) struct TypedCommand<D, C, B, H> {
    domain: Arc<D>,
    form: PhantomData<fn(C, B, H)>,
}

impl<D, C, B, H> TypedCommand<D, C, B, H> {
    pub(crate) fn new(domain: Arc<D>) -> Self {
        Self { domain, form: PhantomData }
    }
}

impl<D, C, B, H> ErasedCommand for TypedCommand<D, C, B, H>
where
    D: Domain,
    C: Command,
    B: Before<D, C>,
    H: Handling<D, C, B::Prepared>,
{
    fn decode(&self, format: Format, body: &[u8]) -> Result<DecodedCommand, contract::DecodeError> {
        let message: C = format.decode_request(body, UnknownFields::Ignore)?;
        decoded(message)
    }

    fn wrap(&self, message: Erased) -> Option<DecodedCommand> {
        decoded(*message.downcast::<C>().ok()?).ok()
    }

    fn prepare<'a>(
        &'a self,
        cx: &'a Context,
        message: Arc<Erased>,
        cause: Cause,
    ) -> BoxFuture<'a, Result<PreparedCommand, Breakage>> {
        async move {
            let Some(command) = message.downcast_ref::<C>() else {
                return Err(Breakage::other("a command came to another command's handler"));
            };
            match B::prepare(&self.domain, cx, command).await {
                Ok(prepared) => {
                    // The lane owns a copy: the caller keeps the message for a second prepare.
                    let (message, caller, capability) = (command.clone(), cx.caller.clone(), cx.capability);
                    let item = Commanded { message, prepared, caller, capability, cause };
                    Ok(PreparedCommand::ForLane(Ok(Box::new(item) as Erased)))
                }
                Err(PrepareError::Rejected(refusal)) => Ok(PreparedCommand::ForLane(Err(refused::<D, C>(refusal)))),
                Err(PrepareError::RejectedUnrecorded(refusal)) => {
                    Ok(PreparedCommand::TurnedAway(refused::<D, C>(refusal)))
                }
                Err(PrepareError::Broken(breakage)) => Err(breakage),
            }
        }
        .boxed()
    }

    fn run<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        commands: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<Vec<Outcome>, Breakage>>
    where
        'c: 'a,
    {
        async move {
            let typed: Option<Vec<_>> =
                commands.iter().map(|c| c.downcast_ref::<Commanded<C, B::Prepared>>()).collect();
            let Some(typed) = typed else {
                return Err(Breakage::other("a command came to another command's handler"));
            };
            H::run(&self.domain, tx, &typed).await
        }
        .boxed()
    }

    fn recode(&self, stored: &[u8], format: Format) -> Result<Vec<u8>, contract::DecodeError> {
        if format == Format::MessagePack {
            return Ok(stored.to_vec());
        }
        let reply: C::Reply = Format::MessagePack.decode(stored)?;
        format.encode(&reply)
    }
}

fn refused<D: Domain, C: Command>(refusal: C::Error) -> Box<ErrorBody> {
    Box::new(CallError::Refused(refusal).body(D::NAME, ""))
}

fn decoded<C: Command>(message: C) -> Result<DecodedCommand, contract::DecodeError> {
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
    pub(crate) fn of_command(
        id: Uuid,
        caller: &Caller,
        domain: &str,
        operation: &str,
        request_id: Option<String>,
        traceparent: Option<String>,
    ) -> Self {
        // Two callers may use the same command id; the ids of their events must still differ.
        let id = Uuid::new_v5(&id, format!("{}/{domain}.{operation}", caller.key()).as_bytes());
        Self { id, name: format!("{domain}.{operation}"), request_id, traceparent }
    }
}

#[cfg(test)]
mod tests {
    use contract::{Access, Answer, command, domain_error};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::command_log::is_reused;

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
    fn who_left_no_fingerprint_cannot_be_told_from_another() {
        assert!(!is_reused(&[], &fingerprint(Change { to: "a".into() })));
    }
}
