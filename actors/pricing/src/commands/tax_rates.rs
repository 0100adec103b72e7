//! Tax rates: creation, change, deletion.

use chrono::{DateTime, Utc};
use contract::text::trimmed;
use runtime::{CommandEnvelope, Handle, HandlerResult, Tx};
use subjects::{
    TaxRateId,
    pricing::{
        ChangeTaxRate, CreateTaxRate, DeleteTaxRate, Deleted, NewTaxRate, PricingError, STANDARD, TaxRate,
        TaxRateChanges,
    },
};

use super::is_expected;
use crate::{Pricing, check, engine::normal_state, store};

/// The most tax rates of a shop.
const MAX: i64 = 1000;

fn plan(new: &NewTaxRate, now: DateTime<Utc>) -> TaxRate {
    TaxRate {
        id: TaxRateId::new(),
        country: new.country.clone(),
        state: new.state.as_deref().map(normal_state),
        name: trimmed(&new.name).to_owned(),
        rate: new.rate,
        inclusive: new.inclusive.unwrap_or(false),
        tax_category: new.tax_category.as_deref().map_or(STANDARD, trimmed).to_owned(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

fn decide(old: &TaxRate, changes: &TaxRateChanges, now: DateTime<Utc>) -> TaxRate {
    let text = |new: &Option<String>, old: &str| new.as_deref().map_or(old, trimmed).to_owned();
    let state = changes.state.as_ref().map(|state| state.as_deref().map(normal_state));
    let changed = TaxRate {
        country: changes.country.clone().unwrap_or_else(|| old.country.clone()),
        state: state.unwrap_or_else(|| old.state.clone()),
        name: text(&changes.name, &old.name),
        rate: changes.rate.unwrap_or(old.rate),
        inclusive: changes.inclusive.unwrap_or(old.inclusive),
        tax_category: text(&changes.tax_category, &old.tax_category),
        ..old.clone()
    };
    if changed == *old { changed } else { TaxRate { version: old.version + 1, updated_at: now, ..changed } }
}

impl Handle<CreateTaxRate> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CreateTaxRate>,
    ) -> HandlerResult<TaxRate, PricingError> {
        let rate = plan(&command.message.tax_rate, tx.now());
        check::tax_rate(&rate)?;
        if store::count_tax_rates(tx.reads()).await? >= MAX {
            return Err(PricingError::TooMany { limit: MAX }.into());
        }
        if !store::insert_tax_rate(tx.writes(), &rate).await? {
            return Err(PricingError::TaxRateExists.into());
        }
        let (tax_rate_id, request_id) = (rate.id, &command.cause.request_id);
        tracing::info!(%tax_rate_id, request_id, "tax rate created");
        Ok(rate)
    }
}

impl Handle<ChangeTaxRate> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ChangeTaxRate>,
    ) -> HandlerResult<TaxRate, PricingError> {
        let ChangeTaxRate { id, changes, expected_version } = &command.message;
        let old = store::lock_tax_rate(tx.locks(), *id).await?.ok_or(PricingError::TaxRateNotFound)?;
        if !is_expected(old.version, *expected_version) {
            return Err(PricingError::TaxRateVersionMismatch.into());
        }
        let rate = decide(&old, changes, tx.now());
        check::tax_rate(&rate)?;
        // A concurrent transaction may create the same rate before the write; then the write fails and the command
        // runs again.
        if store::tax_rate_exists(tx.reads(), &rate).await? {
            return Err(PricingError::TaxRateExists.into());
        }
        if rate != old {
            store::update_tax_rate(tx.writes(), &rate).await?;
        }
        Ok(rate)
    }
}

impl Handle<DeleteTaxRate> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<DeleteTaxRate>,
    ) -> HandlerResult<Deleted, PricingError> {
        let DeleteTaxRate { id, expected_version } = &command.message;
        let old = store::lock_tax_rate(tx.locks(), *id).await?.ok_or(PricingError::TaxRateNotFound)?;
        if !is_expected(old.version, *expected_version) {
            return Err(PricingError::TaxRateVersionMismatch.into());
        }
        store::delete_tax_rate(tx.writes(), *id).await?;
        Ok(Deleted {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vat() -> TaxRate {
        let new = NewTaxRate {
            country: "DE".into(),
            state: Some(" by ".into()),
            name: " VAT ".into(),
            rate: 190_000,
            inclusive: Some(true),
            tax_category: None,
        };
        plan(&new, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn texts_are_stored_in_one_form() {
        let rate = vat();
        assert_eq!(
            (rate.state.as_deref(), rate.name.as_str(), rate.tax_category.as_str()),
            (Some("BY"), "VAT", STANDARD)
        );
        assert_eq!(check::tax_rate(&rate), Ok(()));
    }

    #[test]
    fn what_is_absent_stays_and_what_is_null_is_cleared() {
        let (old, now) = (vat(), Utc::now());
        assert_eq!(decide(&old, &TaxRateChanges::default(), now), old, "nothing changed: the version stays");
        let changes = TaxRateChanges { state: Some(None), rate: Some(70_000), ..TaxRateChanges::default() };
        let changed = decide(&old, &changes, now);
        assert_eq!(changed, TaxRate { state: None, rate: 70_000, version: 2, updated_at: now, ..old });
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = TaxRate {
            country: "XX".into(),
            state: Some(String::new()),
            name: String::new(),
            rate: 1_000_001,
            tax_category: "a\nb".into(),
            ..vat()
        };
        let Err(PricingError::InvalidTaxRate { fields }) = check::tax_rate(&wrong) else { panic!("must be rejected") };
        let fields: Vec<_> = fields.iter().map(|wrong| wrong.field.as_str()).collect();
        assert_eq!(fields, ["country", "state", "name", "rate", "tax_category"]);
    }
}
