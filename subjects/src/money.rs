//! Money: integer minor units of an ISO 4217 currency. Never a float, never a bare number.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The active currencies of ISO 4217 that money can be paid in, sorted, four bytes each.
const CODES: &[u8] =
    b"AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP \
     CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF \
     IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD \
     MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB \
     RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD \
     UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ";

/// The currencies without a minor unit.
const NO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";

/// The currencies whose minor unit is a thousandth.
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The United States dollar, the shop's default.
    pub const USD: Self = Self(*b"USD");
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters.
    pub fn code(&self) -> &str {
        // The constructor lets only ASCII letters through, so the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// The number of decimals of an amount for people, ISO 4217's exponent: 2 for USD, whose minor unit is the cent.
    pub fn decimals(&self) -> u32 {
        match self.code() {
            code if NO_DECIMALS.contains(code) => 0,
            code if THREE_DECIMALS.contains(code) => 3,
            _ => 2,
        }
    }
}

/// An invalid amount or currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not the code of a currency in use.
    #[error("expected an ISO 4217 currency code (format: currency)")]
    UnknownCurrency,
    /// Amounts in different currencies cannot be added.
    #[error("the currencies differ")]
    CurrencyMismatch,
    /// Beyond what 64 bits of minor units hold, or [`Money::MAX_AMOUNT`].
    #[error("the amount is too large")]
    Overflow,
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| MoneyError::UnknownCurrency)?;
        let (codes, _) = CODES.as_chunks::<4>();
        let known = codes.binary_search_by(|known| known[..3].cmp(&code));
        if known.is_ok() { Ok(Self(code)) } else { Err(MoneyError::UnknownCurrency) }
    }
}

crate::text_column!(Currency, code);

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Money {
    /// The amount in minor units (cents for USD, yen for JPY).
    pub amount: i64,
    /// The currency code, ISO 4217.
    pub currency: Currency,
}

impl Money {
    /// The largest accepted amount: the largest integer that every JSON reader represents exactly (2^53 - 1).
    pub const MAX_AMOUNT: i64 = (1 << 53) - 1;

    /// An amount in minor units.
    pub fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Zero in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// The sum.
    ///
    /// # Errors
    /// Other currency, or overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.amount.checked_add(other.amount))
    }

    /// The difference.
    ///
    /// # Errors
    /// Other currency, or overflow.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.with(self.amount.checked_sub(other.amount))
    }

    /// The amount, `quantity` times.
    ///
    /// # Errors
    /// Overflow.
    pub fn checked_mul(self, quantity: i64) -> Result<Self, MoneyError> {
        self.with(self.amount.checked_mul(quantity))
    }

    /// The amount, if it may be charged or put into a cart.
    ///
    /// # Errors
    /// Beyond [`MAX_AMOUNT`](Self::MAX_AMOUNT). A cart whose prices have risen may cost more, and is still returned.
    pub fn accepted(self) -> Result<Self, MoneyError> {
        if (-Self::MAX_AMOUNT..=Self::MAX_AMOUNT).contains(&self.amount) { Ok(self) } else { Err(MoneyError::Overflow) }
    }

    fn with(self, amount: Option<i64>) -> Result<Self, MoneyError> {
        Ok(Self { amount: amount.ok_or(MoneyError::Overflow)?, ..self })
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::CurrencyMismatch) }
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    //! A currency in the OpenAPI document: a text of three letters.

    use std::borrow::Cow;

    use poem_openapi::{
        registry::{MetaSchema, MetaSchemaRef},
        types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
    };

    use super::Currency;

    impl Type for Currency {
        const IS_REQUIRED: bool = true;
        type RawValueType = Self;
        type RawElementValueType = Self;

        fn name() -> Cow<'static, str> {
            "string_currency".into()
        }

        fn schema_ref() -> MetaSchemaRef {
            let mut schema = MetaSchema::new_with_format("string", "iso-4217");
            schema.description = Some("An ISO 4217 currency code.");
            schema.example = Some("USD".into());
            schema.pattern = Some("^[A-Z]{3}$".into());
            MetaSchemaRef::Inline(Box::new(schema))
        }

        fn as_raw_value(&self) -> Option<&Self::RawValueType> {
            Some(self)
        }

        fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
            Box::new(self.as_raw_value().into_iter())
        }
    }

    impl ParseFromJSON for Currency {
        fn parse_from_json(value: Option<serde_json::Value>) -> ParseResult<Self> {
            let text = value.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
            text.parse().map_err(ParseError::custom)
        }
    }

    impl ToJSON for Currency {
        fn to_json(&self) -> Option<serde_json::Value> {
            Some(self.code().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_checked() {
        let one = Money::new(1, Currency::USD);
        assert_eq!(one.checked_add(one), Ok(Money::new(2, Currency::USD)));
        assert_eq!(one.checked_add(Money::new(1, Currency::EUR)), Err(MoneyError::CurrencyMismatch));
        let most = Money::new(Money::MAX_AMOUNT, Currency::USD);
        assert_eq!(most.accepted(), Ok(most));
        assert_eq!(most.checked_add(one).and_then(Money::accepted), Err(MoneyError::Overflow));
        assert_eq!(Money::new(i64::MAX, Currency::USD).checked_add(one), Err(MoneyError::Overflow));
        assert_eq!(Money::new(i64::MAX, Currency::USD).checked_mul(2), Err(MoneyError::Overflow));
    }

    #[test]
    fn a_currency_has_the_decimals_of_its_minor_unit() {
        let decimals = |code: &str| code.parse::<Currency>().unwrap().decimals();
        assert_eq!([decimals("USD"), decimals("JPY"), decimals("KWD"), decimals("MGA")], [2, 0, 3, 2]);
        let of = |codes: &str, expected| codes.split(' ').all(|code| decimals(code) == expected);
        assert!(of(NO_DECIMALS, 0) && of(THREE_DECIMALS, 3), "each is a currency in use");
    }

    #[test]
    fn the_dashboards_show_amounts_with_the_decimals_of_their_currencies() {
        let dashboard = include_str!("../../deploy/grafana/dashboards/business.json");
        let decimals = format!(
            "/ 10 ^ (CASE WHEN strpos('{NO_DECIMALS}', currency) > 0 THEN 0 \
             WHEN strpos('{THREE_DECIMALS}', currency) > 0 THEN 3 ELSE 2 END)"
        );
        assert_eq!(dashboard.matches(&decimals).count(), 3);
        assert!(!dashboard.contains("/ 100"));
    }

    #[test]
    fn only_currencies_in_use_are_read() {
        assert_eq!("USD".parse(), Ok(Currency::USD));
        for text in ["usd", "US", "USDX", "ZZZ", "D A", ""] {
            assert_eq!(text.parse::<Currency>(), Err(MoneyError::UnknownCurrency), "{text}");
        }
    }
}
