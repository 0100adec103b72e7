//! The state, inputs and actions of a payment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use subjects::{
    Money, PaymentId, RefundId, UserId,
    orders::{Failure, PaymentStatus},
};
use uuid::Uuid;

/// The amount due, and the buyer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Details {
    /// The order's readable number.
    pub order_number: String,
    /// The buyer's account; `None` for a guest.
    pub user_id: Option<UserId>,
    /// The order's total.
    pub amount: Money,
}

subjects::labels! {
    /// How a payment ends once the provider has confirmed the cancel of its object.
    #[derive(Hash)]
    pub Closing {
        /// As cancelled.
        Cancel = "cancel",
        /// As failed, after a decline.
        Decline = "decline",
    }
}

subjects::labels! {
    /// The state of a dispute.
    #[derive(Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub DisputeState {
        /// Undecided: the provider withholds the disputed amount.
        Open = "open",
        /// Decided for the shop, which keeps the money.
        Won = "won",
        /// Decided for the buyer, who has the money back.
        Lost = "lost",
    }
}

/// A charge that the buyer disputes at the bank.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dispute {
    /// Minor units.
    pub amount: i64,
    /// The provider's reason code.
    pub reason: Option<String>,
    /// Its state.
    pub state: DisputeState,
}

/// The state of a payment. The default is that of a payment without any input.
#[derive(Debug, Clone, PartialEq, Eq, Hash, FromRow)]
pub struct Attempt {
    /// The payment's id.
    pub id: PaymentId,
    /// The status that events and replies carry.
    pub status: PaymentStatus,
    /// The amount due; `None` in a tombstone, which was closed before it became known.
    #[sqlx(skip)]
    pub details: Option<Details>,
    /// The provider's id of the committed object.
    #[sqlx(rename = "provider_transaction_id")]
    pub object: Option<String>,
    /// The payment method to charge.
    #[sqlx(rename = "payment_method")]
    pub method: Option<String>,
    /// Whether the order names its payment method: the first decline is final.
    pub at_once: bool,
    /// Whether the card's issuer requires the buyer to confirm the charge.
    pub awaits_action: bool,
    /// The declined attempts. Not recorded if `at_once` is set.
    #[sqlx(json)]
    pub declines: BTreeSet<String>,
    /// Whether a create of the object is in flight. The object's id may be committed already.
    pub creating: bool,
    /// How it ends once its object is cancelled; `None` while it is not being closed.
    pub closing: Option<Closing>,
    /// Code and message of the last decline.
    #[sqlx(skip)]
    pub failure: Option<(String, String)>,
    /// Whether the order has ended, or was notified that the payment failed or was cancelled: a capture is refunded.
    pub order_ended: bool,
    /// Whether `payments.intent_created` was emitted.
    pub intent_emitted: bool,
    /// The captured amount, in minor units.
    pub captured: i64,
    /// The refunded amount.
    pub refunded: i64,
    /// The amount of refunds that are in flight.
    pub refunding: i64,
    /// These refunds, with the amount of each. Read under the row's lock only.
    #[sqlx(skip)]
    pub in_flight: BTreeMap<RefundId, i64>,
    /// The disputes of the charge, by the provider's ids.
    #[sqlx(json)]
    pub disputes: BTreeMap<String, Dispute>,
    /// The amount returned by lost disputes, up to what refunds leave of the charge.
    pub lost: i64,
    /// Whether the automatic refund was requested.
    pub automatic_refund: bool,
}

impl Default for Attempt {
    fn default() -> Self {
        Self {
            id: PaymentId(Uuid::nil()),
            status: PaymentStatus::Pending,
            details: None,
            object: None,
            method: None,
            at_once: false,
            awaits_action: false,
            declines: BTreeSet::new(),
            creating: false,
            closing: None,
            failure: None,
            order_ended: false,
            intent_emitted: false,
            captured: 0,
            refunded: 0,
            refunding: 0,
            in_flight: BTreeMap::new(),
            disputes: BTreeMap::new(),
            lost: 0,
            automatic_refund: false,
        }
    }
}

impl Attempt {
    /// Whether it is undecided.
    pub fn is_open(&self) -> bool {
        matches!(self.status, PaymentStatus::Pending | PaymentStatus::Processing)
    }

    /// Whether it is undecided and not being closed.
    pub fn can_be_paid(&self) -> bool {
        self.is_open() && self.closing.is_none()
    }

    pub(super) fn owns(&self, object: &str) -> bool {
        self.object.as_deref() == Some(object)
    }

    /// Whether it is captured.
    pub fn is_captured(&self) -> bool {
        self.captured > 0
    }

    /// The amount returned by refunds and lost disputes.
    pub fn returned(&self) -> i64 {
        self.refunded + self.lost
    }

