//! Rows as a shop has them after a while, none of them due: what is over, on its way, or waits for a time to come.

/// Rows of each table, at least.
pub const ROWS: f32 = 20_000.0;

/// Tables that never have more than a few rows.
pub const SMALL: [&str; 12] = [
    "_runtime_migrations",
    "_sqlx_migrations",
    "cursor",
    "epoch",
    "lease",
    "log_trim",
    "republish",
    "revocation_head",
    "shipping_zones",
    "source_epoch",
    "stream_gap",
    "tax_rates",
];

/// The runtime's own tables.
const RUNTIME: &str = "
    insert into command_log (caller, operation, id, fingerprint, status, reply, at)
        select 'filled', 'filled', gen_random_uuid(), '', 0, '', now() - n * interval '1 second'
        from generate_series(1, 60000) n;
    insert into audit_log (id, at, caller, role, operation, entity, fields)
        select gen_random_uuid(), now() - n * interval '1 minute', gen_random_uuid(), 'admin', 'filled',
               gen_random_uuid(), '[]'
        from generate_series(1, 60000) n;
    insert into event_log (epoch, xid, at, digest, events)
        select 1, n, now() - n * interval '1 second', '{}', '[]' from generate_series(1, 60000) n;
    -- On their way to the stream.
    insert into outbox (epoch, xid, lease_until)
        select 1, n, now() + interval '1 hour' from generate_series(1, 60000) n;
    -- Above every cursor, as while a transaction stays open at the source.
    insert into inbox (source, event_id, name, epoch, xid, id_hash)
        select source, gen_random_uuid(), name, 9000000000000000, n, 0
        from generate_series(1, 60000) n
        join (select source, name, row_number() over () - 1 as place, count(*) over () as places from cursor) c
            on c.place = n % c.places;
    insert into attempt (source, event_id, count, at)
        select 'filled', gen_random_uuid(), 1, now() - n % 3000 * interval '1 second' from generate_series(1, 60000) n;
    insert into dead_letter (source, event_id, name, head, payload, reason, attempts, dead_lettered_at)
        select 'filled', gen_random_uuid(), 'filled', '{}', '', 'a test', 5, now() - n * interval '1 second'
        from generate_series(1, 60000) n;
    -- One part waits for its next attempt, one is being performed, one is dead-lettered.
    insert into effect (id, name, entity, cause, body, attempts, lease_until, next_at, reason, dead_lettered_at)
        select gen_random_uuid(), 'filled', gen_random_uuid(), '{}', '{}', n % 20,
               now() + case when n % 3 = 1 then interval '1 hour' else interval '-1 hour' end,
               now() + case when n % 3 = 0 then interval '1 hour' else interval '-1 hour' end,
               'a test', case when n % 3 = 2 then now() end
        from generate_series(1, 60000) n;
    -- Below what the stream has, where there is a stream.
    insert into stream_checkpoint (sequence, event_id, low_watermark_epoch, low_watermark_xid, at)
        select -n, gen_random_uuid(), 0, 0, now() - n % 3000 * interval '1 second' from generate_series(1, 60000) n
        where exists (select 1 from stream_checkpoint)";

/// What fills a database. The runtime's statements are the same everywhere: payments has all of them.
pub fn statements(database: &str) -> &'static [&'static str] {
    match database {
        "identity" => &[IDENTITY],
        "catalog" => &[CATALOG],
        "inventory" => &[INVENTORY],
        "carts" => &[CARTS],
        "orders" => &[ORDERS],
        "payments" => &[RUNTIME, PAYMENTS],
        "pricing" => &[PRICING],
        "sandbox" => &[SANDBOX],
        other => panic!("nothing fills the tables of {other}"),
    }
}

const IDENTITY: &str = "
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, 20000) n;
    insert into users (id, email, password_hash, role, made_by, created_at, updated_at)
        select id, 'filled-' || n || '@example.com', '', 'customer', id, now(), now() from made;
    insert into sessions (id, user_id, rotated_at, created_at, expires_at)
        select id, id, now(), now(), now() + interval '20 days' from made;
    insert into refresh_tokens (digest, session_id, generation, expires_at)
        select sha256(n::text::bytea), id, 1, now() + interval '20 days' from made;
    -- In force; their positions go on behind the head.
    insert into revocations (position, user_id, least_version, expires_at)
        select position + n, made.id, 1, now() + interval '15 minutes' from made, revocation_head;
    update revocation_head set position = position + 20000";

const CATALOG: &str = "
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, 20000) n;
    insert into categories (id, slug, name, created_at, updated_at)
        select id, 'filled-' || n, 'Filled', now(), now() from made;
    insert into products (id, seller_id, category_id, slug, name, currency, price, created_at, updated_at)
        select id, gen_random_uuid(), id, 'filled-' || n, 'Filled ' || n, 'USD', n, now(), now() from made;
    insert into variants (id, product_id, position, sku, name, price, created_at, updated_at)
        select id, id, 0, 'FILLED-' || n, 'Filled', n, now(), now() from made;
    insert into variant_stock (variant_id, available, version, updated_at) select id, 5, 1, now() from made;
    insert into sellers (id, may_sell, version, updated_at) select id, n % 2 = 0, 1, now() from made";

