-- Who did what: one row per command of an audited role, written in the command's transaction. Rows can only be added; a
-- row older than a year can be deleted.
create table audit_log (
    id uuid primary key,
    at timestamptz not null,
    caller uuid not null,
    role text not null,
    operation text not null,
    -- What the command changed or created; null if its events, body and reply name none.
    entity uuid,
    -- The fields of the command by name, with the values of those that the command declares.
    fields jsonb not null,
    request_id text,
    client_address inet
);
create index audit_log_at on audit_log (at, id);
create index audit_log_of_caller on audit_log (caller, at, id);
create index audit_log_of_entity on audit_log (entity, at, id) where entity is not null;

create function audit_log_is_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and old.at < now() - interval '1 year' then
        return old;
    end if;
    raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_is_append_only before update or delete on audit_log
    for each row execute function audit_log_is_append_only();
create trigger audit_log_is_not_truncated before truncate on audit_log
    for each statement execute function audit_log_is_append_only();
