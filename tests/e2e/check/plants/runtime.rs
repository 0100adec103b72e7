//! What every domain has, planted in one that has little to do.

use uuid::Uuid;

use super::Plants;

pub(super) async fn plant(plants: &mut Plants<'_>) {
    in_cursors(plants).await;

    let id = Uuid::now_v7();
    let plant = format!(
        "insert into inbox (source, event_id, name, epoch, xid, id_hash)
         values ('orders', '{id}', 'planted_alone', 1, 7, 0)"
    );
    let named = [("inboxes", format!("carts on orders: event {id}"), "is not in the log")];
    plants.sql("carts", plant, format!("delete from inbox where event_id = '{id}'"), named).await;

    let plant = format!(
        "insert into dead_letter (source, event_id, name, head, payload, reason, attempts)
         values ('orders', '{id}', 'confirmed', '{{}}', '', 'planted', 5)"
    );
    let named = [("dead_letters", format!("carts: event {id}"), "orders.confirmed is dead-lettered: planted")];
    plants.sql("carts", plant, format!("delete from dead_letter where event_id = '{id}'"), named).await;

    for (check, dead_lettered_at, words) in
        [("dead_letters", "now()", "is dead-lettered"), ("deadlines", "null", "is due and not running")]
    {
        let id = Uuid::now_v7();
        let plant = format!(
            "insert into effect (id, name, entity, cause, body, lease_until, next_at, dead_lettered_at)
             values ('{id}', 'planted', '{id}', '{{}}', '', '2020-01-01', '2020-01-01', {dead_lettered_at})"
        );
        let named = [(check, format!("carts: effect {id}"), words)];
        plants.sql("carts", plant, format!("delete from effect where id = '{id}'"), named).await;
    }
}

async fn in_cursors(plants: &mut Plants<'_>) {
    // As if catalog handled what it does not.
    let plant = "insert into cursor (source, name, epoch, xid) values ('inventory', 'committed', 0, 0)";
    let undo = "delete from cursor where name = 'committed'";
    let named = [("inboxes", "catalog on inventory: event ".into(), "is above its cursor 0.0 and was not handled")];
    plants.sql("catalog", plant, undo, named).await;

    let plant = "insert into cursor (source, name, epoch, xid)
                 select 'orders', 'planted', max(epoch), 1000000000000 from cursor";
    let named = [("inboxes", "carts on orders: cursor of planted".into(), "beyond the end of the log")];
    plants.sql("carts", plant, "delete from cursor where name = 'planted'", named).await;

    let plant = "insert into cursor (source, name, epoch, xid) values ('nowhere', 'planted_nowhere', 0, 0)";
    let named = [("inboxes", "carts on nowhere".into(), "there is no such domain")];
    plants.sql("carts", plant, "delete from cursor where name = 'planted_nowhere'", named).await;

    // Nothing consumes identity, so nothing stops for what seems to be trimmed.
    let plant = "insert into log_trim (epoch, xid) values (1, 1)";
    plants.sql("identity", plant, "delete from log_trim", []).await;
    let plant = "insert into cursor (source, name, epoch, xid) values ('identity', 'planted_below', 1, 0)";
    let undo = "delete from cursor where name = 'planted_below'";
    let named = [("inboxes", "carts on identity: cursor of planted_below".into(), "the log was trimmed above it")];
    plants.sql("carts", plant, undo, named).await;
}
