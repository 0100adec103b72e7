//! The head of an event: the headers beside its body. They are the attributes of CloudEvents 1.0 in binary mode, and
//! one header for the rest, [`header::EVENT`]: `version=3;position=1764480000000000.812;cause=<id>`, then `;trace=`
//! and `;request=` if the cause was a request that had them. `request` comes last and extends to the end of the header,
//! since a request id may contain a semicolon. Readers ignore keys that they do not know.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Position, SYSTEM,
    header::{self, is_request_id, is_traceparent},
};

/// The head of an event. A dead letter stores the fields that have no column of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventHead<S = String> {
    /// The event's id.
    #[serde(skip)]
    pub id: Uuid,
    /// The domain that emitted the event.
    #[serde(skip)]
    pub source: S,
    /// The event's name in its domain.
    #[serde(skip)]
    pub name: S,
    /// The entity that changed.
    pub entity: Uuid,
    /// The version of the entity: 1, 2, 3 ...
    pub version: i64,
    /// The time of the commit.
    pub at: DateTime<Utc>,
    /// The position in the owner's log.
    pub position: Position,
    /// The id of the cause: that of an event or an effect, or an id derived from a command's id, caller and operation.
    pub cause: Uuid,
    /// The id of the request that caused the event.
    #[serde(default)]
    pub request_id: Option<S>,
    /// Its trace context.
    #[serde(default)]
    pub traceparent: Option<S>,
}

impl EventHead {
    /// The headers that all events of a domain share.
    pub fn shared_headers(source: &str) -> [(&'static str, String); 2] {
        [(header::CE_SPECVERSION, "1.0".to_owned()), (header::CE_SOURCE, format!("/{SYSTEM}/{source}"))]
    }

    /// Reads the headers of a message; `None` if it is not an event.
    pub fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Option<Self> {
        let mut kind = get(header::CE_TYPE)?.splitn(3, '.');
        let (_, source, name) = (kind.next()?, kind.next()?, kind.next()?);
        let (mut version, mut position, mut cause, mut request_id, mut traceparent) = (None, None, None, None, None);
        let mut rest = get(header::EVENT)?;
        while !rest.is_empty() {
            let (key, value) = rest.split_once('=')?;
            let (value, after) =
                if key == "request" { (value, "") } else { value.split_once(';').unwrap_or((value, "")) };
            match key {
                "version" => version = value.parse().ok(),
                "position" => position = value.parse().ok(),
                "cause" => cause = value.parse().ok(),
                "trace" => traceparent = Some(value.to_owned()),
                "request" => request_id = Some(value.to_owned()),
                _ => {}
            }
            rest = after;
        }
        Some(Self {
            id: get(header::CE_ID)?.parse().ok()?,
            source: source.to_owned(),
            name: name.to_owned(),
            entity: get(header::CE_SUBJECT)?.parse().ok()?,
            version: version?,
            at: DateTime::parse_from_rfc3339(get(header::CE_TIME)?).ok()?.to_utc(),
            position: position?,
            cause: cause?,
            request_id,
            traceparent,
        })
    }
}

impl<S: AsRef<str>> EventHead<S> {
    /// The headers beside those that all events of the domain share.
    pub fn headers(&self) -> [(&'static str, String); 5] {
        let kind = format!("{SYSTEM}.{}.{}", self.source.as_ref(), self.name.as_ref());
        [
            (header::CE_ID, self.id.to_string()),
            (header::CE_TYPE, kind),
            (header::CE_SUBJECT, self.entity.to_string()),
            (header::CE_TIME, self.at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            (header::EVENT, self.rest()),
        ]
    }

    fn rest(&self) -> String {
        let mut rest = format!("version={};position={};cause={}", self.version, self.position, self.cause);
        // Writing to a string cannot fail.
        if let Some(traceparent) = self.traceparent.as_ref().map(AsRef::as_ref).filter(|text| is_traceparent(text)) {
            let _ = write!(rest, ";trace={traceparent}");
        }
        if let Some(request_id) = self.request_id.as_ref().map(AsRef::as_ref).filter(|id| is_request_id(id)) {
            let _ = write!(rest, ";request={request_id}");
        }
        rest
    }
}

impl EventHead<&str> {
    /// A copy that owns its texts.
    pub fn into_owned(self) -> EventHead {
        EventHead {
            id: self.id,
            source: self.source.to_owned(),
            name: self.name.to_owned(),
            entity: self.entity,
            version: self.version,
            at: self.at,
            position: self.position,
            cause: self.cause,
            request_id: self.request_id.map(str::to_owned),
            traceparent: self.traceparent.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn head<'a>(traceparent: Option<&'a str>, request_id: Option<&'a str>) -> EventHead<&'a str> {
        EventHead {
            id: Uuid::from_u128(1),
            source: "things",
            name: "added",
            entity: Uuid::from_u128(2),
            version: 3,
            at: DateTime::from_timestamp_micros(1_764_480_000_000_001).unwrap(),
            position: Position { epoch: 7, xid: 812 },
            cause: Uuid::from_u128(4),
            request_id,
            traceparent,
        }
    }

    fn written(head: &EventHead<&str>) -> BTreeMap<&'static str, String> {
        EventHead::shared_headers("things").into_iter().chain(head.headers()).collect()
    }

    fn read(headers: &BTreeMap<&'static str, String>) -> Option<EventHead> {
        EventHead::read(|name| headers.get(name).map(String::as_str))
    }

    #[test]
    fn a_head_reads_back_as_written() {
        for traceparent in [None, Some(TRACE)] {
            for request_id in [None, Some("mine"), Some("a;version=9=;b")] {
                let head = head(traceparent, request_id);
                assert_eq!(read(&written(&head)), Some(head.into_owned()));
            }
        }
    }

    #[test]
    fn the_headers_are_few_and_readable() {
        let id = |number| Uuid::from_u128(number).to_string();
        let expected = BTreeMap::from([
            ("ce-specversion", "1.0".to_owned()),
            ("ce-source", "/souk/things".to_owned()),
            ("ce-id", id(1)),
            ("ce-type", "souk.things.added".to_owned()),
            ("ce-subject", id(2)),
            ("ce-time", "2025-11-30T05:20:00.000001Z".to_owned()),
            ("Souk-Event", format!("version=3;position=7.812;cause={};trace={TRACE};request=mine", id(4))),
        ]);
        assert_eq!(written(&head(Some(TRACE), Some("mine"))), expected);
    }

    #[test]
    fn what_would_break_the_header_is_not_written() {
        let broken = head(Some("00;version=9"), Some("a\r\nce-id: b"));
        assert_eq!(read(&written(&broken)), Some(head(None, None).into_owned()));
    }

    #[test]
    fn keys_may_be_added_and_none_of_the_first_may_be_missing() {
        let mut headers = written(&head(None, None));
        let rest = |rest: &str| format!("{rest};cause={}", Uuid::from_u128(4));
        headers.insert("Souk-Event", rest("lane=5;version=3;position=7.812"));
        assert_eq!(read(&headers), Some(head(None, None).into_owned()));
        for broken in ["version=3", "version=three;position=7.812", "version=3;position", "position=7.812"] {
            headers.insert("Souk-Event", rest(broken));
            assert_eq!(read(&headers), None, "{broken}");
        }
        for name in ["ce-id", "ce-type", "ce-subject", "ce-time", "Souk-Event"] {
            let mut headers = written(&head(None, None));
            headers.remove(name);
            assert_eq!(read(&headers), None, "without {name}");
        }
    }
}
