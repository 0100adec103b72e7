//! Where an attempt stands, what is heard of it, and what may follow.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use subjects::{
    Money, RefundId, UserId,
    orders::{Failure, PaymentStatus},
};

/// What is owed, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Details {
    /// Readable number of the order.
    pub order_number: String,
    /// The buyer, where it is an account.
    pub user_id: Option<UserId>,
    /// The order's total.
    pub amount: Money,
}

/// On its way to an end, until the provider confirms its cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closing {
    /// Nobody shall pay it any more.
    Cancel,
    /// It was declined.
    Decline,
}

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// Not decided: the provider holds the money back.
    Open,
    /// The money stays.
    Won,
    /// The money has gone back.
    Lost,
}

impl DisputeState {
    /// The word that stands for it outside.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

/// A charge that the buyer disputes at the bank.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dispute {
    /// Minor units.
    pub amount: i64,
    /// The provider's word.
    pub reason: Option<String>,
    /// Where it stands.
    pub state: DisputeState,
}

/// Where an attempt stands. The default is the payment of which nobody has heard yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// As it is told outside.
    pub status: PaymentStatus,
    /// What is owed; unknown in a tombstone.
    pub details: Option<Details>,
    /// The provider's object, once committed.
    pub object: Option<String>,
    /// What it is charged to, once somebody said so.
    pub method: Option<String>,
    /// The order named its method when it was placed: its first decline is its last.
    pub at_once: bool,
    /// The card's issuer wants the buyer to confirm the charge.
    pub awaits_action: bool,
    /// Attempts of the buyer that were declined.
    pub declines: BTreeSet<String>,
    /// The provider was asked to create the object and has not answered.
    pub creating: bool,
    /// On its way to an end.
    pub closing: Option<Closing>,
    /// Why it was declined.
    pub failure: Option<(String, String)>,
    /// The order is over, or was told that there is no money: what is found goes back.
    pub order_ended: bool,
    /// The order's buyer has opened an intent.
    pub intent_told: bool,
    /// Got, in minor units.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// Asked to be given back, not answered yet.
    pub refunding: i64,
    /// Disputes of the charge, by the provider's ids.
    pub disputes: BTreeMap<String, Dispute>,
    /// Gone back by lost disputes: as much of them as refunds have left.
    pub lost: i64,
    /// The automatic refund was made.
    pub automatic_refund: bool,
}

impl Default for Attempt {
    fn default() -> Self {
        Self {
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
            intent_told: false,
            captured: 0,
            refunded: 0,
            refunding: 0,
            disputes: BTreeMap::new(),
            lost: 0,
            automatic_refund: false,
        }
    }
}

impl Attempt {
    /// It may still be paid.
    pub fn is_open(&self) -> bool {
        matches!(self.status, PaymentStatus::Pending | PaymentStatus::Processing)
    }

    /// It may be paid, and nobody asked to close it.
    pub fn can_be_paid(&self) -> bool {
        self.is_open() && self.closing.is_none()
    }

    /// The provider's object of this payment.
    pub(super) fn owns(&self, object: &str) -> bool {
        self.object.as_deref() == Some(object)
    }

    /// Its money came.
    pub fn is_captured(&self) -> bool {
        self.captured > 0
    }

    /// What has gone back, by refunds and lost disputes.
    pub fn returned(&self) -> i64 {
        self.refunded + self.lost
    }

    /// All of its money has gone back, or goes back by refunds that the provider has not answered.
    pub fn leaves_nothing(&self) -> bool {
        self.is_captured() && self.returned() + self.refunding == self.captured
    }

    /// The sum of its disputes in a state.
    pub(super) fn in_dispute(&self, state: DisputeState) -> i64 {
        self.disputes.values().filter(|one| one.state == state).map(|one| one.amount).fold(0, i64::saturating_add)
    }

