//! The forms of values. Each error says what a value is not, without the value.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use sqlx::postgres::PgConnectOptions;
use subjects::{
    Currency,
    shop::{Country, Locale, TimeZone},
};
use tracing_subscriber::EnvFilter;

/// Seconds per day.
const DAY: u64 = 24 * 3600;

pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

/// Whatever its `FromStr` accepts.
pub(super) fn parsed<T>(text: &str) -> Result<T, String>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.trim().parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| "not an address such as 127.0.0.1:8080".to_owned())
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.trim().parse().map_err(|_| "not a port (0 to 65535)".to_owned())
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    text.trim().parse().map_err(|_| "neither true nor false".to_owned())
}

pub(super) fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("not {least} to {most}"))
}

/// `90`, `90s`, `15m` or `2h`, 1 s to 30 days.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = seconds(text.trim()).filter(|seconds| (1..=30 * DAY).contains(seconds));
    let seconds = seconds.ok_or("not a time such as 90s, 15m or 2h, from 1 s to 30 days")?;
    Ok(Duration::from_secs(seconds))
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds_of_unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds_of_unit)
}

/// A duration of at most `most`.
pub(super) fn short(text: &str, most: Duration) -> Result<Duration, String> {
    let short = Some(duration(text)?).filter(|duration| *duration <= most);
    short.ok_or_else(|| format!("more than {} s", most.as_secs()))
}

/// A number of days such as `90d`.
pub(super) fn days(text: &str) -> Result<Duration, String> {
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let days = days.filter(|days| (1..=36_500).contains(days)).ok_or("not 1d to 36500d")?;
    Ok(Duration::from_secs(days * DAY))
}

/// The entries of a list.
pub(super) fn list(text: &str) -> Result<Vec<String>, String> {
    Ok(entries(text).map(str::to_owned).collect())
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

pub(super) fn database(text: &str) -> Result<String, String> {
    // The library's error may have parts of the URL.
    PgConnectOptions::from_str(text).map_err(|_| "not a URL of a database")?;
    Ok(text.to_owned())
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

pub(super) fn currency(text: &str) -> Result<Currency, String> {
    text.parse().map_err(|_| "not an ISO 4217 currency code".to_owned())
}

pub(super) fn time_zone(text: &str) -> Result<TimeZone, String> {
    text.parse().map_err(|_| "not a time zone of the IANA database, such as Europe/Berlin".to_owned())
}

pub(super) fn locale(text: &str) -> Result<Locale, String> {
    text.parse().map_err(|_| "not a BCP 47 tag, such as en-US".to_owned())
}

pub(super) fn countries(text: &str) -> Result<BTreeSet<Country>, String> {
    let country = |code: &str| code.parse().map_err(|error| format!("{code:?} {error}"));
    entries(text).map(country).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit_and_within_bounds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration(" 15m "), Ok(Duration::from_secs(900)));
        for text in ["", "0", "m", "-1s", "1.5h", "31d", "9999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(short("10s", Duration::from_secs(9)), Err("more than 9 s".to_owned()));
        assert_eq!(days("2d"), Ok(Duration::from_secs(2 * DAY)));
        assert!(days("0d").is_err() && days("90").is_err());
    }

    #[test]
    fn a_shop_has_a_time_zone_a_locale_and_countries_of_their_standards() {
        assert_eq!(time_zone("Europe/Berlin").unwrap().name(), "Europe/Berlin");
        assert!(time_zone("Europe/Atlantis").is_err() && time_zone("+01:00").is_err());
        assert_eq!(locale("de-at").unwrap().to_string(), "de-AT");
        assert!(locale("de AT").is_err() && locale("d").is_err());
        let codes = |text| countries(text).map(|all| all.iter().map(Country::code).collect::<Vec<_>>());
        assert_eq!(codes("DE, AT,"), Ok(vec!["AT", "DE"]));
        assert_eq!(codes("DE,Austria"), Err("\"Austria\" must be an ISO 3166-1 alpha-2 code".to_owned()));
    }
}
