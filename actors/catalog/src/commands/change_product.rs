//! Changes a product: sellers their own, admins any. An absent field stays; a null one is cleared.

use chrono::{DateTime, Utc};
use contract::{Fields, text::trimmed};
use runtime::{Caller, CommandEnvelope, Handle, HandlerResult, Tx};
use sqlx::types::Json;
use subjects::{
    Currency, Money, ProductId, UserId,
    catalog::{CatalogError, ChangeProduct, PriceChanged, Product, ProductChanges, ProductUpdated},
};

use crate::{
    Catalog, check,
    store::{self, ProductRow},
    view::{self, may_manage},
};

/// Checks the caller's rights and the expected version.
fn admit(row: &ProductRow, expected_version: Option<i64>, caller: &Caller) -> Result<(), CatalogError> {
    if !may_manage(caller, row.seller_id) {
        // The error must not reveal a product that the caller may not see.
        return Err(if row.is_for_sale() { CatalogError::NotYourProduct } else { CatalogError::ProductNotFound });
    }
    if !row.version.is_expected(expected_version) {
        return Err(CatalogError::ProductVersionMismatch);
    }
    Ok(())
}

fn validate(changes: &ProductChanges, currency: Currency) -> Result<(), CatalogError> {
    let mut fields = Fields::default();
    if let Some(name) = &changes.name {
        check::name(&mut fields, "name", name);
    }
    if let Some(Some(description)) = &changes.description {
        check::description(&mut fields, description);
    }
    if let Some(slug) = &changes.slug {
        check::slug(&mut fields, slug);
    }
    for (field, price, min) in [
        ("price", changes.price, 1),
        ("compare_price", changes.compare_price.flatten(), 1),
        ("cost_price", changes.cost_price.flatten(), 0),
    ] {
        if let Some(price) = price {
            check::price(&mut fields, field, price, currency, min);
        }
    }
    if let Some(Some(attributes)) = &changes.attributes {
        check::attributes(&mut fields, "attributes", attributes);
    }
    check::of_product(fields)
}

/// The compare price must exceed the price, whichever of them changes.
fn check_prices(old: &ProductRow, row: &ProductRow) -> Result<(), CatalogError> {
    let mut fields = Fields::default();
    if let Some(compare) =
        row.compare_price.filter(|_| (row.price, row.compare_price) != (old.price, old.compare_price))
    {
        check::compare_price(&mut fields, Money::new(compare, row.currency), Money::new(row.price, row.currency));
    }
    check::of_product(fields)
}

/// The row after the change, and what changed: the price, any other field.
#[derive(Debug, PartialEq, Eq)]
struct Changed {
    row: ProductRow,
    price: bool,
    rest: bool,
}

fn decide(old: &ProductRow, changes: &ProductChanges, now: DateTime<Utc>) -> Changed {
    let amount = |price: Option<Option<Money>>| price.map(|price| price.map(|price| price.amount));
    let mut row = ProductRow {
        name: changes.name.as_deref().map_or(old.name.as_str(), trimmed).to_owned(),
        description: changes.description.clone().map_or_else(|| old.description.clone(), Option::unwrap_or_default),
        slug: changes.slug.clone().unwrap_or_else(|| old.slug.clone()),
        category_id: changes.category_id.map_or(old.category_id, |category| category.map(|category| category.0)),
        compare_price: amount(changes.compare_price).unwrap_or(old.compare_price),
        cost_price: amount(changes.cost_price).unwrap_or(old.cost_price),
        attributes: changes
            .attributes
            .clone()
            .map_or_else(|| old.attributes.clone(), |all| Json(all.unwrap_or_default())),
        is_active: changes.is_active.unwrap_or(old.is_active),
        is_featured: changes.is_featured.unwrap_or(old.is_featured),
        ..old.clone()
    };
    let rest = row != *old;
    row.price = changes.price.map_or(old.price, |price| price.amount);
    let price = row.price != old.price;
    if price || rest {
        row.updated_at = now;
    }
    Changed { row, price, rest }
}

impl Handle<ChangeProduct> for Catalog {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ChangeProduct>,
    ) -> HandlerResult<Product, CatalogError> {
        let ChangeProduct { product_id, changes, expected_version } = &command.message;
        let old = store::lock_product(tx.locks(), product_id.0).await?.ok_or(CatalogError::ProductNotFound)?;
        admit(&old, *expected_version, &command.caller)?;
        validate(changes, old.currency)?;
        let Changed { mut row, price, rest } = decide(&old, changes, tx.now());
        check_prices(&old, &row)?;
        if price || rest {
            check_references(tx, &old, &row).await?;
        }
        if price || row.name != old.name {
            store::update_variants(tx.writes(), &old, &row).await?;
        }
        if price {
            let variants = store::variants_of(tx.reads(), &[row.id]).await?;
            let variants = variants.iter().map(|variant| view::fact(&row, variant)).collect();
            let event = PriceChanged { product_id: ProductId(row.id), variants };
            tx.emit(&command.cause, &mut row.version, &event)?;
        }
        if rest {
            let event = product_updated(&row);
            tx.emit(&command.cause, &mut row.version, &event)?;
        }
        if price || rest {
            store::update_product(tx.writes(), &row).await?;
        }
        // Read again for the category name.
        let changed = store::written_product(tx.reads(), row.id).await?;
        Ok(view::product(&changed.product, &changed.variants, &command.caller))
    }
}

