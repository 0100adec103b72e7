//! The rules of catch-up, one switch each, with what is done in the place of a dropped one.

use std::{fmt, str::FromStr};

use crate::invariants::Kind;

/// A rule of docs/catch-up.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their sentences say it")]
pub enum Rule {
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// What there is to know of a rule.
pub struct Entry {
    /// The rule.
    pub rule: Rule,
    /// What it says.
    pub sentence: &'static str,
    /// What the model does without it.
    pub dropped: &'static str,
    /// What breaks then.
    pub breaks: &'static [Kind],
}

/// All rules, in their order.
pub const RULES: [Entry; 15] = [
    Entry {
        rule: Rule::R1,
        sentence: "A lane inserts its inbox rows first and reads the cursors in a later statement of the same \
            transaction.",
        dropped: "it reads the cursors first",
        breaks: &[Kind::Twice],
    },
    Entry {
        rule: Rule::R2,
        sentence: "Catch-up compares and moves in one transaction that re-reads the cursors first, gives up where one \
            fell below the list it holds, and only ever moves up.",
        dropped: "it compares with the cursors read when the pass began, and moves in a later transaction",
        breaks: &[Kind::Twice, Kind::Lost, Kind::Never],
    },
    Entry {
        rule: Rule::R3,
        sentence: "Pruning reads the cursor in the deleting statement, by the row's own type.",
        dropped: "it takes the highest cursor of all types",
        breaks: &[Kind::Twice],
    },
    Entry {
        rule: Rule::R4,
        sentence: "The owner reads the horizon before the rows, or in the same statement.",
        dropped: "it reads the rows first",
        breaks: &[Kind::Lost],
    },
    Entry {
        rule: Rule::R5,
        sentence: "The cursor stops below the lowest position not looked at: the delay lowers the horizon, it never \
            filters rows.",
        dropped: "young rows are filtered out and the horizon stays",
        breaks: &[Kind::Lost],
    },
    Entry {
        rule: Rule::R6,
        sentence: "Catch-up fetches every committed row older than the delay, also above the horizon; only the cursor \
            waits for the horizon.",
        dropped: "it fetches rows up to the horizon, so repair stops for as long as any transaction is open",
        breaks: &[Kind::Never],
    },
    Entry {
        rule: Rule::R7,
        sentence: "The comparison is per commit and type, by a digest of the ids, then by id where digests differ.",
        dropped: "it counts the inbox rows of a commit",
        breaks: &[Kind::Lost],
    },
    Entry {
        rule: Rule::R8,
        sentence: "A node moves only the cursors of types it has a handler for.",
        dropped: "it moves all cursors",
        breaks: &[Kind::Lost],
    },
    Entry {
        rule: Rule::R9,
        sentence: "A cursor stops just below the first commit with a missing event of its type; catch-up hands events \
            to the lanes and applies nothing itself.",
        dropped: "catch-up applies what is missing itself, and looks at the inbox only",
        breaks: &[Kind::Twice],
    },
    Entry {
        rule: Rule::R10,
        sentence: "Dead-lettering writes the inbox row and the dead letter in one transaction, under R1.",
        dropped: "it writes the dead letter alone",
        breaks: &[Kind::Twice],
    },
    Entry {
        rule: Rule::R11,
        sentence: "A redrive claims its event by deleting the dead letter in the transaction of the effect; it passes \
            neither inbox nor cursor.",
        dropped: "it deletes the dead letter and hands the event over like any delivery",
        breaks: &[Kind::Lost, Kind::Never],
    },
    Entry {
        rule: Rule::R12,
        sentence: "An epoch is the last one plus one or the clock, whichever is greater, and begins whenever the \
            server was started anew.",
        dropped: "it is the last one plus one, which a second restore uses again",
        breaks: &[Kind::Lost],
    },
    Entry {
        rule: Rule::R13,
        sentence: "The epoch is read inside the committing transaction, never cached in the node.",
        dropped: "a node goes on with the epoch it knows",
        breaks: &[Kind::Lost],
    },
    Entry {
        rule: Rule::R14,
        sentence: "A lane drops a message of an older epoch than the newest its consumer has seen, unless catch-up \
            brought it from the log in this epoch.",
        dropped: "it takes messages of any epoch",
        breaks: &[Kind::Ghost],
    },
    Entry {
        rule: Rule::R15,
        sentence: "One start of the server begins one epoch: a lane that finds it begun by another uses that one.",
        dropped: "two that find the server started anew at once begin an epoch each",
        breaks: &[Kind::Lost],
    },
];

impl Rule {
    /// What there is to know of it.
    pub fn entry(self) -> &'static Entry {
        &RULES[self as usize]
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        RULES
            .iter()
            .map(|entry| entry.rule)
            .find(|rule| rule.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("there is no rule {text}: R1 to R15"))
    }
}

/// The rules in force: all, or all but one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    dropped: Option<Rule>,
}

impl Rules {
    /// All of them.
    pub const ALL: Self = Self { dropped: None };

    /// All but one.
    pub fn without(rule: Rule) -> Self {
        Self { dropped: Some(rule) }
    }

    /// Whether a rule is in force.
    pub fn has(self, rule: Rule) -> bool {
        self.dropped != Some(rule)
    }

    /// The one that is not.
    pub fn dropped(self) -> Option<Rule> {
        self.dropped
    }
}
