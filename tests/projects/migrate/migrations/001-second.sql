insert into notes (body) values ('second');
