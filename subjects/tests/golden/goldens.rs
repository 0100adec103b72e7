//! Golden files: what was written once is read today, and written today as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::PathBuf,
};

use contract::{CallError, Command, DomainError, ErrorBody, Event, Format, Query, Request};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::is_update;

/// Below what a message may be sampled: comparable, and shown where it differs.
pub trait Sample: Serialize + DeserializeOwned + PartialEq + Debug {}

impl<T: Serialize + DeserializeOwned + PartialEq + Debug> Sample for T {}

/// An event's sample, for docs/events.md.
pub struct EventSample {
    /// The payload, for people.
    pub text: String,
    /// The field that holds the entity's id.
    pub entity: String,
}

/// The samples that were compared so far.
#[derive(Default)]
pub struct Goldens {
    names: BTreeSet<String>,
    events: BTreeMap<(&'static str, &'static str), EventSample>,
    problems: Vec<String>,
}

/// What a golden file does not say, readers must ignore.
const TOMORROW: &str = "a_field_of_tomorrow";

impl Goldens {
    pub fn query<Q: Query + Sample>(&mut self, query: &Q, reply: &Q::Reply)
    where
        Q::Reply: Sample,
    {
        self.request("query", query, reply);
    }

    pub fn command<C: Command + Sample>(&mut self, command: &C, reply: &C::Reply)
    where
        C::Reply: Sample,
    {
        self.request("command", command, reply);
    }

    fn request<R: Request + Sample>(&mut self, kind: &str, request: &R, reply: &R::Reply)
    where
        R::Reply: Sample,
    {
        self.message(&format!("{}/{}.{kind}", R::DOMAIN, R::OPERATION), request);
        let path = std::any::type_name::<R::Reply>();
        let name = snake_case(path.rsplit("::").next().unwrap());
        self.message(&format!("{}/{name}.reply", R::DOMAIN), reply);
    }

    pub fn event<E: Event + Sample>(&mut self, event: &E) {
        let payload = serde_json::to_value(event).unwrap();
        let mut fields = payload.as_object().unwrap().iter();
        let entity = fields.find(|(_, value)| **value == event.entity().to_string()).map(|(name, _)| name.clone());
        let sample = EventSample { text: serde_json::to_string_pretty(event).unwrap(), entity: entity.unwrap() };
        self.events.insert((E::DOMAIN, E::NAME), sample);
        self.message(&format!("{}/{}.event", E::DOMAIN, E::NAME), event);
    }

    /// An error as it travels: in a body, from which the caller gets it back as itself.
    pub fn error<E: DomainError + Sample>(&mut self, domain: &str, domain_error: E) {
        let code = domain_error.code();
        let tag = serde_json::to_value(&domain_error).unwrap()["code"].clone();
        self.expect(tag == code, || format!("{domain}: the error {code} travels as {tag}"));
        let body = ErrorBody::of_domain_error(&domain_error, domain, crate::samples::REQUEST_ID);
        let rejected = CallError::Rejected(domain_error);
        self.compare(&format!("{domain}/{code}.error"), &body, &rejected, CallError::<E>::from_body);
    }

    fn message<T: Sample>(&mut self, name: &str, message: &T) {
        self.compare(name, message, message, |read| read);
    }