const INVENTORY: &str = "
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, 20000) n;
    insert into stock (variant_id, sku, seller_id, on_hand, received, min_stock, version, updated_at)
        select id, 'FILLED-' || n, gen_random_uuid(), 5, 5, case when n % 500 = 0 then 9 else 1 end, 1, now() from made;
    insert into reservation (order_id, status, cause, version, updated_at)
        select id, 'committed', 'confirmed', 2, now() from made;
    insert into reservation_line (order_id, variant_id, quantity) select id, id, 1 from made;
    insert into movement (variant_id, reason, on_hand_delta, reserved_delta, at)
        select id, 'received', 5, 0, now() from made";

/// Each with a code, as most are.
const PRICING: &str = "
    insert into promotions
        (id, name, code, is_active, reward, conditions, stacking, priority, version, created_at, updated_at)
        select gen_random_uuid(), 'filled', 'FILLED' || n, true, '{\"kind\": \"free_shipping\"}', '{}', 'combinable', 0,
               1, now(), now()
        from generate_series(1, 20000) n";

const CARTS: &str = "
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, 60000) n;
    insert into cart (id, user_id, token_digest, version, created_at, updated_at)
        select id, case when n % 2 = 0 then id end, case when n % 2 = 1 then id end, 1, now(), now() from made;
    insert into cart_item (id, cart_id, variant_id, product_id, sku, name, unit_amount, quantity, created_at,
                           updated_at)
        select id, id, id, id, 'FILLED-' || n, 'Filled', 100, 1, now(), now() from made";

/// Confirmed, expired, and before their deadline.
const ORDERS: &str = "
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, 60000) n;
    insert into orders (id, order_number, user_id, status, payment_status, stock_held, subtotal, total_amount,
                        shipping_address, payment_deadline, expiry_requested_at, version, created_at, updated_at)
        select id, 'FILLED-' || n, gen_random_uuid(), (array['confirmed', 'expired', 'pending'])[n % 3 + 1],
               (array['succeeded', 'cancelled', 'pending'])[n % 3 + 1], n % 3 = 0, 100, 100, '{}',
               now() + case when n % 3 = 2 then interval '1 hour' else interval '-1 hour' end,
               case when n % 3 = 1 then now() - interval '1 hour' end, 2, now() - interval '2 hours', now()
        from made;
    insert into order_items (order_id, position, id, product_id, variant_id, seller_id, sku, item_name, quantity,
                             unit_price, total_price, created_at)
        select id, 0, id, id, id, id, 'FILLED-' || n, 'Filled', 1, 100, 100, now() from made;
    insert into order_history (order_id, version, event, status, payment_status, at, cause)
        select id, 1, 'placed', 'pending', 'pending', now(), 'a test' from made;
    insert into cart_checkout (cart_id, order_id, order_number, cart_version, state)
        select id, id, 'FILLED-' || n, 1, 'confirmed' from made";

/// Paid, closed, and open; what was not read again yet is not due for hours.
const PAYMENTS: &str = "
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, 60000) n;
    insert into payments (id, order_id, order_number, user_id, amount, currency, payment_provider,
                          provider_transaction_id, status, captured, version, created_at, updated_at, read_again_at)
        select id, gen_random_uuid(), 'FILLED-' || n, gen_random_uuid(), 100, 'USD', 'stripe', 'filled_' || n,
               (array['succeeded', 'cancelled', 'pending'])[n % 3 + 1], case when n % 3 = 0 then 100 else 0 end, 2,
               now(), now(), case when n % 2 = 0 then now() + interval '20 hours' end
        from made;
    insert into refunds (id, payment_id, amount, currency, status, failure_code, failure_message, created_at,
                         updated_at)
        select gen_random_uuid(), id, 100, 'USD', 'failed', 'a_test', 'a test', now(), now() from made;
    insert into provider_notices (provider, id, received_at)
        select 'stripe', 'filled-' || n, now() - n * interval '1 second' from made;
    insert into sim_intent (id, amount, currency, client_secret, order_id, order_number, status)
        select 'filled-' || n, 100, 'USD', 'secret', id, 'FILLED-' || n, 'succeeded' from made;
    insert into sim_refund (idempotency_key, id, intent_id, amount)
        select id, 'filled-' || n, 'filled-' || n, 100 from made";

const SANDBOX: &str = "
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, 20000) n;
    insert into intent (id, amount, currency, client_secret, metadata, status)
        select 'filled-' || n, 100, 'usd', 'secret', jsonb_build_object('order_id', id), 'succeeded' from made;
    insert into charge (id, intent_id, amount) select 'filled-' || n, 'filled-' || n, 100 from made;
    insert into refund (id, intent_id, amount, metadata, fails_at)
        select 'filled-' || n, 'filled-' || n, 100, '{}', now() + interval '1 hour' from made;
    insert into dispute (id, intent_id, amount, status) select 'filled-' || n, 'filled-' || n, 100, 'won' from made;
    insert into idempotency_key (key, fingerprint, status, answer)
        select 'filled-' || n, 'filled-' || n, 200, '{}' from made;
    insert into webhook (event_id, intent_id, type, body, due_at, attempts, answered, ended_at)
        select 'filled-' || n, 'filled-' || n, 'filled', '{}', now(), 1, 200, now() from made";
