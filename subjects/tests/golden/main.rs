//! A sample of every message as bytes: golden files in subjects/golden/, read and written by today's code. A change of
//! the wire shows itself here before it meets a node of yesterday. The same samples and types make three pages of docs/.
//!
//! `make golden` writes files and pages anew; what it changes is for a person to judge.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

mod goldens;
mod pages;
mod samples;
mod sources;

use std::{collections::BTreeSet, sync::LazyLock};

use contract::{CallError, ErrorBody, ErrorKind};
use goldens::Goldens;
use subjects::{
    MessageKind, catalogue,
    orders::{FulfillmentStatus, OrderStatus, OrdersError, PaymentStatus},
};

/// Read and compared once, for all tests.
static GOLDENS: LazyLock<Goldens> = LazyLock::new(|| {
    let mut goldens = Goldens::default();
    samples::add_all(&mut goldens);
    goldens.check_directory();
    goldens
});

/// Whether files are written anew.
fn is_update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

#[test]
fn every_message_is_read_and_written_as_it_was() {
    let problems = GOLDENS.problems();
    assert!(problems.is_empty(), "{}\nMeant so? make golden", problems.join("\n"));
}

#[test]
fn every_message_of_the_catalogue_has_a_golden_file() {
    let goldens = &GOLDENS;
    for message in catalogue() {
        let name = format!("{}/{}.{}", message.domain, message.name, message.kind.word());
        assert!(goldens.has(&name), "no sample of {name}");
        if let Some(reply) = message.reply {
            let name = format!("{}/{}.reply", message.domain, goldens::snake_case(reply));
            assert!(goldens.has(&name), "no sample of {name}");
        }
    }
    for (domain, codes) in samples::refusal_codes() {
        assert!(!codes.is_empty(), "{domain} refuses nothing");
        for code in codes {
            assert!(goldens.has(&format!("{domain}/{code}.error")), "no sample of the error {code} of {domain}");
        }
    }
}

#[test]
fn every_declared_message_is_in_the_catalogue() {
    let listed: BTreeSet<(&str, &str)> = catalogue().iter().map(|m| (m.kind.word(), m.message)).collect();
    let declared = sources::declared_messages();
    assert!(declared.len() >= listed.len(), "declarations are no longer found");
    for (module, kind, message) in declared {
        let is_listed = listed.contains(&(kind.as_str(), message.as_str()));
        assert!(is_listed, "the {kind} {message} of {module} is missing in its domain's messages()");
    }
}

/// A write to roles, refunds, stock or prices must not run on rights that may be gone.
#[test]
fn the_commands_that_wait_for_confirmed_rights_are_these() {
    let sensitive = catalogue().into_iter().filter(|message| message.is_sensitive);
    let sensitive: BTreeSet<String> = sensitive.map(|message| format!("{}.{}", message.domain, message.name)).collect();
    let expected = [
        "catalog.change_product",
        "catalog.create_product",
        "identity.change_user",
        "inventory.set_stock",
        "payments.refund",
    ];
    assert_eq!(sensitive.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn no_two_messages_share_a_subject() {
    let catalogue = catalogue();
    let subjects: BTreeSet<&str> = catalogue.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(subjects.len(), catalogue.len());
    for message in &catalogue {
        assert_eq!(message.kind == MessageKind::Event, message.access.is_none(), "{message:?}");
    }
}

#[test]
fn a_refusal_of_tomorrow_keeps_its_code_and_kind() {
    let body = ErrorBody {
        success: false,
        code: "order_is_a_gift".into(),
        kind: ErrorKind::Conflict,
        message: "The order is a gift.".into(),
        service: "orders".into(),
        request_id: String::new(),
        details: Vec::new(),
        refusal: Some(serde_json::json!({ "code": "order_is_a_gift" })),
    };
    let CallError::Fault(fault) = CallError::<OrdersError>::from_body(body) else { panic!("no such refusal today") };
    assert_eq!((fault.code.as_str(), fault.kind), ("order_is_a_gift", ErrorKind::Conflict));
}

#[test]
fn words_travel_as_they_are_shown() {
    for status in OrderStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.word());
    }
    for status in PaymentStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.word());
    }
    for status in FulfillmentStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.word());
    }
}

#[test]
fn generated_pages_are_current() {
    pages::check("messages.md", &pages::messages());
    pages::check("events.md", &pages::events(&GOLDENS));
    pages::check("errors.md", &pages::errors());
}
