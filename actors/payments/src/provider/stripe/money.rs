//! Refunds and disputes. Only the list of a charge's refunds shows whether a refund was made, so it is read first.

use runtime::InternalError;
use serde_json::Value;
use subjects::Money;
use uuid::Uuid;

use super::super::{SeenDispute, SeenRefund};
use super::{
    RefundOutcome, Stripe,
    answers::{refund, seen_dispute, seen_refund},
    fresh,
    http::Said,
    path_of, stuck, units, unsupported,
};

const REFUNDS: &str = "/v1/refunds";
const DISPUTES: &str = "/v1/disputes";

/// Maximum number of pages that are read of a list, 100 entries each.
const PAGES: usize = 10;

impl Stripe {
    pub(super) async fn give_back(
        &self,
        object: &str,
        amount: Money,
        key: Uuid,
    ) -> Result<RefundOutcome, InternalError> {
        let Some(sent) = units::sent(amount) else { return Ok(RefundOutcome::Failed(unsupported(amount))) };
        let form = [
            ("payment_intent", object.to_owned()),
            ("amount", sent.to_string()),
            ("metadata[refund_id]", key.to_string()),
        ];
        for sent in [key.to_string(), fresh(key)] {
            // Also before the first request: a node that crashed may have sent it already, when
            // the key is long forgotten.
            if let Some(made) = self.made(object, key).await? {
                return refund(&made);
            }
            match self.http.post(REFUNDS, &form, Some(&sent)).await? {
                Said::Done(value) => return refund(&value),
                // The list is read again: the request is rejected too if nothing is left because the refund was made.
                Said::Rejected { failure, .. } => {
                    let made = self.made(object, key).await?;
                    return made.as_ref().map_or(Ok(RefundOutcome::Failed(failure)), refund);
                }
                Said::Stored => {}
            }
        }
        Err(stuck())
    }

    /// The refund that was made under `key`. Found by its metadata, even if the provider has forgotten the key.
    async fn made(&self, object: &str, key: Uuid) -> Result<Option<Value>, InternalError> {
        let key = key.to_string();
        Ok(self.all(REFUNDS, object).await?.into_iter().find(|one| one["metadata"]["refund_id"] == key.as_str()))
    }

    /// The refunds of an object.
    pub(super) async fn seen_refunds(&self, object: &str) -> Result<Vec<SeenRefund>, InternalError> {
        let all = self.all(REFUNDS, object).await?;
        all.iter().map(seen_refund).collect()
    }

    /// The disputes of an object's charge.
    pub(super) async fn seen_disputes(&self, object: &str) -> Result<Vec<SeenDispute>, InternalError> {
        Ok(self.all(DISPUTES, object).await?.iter().filter_map(seen_dispute).collect())
    }

    /// All entries of a list for an object, newest first.
    async fn all(&self, list: &str, object: &str) -> Result<Vec<Value>, InternalError> {
        // Checks the id, which becomes part of the query.
        path_of(object)?;
        let (mut found, mut after) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let path = format!("{list}?payment_intent={object}&limit=100{after}");
            let page = match self.http.get(&path).await? {
                Said::Done(page) => page,
                Said::Rejected { failure, .. } => {
                    return Err(InternalError::other(format!("the list could not be read: {}", failure.code)));
                }
                Said::Stored => return Err(stuck()),
            };
            found.extend(page["data"].as_array().cloned().unwrap_or_default());
            match found.last().and_then(|last| last["id"].as_str()) {
                Some(last) if page["has_more"] == true => after = format!("&starting_after={last}"),
                _ => return Ok(found),
            }
        }
        Err(InternalError::other(format!("a payment with too many entries in {list}")))
    }
}
