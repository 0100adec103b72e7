create table spoken (id uuid primary key, command uuid not null, text text not null);
