//! Compares the replies that buyers received with the final state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::books::Money;
use super::buyers::{Payment, Receipt};

/// All discrepancies, by kind.
#[derive(Debug, Default)]
pub struct Verdict {
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
    pub oversold: Vec<String>,
    pub mischarged: Vec<String>,
    /// Orders whose final status is not possible for their payment and cancellation.
    pub wrong_ending: Vec<String>,
    /// Wrong replies to buyers, faults that could not be undone, and the findings of `souk check`.
    pub other: Vec<String>,
    pub orders: usize,
    pub rejected: usize,
    pub endings: BTreeMap<String, usize>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.kinds().iter().all(|(_, problems)| problems.is_empty())
    }

    fn kinds(&self) -> [(&'static str, &[String]); 6] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("oversold", &self.oversold),
            ("mischarged", &self.mischarged),
            ("wrong ending", &self.wrong_ending),
            ("other", &self.other),
        ]
    }

    /// Compares a buyer's receipts with the orders that the shop lists.
    pub fn compare(&mut self, receipts: &[Receipt], listed: &[Value], money: &BTreeMap<String, Money>) {
        let text = |order: &Value, field: &str| order[field].as_str().unwrap_or_default().to_owned();
        let by_id: BTreeMap<String, &Value> = listed.iter().map(|order| (text(order, "id"), order)).collect();
        let mut known = BTreeSet::new();
        for receipt in receipts {
            let Some(id) = &receipt.id else { continue };
            self.orders += 1;
            if !known.insert(id.clone()) {
                self.lost.push(format!("two keys were answered with the order {id}, {} is one", receipt.key));
            }
            let Some(order) = by_id.get(id) else {
                self.lost.push(format!("order {id} was accepted and does not exist"));
                continue;
            };
            let status = text(order, "status");
            if let Some(why) = wrong_ending(receipt, &status) {
                self.wrong_ending.push(format!("order {id} is {status}: {why}"));
            }
            let kept = money.get(id).copied().unwrap_or_default();
            let total = order["totals"]["total"]["amount"].as_i64().unwrap_or(-1);
            let owed = if status == "confirmed" { total } else { 0 };
            if kept.kept() != owed || kept.charges > 1 {
                self.mischarged.push(format!("order {id} is {status} and owes {owed}: {kept:?}"));
            }
            *self.endings.entry(status).or_default() += 1;
        }
        for (id, order) in by_id {
            if !known.contains(&id) {
                self.doubled.push(format!("order {id} ({}) belongs to no buyer", order["status"]));
            }
        }
    }

    /// Reports money at the provider for orders that no buyer has.
    pub fn compare_books(&mut self, orders: &BTreeSet<String>, money: &BTreeMap<String, Money>) {
        for (order, money) in money.iter().filter(|(order, money)| money.kept() != 0 && !orders.contains(*order)) {
            self.mischarged.push(format!("{money:?} for the order {order}, which no buyer has"));
        }
    }

    /// Compares the stock of a variant with the units sold.
    pub fn compare_stock(&mut self, variant: &str, before: i64, stock: &Value, sold: i64) {
        let (on_hand, reserved) = (stock["on_hand"].as_i64(), stock["reserved"].as_i64());
        if sold > before || on_hand != Some(before - sold) || reserved != Some(0) {
            self.oversold.push(format!("variant {variant}: {before} before, {sold} in confirmed orders, now {stock}"));
        }
    }
}