    /// Whether all of the captured amount is returned, counting refunds in flight.
    pub fn leaves_nothing(&self) -> bool {
        self.is_captured() && self.returned() + self.refunding == self.captured
    }

    /// The sum of the disputes in `state`.
    pub(super) fn in_dispute(&self, state: DisputeState) -> i64 {
        self.disputes.values().filter(|one| one.state == state).map(|one| one.amount).fold(0, i64::saturating_add)
    }

    /// The amount that can still be refunded. Excludes what the provider withholds for open disputes.
    pub fn left(&self) -> i64 {
        (self.captured - self.returned() - self.refunding).saturating_sub(self.in_dispute(DisputeState::Open)).max(0)
    }
}

/// An input of the payment's state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The order's stock is reserved: the payment is due, and is charged at once if the order names a payment method.
    Due {
        /// The amount due.
        details: Details,
        /// The payment method to charge.
        method: Option<String>,
    },
    /// The buyer opened a payment intent, for which the provider has created an object.
    IntentOpened {
        /// The amount due.
        details: Details,
        /// The provider's id of the object.
        object: String,
    },
    /// The provider has created an object. It was not confirmed.
    ObjectCreated(String),
    /// The provider has created an object, whose id was committed and which was then confirmed.
    ObjectCommitted {
        /// The provider's id of the object.
        object: String,
        /// The payment method that it was confirmed with.
        method: String,
    },
    /// The provider rejected the creation of the object for good.
    CreateRejected(Failure),
    /// A test confirms the payment in the sandbox, in place of the buyer.
    BuyerActs {
        /// The payment method to charge.
        method: String,
    },
    /// The provider has captured the payment with this object.
    Paid(String),
    /// A test confirms or rejects the charge in the sandbox, in place of the buyer.
    BuyerAuthenticates {
        /// The sandbox's method that stands for the buyer's choice.
        method: String,
    },
    /// The provider declined the requested charge; the object can still be confirmed with another payment method.
    Declined {
        /// The provider's id of the object.
        object: String,
        /// Identifies this attempt.
        attempt: String,
        /// The reason.
        failure: Failure,
    },
    /// A read of the object shows a declined attempt of the buyer. The same attempt may be read many times.
    DeclineSeen {
        /// The provider's id of the object.
        object: String,
        /// Identifies this attempt.
        attempt: String,
        /// The reason.
        failure: Failure,
    },
    /// The card's issuer requires the buyer to confirm the charge of this object.
    ActionRequired(String),
    /// The provider has cancelled this object, so it can no longer be paid.
    CancelConfirmed(String),
    /// The order's payment deadline has passed: it requires an event that ends the payment.
    ExpiryDue,
    /// The order has ended.
    OrderEnded {
        /// Whether the order requires `payments.cancelled` even if the amount due is not known yet.
        wants_answer: bool,
    },
    /// An admin requests a refund.
    RefundRequested {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
    },
    /// The provider has made a refund.
    RefundDone {
        /// The refund's id.
        id: RefundId,
        /// The provider's id of the refund.
        provider_id: String,
    },
    /// A refund that had succeeded failed later.
    RefundReversed {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
        /// The reason.
        failure: Failure,
    },
    /// The provider reports a dispute of the charge. The same dispute may be read many times.
    DisputeSeen {
        /// The provider's id.
        id: String,
        /// Its amount and state.
        dispute: Dispute,
    },
    /// The provider rejected a refund.
    RefundDeclined {
        /// The refund's id.
        id: RefundId,
        /// The reason.
        failure: Failure,
    },
}

/// An action: an event to emit, or a request to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// `payments.intent_created`
    EmitIntentCreated,
    /// `payments.action_required`
    EmitActionRequired,
    /// `payments.succeeded`
    EmitSucceeded,
    /// `payments.failed`
    EmitFailed(Failure),
    /// `payments.cancelled`
    EmitCancelled,
    /// `payments.refunded`
    EmitRefunded {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
    },
    /// `payments.refund_failed`
    EmitRefundFailed {
        /// The refund's id.
        id: RefundId,
        /// The reason.
        failure: Failure,
    },
    /// `payments.disputed`
    EmitDisputed {
        /// The provider's id.
        id: String,
    },
    /// `payments.dispute_won`
    EmitDisputeWon {
        /// The provider's id.
        id: String,
    },
    /// `payments.dispute_lost`
    EmitDisputeLost {
        /// The provider's id.
        id: String,
    },
    /// Create the provider's object, commit its id and charge a payment method.
    Charge {
        /// The payment method to charge.
        method: String,
    },
    /// Charge a payment method with the committed object.
    Confirm {
        /// The provider's id of the object.
        object: String,
        /// The payment method to charge.
        method: String,
    },
    /// Cancel the provider's object.
    Cancel(String),
    /// Refund an amount.
    GiveBack {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
    },
}
