//! Refunds. There is no object to ask whether one was made, so the refunds of the charge are read first.

use runtime::Breakage;
use serde_json::Value;
use subjects::Money;
use uuid::Uuid;

use super::{RefundOutcome, Stripe, answers::refund, fresh, http::Said, path_of, stuck};

const REFUNDS: &str = "/v1/refunds";

/// Pages of refunds that are read at most, a hundred each.
const PAGES: usize = 10;

impl Stripe {
    pub(super) async fn give_back(&self, object: &str, amount: Money, key: Uuid) -> Result<RefundOutcome, Breakage> {
        // It goes into a query: as plain as in a path.
        path_of(object)?;
        let form = [
            ("payment_intent", object.to_owned()),
            ("amount", amount.amount.to_string()),
            ("metadata[refund_id]", key.to_string()),
        ];
        for sent in [key.to_string(), fresh(key)] {
            // Also before the first attempt: it may be the second of a node that died, a day ago.
            if let Some(made) = self.made(object, key).await? {
                return refund(&made);
            }
            match self.http.post(REFUNDS, &form, Some(&sent)).await? {
                Said::Done(value) => return refund(&value),
                // It is said for good only after one more look: there may be nothing left just because it was made.
                Said::Refused { failure, .. } => {
                    let made = self.made(object, key).await?;
                    return made.as_ref().map_or(Ok(RefundOutcome::Failed(failure)), refund);
                }
                Said::Stored => {}
            }
        }
        Err(stuck())
    }

    /// The refund that was made under this key, whether or not the provider remembers the key.
    async fn made(&self, object: &str, key: Uuid) -> Result<Option<Value>, Breakage> {
        let (key, mut after) = (key.to_string(), String::new());
        for _ in 0..PAGES {
            let path = format!("{REFUNDS}?payment_intent={object}&limit=100{after}");
            let page = match self.http.get(&path).await? {
                Said::Done(page) => page,
                Said::Refused { failure, .. } => return Err(Breakage::other(format!("not read: {}", failure.code))),
                Said::Stored => return Err(stuck()),
            };
            let all = page["data"].as_array().cloned().unwrap_or_default();
            if let Some(made) = all.iter().find(|one| one["metadata"]["refund_id"] == key.as_str()) {
                return Ok(Some(made.clone()));
            }
            match all.last().and_then(|last| last["id"].as_str()) {
                Some(last) if page["has_more"] == true => after = format!("&starting_after={last}"),
                _ => return Ok(None),
            }
        }
        Err(Breakage::other("a payment with too many refunds"))
    }
}
