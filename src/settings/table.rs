//! The one table of settings: the variable and the key of each, its type and form, its default and its description.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use gateway::{RateLimit, TrustedProxies};
use subjects::{
    Currency,
    shop::{Country, Footer, Locale, Mailbox, ShopName, TimeZone},
};

use super::{
    forms::*,
    logs::{LogFormat, Sinks},
    payments::{LONGEST, Provider},
    setting::{DefaultText, Group, Is, Kind, Name, PerDomain, Row, Setting, Words},
};

macro_rules! settings {
    ($($title:literal { $(
        $id:ident: $type:ty = $form:expr, $variable:literal, $key:literal, $kind:ident,
            $default:ident($default_text:literal), $example:literal, $about:literal;
    )+ })+) => {
        $($(
            pub(super) const $id: Setting<$type, $default> = Setting {
                name: Name { variable: $variable, key: $key, kind: Kind::$kind },
                form: $form,
                default: $default($default_text),
            };
        )+)+

        pub(super) const GROUPS: &[Group] = &[$(Group {
            title: $title,
            rows: &[$(Row {
                name: $id.name,
                default: DefaultText::$default($default_text),
                example: $example,
                about: $about,
                check: |text| ($id.form)(text).map(drop),
            }),+],
        }),+];
    };
}

