-- What the periodic statements look for, and nothing else.

-- Effects by the moment they may be performed at: the end of their lease or of their pause, whichever is later.
create index effect_due on effect (greatest(lease_until, next_at), number) where parked_at is null;
drop index effect_lease;
create index effect_failing on effect (attempts) where parked_at is null and attempts > 10;
-- No effect whose first run ends well is ever in here.
create index effect_unfinished on effect (unfinished) where parked_at is null and unfinished > 1;

create index outbox_lease on outbox (lease_until);
create index stream_mark_at on stream_mark (at);
create index log_trim_position on log_trim (era, xid);

-- Refusals of kind `malformed` and `invalid` are not kept any more: a corrected body may come under the same id.
delete from command_log where status in (400, 422);
