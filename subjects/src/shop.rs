//! The settings of `[shop]`: name, currency, time zone, locale, countries and the texts of mails.

use std::{collections::BTreeSet, fmt, str::FromStr};

pub use chrono_tz::Tz as TimeZone;
use contract::{Fields, LineBreaks};
pub use icu_locale_core::Locale;

use crate::Currency;

/// A shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    pub name: ShopName,
    /// The currency of its prices.
    pub currency: Currency,
    /// The time zone of the dates it shows.
    pub time_zone: TimeZone,
    /// The language and region of its texts.
    pub locale: Locale,
    /// The countries it ships to.
    pub countries: BTreeSet<Country>,
    /// The sender of its mails.
    pub mail_sender: Option<Mailbox>,
    /// The last lines of its mails and documents.
    pub footer: Option<Footer>,
}

/// A shop's name: one line of at most 80 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopName(String);

/// The last lines of mails and documents, at most 500 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer(String);

/// A country of ISO 3166-1, by its two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    pub fn all() -> impl Iterator<Item = Self> {
        celes::Country::get_countries().into_iter().map(|country| Self(country.alpha2))
    }

    pub fn code(&self) -> &'static str {
        self.0
    }
}

/// An e-mail address with an optional name: `Linen & Co <shop@linen.example>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Without quotation marks and escapes, which are the business of a mail's header.
    pub name: Option<String>,
    pub address: String,
}

/// The messages of the fields that are wrong.
fn checked(check: impl FnOnce(&mut Fields)) -> Result<(), String> {
    let mut fields = Fields::default();
    check(&mut fields);
    fields.finish().map_err(|wrong| wrong.into_iter().map(|detail| detail.message).collect::<Vec<_>>().join(", "))
}

impl FromStr for ShopName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        checked(|fields| fields.text("name", text, 1..=80, LineBreaks::Forbidden))?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Footer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        checked(|fields| fields.text("footer", text, 1..=500, LineBreaks::Allowed))?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Country {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The library also accepts lower-case letters.
        let is_capital = text.bytes().all(|byte| byte.is_ascii_uppercase());
        let country = celes::Country::from_alpha2(text).ok().filter(|_| is_capital);
        country.map(|country| Self(country.alpha2)).ok_or("must be an ISO 3166-1 alpha-2 code")
    }
}

impl FromStr for Mailbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, address) = match text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (name.trim(), address),
            None => ("", text.trim()),
        };
        checked(|fields| {
            fields.text("name", name, 0..=80, LineBreaks::Forbidden);
            fields.email("address", address);
        })?;
        if name.contains(['"', '<', '>', '@']) {
            return Err("the name must not contain \", <, > or @".to_owned());
        }
        Ok(Self { name: (!name.is_empty()).then(|| name.to_owned()), address: address.trim().to_owned() })
    }
}

impl fmt::Display for ShopName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Footer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_and_a_footer_may_be_several() {
        assert_eq!("Linen & Co".parse::<ShopName>().unwrap().to_string(), "Linen & Co");
        assert!("x".repeat(80).parse::<ShopName>().is_ok());
        for bad in ["", "  ", "two\nlines", &"x".repeat(81)] {
            assert!(bad.parse::<ShopName>().is_err(), "{bad:?}");
        }
        assert!("two\nlines".parse::<Footer>().is_ok() && "x".repeat(500).parse::<Footer>().is_ok());
        assert_eq!("x".repeat(501).parse::<Footer>().unwrap_err(), "must have 1 to 500 characters");
    }

    #[test]
    fn a_country_has_two_capital_letters_of_the_standard() {
        assert_eq!("DE".parse::<Country>().unwrap().code(), "DE");
        for bad in ["", "de", "DEU", "XX", "Germany"] {
            assert!(bad.parse::<Country>().is_err(), "{bad}");
        }
        assert!(Country::all().all(|country| country.code().parse() == Ok(country)));
    }

    #[test]
    fn a_mailbox_is_an_address_with_or_without_a_name() {
        let mailbox = |text: &str| text.parse::<Mailbox>();
        let address = "shop@linen.example".to_owned();
        assert_eq!(mailbox("shop@linen.example"), Ok(Mailbox { name: None, address: address.clone() }));
        assert_eq!(mailbox("<shop@linen.example>"), Ok(Mailbox { name: None, address: address.clone() }));
        let named = Mailbox { name: Some("Linen & Co".to_owned()), address };
        assert_eq!(mailbox("Linen & Co <shop@linen.example>"), Ok(named));
        for bad in ["", "shop", "Linen <shop>", "Linen shop@linen.example", "a\nb <shop@linen.example>", "<a@b.co> x"] {
            assert!(mailbox(bad).is_err(), "{bad:?}");
        }
        assert!(mailbox("\"Linen\" <shop@linen.example>").unwrap_err().contains("must not contain"));
    }
}
