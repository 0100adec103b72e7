-- Old answers are found by age. Once the first of them are deleted, new rows take their places anywhere in the table, and
-- block ranges no longer say how old what is in them is.
drop index command_log_at;
create index command_log_at on command_log (at);
