-- Messages that the own stream has lost from its middle, and for which it was filled again. More of them than here: again.
create table stream_hole (
    is_only boolean primary key check (is_only),
    count bigint not null
);
insert into stream_hole values (true, 0);
