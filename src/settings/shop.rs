//! The shop itself.

use anyhow::Result;
use subjects::shop::{Country, Shop};

use super::{
    Sources,
    table::{SHOP_COUNTRIES, SHOP_CURRENCY, SHOP_FOOTER, SHOP_LOCALE, SHOP_MAIL_SENDER, SHOP_NAME, SHOP_TIME_ZONE},
};

pub(super) fn shop(sources: &Sources) -> Result<Shop> {
    Ok(Shop {
        name: sources.read(&SHOP_NAME)?,
        currency: sources.read(&SHOP_CURRENCY)?,
        time_zone: sources.read(&SHOP_TIME_ZONE)?,
        locale: sources.read(&SHOP_LOCALE)?,
        countries: sources.optional(&SHOP_COUNTRIES)?.unwrap_or_else(|| Country::all().collect()),
        mail_sender: sources.optional(&SHOP_MAIL_SENDER)?,
        footer: sources.optional(&SHOP_FOOTER)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_has_defaults() {
        let shop = shop(&Sources::of(&[], "").unwrap()).unwrap();
        assert_eq!((shop.name.to_string(), shop.currency.code(), shop.time_zone.name()), ("souk".into(), "USD", "UTC"));
        assert_eq!((shop.locale.to_string(), shop.mail_sender, shop.footer), ("en".to_owned(), None, None));
        assert!(shop.countries.len() > 200);
    }

    #[test]
    fn a_shop_is_read_from_the_file() {
        let file = "[shop]\nname = \"Linen & Co\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
            locale = \"de-DE\"\ncountries = [\"DE\", \"AT\"]\nmail_sender = \"Linen <shop@linen.example>\"\n\
            footer = \"Linen & Co\\nBerlin\"\n";
        let shop = shop(&Sources::of(&[], file).unwrap()).unwrap();
        assert_eq!((shop.name.to_string(), shop.currency.code()), ("Linen & Co".to_owned(), "EUR"));
        assert_eq!((shop.time_zone.name(), shop.locale.to_string()), ("Europe/Berlin", "de-DE".to_owned()));
        assert_eq!(shop.countries.iter().map(Country::code).collect::<Vec<_>>(), ["AT", "DE"]);
        let sender = shop.mail_sender.unwrap();
        assert_eq!((sender.name.as_deref(), sender.address.as_str()), (Some("Linen"), "shop@linen.example"));
        assert_eq!(shop.footer.unwrap().to_string(), "Linen & Co\nBerlin");
    }

    #[test]
    fn a_wrong_value_is_an_error_with_its_key_and_the_reason() {
        for (key, value, reason) in [
            ("name", "x".repeat(81), "must have 1 to 80 characters"),
            ("currency", "EURO".to_owned(), "not an ISO 4217 currency code"),
            ("time_zone", "Berlin".to_owned(), "not a time zone of the IANA database"),
            ("locale", "de DE".to_owned(), "not a BCP 47 tag"),
            ("countries", "DE,de".to_owned(), "\"de\" must be an ISO 3166-1 alpha-2 code"),
            ("mail_sender", "Linen & Co".to_owned(), "must be an e-mail address"),
            ("footer", "x".repeat(501), "must have 1 to 500 characters"),
        ] {
            let sources = Sources::of(&[], &format!("shop.{key} = {value:?}")).unwrap();
            let error = shop(&sources).unwrap_err().to_string();
            assert!(error.starts_with(&format!("shop.{key} in souk.toml is ")) && error.contains(reason), "{error}");
        }
    }
}
