-- What refunds are for, and money that goes back otherwise: by disputes.

alter table refunds
    -- The lines it names, with quantities.
    add column items   jsonb   not null default '[]',
    -- Their units, or those of the whole order, are available again once the money is back.
    add column restock boolean not null default false;

alter table payments
    -- Disputes of the charge, by the provider's ids.
    add column disputes jsonb  not null default '{}',
    -- Gone back by lost disputes.
    add column lost     bigint not null default 0 check (lost >= 0);

-- Money that has gone back has done so by refunds or by lost disputes.
do $$
declare
    rule record;
begin
    for rule in
        select conname from pg_constraint
        where conrelid = 'payments'::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%refunded%captured%'
    loop
        execute format('alter table payments drop constraint %I', rule.conname);
    end loop;
end $$;
alter table payments
    add check (refunded + refunding + lost <= captured),
    add check ((status in ('succeeded', 'partially_refunded', 'refunded')) = (captured > 0)),
    add check ((status = 'refunded') = (captured > 0 and refunded + lost = captured)),
    add check ((status = 'partially_refunded') = (refunded + lost > 0 and refunded + lost < captured));
