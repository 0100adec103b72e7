//! Random walks with a seed.

use crate::{invariants::Violation, rules::Rules, state::World, steps::Step};

/// A schedule that breaks a promise.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The number of the schedule.
    pub number: u64,
    /// Its steps.
    pub steps: Vec<Step>,
    /// What it breaks.
    pub violation: Violation,
}

/// How likely a step is beside the others that are possible.
fn weight(step: Step) -> u32 {
    match step {
        Step::LoseOne(_) => 1,
        Step::Publish(_) | Step::Wipe { .. } | Step::Upgrade | Step::LaneBreaks(_) => 2,
        Step::OwnerBegins(_) | Step::OwnerAborts(_) | Step::OwnerBacksUp | Step::LoseEnd(_) => 3,
        Step::ConsumerBacksUp => 3,
        Step::OwnerRestores | Step::OwnerLearnsEpoch | Step::OwnerBeginsEpochAgain | Step::Kill(_) => 4,
        Step::LaneFails(_) | Step::ConsumerRestores | Step::Redrive(_) => 4,
        Step::LaneTakes(..) | Step::LaneTakesAll(_) => 8,
        Step::Prune => 10,
        Step::OwnerCommits(_) | Step::TimePasses => 12,
        Step::Pull(_) => 14,
        Step::LaneGoesOn(_) => 16,
        Step::CatchUp(_) => 22,
    }
}

/// xorshift64*: the same seed gives the same walk on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64, schedule: u64) -> Self {
        let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(schedule.wrapping_mul(0xD1B5_4A32_D192_ED03));
        let mut random = Self(mixed | 1);
        for _ in 0..4 {
            random.below(1);
        }
        random
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let high = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as u32;
        high % bound
    }
}

/// Takes one walk.
pub fn walk(rules: Rules, seed: u64, number: u64, length: usize) -> Option<Failure> {
    let mut random = Random::new(seed, number);
    let mut world = World::new(rules);
    let mut steps = Vec::with_capacity(length);
    let mut possible: Vec<Step> = Vec::with_capacity(128);
    for _ in 0..length {
        possible.clear();
        let mut total = 0;
        world.possible(|step| {
            possible.push(step);
            total += weight(step);
        });
        let mut rest = random.below(total);
        let step = possible.iter().copied().find(|step| {
            let chosen = rest < weight(*step);
            rest = rest.saturating_sub(weight(*step));
            chosen
        })?;
        world.take(step);
        steps.push(step);
        if let Some(violation) = world.violation() {
            return Some(Failure { number, steps, violation });
        }
    }
    world.violation_in_the_end().map(|violation| Failure { number, steps, violation })
}

/// Takes walks, and gives those that break a promise.
pub fn walks(rules: Rules, seed: u64, schedules: u64, length: usize) -> impl Iterator<Item = Failure> {
    (0..schedules).filter_map(move |number| walk(rules, seed, number, length))
}

/// Takes given steps, except those that are not possible; returns the first violation, if need be after the end.
pub fn replay(rules: Rules, steps: &[Step]) -> Option<Violation> {
    let mut world = World::new(rules);
    for step in steps {
        world.take(*step);
        if let Some(violation) = world.violation() {
            return Some(violation);
        }
    }
    world.violation_in_the_end()
}
