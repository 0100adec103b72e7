//! What a domain could not handle: every domain keeps its own, and checks itself who looks.

use chrono::{DateTime, Utc};
use contract::Access;
use poem_openapi::{Enum, Object, OpenApi, param::Path};
use serde::Serialize;
use subjects::{Pagination, carts, catalog, identity, inventory, orders, payments, roles};
use uuid::Uuid;

use crate::{
    caller::{COMMAND_DEADLINE, Caller, Guarded, QUERY_DEADLINE},
    document::Tag,
    header::Key,
    query::Query,
    reply::{Answer, Reply},
};

/// An event that a domain could not handle.
#[derive(Object, Serialize)]
struct DeadLetter {
    /// The event.
    id: Uuid,
    /// The domain whose event it is.
    source: String,
    /// The event's name there.
    name: String,
    /// Why it could not be handled.
    reason: String,
    /// How often it ran.
    attempts: i32,
    /// When it was parked, after the last of its runs.
    parked_at: DateTime<Utc>,
}

/// A page of such events.
#[derive(Object, Serialize)]
struct DeadLetters {
    data: Vec<DeadLetter>,
    pagination: Pagination,
}

impl From<runtime::DeadLetter> for DeadLetter {
    fn from(letter: runtime::DeadLetter) -> Self {
        let runtime::DeadLetter { id, source, name, reason, attempts, parked_at } = letter;
        Self { id, source, name, reason, attempts, parked_at }
    }
}

/// A domain of the shop.
#[derive(Debug, Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum Domain {
    Identity,
    Catalog,
    Inventory,
    Carts,
    Orders,
    Payments,
}

impl Domain {
    fn name(self) -> &'static str {
        match self {
            Self::Identity => identity::DOMAIN,
            Self::Catalog => catalog::DOMAIN,
            Self::Inventory => inventory::DOMAIN,
            Self::Carts => carts::DOMAIN,
            Self::Orders => orders::DOMAIN,
            Self::Payments => payments::DOMAIN,
        }
    }
}

/// Who looks: admins, whichever domain is asked.
struct ByAdmins;

impl Guarded for ByAdmins {
    const ACCESS: Access = roles::ADMINS;
}

/// The routes of dead letters.
pub(crate) struct DeadLettersApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Admin")]
impl DeadLettersApi {
    /// The events that a domain could not handle, the longest parked first
    #[oai(path = "/admin/dead-letters", method = "get", operation_id = "list_dead_letters")]
    async fn list_dead_letters(
        &self,
        caller: Caller<ByAdmins>,
        domain: Query<Domain>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<DeadLetters> {
        let request = runtime::DeadLettersRequest { limit: limit.0, offset: offset.0, cursor: cursor.0 };
        let client = &caller.visit.gateway.client;
        let page = client.dead_letters(domain.0.name(), &request, &caller.call(QUERY_DEADLINE, None)).await?;
        let runtime::DeadLettersPage { limit, offset, total, next_cursor } = page.pagination;
        let pagination = Pagination { limit, offset, total, next_cursor };
        Reply::new(&DeadLetters { data: page.data.into_iter().map(DeadLetter::from).collect(), pagination })
    }

    /// Have such an event handled once more
    ///
    /// 202 as soon as the domain has it in hand. Where that fails again the list shows the event once more, with the
    /// newer reason.
    #[oai(path = "/admin/dead-letters/:domain/:id/redrive", method = "post", operation_id = "redrive_dead_letter")]
    async fn redrive_dead_letter(
        &self,
        caller: Caller<ByAdmins>,
        /// The domain that could not handle it.
        domain: Path<Domain>,
        id: Path<Uuid>,
        #[oai(name = "Idempotency-Key")] key: Key,
    ) -> Answer<DeadLetter, 202> {
        let call = caller.call(COMMAND_DEADLINE, key.into());
        let answer = caller.visit.gateway.client.redrive(domain.0.name(), id.0, &call).await?;
        Ok(Reply::new(&DeadLetter::from(answer.reply))?.replayed(answer.replayed))
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::types::{ParseFromParameter, ToJSON};

    use super::*;

    #[test]
    fn every_domain_can_be_asked_by_its_name() {
        for name in subjects::DOMAINS {
            let domain = Domain::parse_from_parameter(name).unwrap();
            assert_eq!((domain.name(), domain.to_json()), (name, Some(name.into())));
        }
    }
}
