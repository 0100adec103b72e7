//! What the provider would not do, however often it was asked, waits for a person, who has it asked once more.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::Market;
use crate::{
    dead_letters::dead_letters,
    harness::{Person, wait_until},
};

const LIST: &str = "/admin/dead-letters?domain=payments";

impl Market {
    /// The rows of an order's effects that fulfil a condition.
    async fn effects(&self, order: &str, condition: &str) -> i64 {
        let query = format!(
            "select count(*) from effect e join payments p on p.id = e.entity
             where p.order_id = '{order}' and {condition}"
        );
        self.shop.number("payments", query).await
    }

    /// Waits for an order's effect to fail, and brings it to its last attempt but one without the pauses between.
    async fn dead_letters_an_effect(&self, order: &str) {
        wait_until("it was asked in vain", || async { self.effects(order, "e.reason is not null").await == 1 }).await;
        let hurry = format!(
            "update effect e set attempts = 299, next_at = clock_timestamp(), lease_until = clock_timestamp()
             from payments p where p.id = e.entity and p.order_id = '{order}' and e.reason is not null"
        );
        self.shop.sql("payments", hurry).await;
        wait_until("it is dead-lettered", || async {
            self.effects(order, "e.dead_lettered_at is not null").await == 1
        })
        .await;
    }
}

async fn redriven(admin: &Person, id: &str, key: &str) -> crate::harness::Answer {
    let path = format!("/admin/dead-letters/payments/{id}/redrive");
    admin.request(Method::POST, &path, None, &[("Idempotency-Key", key)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_was_given_up_is_listed_and_redriven_and_charges_once() {
    let market = Market::open().await;
    let (shop, buyer) = (&market.shop, market.shop.customer().await);
    let admin = shop.admin().await;

    // The provider takes objects, and fails at every charge.
    let violation = "create function fail() returns trigger language plpgsql as
                     $$ begin raise exception 'no charges today'; end $$;
                 create trigger fail before insert on charge for each row execute function fail()";
    shop.sql("sandbox", violation).await;
    let order = market.order(&buyer, Some("pm_card_visa")).await;
    market.dead_letters_an_effect(&order).await;

    let page = admin.get(LIST).await.expect_status(200);
    let (letter, entity) = (page.body["data"][0].clone(), super::payment(&buyer, &order).await.text_at("/id"));
    let id = letter["id"].as_str().unwrap();
    assert_eq!(page.number_at("/pagination/total"), 1);
    assert_eq!(
        (&letter["kind"], &letter["source"], &letter["name"], &letter["entity"], &letter["attempts"]),
        (&json!("effect"), &json!("payments"), &json!("charge"), &json!(entity), &json!(300)),
    );
    assert!(letter["reason"].as_str().unwrap().ends_with("/confirm: status 503"), "{letter}");
    let dead_lettered_at: chrono::DateTime<chrono::Utc> = letter["dead_lettered_at"].as_str().unwrap().parse().unwrap();
    assert!((chrono::Utc::now() - dead_lettered_at).num_seconds().abs() < 300, "{letter}");
    let (ok, said) = dead_letters(shop, &["list"]).await;
    let line = format!("payments  {id}  effect  payments.charge  300 attempts  ");
    assert!(ok && said.starts_with(&line) && said.contains(&entity) && said.ends_with("\n1 dead letter\n"), "{said}");
    let checked = shop.check().await;
    assert!(checked.violations().contains(&("dead_letters".into(), format!("payments: effect {id}"))));
    assert!((shop.metric("effects_dead_lettered_total", &["domain=\"payments\""]).await - 1.0).abs() < 0.5);

    // Too early: its attempts are counted anew, and at their end it is listed again.
    assert_eq!(redriven(&admin, id, "too-early").await.expect_status(202).body, letter);
    wait_until("it is tried again", || async { market.effects(&order, "e.attempts between 1 and 5").await == 1 }).await;
    assert_eq!(admin.get(LIST).await.number_at("/pagination/total"), 0);
    market.dead_letters_an_effect(&order).await;
    let again = admin.get(LIST).await.expect_status(200);
    assert_eq!((again.text_at("/data/0/id"), again.number_at("/data/0/attempts")), (id.to_owned(), 300));
    assert_ne!(again.body["data"][0]["dead_lettered_at"], letter["dead_lettered_at"]);
    // The same key again is the same redrive; and it belongs to its letter.
    let replayed = redriven(&admin, id, "too-early").await.expect_status(202);
    assert_eq!((&replayed.body, replayed.header("idempotent-replayed")), (&letter, Some("true")));
    redriven(&admin, &Uuid::nil().to_string(), "too-early").await.expect_error(422, "command_id_reused");
    assert_eq!(market.effects(&order, "e.dead_lettered_at is not null").await, 1);

    // It blocks its own payment only.
    shop.sql("sandbox", "drop trigger fail on charge").await;
    let neighbour = market.order(&buyer, Some("pm_card_visa")).await;
    market.ends_confirmed(&buyer, &neighbour).await;
    assert_eq!((buyer.order_status(&order).await, market.charges(&order).await), ("pending".into(), 0));

    // Asked for by many at once it is done once, by the key that it always had.
    let answers = futures::future::join_all((0..4).map(|number| {
        let (admin, id) = (admin.clone(), id.to_owned());
        async move { redriven(&admin, &id, &format!("in-time-{}", number / 2)).await }
    }))
    .await;
    assert!(answers.iter().any(|answer| answer.status == 202), "{answers:?}");
    assert!(answers.iter().all(|answer| [202, 404].contains(&answer.status)), "{answers:?}");
    market.ends_confirmed(&buyer, &order).await;
    let by_its_key = format!("select count(*) from idempotency_key where key = '{id}'");
    assert_eq!(shop.number("sandbox", by_its_key).await, 1);
    redriven(&admin, id, "too-late").await.expect_error(404, "dead_letter_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_called_off_while_the_provider_was_away_ends_without_a_charge() {
    let market = Market::open().await;
    let (shop, buyer) = (&market.shop, market.shop.customer().await);
    market.sandbox.kill();
    let order = market.order(&buyer, Some("pm_card_visa")).await;
    market.dead_letters_an_effect(&order).await;
    buyer.post_once(&format!("/orders/{order}/cancel"), &json!({})).await.expect_status(200);
    let (ok, said) = dead_letters(shop, &["list"]).await;
    assert!(ok && said.contains("  effect  payments.charge  300 attempts  "), "{said}");
    let id = said.split_whitespace().nth(1).unwrap().to_owned();

    market.sandbox.start_again(shop).await;
    let (ok, said) = dead_letters(shop, &["redrive", "orders", &id]).await;
    assert!(!ok && said.contains("orders has no dead letter"), "{said}");
    let (ok, said) = dead_letters(shop, &["redrive", "payments", &id]).await;
    assert!(ok && said.contains("is performed again"), "{said}");
    wait_until("the object is closed", || async { market.objects(&order, "canceled").await == 1 }).await;
    wait_until("the payment has ended", || async {
        super::payment(&buyer, &order).await.text_at("/status") == "cancelled"
    })
    .await;
    assert_eq!((buyer.order_status(&order).await, market.charges(&order).await), ("cancelled".into(), 0));
    let (ok, said) = dead_letters(shop, &["list"]).await;
    assert!(ok && said == "0 dead letters\n", "{said}");
}
