//! The demo shop of the local stack. Uses the same commands as clients, with ids derived from names, so that seeding is
//! idempotent.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow, bail};
use contract::{CallError, Command, ErrorKind};
use runtime::{Call, Client};
use serde::Deserialize;
use subjects::{
    CategoryId, Currency,
    catalog::{CreateCategory, CreateProduct, ListCategories, NewProduct},
    identity::{CreateAccount, Login},
};
use uuid::Uuid;

use crate::settings::Servers;

/// The password of every demo account on the local stack.
pub(crate) const PASSWORD: &str = "souk-demo-password";

/// The demo accounts and their roles.
pub(crate) const ACCOUNTS: [(&str, &str); 3] =
    [("admin@souk.test", "admin"), ("seller@souk.test", "seller"), ("customer@souk.test", "customer")];

/// The credentials of the demo accounts.
pub(crate) fn accounts() -> gateway::Accounts {
    let accounts = ACCOUNTS.map(|(email, role)| (email.to_owned(), role.to_owned())).into();
    gateway::Accounts { password: PASSWORD.to_owned(), accounts }
}

/// The contents of the demo shop, in the format of the API.
#[derive(Debug, Deserialize)]
struct Goods {
    /// Parents come before their children.
    categories: Vec<DemoCategory>,
    products: Vec<DemoProduct>,
}

#[derive(Debug, Deserialize)]
struct DemoCategory {
    slug: String,
    name: String,
    description: String,
    /// The parent's slug.
    parent: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DemoProduct {
    /// The category's slug.
    category: String,
    product: NewProduct,
}

impl Goods {
    /// The contents, with prices in this currency.
    fn load(currency: Currency) -> Result<Self> {
        let mut goods: Self = serde_json::from_str(include_str!("demo/goods.json"))?;
        for DemoProduct { product, .. } in &mut goods.products {
            let NewProduct { price, compare_price, cost_price, variants, .. } = product;
            let of_variants = variants.iter_mut().flatten().filter_map(|variant| variant.price.as_mut());
            for price in [price].into_iter().chain(compare_price).chain(cost_price).chain(of_variants) {
                price.currency = currency;
            }
        }
        Ok(goods)
    }
}

/// Creates the missing parts of the demo shop.
pub(crate) async fn seed(servers: &Servers, password: &str, currency: Currency, step: impl Fn(&str)) -> Result<()> {
    step("demo accounts");
    let client = Client::new(runtime::connect(&servers.nats, "operator", "demo").await?).await?;
    let mut tokens = HashMap::new();
    for (email, role) in ACCOUNTS {
        let (email, password) = (email.to_owned(), password.to_owned());
        send(
            &client,
            &CreateAccount { email: email.clone(), password: password.clone(), role: role.to_owned() },
            email.as_str(),
            None,
        )
        .await?;
        if role != "customer" {
            let session = match client.send(&Login { email, password }, &Call::default()).await {
                Ok(session) => session.reply,
                Err(CallError::ServiceError(error)) => return Err(error).context("a demo account cannot log in"),
                Err(error) => bail!("a demo account cannot log in: {error}"),
            };
            tokens.insert(role, session.access_token);
        }
    }
    let Goods { categories, products } = Goods::load(currency)?;
    step(&format!("demo categories ({})", categories.len()));
    let mut ids: HashMap<String, CategoryId> = HashMap::new();
    for DemoCategory { slug, name, description, parent } in categories {
        let parent_id = parent.and_then(|parent| ids.get(&parent)).copied();
        let command = CreateCategory { name, slug: slug.clone(), description, parent_id };
        match send(&client, &command, &slug, tokens.get("admin")).await? {
            Some(made) => drop(ids.insert(slug, made.id)),
            None => ids.extend(known_categories(&client).await?),
        }
    }
    step(&format!("demo products ({})", products.len()));
    for DemoProduct { category, mut product } in products {
        let category_id = ids.get(&category).ok_or_else(|| anyhow!("there is no category {category}"))?;
        product.category_id = Some(*category_id);
        let slug = product.slug.clone().unwrap_or_default();
        send(&client, &CreateProduct { product }, &slug, tokens.get("seller")).await?;
    }
    Ok(())
}

/// Sends a command with an id derived from a name. Returns `None` if the object already exists.
async fn send<C: Command>(
    client: &Client,
    command: &C,
    name: &str,
    token: Option<&String>,
) -> Result<Option<C::Reply>> {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("demo/{}/{name}", C::OPERATION).as_bytes());
    let authorization = token.map(|token| format!("Bearer {token}"));
    let call = Call { command_id: Some(id), authorization, ..Call::default() };
    match client.send(command, &call).await {
        Ok(done) => Ok(Some(done.reply)),
        // Created by hand, or so long ago that the command id is no longer stored.
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
        Err(CallError::ServiceError(service_error)) if service_error.code == "command_id_reused" => Ok(None),
        Err(CallError::ServiceError(error)) => Err(anyhow::Error::new(error).context(format!("the demo's {name}"))),
        Err(error) => Err(anyhow!("the demo's {name}: {error}")),
    }
}

async fn known_categories(client: &Client) -> Result<HashMap<String, CategoryId>> {
    let page = subjects::PageRequest { limit: Some(100), ..Default::default() };
    let listed = client.ask(&ListCategories { page }, &Call::default()).await.map_err(|error| anyhow!("{error}"))?;
    Ok(listed.data.into_iter().map(|category| (category.slug, category.id)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_goods_fit_together() {
        let Goods { categories, products } = Goods::load(Currency::EUR).unwrap();
        let (mut known, mut slugs, mut skus) = (HashSet::new(), HashSet::new(), HashSet::new());
        for category in categories {
            assert!(category.parent.is_none_or(|parent| known.contains(&parent)), "{}", category.slug);
            assert!(known.insert(category.slug.clone()), "{} is there twice", category.slug);
        }
        for DemoProduct { category, product } in products {
            let slug = product.slug.clone().unwrap();
            assert!(known.contains(&category), "{slug}: {category}");
            assert!(product.cost_price.unwrap().amount < product.price.amount, "{slug}");
            assert_eq!(product.price.currency, Currency::EUR, "{slug}");
            assert!(product.on_hand.is_some() != product.variants.is_some(), "{slug}");
            for variant in product.variants.unwrap_or_default() {
                assert!(skus.insert(variant.sku.clone()), "{} is there twice", variant.sku);
            }
            assert!(slugs.insert(slug.clone()), "{slug} is there twice");
        }
        assert!(slugs.len() >= 40, "{}", slugs.len());
    }
}
