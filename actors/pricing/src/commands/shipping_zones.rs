//! Shipping zones: creation, change, deletion.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use contract::text::trimmed;
use runtime::{CommandEnvelope, Handle, HandlerResult, Tx};
use subjects::{
    ShippingMethodId, ShippingZoneId,
    pricing::{
        ChangeShippingZone, CreateShippingZone, DeleteShippingZone, Deleted, NewShippingMethod, PricingError,
        ShippingMethod, ShippingZone, ShippingZoneChanges,
    },
};

use super::is_expected;
use crate::{Pricing, check, store};

/// The most shipping zones of a shop.
const MAX: i64 = 200;

/// The methods with their ids: those of the zone stay, new ones get another.
fn methods(new: &[NewShippingMethod], old: &[ShippingMethod]) -> Result<Vec<ShippingMethod>, PricingError> {
    check::method_ids(new, old)?;
    let method = |new: &NewShippingMethod| ShippingMethod {
        id: new.id.unwrap_or_else(ShippingMethodId::new),
        name: trimmed(&new.name).to_owned(),
        kind: new.kind,
        rates: new.rates.clone(),
    };
    Ok(new.iter().map(method).collect())
}

/// The countries, each once, in alphabetical order.
fn countries(new: &[String]) -> Vec<String> {
    new.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn decide(old: &ShippingZone, changes: &ShippingZoneChanges, now: DateTime<Utc>) -> Result<ShippingZone, PricingError> {
    let changed = ShippingZone {
        name: changes.name.as_deref().map_or(old.name.as_str(), trimmed).to_owned(),
        countries: changes.countries.as_deref().map_or_else(|| old.countries.clone(), countries),
        methods: match &changes.methods {
            Some(new) => methods(new, &old.methods)?,
            None => old.methods.clone(),
        },
        ..old.clone()
    };
    let is_same = changed == *old;
    Ok(if is_same { changed } else { ShippingZone { version: old.version + 1, updated_at: now, ..changed } })
}

impl Handle<CreateShippingZone> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CreateShippingZone>,
    ) -> HandlerResult<ShippingZone, PricingError> {
        let (new, now) = (&command.message.zone, tx.now());
        let zone = ShippingZone {
            id: ShippingZoneId::new(),
            name: trimmed(&new.name).to_owned(),
            countries: countries(&new.countries),
            methods: methods(&new.methods, &[])?,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        check::shipping_zone(&zone)?;
        if store::count_shipping_zones(tx.reads()).await? >= MAX {
            return Err(PricingError::TooMany { limit: MAX }.into());
        }
        store::insert_shipping_zone(tx.writes(), &zone).await?;
        let (shipping_zone_id, request_id) = (zone.id, &command.cause.request_id);
        tracing::info!(%shipping_zone_id, request_id, "shipping zone created");
        Ok(zone)
    }
}

impl Handle<ChangeShippingZone> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ChangeShippingZone>,
    ) -> HandlerResult<ShippingZone, PricingError> {
        let ChangeShippingZone { id, changes, expected_version } = &command.message;
        let old = store::lock_shipping_zone(tx.locks(), *id).await?.ok_or(PricingError::ShippingZoneNotFound)?;
        if !is_expected(old.version, *expected_version) {
            return Err(PricingError::ShippingZoneVersionMismatch.into());
        }
        let zone = decide(&old, changes, tx.now())?;
        check::shipping_zone(&zone)?;
        if zone != old {
            store::update_shipping_zone(tx.writes(), &zone).await?;
        }
        Ok(zone)
    }
}

impl Handle<DeleteShippingZone> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<DeleteShippingZone>,
    ) -> HandlerResult<Deleted, PricingError> {
        let DeleteShippingZone { id, expected_version } = &command.message;
        let old = store::lock_shipping_zone(tx.locks(), *id).await?.ok_or(PricingError::ShippingZoneNotFound)?;
        if !is_expected(old.version, *expected_version) {
            return Err(PricingError::ShippingZoneVersionMismatch.into());
        }
        store::delete_shipping_zone(tx.writes(), *id).await?;
        Ok(Deleted {})
    }
}

#[cfg(test)]
mod tests {
    use subjects::{
        Currency, Money,
        pricing::{ShippingKind, ShippingRate, ShippingTier},
    };

    use super::*;

    fn usd(amount: i64) -> Money {
        Money::new(amount, Currency::USD)
    }

    fn rate(price: i64) -> ShippingRate {
        ShippingRate { price: usd(price), tiers: Vec::new(), free_above: None }
    }

