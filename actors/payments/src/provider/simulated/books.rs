//! The simulated provider's state machine: how an object responds to a request. It performs no I/O.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use subjects::{Money, orders::Failure, payments::NextAction};
use uuid::Uuid;

use super::{
    super::{Cancellation, Charged, Confirmation, NewObject, ObjectStatus, ProviderObject, RefundOutcome},
    methods::{self, AUTHENTICATED, Charge, NOT_AUTHENTICATED},
};

/// A request.
#[derive(Debug, Clone)]
pub(super) enum Question {
    Create(NewObject),
    Get(String),
    Confirm { object: String, method: String, attempt: Uuid },
    Cancel(String),
    Refund { object: String, amount: Money, key: Uuid },
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Seen(Option<ProviderObject>),
    Confirmed(Confirmation),
    Cancelled(Cancellation),
    Refunded(RefundOutcome),
    /// There is no such object, so the outcome is unknown.
    Unknown,
}

pub(super) fn object_id(key: Uuid) -> String {
    format!("pi_sim_{}", key.simple())
}

pub(super) fn refund_id(key: Uuid) -> String {
    format!("re_sim_{}", key.simple())
}

impl Question {
    pub(super) fn object(&self) -> String {
        match self {
            Self::Create(new) => object_id(new.key),
            Self::Get(object) | Self::Cancel(object) => object.clone(),
            Self::Confirm { object, .. } | Self::Refund { object, .. } => object.clone(),
        }
    }
}

/// The stored row of an object.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) client_secret: String,
    pub(super) status: String,
    pub(super) payment_method: Option<String>,
    pub(super) refunded: i64,
}

pub(super) const OPEN: &str = "requires_payment_method";
const ACTION: &str = "requires_action";
const SUCCEEDED: &str = "succeeded";
const CANCELLED: &str = "canceled";

impl Intent {
    fn seen(&self) -> ProviderObject {
        let status = match self.status.as_str() {
            SUCCEEDED => ObjectStatus::Succeeded,
            CANCELLED => ObjectStatus::Cancelled,
            ACTION => ObjectStatus::ActionRequired,
            _ => ObjectStatus::Open,
        };
        let object = ProviderObject::new(self.id.clone(), status, self.charged(), self.client_secret.clone());
        let next_action = NextAction { kind: "use_sandbox".into(), redirect_url: None };
        ProviderObject { next_action: (self.status == ACTION).then_some(next_action), ..object }
    }

    fn charged(&self) -> Charged {
        Charged { amount: self.amount, currency: self.currency.clone() }
    }

    fn confirm(&mut self, method: &str, attempt: Uuid) -> Confirmation {
        match (self.status.as_str(), method) {
            (SUCCEEDED, _) => return Confirmation::Succeeded(self.charged()),
            (CANCELLED, _) => return Confirmation::Cancelled,
            (ACTION, AUTHENTICATED) => {
                self.status = SUCCEEDED.into();
                return Confirmation::Succeeded(self.charged());
            }
            // A repeated choice of the buyer: it has no second effect.
            (OPEN, AUTHENTICATED | NOT_AUTHENTICATED) => return Confirmation::Processing,
            _ => {}
        }
        match methods::charge(method) {
            Ok(charge) => {
                self.payment_method = Some(method.to_owned());
                if charge == Charge::NeedsAuthentication {
                    self.status = ACTION.into();
                    return Confirmation::ActionRequired;
                }
                self.status = SUCCEEDED.into();
                Confirmation::Succeeded(self.charged())
            }
            Err(failure) => {
                self.status = OPEN.into();
                Confirmation::Declined { attempt: attempt.to_string(), failure }
            }
        }
    }

    fn cancel(&mut self) -> Cancellation {
        if self.status == SUCCEEDED {
            return Cancellation::AlreadySucceeded(self.charged());
        }
        self.status = CANCELLED.into();
        Cancellation::Cancelled
    }

    fn refund(&mut self, amount: Money) -> Result<(), Failure> {
        let reject = |code: &str, message: &str| Err(Failure { code: code.into(), message: message.into() });
        if self.status != SUCCEEDED {
            return reject("charge_not_captured", "There is nothing to refund.");
        }
        if self.payment_method.as_deref() == Some(methods::REFUNDS_FAIL) {
            return reject("expired_or_canceled_card", "The card cannot be refunded any more.");
        }
        if amount.currency.code() != self.currency || amount.amount <= 0 || amount.amount > self.amount - self.refunded
        {
            return reject("amount_too_large", "The refund exceeds the remaining amount.");
        }
        self.refunded += amount.amount;
        Ok(())
    }
}

/// A refund that this batch makes.
pub(super) struct NewRefund {
    pub(super) key: Uuid,
    pub(super) object: String,
    pub(super) amount: i64,
}

/// The rows that a batch of requests needs, and what it changes.
#[derive(Default)]
pub(super) struct Books {
    pub(super) intents: BTreeMap<String, Intent>,
    pub(super) refunded_keys: BTreeSet<Uuid>,
    pub(super) changed: BTreeSet<String>,
    pub(super) refunds: Vec<NewRefund>,
}

