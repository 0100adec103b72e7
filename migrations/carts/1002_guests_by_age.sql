-- Guests' carts that open no more are looked for now and then, and deleted.
create index cart_of_guest_by_age on cart (updated_at) where user_id is null;