/// Why the final status of an order is wrong, or `None`.
fn wrong_ending(receipt: &Receipt, status: &str) -> Option<String> {
    let may_be_cancelled = receipt.cancel_requested;
    let is_possible = match status {
        "confirmed" => matches!(receipt.payment, Payment::Paying(_)) && !receipt.is_cancelled,
        "failed" => matches!(receipt.payment, Payment::Declined(_)) || receipt.is_scarce(),
        // Any payment may fail to complete in time.
        "expired" => true,
        "cancelled" => may_be_cancelled,
        _ => false,
    };
    if !is_possible {
        return Some(format!("{:?}, cancelled: {}", receipt.payment, receipt.is_cancelled));
    }
    let final_before = receipt.seen.iter().find(|seen| *seen != "pending" && *seen != status);
    match final_before {
        Some(seen) if !(seen == "confirmed" && status == "cancelled" && may_be_cancelled) => {
            Some(format!("an earlier reply had {seen}"))
        }
        _ => None,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endings: Vec<String> = self.endings.iter().map(|(status, number)| format!("{number} {status}")).collect();
        let kinds: Vec<String> =
            self.kinds().iter().map(|(kind, problems)| format!("{} {kind}", problems.len())).collect();
        writeln!(f, "{} orders ({}), {} rejected for lack of stock", self.orders, endings.join(", "), self.rejected)?;
        write!(f, "{}: {}", if self.is_clean() { "PASSED" } else { "FAILED" }, kinds.join(", "))?;
        for (kind, problems) in self.kinds() {
            for problem in problems.iter().take(20) {
                write!(f, "\n  {kind}: {problem}")?;
            }
            if problems.len() > 20 {
                write!(f, "\n  {kind}: and {} more", problems.len() - 20)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn receipt(id: &str) -> Receipt {
        Receipt {
            key: format!("key of {id}"),
            variant: 5,
            quantity: 1,
            payment: Payment::Paying("pm_card_visa"),
            id: Some(id.to_owned()),
            seen: BTreeSet::new(),
            is_cancelled: false,
            cancel_requested: false,
        }
    }

    fn order(id: &str, status: &str) -> Value {
        json!({"id": id, "status": status, "totals": {"total": {"amount": 500, "currency": "USD"}}})
    }

    fn paid(charges: i64, charged: i64, refunded: i64) -> BTreeMap<String, Money> {
        BTreeMap::from([("o".to_owned(), Money { charges, charged, refunded })])
    }

    fn judge(receipts: &[Receipt], listed: &[Value], money: &BTreeMap<String, Money>) -> Verdict {
        let mut verdict = Verdict::default();
        verdict.compare(receipts, listed, money);
        verdict
    }

    #[test]
    fn a_paid_and_confirmed_order_is_as_it_has_to_be() {
        let verdict = judge(&[receipt("o")], &[order("o", "confirmed")], &paid(1, 500, 0));
        assert!(verdict.is_clean(), "{verdict}");
    }

    #[test]
    fn every_kind_of_wrong_end_is_found() {
        let confirmed = [order("o", "confirmed")];
        assert_eq!(judge(&[receipt("o")], &[], &paid(0, 0, 0)).lost.len(), 1);
        assert_eq!(judge(&[], &confirmed, &paid(1, 500, 0)).doubled.len(), 1);
        for money in [paid(0, 0, 0), paid(2, 1000, 0), paid(2, 1000, 500), paid(1, 500, 500), paid(1, 499, 0)] {
            assert_eq!(judge(&[receipt("o")], &confirmed, &money).mischarged.len(), 1, "{money:?}");
        }
        let kept = judge(&[receipt("o")], &[order("o", "expired")], &paid(1, 500, 0));
        assert_eq!(kept.mischarged.len(), 1);
        for status in ["pending", "cancelled", "processing", "failed"] {
            let nothing = paid(0, 0, 0);
            assert_eq!(judge(&[receipt("o")], &[order("o", status)], &nothing).wrong_ending.len(), 1, "{status}");
        }
        let mut receipt_with_event = receipt("o");
        receipt_with_event.seen.insert("failed".to_owned());
        assert_eq!(judge(&[receipt_with_event], &confirmed, &paid(1, 500, 0)).wrong_ending.len(), 1);
    }

    #[test]
    fn stock_that_does_not_add_up_is_oversold() {
        for (before, now, sold) in [(10, 0, 11), (10, 5, 4), (10, 5, 6)] {
            let mut verdict = Verdict::default();
            verdict.compare_stock("v", before, &json!({"on_hand": now, "reserved": 0}), sold);
            assert_eq!(verdict.oversold.len(), 1);
        }
        let mut verdict = Verdict::default();
        verdict.compare_stock("v", 10, &json!({"on_hand": 5, "reserved": 0}), 5);
        assert!(verdict.is_clean());
    }
}
