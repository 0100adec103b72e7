#!/bin/sh
# Makes the roles and databases that are missing and sets the passwords, as stack/src/provision.rs does for the local
# stack: one role and one database for each SOUK_DB_PASSWORD_<NAME> in the environment, both with that name in lower case.
# Three roles have no database: souk_check reads everything, souk_monitor the server's statistics, souk_report what
# reporting.sh grants. Run on every start, so that a new domain or a changed password takes effect.
set -eu

waited=0
until pg_isready -q; do
    waited=$((waited + 1))
    [ "$waited" -lt 120 ] || { echo "PostgreSQL at $PGHOST does not accept connections" >&2; exit 1; }
    sleep 0.5
done

# Runs the statements of standard input, again where psql ends with 2, without a connection: a name is not resolved for a
# moment while other containers start.
run() {
    statements=$(cat)
    tries=0
    while :; do
        code=0
        printf '%s\n' "$statements" | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@" || code=$?
        tries=$((tries + 1))
        [ "$code" -eq 2 ] && [ "$tries" -lt 20 ] || return "$code"
        sleep 0.5
    done
}
roles=$(env | sed -n 's/^SOUK_DB_PASSWORD_\([A-Z_]*\)=.*/\1/p' | tr 'A-Z' 'a-z' | sort)
for role in $roles; do
    variable=SOUK_DB_PASSWORD_$(echo "$role" | tr 'a-z' 'A-Z')
    run --dbname=postgres --set=role="$role" <<SQL
\\getenv password $variable
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \\gexec
ALTER ROLE :"role" PASSWORD :'password';
SQL
done

run --dbname=postgres <<'SQL'
GRANT pg_read_all_data, pg_read_all_stats TO souk_check;
GRANT pg_monitor TO souk_monitor;
ALTER ROLE souk_check SET default_transaction_read_only = on;
ALTER ROLE souk_report SET default_transaction_read_only = on;
ALTER ROLE souk_report SET statement_timeout = '10s';
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO souk_monitor;
SQL

for domain in $roles; do
    case $domain in souk_*) continue ;; esac
    run --dbname=postgres --set=domain="$domain" <<'SQL'
SELECT format('CREATE DATABASE %I OWNER %I', :'domain', :'domain')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'domain') \gexec
REVOKE ALL ON DATABASE :"domain" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"domain" TO :"domain", souk_check, souk_monitor;
SQL
done

echo "roles and databases are there: $(echo $roles)"
