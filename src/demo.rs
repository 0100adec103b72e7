//! The demo shop of the local stack. Everything goes through the commands that everybody uses, with ids made from
//! names: seeding twice changes nothing.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use contract::{CallError, Command, ErrorKind};
use runtime::{Call, Client};
use subjects::{
    CategoryId,
    catalog::ListCategories,
    identity::{CreateAccount, Login},
};
use uuid::Uuid;

use crate::settings::Servers;

/// The password of every demo account. Local stack only.
pub(crate) const PASSWORD: &str = "souk-demo-password";

/// The demo accounts and their roles.
pub(crate) const ACCOUNTS: [(&str, &str); 3] =
    [("admin@souk.test", "admin"), ("seller@souk.test", "seller"), ("customer@souk.test", "customer")];

/// What a person needs to log in as one of them.
pub(crate) fn accounts() -> gateway::Accounts {
    let accounts = ACCOUNTS.map(|(email, role)| (email.to_owned(), role.to_owned())).into();
    gateway::Accounts { password: PASSWORD.to_owned(), accounts }
}

/// Makes what is missing of the demo shop.
pub(crate) async fn seed(servers: &Servers, step: impl Fn(&str)) -> Result<()> {
    step("demo accounts");
    let client = Client::new(runtime::connect(&servers.nats, "operator", "demo").await?).await?;
    let mut tokens = HashMap::new();
    for (email, role) in ACCOUNTS {
        let (email, password) = (email.to_owned(), PASSWORD.to_owned());
        send(
            &client,
            &CreateAccount { email: email.clone(), password: password.clone(), role: role.to_owned() },
            email.as_str(),
            None,
        )
        .await?;
        if role != "customer" {
            let session = client.send(&Login { email, password }, &Call::default()).await;
            tokens.insert(
                role,
                session.map_err(|error| anyhow!("a demo account cannot log in: {error}"))?.reply.access_token,
            );
        }
    }
    let categories = catalog::demo::categories();
    step(&format!("demo categories ({})", categories.len()));
    let mut ids: HashMap<String, CategoryId> = HashMap::new();
    for category in categories {
        let parent = category.parent.and_then(|slug| ids.get(slug)).copied();
        let slug = category.slug.to_owned();
        match send(&client, &category.command(parent), &slug, tokens.get("admin")).await? {
            Some(made) => drop(ids.insert(slug, made.id)),
            None => ids.extend(known_categories(&client).await?),
        }
    }
    let products = catalog::demo::products();
    step(&format!("demo products ({})", products.len()));
    for product in products {
        let category = ids.get(product.category).ok_or_else(|| anyhow!("there is no category {}", product.category))?;
        send(&client, &product.command(*category), product.slug, tokens.get("seller")).await?;
    }
    Ok(())
}

/// Sends a command under an id made from a name. `None` where the thing exists from an earlier time.
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
        // Made by hand, or so long ago that the id was forgotten.
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
        Err(CallError::Fault(fault)) if fault.code == "command_id_reused" => Ok(None),
        Err(error) => Err(anyhow!("the demo's {name}: {error}")),
    }
}

async fn known_categories(client: &Client) -> Result<HashMap<String, CategoryId>> {
    let page = subjects::PageRequest { limit: Some(100), ..Default::default() };
    let listed = client.ask(&ListCategories { page }, &Call::default()).await.map_err(|error| anyhow!("{error}"))?;
    Ok(listed.data.into_iter().map(|category| (category.slug, category.id)).collect())
}
