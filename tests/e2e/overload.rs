//! More than the shop can take: it says so at once, keeps its promises to those it let in, and does not grow.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Connection, Person, Received, Shop, address};

/// What one request saw.
struct Offered {
    answer: Result<Received, String>,
    took: Duration,
}

async fn place(connection: &mut Connection, person: &Person, variant: &str) -> Offered {
    let order = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}});
    let key = uuid::Uuid::now_v7().to_string();
    let began = Instant::now();
    let answer = connection.ask(person, "POST", "/orders", Some(&order), &[("Idempotency-Key", &key)]).await;
    Offered { answer: answer.map_err(|error| error.to_string()), took: began.elapsed() }
}

/// Requests per second with so many people who each wait for their answer.
async fn closed_loop(shop: &Shop, people: &[Person], variant: &str) -> f64 {
    let began = Instant::now();
    let each = people.iter().map(async |person| {
        let mut connection = Connection::open(&shop.url).await.unwrap();
        let mut answered = 0_u32;
        while began.elapsed() < Duration::from_secs(3) {
            assert_eq!(place(&mut connection, person, variant).await.answer.unwrap().status, 201);
            answered += 1;
        }
        answered
    });
    let answered: u32 = futures::future::join_all(each).await.into_iter().sum();
    f64::from(answered) / began.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_ten_times_the_load() {
    let shop = Shop::start(&[]).await;
    let variant = shop.product(100_000, 100).await;
    let mut people = Vec::new();
    for _ in 0..8 {
        people.push(shop.customer().await);
    }
    let rate = closed_loop(&shop, &people, &variant).await;
    println!("{rate:.0}/s");
    for storm in 0..2 {
        let began = Instant::now();
        let mut offered = Vec::new();
        let total = (rate * 10.0 * 4.0) as u32;
        for number in 0..total {
            tokio::time::sleep_until((began + Duration::from_secs_f64(f64::from(number) / rate / 10.0)).into()).await;
            let (url, person, variant) =
                (shop.url.clone(), people[number as usize % people.len()].clone(), variant.clone());
            offered.push(tokio::spawn(async move {
                let mut connection = match Connection::open(&url).await {
                    Ok(c) => c,
                    Err(e) => return Offered { answer: Err(e.to_string()), took: Duration::ZERO },
                };
                place(&mut connection, &person, &variant).await
            }));
        }
        println!("storm {storm} offered {total} in {:?}", began.elapsed());
        let mut by = std::collections::BTreeMap::<String, Vec<Duration>>::new();
        for one in offered {
            let one = one.await.unwrap();
            let what = match one.answer {
                Ok(a) if a.status == 201 => "201".into(),
                Ok(a) => {
                    format!("{} {}", a.status, serde_json::from_str::<serde_json::Value>(&a.body).unwrap()["code"])
                }
                Err(e) => e,
            };
            by.entry(what).or_default().push(one.took);
        }
        println!("all answered after {:?}", began.elapsed());
        for (what, mut times) in by {
            times.sort();
            println!(
                "{what}: {} median {:?} p99 {:?} max {:?}",
                times.len(),
                times[times.len() / 2],
                times[times.len() * 99 / 100],
                times[times.len() - 1]
            );
        }
    }
}
