use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    id: uuid::Uuid,
    quantity: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Lines {
    items: Vec<Line>,
}

#[test]
fn both_formats_give_equal_values() {
    let lines = Lines { items: vec![Line { id: uuid::Uuid::from_u128(7), quantity: 3 }] };
    for format in [Format::Json, Format::MessagePack] {
        let bytes = format.encode(&lines).unwrap();
        assert_eq!(Format::detect(None, &bytes), Ok(format));
        assert_eq!(format.decode::<Lines>(&bytes).unwrap(), lines);
    }
}

#[test]
fn broken_text_is_malformed_and_other_types_are_unsupported() {
    assert!(matches!(Format::Json.decode::<Lines>(b"{"), Err(DecodeError::Malformed(_))));
    assert_eq!(Format::detect(Some("text/plain"), b"{}"), Err(DecodeError::Unsupported));
    assert_eq!(Format::detect(None, b"\xff"), Err(DecodeError::Unsupported));
}

#[test]
fn a_text_is_utf_8() {
    for parameter in ["charset=utf-8", "Charset=\"UTF-8\"", "q=1; charset=utf-8", ""] {
        let declared = format!("application/json; {parameter}");
        assert_eq!(Format::detect(Some(&declared), b"{}"), Ok(Format::Json), "{declared}");
    }
    for parameter in ["charset=utf-16", "charset=iso-8859-1", "charset=", "charset", "charset=utf-8;charset=utf-16"] {
        let declared = format!("application/json; {parameter}");
        assert_eq!(Format::detect(Some(&declared), b"{}"), Err(DecodeError::Unsupported), "{declared}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Open,
    Closed,
}

/// A request with all kinds of fields.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Change {
    #[serde(default)]
    items: Vec<Line>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    is_open: Option<bool>,
}

/// The field and message for which a JSON text is rejected.
fn rejected(text: &str) -> (String, String) {
    let json = Format::Json.decode_request::<Change>(text.as_bytes(), UnknownFields::Ignore).unwrap_err();
    let DecodeError::Invalid(detail) = json else { panic!("{text}: {json:?}") };
    (detail.field, detail.message)
}

/// The same for a MessagePack body, as bytes: [`serde_json::Value`] keeps only the last of two equal keys.
fn rejected_packed(body: &[u8]) -> (String, String) {
    let packed = Format::MessagePack.decode_request::<Change>(body, UnknownFields::Ignore).unwrap_err();
    let DecodeError::Invalid(detail) = packed else { panic!("{body:?}: {packed:?}") };
    (detail.field, detail.message)
}

fn packed(text: &str) -> Vec<u8> {
    rmp_serde::to_vec(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap()
}

const ID: &str = "00000000-0000-0000-0000-000000000007";

#[test]
fn both_formats_name_the_same_wrong_field_in_the_same_words() {
    for (text, path, message) in [
        (r#"{"items":5}"#, "items", "must be an array"),
        (r#"{"items":null}"#, "items", "must not be null"),
        (r#"{"items":[5]}"#, "items[0]", "must be an object"),
        (r#"{"items":[["a",1]]}"#, "items[0]", "must be an object"),
        (r#"{"items":[{"quantity":1}]}"#, "items[0].id", "is required"),
        (r#"{"items":[{"id":5}]}"#, "items[0].id", "must be a UUID"),
        (r#"{"items":[{"quantity":-1}]}"#, "items[0].quantity", "is out of range"),
        (r#"{"items":[{"quantity":"1"}]}"#, "items[0].quantity", "must be an integer"),
        (r#"{"items":[{"quantity":1.5}]}"#, "items[0].quantity", "must be an integer"),
        (r#"{"items":[{"quantity":null}]}"#, "items[0].quantity", "must not be null"),
        (r#"{"status":"ajar"}"#, "status", "must be one of open, closed"),
        (r#"{"status":5}"#, "status", "must be one of open, closed"),
        (r#"{"status":true}"#, "status", "must be one of open, closed"),
        (r#"{"status":["open"]}"#, "status", "must be one of open, closed"),
        (r#"{"status":{"open":null}}"#, "status", "must be one of open, closed"),
        (r#"{"status":{}}"#, "status", "must be one of open, closed"),
        (r#"{"labels":{"a":null}}"#, "labels.a", "must not be null"),
        (r#"{"labels":{"a":"\u0000"}}"#, "labels.a", "must not contain NUL"),
        (r#"{"labels":{"\u0000":"a"}}"#, "labels", "must not contain NUL"),
        (r#"{"is_open":"yes"}"#, "is_open", "must be true or false"),
        ("[]", "body", "must be an object"),
        ("5", "body", "must be an object"),
    ] {
        let expected = (path.to_owned(), message.to_owned());
        assert_eq!(rejected(text), expected, "{text}");
        assert_eq!(rejected_packed(&packed(text)), expected, "{text}, packed");
    }
}

#[test]
fn a_repeated_key_is_named() {
    for (text, path) in [
        (r#"{"status":"open","status":"closed"}"#.to_owned(), "status"),
        (format!(r#"{{"items":[{{"id":"{ID}","quantity":1,"quantity":2}}]}}"#), "items[0].quantity"),
        (r#"{"labels":{"a":"1","b":"2","a":"3"}}"#.to_owned(), "labels.a"),
    ] {
        assert_eq!(rejected(&text), (path.into(), "is given more than once".into()), "{text}");
    }
    // {"labels": {"a": "1", "a": "2"}}, and {"status": "open", "status": "open"}.
    assert_eq!(rejected_packed(b"\x81\xa6labels\x82\xa1a\xa11\xa1a\xa12").0, "labels.a");
    assert_eq!(rejected_packed(b"\x82\xa6status\xa4open\xa6status\xa4open").0, "status");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Login {
    name: String,
    names: Vec<String>,
    #[serde(deserialize_with = "crate::text::as_sent")]
    password: String,
}

#[test]
fn a_text_has_its_composed_form_unless_it_is_kept_as_sent() {
    let text = r#"{"name":"Cafe\u0301","names":["u\u0308"],"password":"u\u0308"}"#;
    let login = Login { name: "Caf\u{e9}".into(), names: vec!["\u{fc}".into()], password: "u\u{308}".into() };
    let read = Format::Json.decode_request::<Login>(text.as_bytes(), UnknownFields::Ignore);
    assert_eq!(read.unwrap(), login);
    let read = Format::MessagePack.decode_request::<Login>(&packed(text), UnknownFields::Ignore);
    assert_eq!(read.unwrap(), login);
    // Two keys with the same composed form are equal.
    let twice = r#"{"labels":{"\u00e9":"1","e\u0301":"2"}}"#;
    assert_eq!(rejected(twice), ("labels.\u{e9}".into(), "is given more than once".into()));
}

#[test]
fn a_text_is_not_binary() {
    // {"labels": {"a": bin "\0"}}
    let expected = ("labels.a".to_owned(), "must be a string".to_owned());
    assert_eq!(rejected_packed(b"\x81\xa6labels\x81\xa1a\xc4\x01\0"), expected);
}

#[test]
fn a_request_is_read_in_either_format() {
    let change = Change {
        items: vec![Line { id: ID.parse().unwrap(), quantity: 3 }],
        status: Some(Status::Closed),
        labels: [("a".to_owned(), "1".to_owned())].into(),
        is_open: None,
    };
    for format in [Format::Json, Format::MessagePack] {
        let bytes = format.encode(&change).unwrap();
        assert_eq!(format.decode_request::<Change>(&bytes, UnknownFields::Reject).unwrap(), change);
    }
    assert_eq!(Format::Json.decode_request::<Change>(b"", UnknownFields::Reject), Ok(Change::default()));
}

#[test]
fn unknown_fields_are_ignored_or_named() {
    let body = format!(r#"{{"items":[{{"id":"{ID}","quantity":1,"colour":"red"}}],"":1}}"#);
    assert!(Format::Json.decode_request::<Change>(body.as_bytes(), UnknownFields::Ignore).is_ok());
    let named = vec!["items[0].colour".to_owned(), "\"\"".to_owned()];
    let read = Format::Json.decode_request::<Change>(body.as_bytes(), UnknownFields::Reject);
    assert_eq!(read, Err(DecodeError::UnknownFields(named)));
}

#[test]
fn a_body_that_is_not_well_formed_is_malformed_however_wrong_its_fields_are() {
    let json: [&[u8]; 6] = [b"{", b"{} {}", b"{\"status\":5", b"nope", b"\xff", b"{\"a\":\"\xff\"}"];
    for body in json {
        let read = Format::Json.decode_request::<Change>(body, UnknownFields::Ignore);
        assert!(matches!(read, Err(DecodeError::Malformed(_))), "{body:?}: {read:?}");
    }
    // Truncated, bytes after the value, a string that is not UTF-8.
    let packed: [&[u8]; 3] = [b"\x82\xa6status\x05", b"\x80\x80", b"\x81\xa6status\xa1\xff"];
    for body in packed {
        let read = Format::MessagePack.decode_request::<Change>(body, UnknownFields::Ignore);
        assert!(matches!(read, Err(DecodeError::Malformed(_))), "{body:?}: {read:?}");
    }
}
