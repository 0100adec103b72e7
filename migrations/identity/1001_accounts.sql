-- Accounts. A row is never deleted here: other domains hold its id.
create table users (
    id            uuid        primary key,
    -- As it was given, without the blanks around it. Compared without case.
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
    -- The command that made the account: run twice, it finds its own work.
    made_by       uuid        not null,
    created_at    timestamptz not null,
    updated_at    timestamptz not null
);

create unique index users_email on users (lower(email));

-- A session is a family of refresh tokens: the one that is valid now, and all it descends from.
create table sessions (
    id         uuid        primary key,
    user_id    uuid        not null references users (id),
    -- The generation of the tokens that are valid now.
    generation bigint      not null default 1 check (generation >= 1),
    -- How many tokens this generation has: more than one where an answer was lost and its token asked for again.
    siblings   integer     not null default 1 check (siblings >= 1),
    -- The moment the generation before was spent.
    rotated_at timestamptz not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    -- `logout`, `reuse` or `deactivated`.
    revoked_by text        check ((revoked_by is null) = (revoked_at is null))
);

create index sessions_of_user on sessions (user_id, rotated_at);

-- Every refresh token that is not out of date, by its digest: the token itself is never stored. A token of a generation
-- that is over is kept, so that its use is known for what it is.
create table refresh_tokens (
    digest     bytea       primary key check (octet_length(digest) = 32),
    session_id uuid        not null references sessions (id) on delete cascade,
    generation bigint      not null check (generation >= 1),
    expires_at timestamptz not null
);

create index refresh_tokens_of_session on refresh_tokens (session_id, generation);
