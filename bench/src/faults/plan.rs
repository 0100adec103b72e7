//! The schedule of faults, derived from the seed alone before the run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// A process, by its index in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Nats(usize),
    Node(usize),
    Gateway(usize),
    Provider,
    Postgres,
}

/// How PostgreSQL is terminated; its supervisor restarts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresEnd {
    Fast,
    Immediate,
    Kill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL; restarted after the pause.
    Kill(Target),
    /// SIGTERM; restarted after the pause.
    Terminate(Target),
    /// SIGSTOP, and SIGCONT after the pause.
    Freeze(Target),
    /// SIGKILL of a nats-server and removal of its store; restarted after the pause.
    Wipe(usize),
    /// The same for all servers at once: every stream is lost.
    WipeAll,
    EndPostgres(PostgresEnd),
    /// The leaders of a stream and of its consumers step down.
    StepDown,
    /// A node is killed and runs with a wrong clock for the pause, then is killed and runs with the right one again.
    WrongClock {
        node: usize,
        seconds: i64,
    },
}

#[derive(Debug, Clone, Copy)]
pub struct Planned {
    pub at: Duration,
    pub fault: Fault,
    pub pause: Duration,
}

/// The number of processes of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub nats: usize,
    pub nodes: usize,
    pub gateways: usize,
}

/// Draws the plan of a run. Faults never overlap on one process, but they do overlap on the system.
pub fn plan(seed: u64, length: Duration, size: Size) -> Vec<Planned> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut planned = Vec::new();
    let mut busy: BTreeMap<Target, Duration> = BTreeMap::new();
    let mut at = Duration::from_secs(2);
    // The last faults may end after the run, which waits for them.
    while at < length {
        let (fault, pause) = draw(&mut rng, size);
        let targets = fault.targets(size);
        if targets.iter().all(|target| busy.get(target).is_none_or(|until| *until <= at)) {
            for target in targets {
                // The time to restart is part of the fault.
                busy.insert(target, at + pause + Duration::from_secs(2));
            }
            planned.push(Planned { at, fault, pause });
        }
        at += Duration::from_millis(rng.random_range(500..5_000));
    }
    planned
}

fn draw(rng: &mut StdRng, size: Size) -> (Fault, Duration) {
    let process = |rng: &mut StdRng| match rng.random_range(0..100) {
        0..20 => Target::Nats(rng.random_range(0..size.nats)),
        20..70 => Target::Node(rng.random_range(0..size.nodes)),
        70..88 => Target::Gateway(rng.random_range(0..size.gateways)),
        _ => Target::Provider,
    };
    // PostgreSQL is terminated by faults of its own.
    let frozen = |rng: &mut StdRng| if rng.random_ratio(1, 8) { Target::Postgres } else { process(rng) };
    let fault = match rng.random_range(0..100) {
        0..35 => Fault::Kill(process(rng)),
        35..57 => Fault::Freeze(frozen(rng)),
        57..65 => Fault::Terminate(process(rng)),
        65..74 => Fault::Wipe(rng.random_range(0..size.nats)),
        74..77 => Fault::WipeAll,
        77..86 => {
            let ends = [PostgresEnd::Fast, PostgresEnd::Immediate, PostgresEnd::Kill];
            Fault::EndPostgres(ends.choose(rng).copied().unwrap_or(PostgresEnd::Fast))
        }
        86..94 => Fault::StepDown,
        _ => {
            let seconds = [-3600, -360, -30, 30, 360, 3600];
            let seconds = seconds.choose(rng).copied().unwrap_or(3600);
            Fault::WrongClock { node: rng.random_range(0..size.nodes), seconds }
        }
    };
    let pause = match fault {
        Fault::WrongClock { .. } => rng.random_range(5_000..12_000),
        Fault::Freeze(_) => rng.random_range(500..8_000),
        _ => rng.random_range(0..3_000),
    };
    (fault, Duration::from_millis(pause))
}

impl Fault {
    fn targets(self, size: Size) -> Vec<Target> {
        match self {
            Self::Kill(target) | Self::Terminate(target) | Self::Freeze(target) => vec![target],
            Self::Wipe(server) => vec![Target::Nats(server)],
            Self::WipeAll => (0..size.nats).map(Target::Nats).collect(),
            Self::EndPostgres(_) => vec![Target::Postgres],
            Self::StepDown => Vec::new(),
            Self::WrongClock { node, .. } => vec![Target::Node(node)],
        }
    }
}

impl fmt::Display for PostgresEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "restart",
            Self::Immediate => "immediate shutdown and recovery",
            Self::Kill => "kill -9 and recovery",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { nats: 3, nodes: 6, gateways: 2 };

    #[test]
    fn a_seed_plans_the_same_faults_every_time_and_another_seed_others() {
        let text = |seed| format!("{:?}", plan(seed, Duration::from_secs(60), SIZE));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn no_process_has_two_faults_at_once() {
        for seed in 0..200 {
            let mut busy: BTreeMap<Target, Duration> = BTreeMap::new();
            for Planned { at, fault, pause } in plan(seed, Duration::from_secs(60), SIZE) {
                for target in fault.targets(SIZE) {
                    assert!(busy.get(&target).is_none_or(|until| *until <= at), "seed {seed}: {target:?} at {at:?}");
                    busy.insert(target, at + pause);
                }
            }
        }
    }

    const KINDS: [fn(&Fault) -> bool; 9] = [
        |fault| matches!(fault, Fault::Kill(_)),
        |fault| matches!(fault, Fault::Terminate(_)),
        |fault| matches!(fault, Fault::Freeze(Target::Postgres)),
        |fault| matches!(fault, Fault::Freeze(target) if *target != Target::Postgres),
        |fault| matches!(fault, Fault::Wipe(_)),
        |fault| matches!(fault, Fault::EndPostgres(_)),
        |fault| matches!(fault, Fault::StepDown),
        |fault| matches!(fault, Fault::WrongClock { .. }),
        // Last, because it is the rarest.
        |fault| matches!(fault, Fault::WipeAll),
    ];

    fn faults(seed: u64, seconds: u64) -> Vec<Fault> {
        plan(seed, Duration::from_secs(seconds), SIZE).into_iter().map(|planned| planned.fault).collect()
    }

    #[test]
    fn every_kind_of_fault_comes_up_in_twenty_seeds() {
        let all: Vec<Fault> = (1..=20).flat_map(|seed| faults(seed, 60)).collect();
        assert!(all.len() >= 200, "{}", all.len());
        for (number, is_kind) in KINDS.iter().enumerate() {
            assert!(all.iter().any(is_kind), "kind {number} never comes up");
        }
    }

    #[test]
    fn the_seed_of_make_test_has_every_kind_but_the_rarest() {
        let script = include_str!("../../../scripts/test");
        let number = |argument: &str| -> u64 {
            let text = script.split(argument).nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
            text.parse().unwrap()
        };
        let all = faults(number("--seed "), number("--seconds "));
        for (number, is_kind) in KINDS[..8].iter().enumerate() {
            assert!(all.iter().any(is_kind), "kind {number} does not come up");
        }
    }
}