impl Books {
    pub(super) fn answer(&mut self, question: &Question) -> Answer {
        let id = question.object();
        let Some(intent) = self.intents.get_mut(&id) else {
            return match question {
                Question::Create(_) | Question::Get(_) => Answer::Seen(None),
                Question::Confirm { .. } | Question::Cancel(_) | Question::Refund { .. } => Answer::Unknown,
            };
        };
        let before = intent.clone();
        let answer = match question {
            Question::Create(_) | Question::Get(_) => Answer::Seen(Some(intent.seen())),
            Question::Confirm { method, attempt, .. } => Answer::Confirmed(intent.confirm(method, *attempt)),
            Question::Cancel(_) => Answer::Cancelled(intent.cancel()),
            Question::Refund { key, amount, .. } => {
                let outcome = if self.refunded_keys.contains(key) { Ok(()) } else { intent.refund(*amount) };
                Answer::Refunded(match outcome {
                    Ok(()) => {
                        if self.refunded_keys.insert(*key) {
                            self.refunds.push(NewRefund { key: *key, object: id.clone(), amount: amount.amount });
                        }
                        RefundOutcome::Succeeded { refund_id: refund_id(*key) }
                    }
                    Err(failure) => RefundOutcome::Failed(failure),
                })
            }
        };
        if *intent != before {
            self.changed.insert(id);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use subjects::Currency;

    use super::*;

    const ID: &str = "pi_sim_1";

    fn books() -> Books {
        let intent = Intent {
            id: ID.into(),
            amount: 100,
            currency: "USD".into(),
            client_secret: "secret".into(),
            status: OPEN.into(),
            payment_method: None,
            refunded: 0,
        };
        Books { intents: BTreeMap::from([(ID.into(), intent)]), ..Books::default() }
    }

    fn confirm(method: &str) -> Question {
        Question::Confirm { object: ID.into(), method: method.into(), attempt: Uuid::nil() }
    }

    fn refund(amount: i64, key: u128) -> Question {
        Question::Refund { object: ID.into(), amount: Money::new(amount, Currency::USD), key: Uuid::from_u128(key) }
    }

    fn succeeded(answer: &Answer) -> bool {
        matches!(answer, Answer::Refunded(RefundOutcome::Succeeded { .. }))
    }

    #[test]
    fn a_declined_object_can_be_confirmed_with_another_method() {
        let mut books = books();
        let declined = books.answer(&confirm("pm_card_visa_chargeDeclined"));
        assert!(matches!(declined, Answer::Confirmed(Confirmation::Declined { .. })));
        let charged = Charged { amount: 100, currency: "USD".into() };
        let succeeded = Answer::Confirmed(Confirmation::Succeeded(charged.clone()));
        assert_eq!(books.answer(&confirm("pm_card_visa")), succeeded);
        assert_eq!(books.answer(&confirm("pm_card_visa_chargeDeclined")), succeeded);
        let too_late = Answer::Cancelled(Cancellation::AlreadySucceeded(charged));
        assert_eq!(books.answer(&Question::Cancel(ID.into())), too_late);
    }

    #[test]
    fn a_card_that_needs_authentication_pays_when_the_buyer_confirms_and_is_declined_when_not() {
        let mut books = books();
        let answered = |books: &mut Books, method| match books.answer(&confirm(method)) {
            Answer::Confirmed(confirmation) => confirmation,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            answered(&mut books, AUTHENTICATED),
            Confirmation::Processing,
            "no action was required of the buyer"
        );
        assert_eq!(answered(&mut books, "pm_card_authenticationRequired"), Confirmation::ActionRequired);
        assert!(matches!(answered(&mut books, NOT_AUTHENTICATED), Confirmation::Declined { .. }));
        assert_eq!(answered(&mut books, NOT_AUTHENTICATED), Confirmation::Processing, "counted once");
        assert_eq!(answered(&mut books, "pm_card_authenticationRequired"), Confirmation::ActionRequired);
        assert!(matches!(answered(&mut books, AUTHENTICATED), Confirmation::Succeeded(_)));
        assert_eq!(books.intents[ID].payment_method.as_deref(), Some("pm_card_authenticationRequired"));
    }

    #[test]
    fn a_cancelled_object_is_never_charged() {
        let mut books = books();
        assert_eq!(books.answer(&Question::Cancel(ID.into())), Answer::Cancelled(Cancellation::Cancelled));
        assert_eq!(books.answer(&confirm("pm_card_visa")), Answer::Confirmed(Confirmation::Cancelled));
        assert!(!succeeded(&books.answer(&refund(1, 1))));
    }

    #[test]
    fn of_an_object_that_is_not_there_nothing_is_said() {
        let mut books = Books::default();
        for question in [confirm("pm_card_visa"), Question::Cancel(ID.into()), refund(1, 1)] {
            assert_eq!(books.answer(&question), Answer::Unknown, "{question:?}");
        }
        assert_eq!(books.answer(&Question::Get(ID.into())), Answer::Seen(None));
    }

    #[test]
    fn no_more_goes_back_than_came_and_a_key_counts_once() {
        let mut books = books();
        books.answer(&confirm("pm_card_visa"));
        assert!(succeeded(&books.answer(&refund(60, 1))));
        assert!(succeeded(&books.answer(&refund(60, 1))), "the same key");
        assert!(!succeeded(&books.answer(&refund(41, 2))));
        assert!(succeeded(&books.answer(&refund(40, 3))));
        assert_eq!((books.intents[ID].refunded, books.refunds.len()), (100, 2));
    }
}
