//! The stock that streams follow, as the public sees it: one read of a variant for all that ask within a second.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use subjects::inventory::Stock;
use tokio::{sync::OnceCell, time::Instant};
use uuid::Uuid;

/// How long a read is shared after it began.
const FRESH: Duration = Duration::from_secs(1);

/// Beyond this number, reads that are no longer shared are removed.
const MOST: usize = 10_000;

/// The newest read of each variant.
#[derive(Default)]
pub(crate) struct SharedStock(Mutex<HashMap<Uuid, Arc<SharedRead>>>);

struct SharedRead {
    began: Instant,
    stock: OnceCell<Stock>,
}

impl SharedRead {
    fn is_fresh(&self) -> bool {
        self.began.elapsed() < FRESH
    }
}

impl SharedStock {
    /// The stock of a variant, read with `ask` unless a read of it is running or has just ended. After one that failed
    /// the next caller reads.
    pub(crate) async fn read<E, F>(&self, variant: Uuid, ask: impl FnOnce() -> F) -> Result<Stock, E>
    where
        F: Future<Output = Result<Stock, E>>,
    {
        let newest = self.newest(variant);
        newest.stock.get_or_try_init(ask).await.cloned()
    }

    /// A change is known: the next caller reads.
    pub(crate) fn discard(&self, variant: Uuid) {
        self.0.lock().remove(&variant);
    }

    fn newest(&self, variant: Uuid) -> Arc<SharedRead> {
        let mut reads = self.0.lock();
        if reads.len() >= MOST {
            reads.retain(|_, read| read.is_fresh());
        }
        let begin = || Arc::new(SharedRead { began: Instant::now(), stock: OnceCell::new() });
        let newest = reads.entry(variant).or_insert_with(begin);
        if !newest.is_fresh() {
            *newest = begin();
        }
        newest.clone()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use chrono::DateTime;
    use futures::future::join_all;
    use subjects::{VariantId, inventory::LOCATION};

    use super::*;

    const VARIANT: Uuid = Uuid::from_u128(7);

    pub(crate) fn stock(available: i64, second: i64) -> Stock {
        Stock {
            variant_id: VariantId(VARIANT),
            product_id: None,
            sku: "A".into(),
            location: LOCATION.into(),
            on_hand: None,
            reserved: None,
            available,
            min_stock: None,
            version: None,
            updated_at: DateTime::from_timestamp(second, 0).unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_ask_within_a_second_share_a_read_until_a_change() {
        let (shared, asked) = (SharedStock::default(), AtomicUsize::default());
        let ask = || async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let number = asked.fetch_add(1, Ordering::Relaxed);
            Ok::<_, ()>(stock(i64::try_from(number).unwrap(), 0))
        };
        let all = join_all((0..1000).map(|_| shared.read(VARIANT, ask))).await;
        assert!(all.iter().all(|read| read.as_ref().unwrap().available == 0));
        shared.discard(VARIANT);
        assert_eq!(shared.read(VARIANT, ask).await.unwrap().available, 1);
        tokio::time::advance(FRESH).await;
        assert_eq!(shared.read(VARIANT, ask).await.unwrap().available, 2);
        assert_eq!(asked.into_inner(), 3);
    }

    #[tokio::test]
    async fn a_read_that_failed_is_not_shared() {
        let shared = SharedStock::default();
        assert_eq!(shared.read(VARIANT, || async { Err::<Stock, _>("away") }).await, Err("away"));
        assert_eq!(shared.read(VARIANT, || async { Ok::<_, &str>(stock(1, 0)) }).await, Ok(stock(1, 0)));
    }
}
