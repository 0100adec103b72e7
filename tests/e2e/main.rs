//! Whole-system tests through the public interfaces: HTTP, NATS, the command line. Real nats-server, real PostgreSQL,
//! the real binary. Tests that break nothing share one shop; the others start their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

mod accounts;
mod attempts;
mod audit_log;
mod bad_input;
mod bodies;
mod cart_problems;
mod carts;
mod check;
mod config;
mod contention;
mod copies;
mod crash_points;
mod dead_letters;
mod deadlines;
mod endings;
mod expected_total;
mod faults;
mod flash;
mod following;
mod for_sale;
mod gateway_restart;
mod inventory;
mod kept_reads;
mod keys;
mod logs;
mod main_path;
mod migrations;
mod nats_cli;
mod one_batch;
mod operations;
mod order_numbers;
mod outages;
mod overload;
mod payments_over_http;
mod plans;
mod pricing;
mod products;
mod rates;
mod readme;
mod rebuild;
mod restart;
mod returns;
mod revocations;
mod rights;
mod scenarios;
mod schemathesis;
mod selling;
mod slow_clients;
mod stock;
mod stock_locks;
mod text;
mod tls;
mod totals;
mod trim;
