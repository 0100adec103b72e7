-- Runs that began and neither succeeded nor failed: whoever performed it died each time. Past a limit it is not run again.
alter table effect add column unfinished int not null default 0;
