//! The registrations of a domain or a service, checked before its node starts: of two handlers for one message, the
//! second would silently replace the first or never run.

use std::{
    any::{TypeId, type_name},
    sync::Arc,
};

use contract::{Command, Event, Query, Request};

use crate::api::domain::Effect;

/// The registration of a type.
pub(crate) struct Registration {
    kind: Kind,
    /// Unique within the kind: a subject, a name or an operation.
    key: String,
    /// The domain that owns the message; `None` for an effect, which has no message.
    owner: Option<&'static str>,
    type_id: TypeId,
    type_name: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Call,
    Event,
    Effect,
    Deadline,
}

impl Registration {
    pub(crate) fn request<R: Request>() -> Self {
        Self::of::<R>(Kind::Request, R::subject(), Some(R::DOMAIN))
    }

    /// A query that is sent to another domain.
    pub(crate) fn call<Q: Query>() -> Self {
        Self::of::<Q>(Kind::Call, Q::subject(), Some(Q::DOMAIN))
    }

    /// An event of any domain.
    pub(crate) fn event<E: Event>() -> Self {
        Self::of::<E>(Kind::Event, format!("{}.{}", E::DOMAIN, E::NAME), Some(E::DOMAIN))
    }

    pub(crate) fn effect<F: Effect>() -> Self {
        Self::of::<F>(Kind::Effect, F::NAME.to_owned(), None)
    }

    pub(crate) fn deadline<C: Command>() -> Self {
        Self::of::<C>(Kind::Deadline, C::OPERATION.to_owned(), Some(C::DOMAIN))
    }

    fn of<T: 'static>(kind: Kind, key: String, owner: Option<&'static str>) -> Self {
        Self { kind, key, owner, type_id: TypeId::of::<T>(), type_name: type_name::<T>() }
    }

    /// The subject, if this is a call.
    pub(crate) fn called(&self) -> Option<&str> {
        (self.kind == Kind::Call).then_some(self.key.as_str())
    }

    /// The domain that emits the event, if this is one.
    pub(crate) fn source(&self) -> Option<&'static str> {
        self.owner.filter(|_| self.kind == Kind::Event)
    }

    /// Describes the registration for error texts.
    fn describe(&self) -> String {
        let Self { kind, key, .. } = self;
        match kind {
            Kind::Request => format!("the subject `{key}`"),
            Kind::Call => format!("the call of `{key}`"),
            Kind::Event => format!("the event `{key}`"),
            Kind::Effect => format!("the effect `{key}`"),
            Kind::Deadline => format!("the deadlines of `{key}`"),
        }
    }
}

/// The queries that a domain or service registers as its calls.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<[TypeId]>);

impl Calls {
    pub(crate) fn of(registrations: &[Registration]) -> Self {
        let calls = registrations.iter().filter(|registration| registration.kind == Kind::Call);
        Self(calls.map(|registration| registration.type_id).collect())
    }

    /// Whether `Q` is registered.
    pub(crate) fn has<Q: Query>(&self) -> bool {
        self.0.contains(&TypeId::of::<Q>())
    }
}

/// The defects of a domain's registrations. `is_taken` names the subjects that the runtime serves itself.
pub(crate) fn defects(domain: &str, registrations: &[Registration], is_taken: impl Fn(&str) -> bool) -> Vec<String> {
    let mut defects = Vec::new();
    for (index, one) in registrations.iter().enumerate() {
        let (what, type_name) = (one.describe(), one.type_name);
        let must_be_own = matches!(one.kind, Kind::Request | Kind::Deadline);
        if let Some(owner) = one.owner.filter(|owner| must_be_own && *owner != domain) {
            defects.push(format!("`{type_name}` is a message of `{owner}`, not of `{domain}`"));
        }
        if let Some(first) = registrations[..index].iter().find(|o| (o.kind, &o.key) == (one.kind, &one.key)) {
            defects.push(format!("{what} is registered twice: by `{}` and by `{type_name}`", first.type_name));
        }
        if one.kind == Kind::Request && is_taken(&one.key) {
            defects.push(format!("{what} of `{type_name}` is answered by the runtime"));
        }
        let is_command = |o: &Registration| o.kind == Kind::Request && o.type_id == one.type_id;
        if one.kind == Kind::Deadline && !registrations.iter().any(is_command) {
            defects.push(format!("{what} run `{type_name}`, which is not registered as a command"));
        }
    }
    defects
}
