//! Creates a product with its variants, owned by the caller.

use std::{collections::HashSet, slice};

use chrono::{DateTime, Utc};
use contract::{
    Detail, DetailCode, Fields, ServiceError,
    text::{self, trimmed},
};
use runtime::{CommandEnvelope, Handle, HandlerResult, InternalError, Tx, Version};
use sqlx::types::Json;
use subjects::{
    Money, ProductId, VariantId,
    catalog::{
        CatalogError, CreateProduct, DOMAIN, MAX_VARIANTS, NewProduct, NewVariant, Product, ProductCreated, VariantFact,
    },
};
use uuid::Uuid;

use crate::{
    Catalog, check, slug,
    store::{self, ProductRow, StockRow, Taken, VariantRow},
    view,
};

/// The rows to be written.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    row: ProductRow,
    /// With the units in stock that the seller named.
    variants: Vec<VariantRow>,
    /// Whether the client chose the slug. A generated one may get a suffix.
    chose_slug: bool,
    /// Whether the client chose the SKUs. Generated ones may get a suffix.
    chose_skus: bool,
}

pub(crate) fn validate(new: &NewProduct) -> Result<(), CatalogError> {
    let mut fields = Fields::default();
    let currency = new.price.currency;
    check::name(&mut fields, "name", &new.name);
    check::description(&mut fields, new.description.as_deref().unwrap_or_default());
    if let Some(slug) = &new.slug {
        check::slug(&mut fields, slug);
    }
    check::price(&mut fields, "price", new.price, currency, 1);
    if let Some(price) = new.compare_price {
        check::price(&mut fields, "compare_price", price, currency, 1);
        check::compare_price(&mut fields, price, new.price);
    }
    if let Some(price) = new.cost_price {
        check::price(&mut fields, "cost_price", price, currency, 0);
    }
    check::attributes(&mut fields, "attributes", &new.attributes.clone().unwrap_or_default());

    let variants = new.variants.as_deref().unwrap_or_default();
    if variants.is_empty() {
        if let Some(sku) = &new.sku {
            check::sku(&mut fields, "sku", sku);
        }
        check::on_hand(&mut fields, "on_hand", new.on_hand);
    } else {
        if new.sku.is_some() {
            fields.wrong(of_the_default_variant("sku"));
        }
        if new.on_hand.is_some() {
            fields.wrong(of_the_default_variant("on_hand"));
        }
        check_variants(&mut fields, variants, new.price);
    }
    check::of_product(fields)
}

fn of_the_default_variant(field: &str) -> Detail {
    Detail::new(field, DetailCode::Conflict, "belongs to the default variant; set it on each of the variants instead")
}

fn check_variants(fields: &mut Fields, variants: &[NewVariant], price: Money) {
    if variants.len() > MAX_VARIANTS {
        fields.wrong(Detail::count("variants", 0, MAX_VARIANTS));
    }
    let mut skus = HashSet::new();
    for (index, variant) in variants.iter().take(MAX_VARIANTS).enumerate() {
        let path = |field: &str| format!("variants[{index}].{field}");
        check::sku(fields, &path("sku"), &variant.sku);
        if !skus.insert(text::compatible(&variant.sku)) {
            fields.wrong(Detail::new(path("sku"), DetailCode::Repeated, "is used twice"));
        }
        if let Some(name) = &variant.name {
            check::name(fields, &path("name"), name);
        }
        check::price(fields, &path("price"), variant.price.unwrap_or(price), price.currency, 1);
        if let Some(attributes) = &variant.attributes {
            check::attributes(fields, &path("attributes"), attributes);
        }
        check::on_hand(fields, &path("on_hand"), variant.on_hand);
    }
}

fn plan(new: &NewProduct, seller: Uuid, now: DateTime<Utc>) -> Result<Plan, CatalogError> {
    validate(new)?;
    let name = trimmed(&new.name).to_owned();
    let slug = new.slug.clone().unwrap_or_else(|| slug::from_name(&name));
    let id = ProductId::new().0;
    let default = NewVariant {
        sku: new.sku.clone().unwrap_or_else(|| sku_of(&slug)),
        name: None,
        price: None,
        attributes: new.attributes.clone(),
        on_hand: new.on_hand,
    };
    let given = new.variants.as_deref().filter(|given| !given.is_empty());
    let variant = |variant: &NewVariant| VariantRow {
        id: VariantId::new().0,
        product_id: id,
        sku: text::compatible(&variant.sku),
        name: variant.name.as_deref().map_or(name.as_str(), trimmed).to_owned(),
        price: variant.price.unwrap_or(new.price).amount,
        attributes: Json(variant.attributes.clone().unwrap_or_default()),
        available: variant.on_hand.unwrap_or(0),
    };
    let variants: Vec<_> = given.unwrap_or(slice::from_ref(&default)).iter().map(variant).collect();
    let (chose_slug, chose_skus) = (new.slug.is_some(), new.sku.is_some() || given.is_some());
    let row = ProductRow {
        id,
        seller_id: seller,
        category_id: new.category_id.map(|category| category.0),
        category: None,
        slug,
        name,
        description: new.description.clone().unwrap_or_default(),
        currency: new.price.currency,
        price: variants.first().map_or(new.price.amount, |first| first.price),
        compare_price: new.compare_price.map(|price| price.amount),
        cost_price: new.cost_price.map(|price| price.amount),
        attributes: Json(new.attributes.clone().unwrap_or_default()),
        is_active: new.is_active.unwrap_or(true),
        is_featured: new.is_featured.unwrap_or(false),
        // Only callers that may sell are authorized to send the command.
        seller_may_sell: true,
        version: Version::default(),
        created_at: now,
        updated_at: now,
    };
    Ok(Plan { row, variants, chose_slug, chose_skus })
}

