-- SKUs are compared in one form (NFKC). Those that are the same in it must be told apart by hand first.
do $$
declare
    same text;
begin
    select string_agg(skus, '; ') into same
    from (select string_agg(sku, ', ' order by sku) as skus from variants
          group by normalize(sku, nfkc) having count(*) > 1 limit 20) as clashes;
    if same is not null then
        raise exception 'SKUs of several variants are the same: %', same;
    end if;
end $$;

update variants set sku = normalize(sku, nfkc), name = normalize(name, nfc)
where sku is not nfkc normalized or name is not nfc normalized;
update products set name = normalize(name, nfc), description = normalize(description, nfc)
where name is not nfc normalized or description is not nfc normalized;
update categories set name = normalize(name, nfc), description = normalize(description, nfc)
where name is not nfc normalized or description is not nfc normalized;

-- Names are sorted as people sort them, not by their bytes.
drop index products_by_name;
create index products_by_name on products (name collate "und-x-icu", id);
