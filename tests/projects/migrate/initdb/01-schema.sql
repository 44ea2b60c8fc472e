create table notes (id serial primary key, body text not null);
create table versions (version int primary key);