/// Generates the SKU of a default variant from the slug, with room for a suffix.
fn sku_of(slug: &str) -> String {
    let short: String = slug.chars().take(55).collect();
    short.trim_end_matches('-').to_uppercase()
}

impl Plan {
    fn skus(&self) -> Vec<String> {
        self.variants.iter().map(|variant| variant.sku.clone()).collect()
    }

    /// Adds suffixes to generated slugs and SKUs that are taken; rejects chosen ones.
    fn avoid(&mut self, taken: &Taken) -> Result<(), CatalogError> {
        if taken.slug && self.chose_slug {
            return Err(CatalogError::SlugTaken);
        }
        if !taken.skus.is_empty() && self.chose_skus {
            return Err(CatalogError::SkuTaken);
        }
        let suffix = slug::suffix_of(self.row.id);
        if taken.slug {
            self.row.slug = slug::with_suffix(&self.row.slug, &suffix);
        }
        if !self.chose_skus && (taken.slug || !taken.skus.is_empty()) {
            for variant in &mut self.variants {
                variant.sku = slug::with_suffix(&variant.sku, &suffix.to_uppercase());
            }
        }
        Ok(())
    }

    fn event(&self) -> ProductCreated {
        let fact =
            |variant: &VariantRow| VariantFact { on_hand: Some(variant.available), ..view::fact(&self.row, variant) };
        ProductCreated {
            product_id: ProductId(self.row.id),
            seller_id: subjects::UserId(self.row.seller_id),
            name: self.row.name.clone(),
            category_id: self.row.category_id.map(subjects::CategoryId),
            variants: self.variants.iter().map(fact).collect(),
        }
    }

    /// The initial stock as given by the seller, until inventory reports. Any version of inventory's replaces version
    /// 0.
    fn stock(&self) -> Vec<StockRow> {
        let row = |variant: &VariantRow| StockRow { variant_id: variant.id, available: variant.available, version: 0 };
        let mut rows: Vec<_> = self.variants.iter().map(row).collect();
        rows.sort_by_key(|row| row.variant_id);
        rows
    }
}

impl Handle<CreateProduct> for Catalog {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CreateProduct>,
    ) -> HandlerResult<Product, CatalogError> {
        let seller = command.caller.user_id().ok_or_else(|| InternalError::other("a product needs a seller"))?;
        let now = tx.now();
        let mut plan = plan(&command.message.product, seller, now)?;
        if let Some(category) = plan.row.category_id
            && !store::category_exists(tx.reads(), category).await?
        {
            return Err(CatalogError::InvalidProduct { fields: check::no_such_category("category_id") }.into());
        }
        let taken = store::taken(tx.reads(), &plan.row.slug, &plan.skus()).await?;
        plan.avoid(&taken)?;

        let event = plan.event();
        tx.emit(&command.cause, &mut plan.row.version, &event)?;
        if !store::insert_product(tx.writes(), &plan.row).await? {
            // Another transaction took the slug in the meantime: the retry finds it taken.
            return Err(InternalError::from(ServiceError::unavailable(DOMAIN)).into());
        }
        if !store::insert_variants(tx.writes(), plan.row.id, &plan.variants, now).await? {
            return Err(CatalogError::SkuTaken.into());
        }
        store::write_stock(tx.last_writes(), &plan.stock(), now);
        tx.flush().await?;

        let (product_id, request_id) = (plan.row.id, &command.cause.request_id);
        tracing::info!(%product_id, seller_id = %seller, request_id, "product created");
        let made = store::written_product(tx.reads(), plan.row.id).await?;
        Ok(view::product(&made.product, &made.variants, &command.caller))
    }
}

#[cfg(test)]
mod tests;
