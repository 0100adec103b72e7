create table told (id uuid primary key, command uuid not null, text text not null);
