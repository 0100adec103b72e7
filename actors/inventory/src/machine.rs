//! The state machine of a reservation. The events of an order may arrive in any order.

pub(crate) mod account;

subjects::labels! {
    /// The state of an order's reservation.
    pub(crate) State {
        /// No event of the order has been applied.
        New = "new",
        /// Its units are reserved.
        Held = "held",
        /// A line could not be reserved, so none is.
        Rejected = "rejected",
        /// Its units were reserved and are available again.
        Released = "released",
        /// Its units are sold.
        Committed = "committed",
        /// Its units were sold and are all restocked.
        Returned = "returned",
        /// The order ended before it was placed here, or was cancelled after a rejection: later events have no effect.
        Tombstone = "tombstone",
    }
}

subjects::labels! {
    /// An input of the reservation's state machine: what happened to the order.
    pub Fact {
        Placed = "placed",
        Confirmed = "confirmed",
        Failed = "failed",
        Cancelled = "cancelled",
        Expired = "expired",
        /// Units that were sold to the order are to be restocked; the rest stays sold.
        Returned = "returned",
    }
}

/// The action of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Reserve all lines, or reject.
    Reserve,
    /// Sell the reserved units.
    Commit,
    /// Sell units that are not reserved, as far as they are available.
    CommitUnheld,
    /// Release the reserved units.
    Release,
    /// Restock all units that are still sold.
    Return,
    /// Restock some of the sold units.
    Restock,
    /// Record units to restock as soon as they are sold.
    RestockLater,
    /// Record the end of the order, so that a late event neither reserves nor sells.
    Close,
    /// Ignore the input: it is known already, or has no effect any more.
    Nothing,
    /// The order's state machine rules this out: log an error and change nothing.
    Impossible,
}

/// Returns the action for an input in a state. The rows that depend on the order of arrival:
///
/// - `Confirmed` without a reservation: an order is confirmed only after inventory emitted `reserved`, so this database
///   has lost the reservation (it was restored from a backup, and `confirmed` arrived before `placed`, or `placed` was
///   rejected on balances that differ from those of its first run). The units are sold regardless.
/// - `Cancelled` is the only end that may follow `Confirmed`. When it arrives first, the order is closed, and the late
///   `Confirmed` is ignored.
/// - `Returned` concerns units that `Confirmed` sells. When it arrives first, they are restocked once they are sold.
pub(crate) fn step(state: State, fact: Fact) -> Step {
    use Fact::{Cancelled, Confirmed, Expired, Failed, Placed, Returned};
    match (state, fact) {
        (State::New, Placed) => Step::Reserve,
        (State::New | State::Rejected, Confirmed) => Step::CommitUnheld,
        (State::New, Failed | Cancelled | Expired) | (State::Rejected, Cancelled) => Step::Close,

        (State::Held, Confirmed) => Step::Commit,
        (State::Held, Failed | Cancelled | Expired) => Step::Release,

        (State::Committed, Cancelled) => Step::Return,
        (State::Committed, Returned) => Step::Restock,
        (State::New | State::Held | State::Rejected, Returned) => Step::RestockLater,
        (State::Committed, Failed | Expired) => Step::Impossible,

        (State::Held | State::Committed, Placed)
        | (State::Committed, Confirmed)
        | (State::Rejected, Placed | Failed | Expired)
        | (State::Released | State::Returned | State::Tombstone, _) => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The final state when these inputs arrive in this order and stock is sufficient.
    fn end(facts: &[Fact]) -> State {
        facts.iter().fold(State::New, |state, fact| match step(state, *fact) {
            Step::Reserve => State::Held,
            Step::Commit | Step::CommitUnheld => State::Committed,
            Step::Release => State::Released,
            Step::Return => State::Returned,
            Step::Close => State::Tombstone,
            Step::Nothing | Step::Impossible | Step::Restock | Step::RestockLater => state,
        })
    }

    /// Whether the order takes units from the available stock in a state.
    fn keeps(state: State) -> bool {
        matches!(state, State::Held | State::Committed)
    }

    fn permutations(facts: &[Fact]) -> Vec<Vec<Fact>> {
        if facts.is_empty() {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for index in 0..facts.len() {
            let mut rest = facts.to_vec();
            let first = rest.remove(index);
            for mut tail in permutations(&rest) {
                tail.insert(0, first);
                all.push(tail);
            }
        }
        all
    }

    /// Scenario 4: no input waits for another.
    #[test]
    fn every_order_of_arrival_comes_to_the_same_shelf() {
        use Fact::{Cancelled, Confirmed, Expired, Failed, Placed};
        let sequences: [(&[Fact], bool); 6] = [
            (&[Placed], true),
            (&[Placed, Confirmed], true),
            (&[Placed, Failed], false),
            (&[Placed, Expired], false),
            (&[Placed, Cancelled], false),
            (&[Placed, Confirmed, Cancelled], false),
        ];
        for (sequence, kept) in sequences {
            for arrival in permutations(sequence) {
                assert_eq!(keeps(end(&arrival)), kept, "{arrival:?}");
            }
        }
    }

    #[test]
    fn a_repeated_fact_changes_nothing() {
        use Fact::{Cancelled, Confirmed, Expired, Failed, Placed};
        for sequence in
            [vec![Placed], vec![Placed, Confirmed], vec![Placed, Confirmed, Cancelled], vec![Failed], vec![Expired]]
        {
            let (last, state) = (sequence[sequence.len() - 1], end(&sequence));
            assert_eq!(step(state, last), Step::Nothing, "{sequence:?}");
        }
    }

    #[test]
    fn a_rejected_order_that_was_confirmed_all_the_same_is_sold() {
        assert_eq!(step(State::Rejected, Fact::Confirmed), Step::CommitUnheld);
        assert_eq!(step(State::Rejected, Fact::Cancelled), Step::Close);
        assert_eq!(step(State::Tombstone, Fact::Confirmed), Step::Nothing);
    }

    #[test]
    fn words_read_back() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        assert!("lost".parse::<State>().is_err());
    }
}