    /// `wire` is what travels, `seen` what its reader makes of it.
    fn compare<T: Sample, V: PartialEq + Debug>(&mut self, name: &str, wire: &T, seen: &V, see: fn(T) -> V) {
        if !self.names.insert(name.to_owned()) {
            return;
        }
        for format in [Format::Json, Format::MessagePack] {
            let file = format!("{name}.{}", extension(format));
            let today = format.encode(wire).unwrap();
            if is_update() {
                update(&file, &today, |known| format.decode::<T>(known).is_ok_and(|known| known == *wire));
            }
            let Ok(known) = std::fs::read(directory().join(&file)) else {
                self.problems.push(format!("subjects/golden/{file} is missing"));
                continue;
            };
            match format.decode::<T>(&known) {
                Ok(read) => {
                    // The order of keys in a free JSON value depends on how serde_json was built, so values count.
                    let is_written_as_before = today == known || same_value(format, &today, &known);
                    self.expect(is_written_as_before, || format!("{file}: today's code writes other bytes"));
                    let read = see(read);
                    self.expect(read == *seen, || format!("{file}: today's code reads {read:?}"));
                }
                Err(error) => self.problems.push(format!("{file}: today's code cannot read it: {error}")),
            }
            match format.decode::<T>(&with_more(format, &known)).map(see) {
                Ok(read) => self.expect(read == *seen, || format!("{file}: an unknown field changes it")),
                Err(error) => self.problems.push(format!("{file}: an unknown field breaks it: {error}")),
            }
        }
    }

    fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }

    /// Files of messages that are no more: a node of yesterday may still send them, so their going is a decision.
    pub fn check_directory(&mut self) {
        for domain in std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap()) {
            if !domain.path().is_dir() {
                continue;
            }
            for file in std::fs::read_dir(domain.path()).unwrap().map(|entry| entry.unwrap().path()) {
                let stem = file.file_stem().unwrap().to_str().unwrap();
                let name = format!("{}/{stem}", domain.file_name().to_str().unwrap());
                if self.names.contains(&name) {
                    continue;
                }
                if is_update() {
                    std::fs::remove_file(&file).unwrap();
                } else {
                    self.problems.push(format!("{} belongs to no message", file.display()));
                }
            }
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    pub fn event_sample(&self, domain: &str, name: &str) -> &EventSample {
        let found = self.events.iter().find(|((d, n), _)| *d == domain && *n == name);
        found.map(|(_, sample)| sample).unwrap_or_else(|| panic!("no sample of {domain}.{name}"))
    }
}

/// `ReservationRejected` as `reservation_rejected`.
pub fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (place, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && place > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn extension(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
        Format::MessagePack => "msgpack",
    }
}

/// Writes a file that is missing or says something else; what says the same in another order stays.
fn update(file: &str, today: &[u8], says_the_same: impl Fn(&[u8]) -> bool) {
    let path = directory().join(file);
    if std::fs::read(&path).is_ok_and(|known| known == today || known.len() == today.len() && says_the_same(&known)) {
        return;
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, today).unwrap();
}

fn same_value(format: Format, one: &[u8], other: &[u8]) -> bool {
    let values = [one, other].map(|bytes| format.decode::<Value>(bytes));
    matches!(values, [Ok(one), Ok(other)] if one == other)
}

/// The same message, from a sender that knows more than we do.
fn with_more(format: Format, known: &[u8]) -> Vec<u8> {
    match format {
        Format::Json => {
            let mut value: Value = serde_json::from_slice(known).unwrap();
            add_everywhere(&mut value);
            serde_json::to_vec(&value).unwrap()
        }
        Format::MessagePack => {
            let (fields, rest) = match known[0] {
                head @ 0x80..=0x8f => (u16::from(head & 0x0f), &known[1..]),
                0xde => (u16::from_be_bytes([known[1], known[2]]), &known[3..]),
                other => panic!("a message is a map, not {other:#x}"),
            };
            let mut bytes = vec![0xde];
            bytes.extend((fields + 1).to_be_bytes());
            bytes.extend(rest);
            bytes.push(0xa0 | u8::try_from(TOMORROW.len()).unwrap());
            bytes.extend(TOMORROW.as_bytes());
            bytes.push(0xc3);
            bytes
        }
    }
}

fn add_everywhere(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // Attributes and the parameters of a detail are free: a field there is no field of ours.
            let typed = fields.iter_mut().filter(|(name, _)| !["attributes", "params"].contains(&name.as_str()));
            typed.for_each(|(_, field)| add_everywhere(field));
            fields.insert(TOMORROW.into(), true.into());
        }
        Value::Array(items) => items.iter_mut().for_each(add_everywhere),
        _ => {}
    }
}
