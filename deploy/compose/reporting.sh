#!/bin/sh
# What the role souk_report, of the business dashboard, may read: no names, addresses or accounts. Waits for the schema.
set -eu

query() { psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }
# As in databases.sh.
run() {
    statements=$(cat)
    tries=0
    while :; do
        code=0
        printf '%s\n' "$statements" | query "$@" || code=$?
        tries=$((tries + 1))
        [ "$code" -eq 2 ] && [ "$tries" -lt 20 ] || return "$code"
        sleep 0.5
    done
}
for domain in orders payments; do
    waited=0
    until [ "$(query --dbname="$domain" --command="SELECT to_regclass('$domain') IS NOT NULL" 2>/dev/null)" = t ]; do
        waited=$((waited + 1))
        [ "$waited" -lt 120 ] || { echo "the database $domain has no schema" >&2; exit 1; }
        sleep 1
    done
done
run --dbname=orders <<'SQL'
GRANT CONNECT ON DATABASE orders TO souk_report;
GRANT SELECT (id, status, payment_status, currency, total_amount, created_at) ON orders TO souk_report;
GRANT SELECT (order_id, sku, item_name, quantity, returned, total_price, created_at) ON order_items TO souk_report;
SQL
run --dbname=payments <<'SQL'
GRANT CONNECT ON DATABASE payments TO souk_report;
GRANT SELECT (id, status, currency, amount, captured, refunded, created_at) ON payments TO souk_report;
SQL
echo "souk_report may read orders and payments"