    fn new(id: Option<ShippingMethodId>, kind: ShippingKind, rates: Vec<ShippingRate>) -> NewShippingMethod {
        NewShippingMethod { id, name: "Parcel".into(), kind, rates }
    }

    fn zone(new: &[NewShippingMethod]) -> ShippingZone {
        ShippingZone {
            id: ShippingZoneId::new(),
            name: "Europe".into(),
            countries: countries(&["FR".into(), "DE".into(), "FR".into()]),
            methods: methods(new, &[]).unwrap(),
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn wrong_fields(result: Result<impl std::fmt::Debug, PricingError>) -> Vec<String> {
        let Err(PricingError::InvalidShippingZone { fields }) = result else { panic!("{result:?}") };
        fields.into_iter().map(|wrong| wrong.field).collect()
    }

    #[test]
    fn a_method_keeps_its_id_and_a_new_one_gets_another() {
        let old = zone(&[new(None, ShippingKind::Flat, vec![rate(500)])]);
        assert_eq!((old.countries.join(","), check::shipping_zone(&old)), ("DE,FR".to_owned(), Ok(())));
        let kept = old.methods[0].id;
        let with = |methods| ShippingZoneChanges { methods: Some(methods), ..ShippingZoneChanges::default() };
        let both = [Some(kept), None].map(|id| new(id, ShippingKind::Flat, vec![rate(600)]));
        let changed = decide(&old, &with(both.to_vec()), Utc::now()).unwrap();
        assert_eq!((changed.methods[0].id, changed.version), (kept, 2));
        assert_ne!(changed.methods[1].id, kept);
        for wrong in [vec![Some(ShippingMethodId::new())], vec![Some(kept), Some(kept)]] {
            let wrong: Vec<_> = wrong.into_iter().map(|id| new(id, ShippingKind::Flat, vec![rate(600)])).collect();
            let field = format!("methods[{}].id", wrong.len() - 1);
            assert_eq!(wrong_fields(decide(&old, &with(wrong), Utc::now())), [field]);
        }
        assert_eq!(decide(&old, &ShippingZoneChanges::default(), Utc::now()), Ok(old.clone()));
    }

    #[test]
    fn tiers_belong_to_their_kind_and_ascend() {
        let tier = |weight, subtotal: Option<i64>| ShippingTier {
            from_weight: weight,
            from_subtotal: subtotal.map(usd),
            price: usd(1),
        };
        let of = |kind, tiers| zone(&[new(None, kind, vec![ShippingRate { tiers, ..rate(500) }])]);
        let check = |kind, tiers| check::shipping_zone(&of(kind, tiers));
        assert_eq!(check(ShippingKind::ByWeight, vec![tier(Some(1), None), tier(Some(2), None)]), Ok(()));
        assert_eq!(check(ShippingKind::BySubtotal, vec![tier(None, Some(1)), tier(None, Some(2))]), Ok(()));
        assert_eq!(wrong_fields(check(ShippingKind::Flat, vec![tier(Some(1), None)])), ["methods[0].rates[0].tiers"]);
        let first = "methods[0].rates[0].tiers[0].from_weight";
        assert_eq!(wrong_fields(check(ShippingKind::ByWeight, vec![tier(None, None)])), [first]);
        let second = "methods[0].rates[0].tiers[1].from_weight";
        let falling = vec![tier(Some(2), None), tier(Some(2), None)];
        assert_eq!(wrong_fields(check(ShippingKind::ByWeight, falling)), [second]);
        let both = vec![tier(Some(1), Some(1))];
        let subtotal = "methods[0].rates[0].tiers[0].from_subtotal";
        assert_eq!(wrong_fields(check(ShippingKind::ByWeight, both)), [subtotal]);
    }

    #[test]
    fn a_rate_is_of_one_currency_and_a_currency_has_one_rate() {
        let euros = ShippingRate { free_above: Some(Money::new(1, Currency::EUR)), ..rate(500) };
        let twice = zone(&[new(None, ShippingKind::Flat, vec![rate(500), euros])]);
        let fields = ["methods[0].rates[1].price.currency", "methods[0].rates[1].free_above.currency"];
        assert_eq!(wrong_fields(check::shipping_zone(&twice)), fields);
        let wrong = ShippingZone { name: String::new(), countries: vec!["Germany".into()], ..zone(&[]) };
        assert_eq!(wrong_fields(check::shipping_zone(&wrong)), ["name", "countries[0]"]);
        let none = new(None, ShippingKind::Flat, Vec::new());
        assert_eq!(wrong_fields(check::shipping_zone(&zone(&[none]))), ["methods[0].rates"]);
    }
}
