use crate::store::*;
use crate::story::*;
use chrono::Utc;
use sqlx::Connection;
use subjects::{orders::*, *};
use uuid::Uuid;

#[tokio::test]
async fn scratch() {
    let url = "postgres://postgres@localhost:55987/orders";
    let mut c = sqlx::PgConnection::connect(url).await.unwrap();
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let address = Address {
        first_name: None,
        last_name: Some("x".into()),
        street: "s".into(),
        street2: None,
        city: "c".into(),
        state: None,
        zip_code: "1".into(),
        country: "US".into(),
        phone: None,
    };
    let now: chrono::DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(&mut c).await.unwrap();
    let (user, seller, cart) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let (a, b) = (OrderId::new(), OrderId::new());
    let (na, nb) = (crate::number::order_number(a), crate::number::order_number(b));
    let digest = Uuid::new_v4();
    let row = |id: OrderId, number: &'static str, guest: bool| NewRow {
        id: id.0,
        order_number: number,
        user_id: (!guest).then_some(user),
        guest_digest: guest.then_some(digest),
        email: None,
        cart_id: Some(cart),
        payment_status: "pending",
        currency: "USD",
        subtotal: 300,
        shipping_address: Box::leak(Box::new(address.clone())),
        billing_address: if guest { Some(Box::leak(Box::new(address.clone()))) } else { None },
        notes: None,
        payment_method: guest.then_some("pm_card_visa"),
    };
    let (na, nb): (&'static str, &'static str) = (na.leak(), nb.leak());
    let claim =
        |id: OrderId, n: &'static str, v| CartClaim { cart_id: cart, order_id: id.0, order_number: n, cart_version: v };
    assert_eq!(claim_carts(&mut c, &[claim(a, na, 1)]).await.unwrap(), [CartId(cart)]);
    assert!(claim_carts(&mut c, &[claim(b, nb, 2)]).await.unwrap().is_empty());
    assert_eq!(checkouts(&mut c, &[cart]).await.unwrap()[&CartId(cart)], (a, na.to_owned()));
    insert_orders(&mut c, &[row(a, na, false), row(b, nb, true)], now, now).await.unwrap();
    let item = |o: OrderId, p: i32, s| NewItem {
        order_id: o.0,
        position: p,
        id: Uuid::now_v7(),
        product_id: Uuid::now_v7(),
        variant_id: Uuid::now_v7(),
        seller_id: s,
        sku: "sku",
        item_name: "n",
        quantity: 3,
        unit_price: 50,
        total_price: 150,
    };
    insert_items(&mut c, &[item(a, 0, seller), item(a, 1, Uuid::now_v7()), item(b, 0, seller)], now).await.unwrap();
    let entry = |o, v| Entry {
        order_id: o,
        version: v,
        event: "placed",
        status: OrderStatus::Pending,
        payment: PaymentStatus::Pending,
        cause: "orders.place",
    };
    insert_history(&mut c, &[entry(a, 1), entry(b, 1)], now).await.unwrap();
    let due = due(&pool, 10).await.unwrap();
    assert!(due.iter().any(|(_, id)| *id == a));
    let mut t = c.begin().await.unwrap();
    let locked = lock(&mut t, &[a.0, b.0]).await.unwrap();
    println!("{locked:#?}");
    let mut sa = locked[&a].state;
    let mut sb = locked[&b].state;
    for f in [Fact::DeadlinePassed, Fact::Reserved, Fact::Paid] {
        if let Step::Go { next, .. } = step(&sa, f) {
            sa = next;
        }
    }
    let failure = out_of_stock();
    if let Step::Go { next, .. } = step(&sb, Fact::ReservationRejected(failure.clone())) {
        sb = next;
    }
    update(
        &mut t,
        &[
            Move { id: a, state: sa, version: 3, failure: None, cancel_reason: None },
            Move { id: b, state: sb, version: 2, failure: Some(&failure), cancel_reason: Some("x") },
        ],
        now,
    )
    .await
    .unwrap();
    leave_carts(&mut t, &[(CartId(cart), a)], &[(CartId(Uuid::now_v7()), b)]).await.unwrap();
    println!("{:?}", units_of(&mut t, &[a.0]).await.unwrap());
    t.commit().await.unwrap();
    assert!(claim_carts(&mut c, &[claim(b, nb, 1)]).await.unwrap().is_empty());
    assert_eq!(claim_carts(&mut c, &[claim(b, nb, 2)]).await.unwrap(), [CartId(cart)]);
    leave_carts(&mut c, &[], &[(CartId(cart), b)]).await.unwrap();
    assert!(checkouts(&mut c, &[cart]).await.unwrap().is_empty());
    let one = load(&mut c, na).await.unwrap().unwrap();
    println!("{one:#?}");
    assert_eq!(load(&mut c, &a.to_string()).await.unwrap().unwrap().order, one.order);
    assert_eq!(load(&mut c, &na.to_lowercase()).await.unwrap().unwrap().order, one.order);
    assert!(load(&mut c, "SK\0").await.unwrap().is_none());
    for scope in [Scope::Buyer(user), Scope::Guest(digest), Scope::Seller(seller), Scope::Seller(user)] {
        let (all, total) = page(&pool, scope, None, None, 2, 0).await.unwrap();
        println!("{scope:?} {} {total}", all.len());
        let last = &all[0].order;
        let (rest, _) = page(&pool, scope, None, Some((last.created_at, last.id.0)), 2, 0).await.unwrap();
        println!("  after the first {}", rest.len());
        let (failed, n) = page(&pool, scope, Some(OrderStatus::Failed), None, 2, 0).await.unwrap();
        println!("  failed {} {n}", failed.len());
    }
    println!("{:?}", history(&mut c, a).await.unwrap());
    println!("{:?}", payable_facts(&pool, b).await.unwrap());
}
