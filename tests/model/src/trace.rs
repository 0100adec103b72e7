//! A schedule in words.

use std::fmt::Write;

use crate::{
    rules::{Rule, Rules},
    schedule::replay,
    set::Set,
    state::{LaneStage, NODE_OF_LANE, PER_COMMIT, PassStage, World},
    steps::Step,
};

/// Describes a schedule step by step, and what it breaks.
pub fn describe(rules: Rules, steps: &[Step]) -> String {
    let mut world = World::new(rules);
    let mut text = String::new();
    for (number, step) in steps.iter().enumerate() {
        let before = world.clone();
        world.take(*step);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:>4}  {}", number + 1, words(*step, &before, &world));
        if world.violation().is_some() {
            break;
        }
    }
    if let Some(violation) = replay(rules, steps) {
        let when = if violation.in_the_end { " (once the faults are over and all processes continue)" } else { "" };
        let _ = writeln!(text, "      => {}: {}{when}", violation.kind, event(violation.event));
    }
    text
}

/// An event by its commit and its place in it.
fn event(number: usize) -> String {
    format!("c{}.{}", number / PER_COMMIT, number % PER_COMMIT)
}

fn events(set: Set) -> String {
    if set.is_empty() { "nothing".to_owned() } else { set.map(event).collect::<Vec<_>>().join(", ") }
}

fn commits(set: Set) -> String {
    if set.is_empty() { "none".to_owned() } else { set.map(|c| format!("c{c}")).collect::<Vec<_>>().join(", ") }
}

fn words(step: Step, before: &World, after: &World) -> String {
    match step {
        Step::OwnerBegins(_) => {
            let commit = before.commits.len();
            let Some(row) = after.commits.get(commit) else { return "nothing".to_owned() };
            format!("owner: c{commit} begins at {} with events of types {:?}", row.position, row.types)
        }
        Step::OwnerCommits(commit) => format!("owner: c{commit} commits"),
        Step::OwnerAborts(commit) => format!("owner: c{commit} rolls back"),
        Step::OwnerBacksUp => "owner: backup".to_owned(),
        Step::OwnerRestores => format!("owner: restored to its backup, epoch {} begins", after.owner.epoch),
        Step::OwnerLearnsEpoch => format!("owner: its nodes learn of epoch {}", after.cached_epoch),
        Step::OwnerBeginsEpochAgain => {
            format!("owner: another lane begins epoch {} for the same start of the server", after.owner.epoch)
        }
        Step::TimePasses => "the delay passes: every commit is old enough".to_owned(),
        Step::Publish(number) => format!("stream: {} is published", event(number)),
        Step::LoseEnd(messages) => format!("stream: loses its last {messages}, and will give their numbers again"),
        Step::LoseOne(place) => format!("stream: loses the message at {place}"),
        Step::Wipe { with_durable: true } => "stream: wiped, with its durable".to_owned(),
        Step::Wipe { with_durable: false } => "stream: wiped, the durable keeps its place".to_owned(),
        Step::Pull(node) => {
            let message = before.stream.get(before.delivered).copied().flatten();
            let what = message.map_or_else(|| "a gap".to_owned(), event);
            format!("node {node}: pulls {what}")
        }
        Step::Kill(node) => format!("node {node}: killed"),
        Step::Upgrade => "node 0: upgraded, it handles type 1 now".to_owned(),
        Step::LaneTakes(lane, number) => format!("{}: takes {}", name(lane), event(number)),
        Step::LaneTakesAll(lane) => format!("{}: takes all that waits", name(lane)),
        Step::LaneGoesOn(lane) => lane_words(lane, before, after),
        Step::LaneFails(lane) => match &after.lanes[lane] {
            Some(batch) if batch.dead_letters => format!("{}: fails alone, is to be dead-lettered", name(lane)),
            _ => format!("{}: fails, is halved", name(lane)),
        },
        Step::LaneBreaks(lane) => format!("{}: rolls back, no event's fault; its events wait again", name(lane)),
        Step::CatchUp(node) => catch_up_words(node, before, after),
        Step::Prune => format!("prune: deletes the inbox rows of {}", events(before.prunable())),
        Step::Redrive(number) => format!("redrive of {}", event(number)),
        Step::ConsumerBacksUp => "consumer: backup".to_owned(),
        Step::ConsumerRestores => "consumer: restored to its backup, open transactions end".to_owned(),
    }
}

fn name(lane: usize) -> String {
    format!("node {}, lane {lane}", NODE_OF_LANE[lane])
}

fn lane_words(lane: usize, before: &World, after: &World) -> String {
    let lane_name = name(lane);
    let Some(was) = &before.lanes[lane] else { return format!("{lane_name}: idle") };
    match &after.lanes[lane] {
        None if was.dead_letters => format!("{lane_name}: commits, {} dead-lettered", events(was.open)),
        None => format!("{lane_name}: commits, {} applied", events(was.open)),
        Some(is) => {
            let inserts = (was.stage == LaneStage::Begun) == before.rules.has(Rule::R1);
            let what = if inserts { "inserts inbox rows" } else { "reads cursors and epoch" };
            format!("{lane_name}: {what}, {} left to do", events(is.open))
        }
    }
}

fn catch_up_words(node: usize, before: &World, after: &World) -> String {
    let (was, is) = (&before.nodes[node].pass, &after.nodes[node].pass);
    let cursors = |c: &[crate::state::Position; 2]| format!("{} and {}", c[0], c[1]);
    let what = match (was.stage, is.stage) {
        (PassStage::Idle, _) => format!("reads the cursors: {}", cursors(&is.cursors)),
        (PassStage::Asking, _) if before.rules.has(Rule::R4) => format!("owner reads the horizon: {}", is.horizon),
        (PassStage::Asking, _) => format!("owner reads the rows: {}", commits(is.rows)),
        (PassStage::HalfAnswered, _) => {
            format!("has the page after {}: rows {}, horizon {}", is.after, commits(is.rows), is.horizon)
        }
        (PassStage::Answered, PassStage::Compared) => {
            format!("compares with the inbox: {} missing", events(is.missing))
        }
        (PassStage::Answered, _) => "gives up, a cursor fell below its list".to_owned(),
        (PassStage::Compared, _) => {
            format!("moves and commits: cursors {}, {} brought", cursors(&after.consumer.cursors), events(was.missing))
        }
    };
    format!("node {node}, catch-up: {what}")
}
