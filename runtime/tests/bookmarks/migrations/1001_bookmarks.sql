create table bookmark (
    id uuid primary key,
    url text not null unique,
    added_at timestamptz not null
);

-- How many bookmarks a site has: made from events, as any other domain would make it.
create table site (
    name text primary key,
    bookmarks bigint not null
);
