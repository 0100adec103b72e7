-- Faster than the default method, where the server has it.
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table event_log alter column events set compression lz4;
    end if;
end $$;
