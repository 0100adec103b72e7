-- Accounts. A row is never deleted here: other domains store its id.
create table users (
    id            uuid        primary key,
    -- As entered, in composed form (NFC) and trimmed. Compared in compatible form (NFKC), without case.
    email         text        not null check (char_length(email) between 3 and 254),
    password_hash text        not null,
    role          text        not null check (role in ('customer', 'seller', 'admin')),
    username      text        check (char_length(username) <= 100),
    first_name    text        check (char_length(first_name) <= 100),
    last_name     text        check (char_length(last_name) <= 100),
    phone         text        check (char_length(phone) <= 40),
    is_active     boolean     not null default true,
    is_verified   boolean     not null default false,
    -- Counts the account's events: 1 is its registration.
    version       bigint      not null default 1 check (version >= 1),
    -- The command that created the account: run twice, it finds its own work.
    made_by       uuid        not null,
    created_at    timestamptz not null,
    updated_at    timestamptz not null
);

create unique index users_email_key on users (lower(normalize(email, nfkc)));

-- A session is a family of refresh tokens: the valid one, and its predecessors.
create table sessions (
    id         uuid        primary key,
    user_id    uuid        not null references users (id),
    -- The generation of the tokens that are valid now.
    generation bigint      not null default 1 check (generation >= 1),
    -- The number of tokens of this generation: more than one if a reply was lost and its token was requested again.
    siblings   integer     not null default 1 check (siblings >= 1),
    -- The time at which the previous generation was used.
    rotated_at timestamptz not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    -- `logout`, `reuse` or `deactivated`.
    revoked_by text        check ((revoked_by is null) = (revoked_at is null))
);

create index sessions_of_user on sessions (user_id, rotated_at);

-- Every refresh token that has not expired, by its digest: the token itself is never stored. Tokens of previous
-- generations are kept, so that their reuse is detected.
create table refresh_tokens (
    digest     bytea       primary key check (octet_length(digest) = 32),
    session_id uuid        not null references sessions (id) on delete cascade,
    generation bigint      not null check (generation >= 1),
    expires_at timestamptz not null
);

create index refresh_tokens_of_session on refresh_tokens (session_id, generation);

-- The highest position of `revocations`. Every node reads those by position, and a reader that has seen a position
-- never looks below it, so a position must become visible after every lower one: a transaction that takes the next one
-- locks this row until it ends.
create table revocation_head (
    id       boolean primary key default true check (id),
    position bigint  not null default 0
);

insert into revocation_head default values;

-- Access tokens that were revoked before they expired.
create table revocations (
    position      bigint      primary key,
    -- Distinguishes a row from the one that had its position before the database was restored.
    id            uuid        not null default gen_random_uuid(),
    -- Either all tokens of an account below a version, or those of a session.
    user_id       uuid,
    least_version bigint      check ((least_version is null) = (user_id is null)),
    session_id    uuid        check ((session_id is null) <> (user_id is null)),
    -- After it no token concerned is valid any more.
    expires_at    timestamptz not null
);

create index revocations_of_user on revocations (user_id, least_version) where user_id is not null;
create index revocations_of_session on revocations (session_id) where session_id is not null;
create index revocations_by_end on revocations (expires_at);
