-- Everything that waits for a person: events that could not be handled, effects that could not be performed.
create index effect_parked on effect (parked_at, id) where parked_at is not null;

create view parked as
    select 'event' as kind, event_id as id, source, name, null::uuid as entity, head, payload, reason, attempts, parked_at
    from dead_letter
    union all
    select 'effect', id, null, name, entity, null, null, coalesce(reason, ''), attempts, parked_at
    from effect where parked_at is not null;