    /// What can still be given back: nothing of what the provider holds back for a dispute.
    pub fn left(&self) -> i64 {
        (self.captured - self.returned() - self.refunding).saturating_sub(self.in_dispute(DisputeState::Open)).max(0)
    }
}

/// What is heard of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The order's stock is held: it can be paid, and shall be at once where a method is named.
    Due {
        /// What is owed.
        details: Details,
        /// What to charge.
        method: Option<String>,
    },
    /// The buyer opened an intent; the provider has this object for it.
    IntentOpened {
        /// What is owed.
        details: Details,
        /// The provider's id.
        object: String,
    },
    /// The provider has created an object.
    ObjectCreated(String),
    /// The provider will not create one.
    CreateRefused(Failure),
    /// The buyer confirms, by a test's hand.
    BuyerActs {
        /// What to charge.
        method: String,
    },
    /// The provider has the money.
    Paid(String),
    /// The buyer has answered the card's issuer; the simulated provider learns how by this method.
    BuyerAuthenticates {
        /// What the provider is asked.
        method: String,
    },
    /// The provider could not charge the method that it was asked to; the object could still be confirmed with another one.
    Declined {
        /// The provider's id of the object.
        object: String,
        /// Tells this attempt from others.
        attempt: String,
        /// Why.
        failure: Failure,
    },
    /// The object shows that an attempt of the buyer was declined. It may be read many times.
    DeclineSeen {
        /// The provider's id of the object.
        object: String,
        /// Tells this attempt from others.
        attempt: String,
        /// Why.
        failure: Failure,
    },
    /// The card's issuer wants the buyer to confirm the charge.
    ActionRequired(String),
    /// The provider has cancelled the object: nobody can pay it any more.
    CancelConfirmed(String),
    /// The order's deadline is over: it wants an answer.
    ExpiryDue,
    /// The order is over, whatever comes.
    OrderEnded {
        /// Whether it waits to hear that the payment is closed also where there was none.
        wants_answer: bool,
    },
    /// Somebody gives money back.
    RefundAsked {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
    },
    /// The provider gave money back.
    RefundDone {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
        /// The provider's id of the refund.
        provider_id: String,
    },
    /// Money that the provider had given back has come back.
    RefundReversed {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
        /// Why.
        failure: Failure,
    },
    /// The provider has a dispute of the charge. It may be read many times.
    DisputeSeen {
        /// The provider's id.
        id: String,
        /// How much it is about, and where it stands.
        dispute: Dispute,
    },
    /// The provider would not give money back.
    RefundDeclined {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
        /// Why.
        failure: Failure,
    },
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// `payments.intent_created`
    TellIntentCreated,
    /// `payments.action_required`
    TellActionRequired,
    /// `payments.succeeded`
    TellSucceeded,
    /// `payments.failed`
    TellFailed(Failure),
    /// `payments.cancelled`
    TellCancelled,
    /// `payments.refunded`
    TellRefunded {
        /// The refund's id.
        id: RefundId,
        /// Minor units.
        amount: i64,
    },
    /// `payments.refund_failed`
    TellRefundFailed {
        /// The refund's id.
        id: RefundId,
        /// Why.
        failure: Failure,
    },
    /// `payments.disputed`
    TellDisputed {
        /// The provider's id.
        id: String,
    },
    /// `payments.dispute_won`
    TellDisputeWon {
        /// The provider's id.
        id: String,
    },
    /// `payments.dispute_lost`
    TellDisputeLost {
        /// The provider's id.
        id: String,
    },
    /// Ask the provider to create the object.
    Create,
    /// Ask the provider to charge a method.
    Confirm {
        /// The provider's id.
        object: String,
        /// What to charge.
        method: String,
    },
    /// Ask the provider to close the object.
    Cancel(String),
    /// Ask the provider to give money back.
    GiveBack {
        /// `None` for the automatic one.
        id: Option<RefundId>,
        /// Minor units.
        amount: i64,
    },
}
