//! The capacity of the database alone: batches of orders and their items, one commit each.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use uuid::Uuid;

use crate::arguments::Arguments;
use crate::load::{self, Measured, Outcome, Plan, Script};

/// The largest batch of a lane, and the lanes of a domain on one node.
const BATCH: usize = 128;
const CONNECTIONS: u32 = 2;
const ITEMS: usize = 3;

const TABLES: &str = "
    CREATE TABLE orders (
        id uuid PRIMARY KEY, customer_id uuid NOT NULL, order_number text NOT NULL UNIQUE, status text NOT NULL,
        currency text NOT NULL, total bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON orders (customer_id, created_at);
    CREATE TABLE order_items (
        order_id uuid NOT NULL, line smallint NOT NULL, variant_id uuid NOT NULL, quantity integer NOT NULL,
        unit_price bigint NOT NULL, PRIMARY KEY (order_id, line))";

const INSERT_ORDERS: &str = "
    INSERT INTO orders (id, customer_id, order_number, status, currency, total)
    SELECT id, customer_id, order_number, 'pending', 'USD', 4999
    FROM UNNEST($1::uuid[], $2::uuid[], $3::text[]) AS o (id, customer_id, order_number)";

const INSERT_ITEMS: &str = "
    INSERT INTO order_items (order_id, line, variant_id, quantity, unit_price)
    SELECT * FROM UNNEST($1::uuid[], $2::smallint[], $3::uuid[], $4::integer[], $5::bigint[])";

pub async fn take(arguments: &Arguments) -> anyhow::Result<Measured> {
    let server = PgConnectOptions::from_str(&arguments.superuser_url()?).context("the database URL")?;
    let mut admin = PgConnection::connect_with(&server).await.context("connecting to PostgreSQL")?;
    // An interrupted run may have left one behind.
    admin.execute("DROP DATABASE IF EXISTS souk_bench WITH (FORCE)").await?;
    admin.execute("CREATE DATABASE souk_bench").await.context("creating souk_bench: is this a superuser?")?;
    let measured = measure(server.database("souk_bench"), &arguments.limit_plan()).await;
    admin.execute("DROP DATABASE IF EXISTS souk_bench WITH (FORCE)").await.context("dropping souk_bench")?;
    measured
}

async fn measure(database: PgConnectOptions, limit: &Plan) -> anyhow::Result<Measured> {
    PgConnection::connect_with(&database).await?.execute(TABLES).await.context("the tables of souk_bench")?;
    let plan = Plan { clients: CONNECTIONS, warmup: Duration::from_millis(500), ..limit.clone() };
    load::run("batched SQL", Arc::new(Writing { database, number: AtomicI64::new(0) }), &plan).await
}

struct Writing {
    database: PgConnectOptions,
    number: AtomicI64,
}

impl Script for Writing {
    type Hand = PgConnection;
    const SERIES: &'static [&'static str] = &["batched SQL"];

    async fn hand(&self, _: u32) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.database).await?)
    }

    async fn step(&self, connection: &mut PgConnection, _: u64) -> Outcome {
        let first = self.number.fetch_add(BATCH as i64, Ordering::Relaxed);
        match write(connection, first).await {
            Ok(()) => Outcome { units: BATCH as u64, ..Outcome::one(&[0]) },
            Err(error) => Outcome::error(error.to_string()),
        }
    }
}

async fn write(connection: &mut PgConnection, first: i64) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = (0..BATCH).map(|_| Uuid::now_v7()).collect();
    let customers: Vec<Uuid> = (0..BATCH).map(|_| Uuid::new_v4()).collect();
    let numbers: Vec<String> = (first..).take(BATCH).map(|number| format!("B{number:012}")).collect();
    let of_order: Vec<Uuid> = ids.iter().flat_map(|id| [*id; ITEMS]).collect();
    let lines: Vec<i16> = (0..BATCH).flat_map(|_| [1, 2, 3]).collect();
    let variants: Vec<Uuid> = of_order.iter().map(|_| Uuid::new_v4()).collect();
    let quantities = vec![1_i32; BATCH * ITEMS];
    let prices = vec![4999_i64; BATCH * ITEMS];

    let mut transaction = connection.begin().await?;
    let orders = sqlx::query(INSERT_ORDERS).bind(&ids).bind(&customers).bind(&numbers);
    orders.execute(&mut *transaction).await?;
    let items = sqlx::query(INSERT_ITEMS).bind(&of_order).bind(&lines).bind(&variants).bind(&quantities).bind(&prices);
    items.execute(&mut *transaction).await?;
    transaction.commit().await
}