async fn check_references(tx: &mut Tx<'_>, old: &ProductRow, row: &ProductRow) -> HandlerResult<(), CatalogError> {
    if let Some(category) = row.category_id.filter(|category| old.category_id != Some(*category))
        && !store::category_exists(tx.reads(), category).await?
    {
        return Err(CatalogError::InvalidProduct { fields: check::no_such_category("category_id") }.into());
    }
    // A concurrent transaction may take the slug before the write; then the write fails and the command runs again.
    if row.slug != old.slug && store::slug_is_taken(tx.reads(), &row.slug, row.id).await? {
        return Err(CatalogError::SlugTaken.into());
    }
    Ok(())
}

fn product_updated(row: &ProductRow) -> ProductUpdated {
    ProductUpdated {
        product_id: ProductId(row.id),
        seller_id: UserId(row.seller_id),
        name: row.name.clone(),
        is_active: row.is_active,
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Identity, Version};
    use uuid::Uuid;

    use super::*;

    fn usd(amount: i64) -> Option<Money> {
        Some(Money::new(amount, Currency::USD))
    }

    fn user(id: Uuid, role: &str) -> Caller {
        Caller::User(Identity { id, role: role.into(), version: 1, session: Uuid::nil(), issued_at: 0 })
    }

    #[test]
    fn a_product_is_changed_by_its_seller_and_by_admins() {
        let row = ProductRow { version: Version::for_test(3), ..ProductRow::example() };
        assert_eq!(admit(&row, None, &user(row.seller_id, "seller")), Ok(()));
        assert_eq!(admit(&row, Some(3), &user(Uuid::now_v7(), "admin")), Ok(()));
        let mismatch = Err(CatalogError::ProductVersionMismatch);
        assert_eq!(admit(&row, Some(2), &user(row.seller_id, "seller")), mismatch);
        let stranger = user(Uuid::now_v7(), "seller");
        assert_eq!(admit(&row, Some(2), &stranger), Err(CatalogError::NotYourProduct));
        let hidden = ProductRow { is_active: false, ..row };
        assert_eq!(admit(&hidden, None, &stranger), Err(CatalogError::ProductNotFound));
    }

    #[test]
    fn each_kind_of_change_is_emitted_once() {
        let (old, now) = (ProductRow::example(), Utc::now());
        let of = |changes: ProductChanges| {
            let changed = decide(&old, &changes, now);
            (changed.price, changed.rest)
        };
        assert_eq!(of(ProductChanges::default()), (false, false));
        assert_eq!(of(ProductChanges { price: usd(4999), ..Default::default() }), (false, false));
        assert_eq!(of(ProductChanges { price: usd(4500), ..Default::default() }), (true, false));
        assert_eq!(of(ProductChanges { is_active: Some(false), ..Default::default() }), (false, true));
        let both = ProductChanges { price: usd(4500), name: Some("Linen".into()), ..Default::default() };
        assert_eq!(of(both), (true, true));
    }

    #[test]
    fn what_is_absent_stays() {
        let (old, now) = (ProductRow { cost_price: Some(9), ..ProductRow::example() }, Utc::now());
        let changed = decide(&old, &ProductChanges { is_featured: Some(true), ..Default::default() }, now);
        assert_eq!(changed.row, ProductRow { is_featured: true, updated_at: now, ..old });
    }

    #[test]
    fn what_is_null_is_cleared() {
        let filled = ProductRow {
            description: "It glows.".into(),
            category_id: Some(Uuid::now_v7()),
            compare_price: Some(5999),
            cost_price: Some(9),
            attributes: Json([("colour".to_owned(), "red".to_owned())].into()),
            ..ProductRow::example()
        };
        let changes = ProductChanges {
            description: Some(None),
            category_id: Some(None),
            attributes: Some(None),
            compare_price: Some(None),
            cost_price: Some(None),
            ..Default::default()
        };
        assert_eq!(validate(&changes, Currency::USD), Ok(()));
        let (changed, now) = (decide(&filled, &changes, filled.updated_at), filled.updated_at);
        let cleared = ProductRow {
            description: String::new(),
            category_id: None,
            compare_price: None,
            cost_price: None,
            attributes: Json(Default::default()),
            ..filled.clone()
        };
        assert_eq!(changed, Changed { row: cleared.clone(), price: false, rest: true });
        assert!(!decide(&cleared, &changes, now).rest, "what is clear already does not change");
    }

    #[test]
    fn the_currency_never_changes() {
        let changes = ProductChanges { price: Some(Money::new(5, Currency::EUR)), ..Default::default() };
        let Err(CatalogError::InvalidProduct { fields }) = validate(&changes, Currency::USD) else {
            panic!("must be rejected");
        };
        assert_eq!(fields[0].field, "price.currency");
    }
}
