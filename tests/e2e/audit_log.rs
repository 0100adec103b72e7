//! The audit log: who did what, in every domain. Row IDN-16, AMD-12.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::{Person, shared_shop, wait_until};

async fn entries(admin: &Person, query: &str) -> Vec<Value> {
    let page = admin.get(&format!("/admin/audit-log?{query}")).await.expect_status(200);
    page.body["data"].as_array().unwrap().clone()
}

fn operations(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["operation"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn commands_of_sellers_and_admins_are_in_the_audit_log_of_all_domains() {
    let shop = &shared_shop().await;
    let ((seller, seller_id), admin, buyer) = (shop.new_seller().await, shop.admin().await, shop.customer().await);
    let note = "A secret note about Ann";
    let body = json!({"name": "Lamp", "description": note, "price": {"amount": 900, "currency": "USD"}, "on_hand": 5});
    let product = seller.post("/products", &body).await.expect_status(201);
    let (id, variant) = (product.text_at("/id"), product.text_at("/variants/0/id"));
    let changes = json!({"price": {"amount": 800, "currency": "USD"}, "description": null});
    let key = [("Idempotency-Key", "01a22dbb-d92e-7501-be91-c25ce759c1b7")];
    let path = format!("/products/{id}");
    // A repeat is no second command, and a rejected one changes nothing.
    for _ in 0..2 {
        seller.request(Method::PATCH, &path, Some(&changes), &key).await.expect_status(200);
    }
    seller.patch(&path, &json!({"slug": "Not a slug"})).await.expect_status(422);
    admin.put(&format!("/inventory/{variant}"), &json!({"on_hand": 7})).await.expect_status(200);
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    let payment = admin.get(&format!("/payments/order/{}", order.text_at("/id"))).await.expect_status(200);
    let refund = json!({"amount": {"amount": 300, "currency": "USD"}, "reason": note});
    let payment = payment.text_at("/id");
    admin.post_once(&format!("/payments/{payment}/refunds"), &refund).await.expect_status(201);

    let own = entries(&admin, &format!("caller={seller_id}")).await;
    assert_eq!(operations(&own), ["catalog.change_product", "catalog.create_product"], "{own:?}");
    let changed = &own[0];
    assert_eq!((&changed["role"], &changed["entity"]), (&json!("seller"), &json!(id)), "{changed}");
    let fields = json!([
        {"name": "changes.description"},
        {"name": "changes.price", "value": {"amount": 800, "currency": "USD"}},
    ]);
    assert_eq!(changed["fields"], fields, "{changed}");
    assert_eq!(changed["client_address"], "127.0.0.1", "{changed}");
    assert!(changed["request_id"].is_string(), "{changed}");
    assert_eq!(own[1]["entity"], json!(id), "of a command that creates it: {}", own[1]);

    let promoted = entries(&admin, &format!("entity={seller_id}")).await;
    assert_eq!(operations(&promoted), ["identity.change_user"]);
    assert_eq!(promoted[0]["fields"], json!([{"name": "changes.role", "value": "seller"}]));
    let counted = entries(&admin, &format!("entity={variant}&domain=inventory")).await;
    assert_eq!(counted[0]["fields"], json!([{"name": "count.on_hand", "value": 7}]), "{counted:?}");
    let refunded = entries(&admin, &format!("entity={payment}")).await;
    let made = own[1]["fields"].as_array().unwrap();
    for field in [json!({"name": "product.name"}), json!({"name": "product.on_hand", "value": 5})] {
        assert!(made.contains(&field), "{field}: {made:?}");
    }
    let amount = json!({"name": "refund.amount", "value": {"amount": 300, "currency": "USD"}});
    assert_eq!(refunded[0]["fields"], json!([amount, {"name": "refund.reason"}]), "{refunded:?}");
    let order_id = order.text_at("/id");
    assert_eq!(entries(&admin, &format!("entity={order_id}")).await, Vec::<Value>::new(), "a customer's");
    // By its number, the order is the entity all the same.
    admin.post_once(&format!("/orders/{}/cancel", order.text_at("/order_number")), &json!({})).await.expect_status(200);
    let cancelled = entries(&admin, &format!("entity={order_id}")).await;
    assert_eq!(operations(&cancelled), ["orders.cancel"], "{cancelled:?}");
    for domain in subjects::DOMAINS {
        let found = "select count(*) from audit_log where fields::text like '%secret note%'";
        assert_eq!(shop.number(domain, found).await, 0, "{domain}");
    }
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page_by_admins_alone() {
    let shop = &shared_shop().await;
    let ((seller, id), admin, buyer) = (shop.new_seller().await, shop.admin().await, shop.customer().await);
    let body = json!({"name": "Vase", "price": {"amount": 900, "currency": "USD"}, "on_hand": 5});
    let product = seller.post("/products", &body).await.expect_status(201);
    let variant = product.text_at("/variants/0/id");
    seller.put(&format!("/inventory/{variant}"), &json!({"on_hand": 6})).await.expect_status(200);
    let featured = json!({"is_featured": true});
    seller.patch(&format!("/products/{}", product.text_at("/id")), &featured).await.expect_status(200);

    let expected = ["catalog.change_product", "inventory.set_stock", "catalog.create_product"];
    let (mut cursor, mut before) = (None, None);
    for (place, operation) in expected.into_iter().enumerate() {
        let cursor_of = |cursor: Option<String>| cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let path = format!("/admin/audit-log?limit=1&caller={id}");
        let page = admin.get(&(path.clone() + &cursor_of(cursor))).await.expect_status(200);
        assert_eq!(operations(page.body["data"].as_array().unwrap()), [operation], "{}", page.body);
        assert_eq!(page.number_at("/pagination/total"), 3);
        let link = |name: &str| page.body["pagination"][name].as_str().map(str::to_owned);
        assert_eq!((link("prev_cursor").is_some(), link("next_cursor").is_some()), (place > 0, place < 2), "{place}");
        if let Some(before) = before {
            let back = admin.get(&(path + &cursor_of(link("prev_cursor")))).await.expect_status(200);
            assert_eq!(back.body["data"], before);
        }
        (cursor, before) = (link("next_cursor"), Some(page.body["data"].clone()));
    }

    for person in [&seller, &buyer] {
        person.get("/admin/audit-log").await.expect_error(403, "forbidden");
    }
    shop.anonymous().get("/admin/audit-log").await.expect_error(401, "unauthenticated");
    admin.get("/admin/audit-log?cursor=nope").await.expect_error(400, "invalid_cursor");
    admin.get("/admin/audit-log?caller=1").await.expect_status(400);
}

/// By the domain's own role, too.
#[tokio::test]
async fn an_entry_cannot_be_changed_and_is_deleted_after_a_year_only() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let body = json!({"name": "Pot", "price": {"amount": 900, "currency": "USD"}});
    seller.post("/products", &body).await.expect_status(201);
    let mut catalog = PgConnection::connect(&shop.stack().database_url("catalog").unwrap()).await.unwrap();
    for forbidden in ["update audit_log set role = 'customer'", "delete from audit_log", "truncate audit_log"] {
        let error = sqlx::query(forbidden).execute(&mut catalog).await.unwrap_err();
        assert!(error.to_string().contains("the audit log is append-only"), "{forbidden}: {error}");
    }
    let insert = |id: &str, age: &str| {
        format!(
            "insert into audit_log (id, at, caller, role, operation, fields)
             values ('{id}', now() - interval '{age}', '{id}', 'admin', 'tested', '[]')"
        )
    };
    let (old, young) = ("01a22dbb-0000-7501-be91-000000000001", "01a22dbb-0000-7501-be91-000000000002");
    for insert in [insert(old, "366 days"), insert(young, "364 days")] {
        sqlx::query(AssertSqlSafe(insert)).execute(&mut catalog).await.unwrap();
    }
    let left = format!("select count(*) from audit_log where id in ('{old}', '{young}')");
    // Retention runs by itself.
    wait_until("the old entry is deleted", || async { shop.number("catalog", left.as_str()).await == 1 }).await;
    let young = format!("select count(*) from audit_log where id = '{young}'");
    assert_eq!(shop.number("catalog", young).await, 1);
}
