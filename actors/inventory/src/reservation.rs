//! The story of an order as inventory sees it, in whatever order its events arrive.

/// Where the reservation of an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing was heard of the order.
    New,
    /// Its units are held.
    Held,
    /// A line could not be held, so none is.
    Rejected,
    /// Its units were held and can be had again.
    Released,
    /// Its units are sold.
    Committed,
    /// Its units were sold and are back.
    Returned,
    /// It had ended before it was heard of, or ended after nothing was held.
    Tombstone,
}

impl State {
    const WORDS: [(Self, &'static str); 7] = [
        (Self::New, "new"),
        (Self::Held, "held"),
        (Self::Rejected, "rejected"),
        (Self::Released, "released"),
        (Self::Committed, "committed"),
        (Self::Returned, "returned"),
        (Self::Tombstone, "tombstone"),
    ];

    /// The word that stands for it in the table.
    pub(crate) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(state, _)| *state == self).map_or("new", |(_, word)| word)
    }

    /// The state that a word stands for.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }
}

/// What is heard of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    Placed,
    Confirmed,
    Failed,
    Cancelled,
    Expired,
    /// Units that were sold to it are available again; the rest stays sold.
    Returned,
}

impl Fact {
    /// The word by which a reservation remembers what ended it; being placed ends nothing.
    pub(crate) fn cause(self) -> Option<&'static str> {
        match self {
            Self::Placed => None,
            Self::Confirmed => Some("confirmed"),
            Self::Failed => Some("failed"),
            Self::Cancelled => Some("cancelled"),
            Self::Expired => Some("expired"),
            Self::Returned => Some("returned"),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Hold all lines, or reject.
    Reserve,
    /// What is held is sold.
    Commit,
    /// What is not held is sold: taken off the shelf as far as it is there.
    CommitUnheld,
    /// What is held can be had again.
    Release,
    /// What was sold goes back on the shelf.
    Return,
    /// Some of what was sold goes back on the shelf.
    Restock,
    /// What is sold later goes back on the shelf as far as this says.
    RestockLater,
    /// Remember the end, so that nothing that comes late holds or sells anything.
    Close,
    /// It was known, or has no meaning any more.
    Nothing,
    /// The order's own rules forbid it: nothing is done, and the log says so.
    Impossible,
}

/// What a fact means in a state. A row for every order of arrival:
///
/// - Confirmed of an order that is not held: an order is confirmed only after inventory told `reserved`, so this inventory
///   has forgotten that (it was restored from a backup, and `confirmed` overtook `placed`, or `placed` was rejected on
///   balances that differ from those of its first run). The units are sold, whatever is remembered.
/// - Cancelled is the one end that may follow `confirmed`. When it comes first the order is over all the same, and a late
///   `confirmed` finds it closed.
/// - Returned is about units that `confirmed` has sold. When it comes first they return when they are sold.
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

    /// Where the order ends up when these facts arrive in this order, with enough on the shelf.
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

    /// Whether units are missing from the shelf in a state.
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

    /// Scenario 4: no fact waits for another.
    #[test]
    fn every_order_of_arrival_comes_to_the_same_shelf() {
        use Fact::{Cancelled, Confirmed, Expired, Failed, Placed};
        let stories: [(&[Fact], bool); 6] = [
            (&[Placed], true),
            (&[Placed, Confirmed], true),
            (&[Placed, Failed], false),
            (&[Placed, Expired], false),
            (&[Placed, Cancelled], false),
            (&[Placed, Confirmed, Cancelled], false),
        ];
        for (story, kept) in stories {
            for arrival in permutations(story) {
                assert_eq!(keeps(end(&arrival)), kept, "{arrival:?}");
            }
        }
    }

    #[test]
    fn a_fact_told_twice_does_nothing_the_second_time() {
        use Fact::{Cancelled, Confirmed, Expired, Failed, Placed};
        for story in
            [vec![Placed], vec![Placed, Confirmed], vec![Placed, Confirmed, Cancelled], vec![Failed], vec![Expired]]
        {
            let (last, state) = (story[story.len() - 1], end(&story));
            assert_eq!(step(state, last), Step::Nothing, "{story:?}");
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
        for (state, word) in State::WORDS {
            assert_eq!(state.word(), word);
            assert_eq!(State::of(word), Some(state));
        }
        assert_eq!(State::of("lost"), None);
    }
}
