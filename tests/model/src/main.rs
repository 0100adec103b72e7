//! `cargo run --release -p model -- [--schedules N] [--steps N] [--seed S] [--without R5]`

use std::{process::ExitCode, time::Instant};

use model::{
    rules::{RULES, Rule, Rules},
    schedule::search,
    shrink::shrink,
    trace::tell,
};

struct Options {
    schedules: u64,
    steps: usize,
    seed: u64,
    without: Option<Rule>,
}

const USAGE: &str = "model [--schedules N] [--steps N] [--seed S] [--without R1..R15]\n\nWith all rules, no schedule must break. Without one of them, the schedule that breaks is told:\n";

fn options() -> Result<Options, String> {
    let mut options = Options { schedules: 200_000, steps: 160, seed: 1, without: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        let wrong = |error: std::num::ParseIntError| error.to_string();
        match name.as_str() {
            "--schedules" => options.schedules = value()?.parse().map_err(wrong)?,
            "--steps" => options.steps = value()?.parse().map_err(wrong)?,
            "--seed" => options.seed = value()?.parse().map_err(wrong)?,
            "--without" => options.without = Some(value()?.parse()?),
            _ => {
                let rules: String =
                    RULES.iter().map(|e| format!("{:>4}  {}\n", e.rule.to_string(), e.sentence)).collect();
                return Err(format!("{USAGE}\n{rules}"));
            }
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let rules = options.without.map_or(Rules::ALL, Rules::without);
    if let Some(rule) = options.without {
        let entry = rule.entry();
        println!("{rule}: {}\nWithout it: {}.\n", entry.sentence, entry.dropped);
    }
    let began = Instant::now();
    let progress = |done: u64| {
        let rate = done as f64 / began.elapsed().as_secs_f64();
        eprintln!("{done} of {} schedules, {rate:.0} a second", options.schedules);
    };
    match search(rules, options.seed, options.schedules, options.steps, progress) {
        Some(failure) => {
            let steps = shrink(rules, &failure.steps, failure.violation.kind);
            println!(
                "Schedule {} of seed {} breaks; {} steps of it are enough:\n",
                failure.number,
                options.seed,
                steps.len()
            );
            print!("{}", tell(rules, &steps));
            ExitCode::from(u8::from(options.without.is_none()))
        }
        None => {
            println!("{} schedules of {} steps hold.", options.schedules, options.steps);
            ExitCode::from(u8::from(options.without.is_some()))
        }
    }
}
