-- Parked events are listed in the order in which they were parked.
create index dead_letter_parked on dead_letter (parked_at, event_id);
create index dead_letter_event on dead_letter (event_id);
