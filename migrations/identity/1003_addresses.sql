-- Addresses are compared in one form (NFKC) without case. Those that are the same in it must be told apart by hand first.
do $$
declare
    same text;
begin
    select string_agg(addresses, '; ') into same
    from (select string_agg(email, ', ' order by email) as addresses from users
          group by lower(normalize(email, nfkc)) having count(*) > 1 limit 20) as clashes;
    if same is not null then
        raise exception 'e-mail addresses of several accounts are the same: %', same;
    end if;
end $$;

update users set
    email = normalize(email, nfc), username = normalize(username, nfc), first_name = normalize(first_name, nfc),
    last_name = normalize(last_name, nfc)
where email is not nfc normalized or username is not nfc normalized or first_name is not nfc normalized
   or last_name is not nfc normalized;

create unique index users_email_key on users (lower(normalize(email, nfkc)));
drop index users_email;
