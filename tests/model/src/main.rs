//! `cargo run --release -p model -- [--schedules N] [--steps N] [--seed S] [--without R5]`

use std::{process::ExitCode, time::Instant};

use model::{
    rules::{RULES, Rule, Rules},
    schedule::{Failure, walk},
    shrink::{shortest, shrink},
    trace::describe,
};

const USAGE: &str = "\
model [--schedules N] [--steps N] [--seed S] [--without RULE]

With all rules no schedule may break. Without one of them, the shortest schedule that breaks is printed:
";

/// Schedules between two lines of progress.
const PROGRESS: u64 = 100_000;

struct Options {
    schedules: u64,
    steps: usize,
    seed: u64,
    without: Option<Rule>,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let is_as_it_should_be = match options.without {
        None => holds(&options),
        Some(rule) => breaks(&options, rule),
    };
    ExitCode::from(u8::from(!is_as_it_should_be))
}

fn options() -> Result<Options, String> {
    let mut options = Options { schedules: 200_000, steps: 160, seed: 1, without: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        let no_number = |error: std::num::ParseIntError| format!("{name}: {error}");
        match name.as_str() {
            "--schedules" => options.schedules = value()?.parse().map_err(no_number)?,
            "--steps" => options.steps = value()?.parse().map_err(no_number)?,
            "--seed" => options.seed = value()?.parse().map_err(no_number)?,
            "--without" => options.without = Some(value()?.parse()?),
            _ => {
                let rules = RULES.iter().map(|entry| format!("\n{:>4}  {}", entry.rule, entry.sentence));
                return Err(USAGE.to_owned() + &rules.collect::<String>());
            }
        }
    }
    Ok(options)
}

/// All rules: nothing may break.
fn holds(options: &Options) -> bool {
    let began = Instant::now();
    for number in 0..options.schedules {
        if number > 0 && number % PROGRESS == 0 {
            let rate = number as f64 / began.elapsed().as_secs_f64();
            println!("{number} of {} schedules hold, {rate:.0} a second", options.schedules);
        }
        if let Some(failure) = walk(Rules::ALL, options.seed, number, options.steps) {
            report(Rules::ALL, options, &shrink(Rules::ALL, &failure));
            return false;
        }
    }
    println!("{} schedules of {} steps hold (seed {}).", options.schedules, options.steps, options.seed);
    true
}

/// A rule is dropped: something must break, or the rule is not needed.
fn breaks(options: &Options, rule: Rule) -> bool {
    let entry = rule.entry();
    println!("{rule}: {}\nWithout it: {}.\n", entry.sentence, entry.dropped);
    let rules = Rules::without(rule);
    match shortest(rules, options.seed, options.schedules, options.steps) {
        Some(failure) => {
            report(rules, options, &failure);
            entry.breaks.contains(&failure.violation.kind)
        }
        None => {
            println!("{} schedules of {} steps hold without {rule}.", options.schedules, options.steps);
            false
        }
    }
}

fn report(rules: Rules, options: &Options, failure: &Failure) {
    let (number, seed, steps) = (failure.number, options.seed, failure.steps.len());
    println!("Schedule {number} of seed {seed} breaks; {steps} of its steps are enough:\n");
    print!("{}", describe(rules, &failure.steps));
}
