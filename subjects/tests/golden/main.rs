//! A sample of every message as bytes: golden files in subjects/golden/, read and written by today's code. A change of
//! the wire shows itself here before it meets a node of yesterday. The same samples and types make three pages of
//! docs/.
//!
//! `make golden` writes files and pages anew; what it changes is for a person to judge.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

mod goldens;
mod logging;
mod pages;
mod samples;
mod sources;

use std::{collections::BTreeSet, sync::LazyLock};

use contract::{CallError, ErrorBody, ErrorKind};
use goldens::Goldens;
use subjects::{
    MessageKind,
    orders::{FulfillmentStatus, OrderStatus, OrdersError, PaymentStatus},
    registry,
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
fn every_message_of_the_registry_has_a_golden_file() {
    let goldens = &GOLDENS;
    for message in registry() {
        let name = format!("{}/{}.{}", message.domain, message.name, message.kind.as_str());
        assert!(goldens.has(&name), "no sample of {name}");
        if let Some(reply) = message.reply {
            let name = format!("{}/{}.reply", message.domain, goldens::snake_case(reply));
            assert!(goldens.has(&name), "no sample of {name}");
        }
    }
    for (domain, codes) in samples::domain_error_codes() {
        assert!(!codes.is_empty(), "{domain} has no domain errors");
        for code in codes {
            assert!(goldens.has(&format!("{domain}/{code}.error")), "no sample of the error {code} of {domain}");
        }
    }
}

#[test]
fn every_declared_message_is_in_the_registry() {
    let listed: BTreeSet<(&str, &str)> = registry().iter().map(|m| (m.kind.as_str(), m.message)).collect();
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
    let sensitive = registry().into_iter().filter(|message| message.is_sensitive);
    let sensitive: BTreeSet<String> = sensitive.map(|message| format!("{}.{}", message.domain, message.name)).collect();
    let expected = [
        "catalog.change_product",
        "catalog.create_product",
        "identity.change_user",
        "inventory.set_stock",
        "payments.refund",
        "pricing.change_promotion",
        "pricing.change_shipping_zone",
        "pricing.change_tax_rate",
        "pricing.create_promotion",
        "pricing.create_shipping_zone",
        "pricing.create_tax_rate",
        "pricing.delete_promotion",
        "pricing.delete_shipping_zone",
        "pricing.delete_tax_rate",
    ];
    assert_eq!(sensitive.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// A misspelled name would record nothing.
#[test]
fn every_recorded_field_is_one_of_its_command() {
    for message in registry() {
        for name in message.recorded {
            let path =
                sources::root().join(format!("subjects/golden/{}/{}.command.json", message.domain, message.name));
            let mut found: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            for part in name.split('.') {
                let inside = if found.is_array() { found[0].take() } else { found };
                found = inside.get(part).unwrap_or_else(|| panic!("{} has no {name}", message.message)).clone();
            }
        }
    }
}

#[test]
fn no_two_messages_share_a_subject() {
    let registry = registry();
    let subjects: BTreeSet<&str> = registry.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(subjects.len(), registry.len());
    for message in &registry {
        assert_eq!(message.kind == MessageKind::Event, message.access.is_none(), "{message:?}");
    }
}

#[test]
fn an_unknown_domain_error_keeps_its_code_and_kind() {
    let body = ErrorBody {
        success: false,
        code: "order_is_a_gift".into(),
        kind: ErrorKind::Conflict,
        message: "The order is a gift.".into(),
        service: "orders".into(),
        request_id: String::new(),
        details: Vec::new(),
        domain_error: Some(serde_json::json!({ "code": "order_is_a_gift" })),
    };
    let CallError::ServiceError(error) = CallError::<OrdersError>::from_body(body) else {
        panic!("this domain error is unknown")
    };
    assert_eq!((error.code.as_str(), error.kind), ("order_is_a_gift", ErrorKind::Conflict));
}

#[test]
fn words_travel_as_they_are_shown() {
    for status in OrderStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    for status in PaymentStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    for status in FulfillmentStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}

#[test]
fn generated_pages_are_current() {
    pages::check("messages.md", &pages::messages());
    pages::check("events.md", &pages::events(&GOLDENS));
    pages::check("errors.md", &pages::errors());
    pages::check("logging.md", &logging::page());
}
