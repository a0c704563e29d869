select 1 as amount;
delete from conformed.person;
