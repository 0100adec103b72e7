//! `souk config`: the settings that apply.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::settings::{Report, Sources};

const HELP: &str = "\
A setting comes from its environment variable, else from souk.toml, else its default. souk.toml is the file that \
SOUK_CONFIG names, else the one in the working directory, if there is one. Each line has the key, the source and the \
value; secrets, and passwords in URLs, are masked. No server is contacted.

Exit status 1 if souk.toml has an unknown key, or a value is of the wrong form. docs/configuration.md lists every \
setting, souk.example.toml has an example of each.";

#[derive(Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print every setting, its value and where it comes from; exit 1 if one is wrong
    #[command(after_help = HELP)]
    Check,
}

pub(crate) fn run(arguments: &ConfigArguments) -> Result<()> {
    match arguments.action {
        Action::Check => check(),
    }
}

fn check() -> Result<()> {
    let report = Report::of(Sources::load()?);
    print!("{report}");
    for warning in &report.warnings {
        eprintln!("souk: warning: {warning}");
    }
    if !report.errors.is_empty() {
        bail!("{}", report.errors.join("\nsouk: "));
    }
    Ok(())
}
