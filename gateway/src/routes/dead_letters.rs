//! Dead letters. Every domain stores its own, and checks the caller's rights itself.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use contract::Access;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::Path,
    registry::{MetaSchema, MetaSchemaRef, Registry},
    types::{ParseError, ParseFromParameter, ParseResult, Type},
};
use serde::Serialize;
use subjects::{DOMAINS, Pagination, roles};
use uuid::Uuid;

use crate::http::{
    caller::{COMMAND_DEADLINE, Caller, Guarded, QUERY_DEADLINE},
    header::Key,
    query::{Query, page},
    reply::{Answer, Reply},
    tag::Tag,
};

/// The kind of a dead letter.
#[derive(Debug, Enum, Serialize, Clone, Copy)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// An event that the domain could not handle.
    Event,
    /// A call of an external system that kept failing.
    Effect,
}

/// An event that a domain could not handle, or an effect that it could not perform.
#[derive(Object, Serialize)]
struct DeadLetter {
    /// The id of the event or the effect.
    id: Uuid,
    kind: Kind,
    /// The domain that emitted the event; for an effect, the domain itself.
    source: String,
    /// The name of the event or the effect.
    name: String,
    /// The entity concerned, such as an order or a payment; absent if the event cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Uuid>,
    /// Why it failed.
    reason: String,
    /// The number of attempts.
    attempts: i32,
    /// When it was dead-lettered, after the last attempt; for an effect that no running node registers, when it became
    /// due.
    dead_lettered_at: DateTime<Utc>,
}

/// A page of dead letters.
#[derive(Object, Serialize)]
struct DeadLetters {
    data: Vec<DeadLetter>,
    pagination: Pagination,
}

impl From<runtime::DeadLetter> for DeadLetter {
    fn from(letter: runtime::DeadLetter) -> Self {
        let runtime::DeadLetter { id, kind, source, name, entity, reason, attempts, dead_lettered_at } = letter;
        let kind = match kind {
            runtime::DeadLetterKind::Event => Kind::Event,
            runtime::DeadLetterKind::Effect => Kind::Effect,
        };
        Self { id, kind, source, name, entity, reason, attempts, dead_lettered_at }
    }
}

/// A domain of the shop: one of [`DOMAINS`]. Written out, because the library derives an enumeration from variants
/// alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Domain(pub(super) &'static str);

impl Type for Domain {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "Domain".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(Self::name().into_owned())
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>(Self::name().into_owned(), |_| MetaSchema {
            description: Some("A domain of the shop."),
            enum_items: DOMAINS.into_iter().map(Into::into).collect(),
            ..MetaSchema::new("string")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromParameter for Domain {
    fn parse_from_parameter(value: &str) -> ParseResult<Self> {
        let found = DOMAINS.into_iter().find(|name| *name == value);
        found.map(Self).ok_or_else(|| ParseError::custom("Expect a valid enumeration value."))
    }
}

/// Access for admins, whatever the domain.
pub(super) struct ByAdmins;

impl Guarded for ByAdmins {
    const ACCESS: Access = roles::ADMINS;
}

/// The routes of dead letters.
pub(crate) struct DeadLettersApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Admin")]
impl DeadLettersApi {
    /// List dead letters
    ///
    /// The dead-lettered events and effects of a domain, oldest first.
    #[oai(path = "/admin/dead-letters", method = "get", operation_id = "list_dead_letters")]
    async fn list_dead_letters(
        &self,
        caller: Caller<ByAdmins>,
        domain: Query<Domain>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<DeadLetters> {
        let request = page(limit, offset, cursor);
        let client = &caller.context.gateway.client;
        let page = client.dead_letters(domain.0.0, &request, &caller.call(QUERY_DEADLINE, None)).await?;
        let data = page.data.into_iter().map(DeadLetter::from).collect();
        Reply::new(&DeadLetters { data, pagination: page.pagination })
    }

    /// Redrive a dead letter
    ///
    /// Handles the event or runs the effect again. 202 as soon as the domain has accepted it. If it fails again, it is
    /// listed again with the newer reason: an event after one attempt, an effect after as many as the first time.
    #[oai(path = "/admin/dead-letters/:domain/:id/redrive", method = "post", operation_id = "redrive_dead_letter")]
    async fn redrive_dead_letter(
        &self,
        caller: Caller<ByAdmins>,
        /// The domain of the dead letter.
        domain: Path<Domain>,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] key: Key,
    ) -> Answer<DeadLetter, 202> {
        let call = caller.call(COMMAND_DEADLINE, key.into());
        let answer = caller.context.gateway.client.redrive(domain.0.0, id.0, &call).await?;
        Ok(Reply::new(&DeadLetter::from(answer.reply))?.replayed(answer.replayed))
    }
}
