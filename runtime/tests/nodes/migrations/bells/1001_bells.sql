create table bell (id uuid primary key, strokes bigint not null);
create table stroke (bell uuid not null, number bigint not null, primary key (bell, number));
create table alarm (id uuid primary key, due_at timestamptz, rung bigint not null default 0);