settings! {
    "Servers" {
        NATS_URL: String = text, "NATS_URL", "nats.url", Urls,
            Words("the local stack"), "nats://n1:4222,nats://n2:4222,nats://n3:4222",
            "Servers. Required if a database is named";
        NATS_KEYS: PathBuf = path, "SOUK_NATS_KEYS", "nats.keys", Text,
            Words("no credentials"), "/etc/souk/nkeys",
            "A directory with one nkey seed per NATS user, `<user>.nk`";
        NATS_CA: PathBuf = path, "SOUK_NATS_CA", "nats.ca", Text,
            Words("the system's roots"), "/etc/souk/ca.pem",
            "A PEM file with the roots that sign NATS servers; [TLS](operations.md#tls). With it, or a `tls://` URL, \
             nothing is sent to a server without TLS";
        NATS_CLIENT_CERT: PathBuf = path, "SOUK_NATS_CLIENT_CERT", "nats.client_cert", Text,
            Words("none"), "/etc/souk/node.pem",
            "A PEM file with this node's own certificate, for NATS servers that require one";
        NATS_CLIENT_KEY: PathBuf = path, "SOUK_NATS_CLIENT_KEY", "nats.client_key", Text,
            Words("none"), "/etc/souk/node.key.pem",
            "A PEM file with the key of that certificate";
        DATABASE_URL: String = database, "DATABASE_URL", "database.url", Url,
            Words("the local stack"), "postgres://db:5432/postgres",
            "The PostgreSQL server. Domain d uses its own role and database there, both named d. \
             `?sslmode=verify-full&sslrootcert=<file>` for TLS";
        DOMAIN_DATABASE_URL: String = database, "DATABASE_URL_<DOMAIN>", "database.urls.<domain>", Url,
            PerDomain("from `DATABASE_URL`"), "postgres://orders:...@db2:5432/orders",
            "The whole URL of one domain, so that domains may live on several servers";
        DOMAIN_PASSWORD: String = text, "SOUK_DB_PASSWORD_<DOMAIN>", "database.passwords.<domain>", Secret,
            PerDomain("that of `DATABASE_URL`"), "",
            "The password of a domain's role";
    }
    "A node" {
        HTTP_ADDR: SocketAddr = address, "SOUK_HTTP_ADDR", "http.addr", Text,
            Is("127.0.0.1:8080"), "127.0.0.1:8080",
            "The address of the gateway. Not used if the parent process passes the listening socket, as systemd does \
             (`LISTEN_FDS`): then no connection fails during a restart";
        HTTP_TLS_CERT: PathBuf = path, "SOUK_HTTP_TLS_CERT", "http.tls_cert", Text,
            Words("none: plain HTTP"), "/etc/souk/http.pem",
            "A PEM file with the gateway's chain of certificates, its own first: it serves HTTPS only then. Reloaded \
             when it changes";
        HTTP_TLS_KEY: PathBuf = path, "SOUK_HTTP_TLS_KEY", "http.tls_key", Text,
            Words("none: plain HTTP"), "/etc/souk/http.key.pem",
            "A PEM file with the key of that certificate";
        CORS_ORIGINS: Vec<String> = list, "SOUK_CORS_ORIGINS", "http.cors_origins", List,
            Words("none"), "https://shop.example,https://admin.shop.example",
            "Origins whose pages may read replies";
        TRUSTED_PROXIES: TrustedProxies = parsed, "SOUK_TRUSTED_PROXIES", "http.trusted_proxies", List,
            Words("none"), "10.0.0.0/8,192.0.2.1",
            "Addresses and CIDRs of the proxies whose `X-Forwarded-For` names the client. \
             [Rate limits](operations.md#rate-limits) count by that address";
        RATE_AUTH: RateLimit = parsed, "SOUK_RATE_AUTH", "rates.auth", Text,
            Words("`120/m`; on a local stack `1000/s`"), "120/m",
            "How many requests to `/api/v1/auth/` an address and an account may send: `<n>/s` or `<n>/m`, 1 to \
             1,000,000, or `off`";
        RATE_PAYMENTS: RateLimit = parsed, "SOUK_RATE_PAYMENTS", "rates.payments", Text,
            Words("`120/m`; on a local stack `10000/s`"), "120/m",
            "The same of writes to `/api/v1/payments/`";
        RATE_WRITES: RateLimit = parsed, "SOUK_RATE_WRITES", "rates.writes", Text,
            Words("`50/s`; on a local stack `20000/s`"), "50/s",
            "The same of all other writes";
        RATE_READS: RateLimit = parsed, "SOUK_RATE_READS", "rates.reads", Text,
            Words("`200/s`; on a local stack `200000/s`"), "200/s",
            "The same of reads";
        METRICS_ADDR: SocketAddr = address, "SOUK_METRICS_ADDR", "metrics.addr", Text,
            Is("127.0.0.1:9464"), "127.0.0.1:9464",
            "`/metrics` and `/health/*` of the node, and an index page at `/`";
        LANES: usize = |text| number(text, 1, 64), "SOUK_LANES", "node.lanes", Number,
            Words("half the number of cores, rounded up, 4 at most"), "1",
            "Lanes of each domain, 1 to 64";
        START_TIMEOUT: Duration = duration, "SOUK_START_TIMEOUT", "node.start_timeout", Text,
            Is("60s"), "60s",
            "How long a start (also of `souk migrate` and `souk demo`) waits for servers that do not accept \
             connections yet, and for roles and databases that are missing, 1 s to 30 days";
        DRAIN_SECONDS: usize = |text| number(text, 1, 600), "SOUK_DRAIN_SECONDS", "node.drain_seconds", Number,
            Is("20"), "20",
            "The timeout of a drain, 1 to 600; the share of a gateway: \
             [operations](operations.md#replacing-a-gateway)";
        STREAMS: PathBuf = path, "SOUK_STREAMS", "node.streams", Text,
            Words("`nats/streams.json`, compiled in"), "/etc/souk/streams.json",
            "A file with the specifications of the streams";
        REVOCATIONS: usize = |text| number(text, 1, 10_000_000), "SOUK_REVOCATIONS", "node.revocations", Number,
            Is("100000"), "100000",
            "[Revocations](architecture.md#revocations) that a node keeps, 1 to 10,000,000; beyond that it looks up \
             every token at identity";
        LOG: String = log_filter, "SOUK_LOG", "log.filter", Text,
            Words("`info,ractor=warn,async_nats=warn`; of `souk up`: `warn,ractor=error`"),
            "info,ractor=warn,async_nats=warn",
            "Which lines are written, and which spans: a filter in the syntax of `tracing`'s `EnvFilter`. \
             [Logs](operations.md#logs)";
        LOG_SINKS: Sinks = parsed, "SOUK_LOG_SINKS", "log.sinks", List,
            Is("console"), "console",
            "Where they go: `console` (standard error), `file` (`souk.<day>.log`), `errors` (`errors.<day>.log`, \
             errors only)";
        LOG_FORMAT: LogFormat = parsed, "SOUK_LOG_FORMAT", "log.format", Text,
            Words("`json`; of `souk up`: `text`"), "json",
            "`json` or `text`, on the console. Files are JSON";
        LOG_DIR: PathBuf = path, "SOUK_LOG_DIR", "log.dir", Text,
            Words("required by `file` and `errors`"), "/var/log/souk",
            "The directory of these files, created if missing";
        LOG_KEEP: usize = |text| number(text, 2, 3650), "SOUK_LOG_KEEP", "log.keep", Number,
            Is("14"), "14",
            "How many days of each file are kept, 2 to 3650";
        SIGNING_KEY: PathBuf = path, "SOUK_SIGNING_KEY", "identity.signing_key", Text,
            Words("generated in `SOUK_HOME` on a local stack, else required by identity"),
            "/etc/souk/signing-key.pem",
            "The file of the Ed25519 key of access tokens, PKCS#8 PEM";
        PAYMENT_DEADLINE: Duration = duration, "SOUK_ORDERS_PAYMENT_DEADLINE", "orders.payment_deadline", Text,
            Is("15m"), "15m",
            "How long an unpaid order waits: `90s`, `15m`, `2h`; 1 s to 30 days";
        PROVIDER: Provider = parsed, "SOUK_PAYMENTS_PROVIDER", "payments.provider", Text,
            Words("`simulated` on a local stack, else required by payments"), "simulated",
            "The payment provider: `simulated` or `stripe`; [payments.md](payments.md)";
        STRIPE_BASE: String = text, "SOUK_STRIPE_BASE", "stripe.base", Url,
            Is("https://api.stripe.com"), "https://api.stripe.com",
            "The URL of the API";
        STRIPE_SECRET_KEY: String = text, "SOUK_STRIPE_SECRET_KEY", "stripe.secret_key", Secret,
            Words("required by `stripe`"), "",
            "Sent with every request; never logged";
        STRIPE_PUBLISHABLE_KEY: String = text, "SOUK_STRIPE_PUBLISHABLE_KEY", "stripe.publishable_key", Text,
            Words("required by `stripe`"), "",
            "For browsers";
        STRIPE_WEBHOOK_SECRET: String = text, "SOUK_STRIPE_WEBHOOK_SECRET", "stripe.webhook_secret", Secret,
            Words("required by `stripe`"), "",
            "Signs webhooks; never logged";
        STRIPE_TIMEOUT: Duration = |text| short(text, LONGEST), "SOUK_STRIPE_TIMEOUT", "stripe.timeout", Text,
            Is("8s"), "8s",
            "The timeout of one request, 1 s to 9 s";
    }
    "The shop" {
        SHOP_NAME: ShopName = parsed, "SOUK_SHOP_NAME", "shop.name", Text,
            Is("souk"), "Linen & Co",
            "Its name, one line of at most 80 characters";
        SHOP_CURRENCY: Currency = currency, "SOUK_SHOP_CURRENCY", "shop.currency", Text,
            Is("USD"), "EUR",
            "The currency of its prices, ISO 4217. Products in any currency are accepted; those of the demo are in \
             this one";
        SHOP_TIME_ZONE: TimeZone = time_zone, "SOUK_SHOP_TIME_ZONE", "shop.time_zone", Text,
            Is("UTC"), "Europe/Berlin",
            "The time zone of dates in texts, a name of the IANA database";
        SHOP_LOCALE: Locale = locale, "SOUK_SHOP_LOCALE", "shop.locale", Text,
            Is("en"), "de-DE",
            "The language and region of texts, a BCP 47 tag";
        SHOP_COUNTRIES: BTreeSet<Country> = countries, "SOUK_SHOP_COUNTRIES", "shop.countries", List,
            Words("all"), "DE,AT",
            "The countries that it ships to, ISO 3166-1 alpha-2";
        SHOP_MAIL_SENDER: Mailbox = parsed, "SOUK_SHOP_MAIL_SENDER", "shop.mail_sender", Text,
            Words("none"), "Linen & Co <shop@linen.example>",
            "The sender of mails: an address, with or without a name";
        SHOP_FOOTER: Footer = parsed, "SOUK_SHOP_FOOTER", "shop.footer", Text,
            Words("none"), "Linen & Co, 1 Main St, Springfield",
            "The last lines of mails and documents, at most 500 characters";
    }
    "Commands" {
        SANDBOX_DATABASE_URL: String = database, "SOUK_SANDBOX_DATABASE_URL", "sandbox.database_url", Url,
            Words("`sandbox` on the local stack, under a role of that name"),
            "postgres://sandbox:...@db:5432/sandbox",
            "The database of `souk sandbox`";
        SANDBOX_WEBHOOK_URL: String = text, "SOUK_SANDBOX_WEBHOOK_URL", "sandbox.webhook_url", Url,
            Words("none: no webhooks"), "http://127.0.0.1:8080/api/v1/webhooks/payments/stripe",
            "The URL to which `souk sandbox` sends webhooks, signed with `SOUK_STRIPE_WEBHOOK_SECRET`";
        SANDBOX_KEY_TTL: Duration = duration, "SOUK_SANDBOX_KEY_TTL", "sandbox.key_ttl", Text,
            Is("24h"), "24h",
            "How long `souk sandbox` keeps an idempotency key";
        DEMO_PASSWORD: String = text, "SOUK_DEMO_PASSWORD", "demo.password", Secret,
            Words("`souk-demo-password` on the local stack, else required"), "",
            "The password of the accounts that `souk demo` creates";
        ADMIN_PASSWORD: String = text, "SOUK_ADMIN_PASSWORD", "admin.password", Secret,
            Words("read from standard input"), "",
            "The password of `souk admin create`";
        LOG_RETENTION: Duration = days, "SOUK_LOG_RETENTION", "trim.log_retention", Text,
            Is("90d"), "90d",
            "`souk trim`: how old a commit of a log must be before it is deleted, 1d to 36500d; at least the age of \
             the oldest backup that may be restored. [Trimming logs](operations.md#trimming-logs)";
        CHECK_URL: String = database, "SOUK_CHECK_URL", "check.url", Url,
            Words("from `DATABASE_URL` and `DATABASE_URL_<DOMAIN>`"), "postgres://souk_check:...@db:5432/postgres",
            "`souk check` and nodes with `--check`: the server, as the role `souk_check`, if it is one server";
        CHECK_PASSWORD: String = text, "SOUK_DB_PASSWORD_SOUK_CHECK", "check.password", Secret,
            Words("none: required if `SOUK_CHECK_URL` is not set, except on the local stack"), "",
            "`souk check` and nodes with `--check`: the password of that role";
    }
    "The local stack" {
        HOME: PathBuf = path, "SOUK_HOME", "stack.home", Text,
            Is(".souk"), ".souk",
            "The directory of the private servers, their data, keys and logs";
        NATS_PORT: u16 = port, "SOUK_NATS_PORT", "stack.nats_port", Number,
            Is("4222"), "4222",
            "NATS's port on 127.0.0.1; 0 picks a free one";
        PG_PORT: u16 = port, "SOUK_PG_PORT", "stack.pg_port", Number,
            Is("5442"), "5442",
            "PostgreSQL's port on 127.0.0.1; 0 picks a free one";
        STACK_CA: PathBuf = path, "SOUK_STACK_CA", "stack.ca", Text,
            Words("none: plain on loopback"), "ca.pem",
            "A PEM file with roots: with it NATS and PostgreSQL of the local stack require TLS, and every command \
             verifies them by it";
        STACK_CERT: PathBuf = path, "SOUK_STACK_CERT", "stack.cert", Text,
            Words("none: plain on loopback"), "servers.pem",
            "A PEM file with the servers' certificate, which must name 127.0.0.1";
        STACK_KEY: PathBuf = path, "SOUK_STACK_KEY", "stack.key", Text,
            Words("none: plain on loopback"), "servers.key.pem",
            "A PEM file with the key of that certificate";
        STACK_STATISTICS: bool = flag, "SOUK_STACK_STATISTICS", "stack.statistics", Flag,
            Is("false"), "false",
            "`true`: PostgreSQL counts statements (`pg_stat_statements`, with planning) and nats-server serves its \
             monitoring on a free port, for [benches](performance.md)";
    }
}
