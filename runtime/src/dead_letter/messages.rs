//! What is asked about what is parked, and answered.

use chrono::{DateTime, Utc};
use contract::{
    Detail, ErrorKind, Fault,
    subject::{self, guarded, internal},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::{Call, Client, Replied};

/// The greatest page, and the deepest offset; a cursor goes deeper.
const MAX_LIMIT: u32 = 100;
const MAX_OFFSET: u32 = 10_000;

/// What it is that was parked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterKind {
    /// An event that the domain could not handle.
    #[default]
    Event,
    /// A call of the outside world that the domain could not get through.
    Effect,
}

/// A parked event or effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The event, or the effect.
    pub id: Uuid,
    /// Which of them it is. Answers that were kept before effects were listed do not say.
    #[serde(default)]
    pub kind: DeadLetterKind,
    /// Whose it is: an effect is its domain's own.
    pub source: String,
    /// Its name there.
    pub name: String,
    /// The thing it is about; absent where an event cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Uuid>,
    /// Why it could not be done.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was parked, after the last try; of an effect that no running node registers, since when it is due.
    pub parked_at: DateTime<Utc>,
}

/// Asks for a page of what is parked, the longest parked first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeadLettersRequest {
    /// 1 to 100; 20 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many to skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of what is parked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetters {
    /// The events and effects.
    pub data: Vec<DeadLetter>,
    /// Where the page stands.
    pub pagination: DeadLettersPage,
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLettersPage {
    /// The page's size at most.
    pub limit: u32,
    /// How many were skipped.
    pub offset: u32,
    /// How many there are in all.
    pub total: i64,
    /// Asks for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Asks for one to be tried again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RedriveRequest {
    pub id: Uuid,
}

/// Behind which letter a page begins.
pub(crate) type Behind = Option<(DateTime<Utc>, Uuid)>;

impl DeadLettersRequest {
    /// The limit, within its bounds.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.unwrap_or(20).clamp(1, MAX_LIMIT)
    }

    /// The offset, within its bound.
    pub(crate) fn offset(&self) -> u32 {
        self.offset.unwrap_or(0).min(MAX_OFFSET)
    }

    /// Behind which letter the page begins.
    pub(crate) fn from(&self) -> Result<Behind, Fault> {
        let Some(text) = self.cursor.as_deref() else { return Ok(None) };
        read_cursor(text).map(Some).ok_or_else(|| {
            let detail = Detail::format("cursor", "cursor", "must be `next_cursor` of another page");
            Fault::new(ErrorKind::Malformed, "invalid_cursor", "The cursor is not one of ours.").about(detail)
        })
    }
}

impl DeadLetter {
    /// Asks for what comes behind it.
    pub(crate) fn cursor(&self) -> String {
        format!("{:x}.{}", self.parked_at.timestamp_micros(), self.id.simple())
    }
}

fn read_cursor(text: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let (at, id) = text.split_once('.')?;
    let at = DateTime::from_timestamp_micros(i64::from_str_radix(at, 16).ok()?)?;
    Some((at, Uuid::try_parse(id).ok()?))
}

impl Client {
    /// What a domain has parked. With an access token in the call the domain checks that; without one the operator
    /// asks, by the rights of its NATS user.
    ///
    /// # Errors
    /// A fault, where the domain refuses or does not answer.
    pub async fn dead_letters(
        &self,
        domain: &str,
        request: &DeadLettersRequest,
        call: &Call,
    ) -> Result<DeadLetters, Fault> {
        let subject = match call.authorization {
            Some(_) => subject::request(domain, guarded::LIST_DEAD_LETTERS, false),
            None => subject::request(domain, internal::DEAD_LETTERS, true),
        };
        Ok(self.ask_common(subject, domain, request, call, None).await?.reply)
    }

    /// Has a parked event handled, or a parked effect performed, once more, and tells what it was; whoever looks at the
    /// list again sees whether it was parked once more. Rights as with [`Client::dead_letters`].
    ///
    /// # Errors
    /// A fault, where it is not parked, or the domain refuses or does not answer.
    pub async fn redrive(&self, domain: &str, id: Uuid, call: &Call) -> Result<Replied<DeadLetter>, Fault> {
        let subject = match call.authorization {
            Some(_) => subject::request(domain, guarded::REDRIVE_DEAD_LETTER, false),
            None => subject::request(domain, internal::REDRIVE, true),
        };
        let command = call.command_id.unwrap_or_else(Uuid::now_v7);
        self.ask_common(subject, domain, &RedriveRequest { id }, call, Some(command)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let parked_at = DateTime::from_timestamp_micros(1_764_000_000_123_456).unwrap();
        let (id, source, name, reason) = (Uuid::now_v7(), String::new(), String::new(), String::new());
        let (kind, entity) = (DeadLetterKind::Effect, None);
        let letter = DeadLetter { id, kind, source, name, entity, reason, attempts: 5, parked_at };
        assert_eq!(read_cursor(&letter.cursor()), Some((parked_at, id)));
        for bad in ["", ".", "x.y", "12", "12.34", "7fffffffffffffff.00000000000000000000000000000000"] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }
}
