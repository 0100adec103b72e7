use crate::ids::*;
use crate::store::*;
use crate::story::*;
use chrono::Utc;
use sqlx::Connection;
use subjects::{orders::*, *};

#[tokio::test]
async fn scratch() {
    let url = "postgres://postgres@localhost:55987/payments";
    let mut c = sqlx::PgConnection::connect(url).await.unwrap();
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let now: chrono::DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(&mut c).await.unwrap();
    let (a, b) = (OrderId::new(), OrderId::new());
    let details =
        Details { order_number: "SK-1".into(), user_id: Some(UserId::new()), amount: Money::new(100, Currency::USD) };
    let run = |s: &Attempt, f: Vec<Fact>| {
        let mut s = s.clone();
        for f in f {
            s = step(&s, f).next;
        }
        s
    };
    let obj = format!("pi_{}", a.0.simple());
    let s1 =
        run(&Attempt::default(), vec![Fact::Due { details: details.clone(), method: Some("pm_card_visa".into()) }]);
    let s2 = run(&Attempt::default(), vec![Fact::ExpiryDue]);
    let ra = Row { id: payment_of(a), order_id: a, attempt: s1, version: 0 };
    let rb = Row { id: payment_of(b), order_id: b, attempt: s2, version: 1 };
    assert_eq!(insert(&mut c, &[&ra, &rb], "simulated", now).await.unwrap(), 2);
    assert_eq!(insert(&mut c, &[&ra, &rb], "simulated", now).await.unwrap(), 0);
    let got = lock(&mut c, &[ra.id.0, rb.id.0]).await.unwrap();
    assert_eq!(got[&ra.id].attempt, ra.attempt);
    assert_eq!(got[&rb.id].attempt, rb.attempt);
    let mut ra = ra;
    // every legal course is written and read back
    let courses: Vec<Vec<Fact>> = vec![
        vec![Fact::ObjectCreated(obj.clone())],
        vec![Fact::Declined(obj.clone(), Failure { code: "x".into(), message: "y".into() })],
        vec![Fact::Paid(obj.clone())],
    ];
    let mut v = 0;
    for f in courses {
        v += 1;
        ra.attempt = run(&ra.attempt, f);
        ra.version = v;
        update(&mut c, &[&ra], now).await.unwrap();
        assert_eq!(lock(&mut c, &[ra.id.0]).await.unwrap()[&ra.id].attempt, ra.attempt);
    }
    let manual = RefundId::new();
    ra.attempt = run(&ra.attempt, vec![Fact::RefundAsked { id: manual, amount: 40 }]);
    update(&mut c, &[&ra], now).await.unwrap();
    let m = |x| Money::new(x, Currency::USD);
    insert_refunds(
        &mut c,
        &[
            NewRefund { id: manual, payment_id: ra.id, amount: m(40), reason: Some("r"), automatic: false },
            NewRefund {
                id: automatic_refund_of(ra.id),
                payment_id: ra.id,
                amount: m(60),
                reason: None,
                automatic: true,
            },
        ],
        now,
    )
    .await
    .unwrap();
    end_refunds(
        &mut c,
        &[
            RefundEnd { id: manual, provider_refund_id: Some("re".into()), failure: None },
            RefundEnd {
                id: automatic_refund_of(ra.id),
                provider_refund_id: None,
                failure: Some(Failure { code: "x".into(), message: "y".into() }),
            },
        ],
        now,
    )
    .await
    .unwrap();
    ra.attempt = run(&ra.attempt, vec![Fact::RefundDone { id: manual, amount: 40, provider_id: "re".into() }]);
    update(&mut c, &[&ra], now).await.unwrap();
    println!("{:#?}", load(&mut c, ra.id).await.unwrap());
    assert!(load(&mut c, rb.id).await.unwrap().is_none());
    println!("{:?}", load_refund(&mut c, manual).await.unwrap());
    assert_eq!(of_provider(&mut c, &obj).await.unwrap(), Some((ra.id, a)));
    assert_eq!(of_provider(&mut c, &ra.id.to_string()).await.unwrap(), Some((ra.id, a)));
    println!("{:?}", find(&pool, ra.id).await.unwrap().is_some());
    // every reachable state fits the row's checks
    let mut seen = std::collections::HashSet::new();
    let mut next = vec![Attempt::default()];
    let fail = || Failure { code: "x".into(), message: "y".into() };
    while let Some(s) = next.pop() {
        if !seen.insert(s.clone()) {
            continue;
        }
        let o = OrderId::new();
        let id = payment_of(o);
        let uniq = Attempt { object: s.object.as_ref().map(|_| o.to_string()), ..s.clone() };
        let row = Row { id, order_id: o, attempt: uniq, version: 1 };
        assert_eq!(insert(&mut c, &[&row], "simulated", now).await.unwrap_or_else(|e| panic!("{e} {s:?}")), 1);
        let r = RefundId(uuid::Uuid::nil());
        for f in [
            Fact::Due { details: details.clone(), method: None },
            Fact::Due { details: details.clone(), method: Some("m".into()) },
            Fact::IntentOpened { details: details.clone(), object: "o".into() },
            Fact::ObjectCreated("o".into()),
            Fact::CreateRefused(fail()),
            Fact::BuyerActs { method: "m".into() },
            Fact::Paid("o".into()),
            Fact::Declined("o".into(), fail()),
            Fact::CancelConfirmed("o".into()),
            Fact::ExpiryDue,
            Fact::OrderEnded { wants_answer: true },
            Fact::RefundAsked { id: r, amount: 40 },
            Fact::RefundDone { id: r, amount: 40, provider_id: "x".into() },
            Fact::RefundDone { id: r, amount: 60, provider_id: "x".into() },
            Fact::RefundDone { id: r, amount: 100, provider_id: "x".into() },
            Fact::RefundDeclined { id: r, amount: 40, failure: fail() },
            Fact::RefundDeclined { id: r, amount: 100, failure: fail() },
        ] {
            next.push(step(&s, f).next);
        }
    }
    println!("{} states fit", seen.len());
    crate::provider::scratch(&pool).await;
}
