//! Creates a category.

use chrono::{DateTime, Utc};
use contract::{Detail, DetailCode, Fields, text::trimmed};
use runtime::{CommandEnvelope, Handle, HandlerResult, Tx};
use subjects::{
    CategoryId,
    catalog::{CatalogError, Category, CreateCategory},
};

use crate::{Catalog, check, store};

fn plan(command: &CreateCategory, now: DateTime<Utc>) -> Result<Category, CatalogError> {
    let mut fields = Fields::default();
    check::name(&mut fields, "name", &command.name);
    check::slug(&mut fields, &command.slug);
    check::description(&mut fields, &command.description);
    check::of_category(fields)?;
    Ok(Category {
        id: CategoryId::new(),
        slug: command.slug.clone(),
        name: trimmed(&command.name).to_owned(),
        description: command.description.clone(),
        parent_id: command.parent_id,
        created_at: now,
        updated_at: now,
    })
}

/// The maximum depth of the category tree.
const MAX_DEPTH: i64 = 8;

fn check_parent(depth: Option<i64>) -> Result<(), CatalogError> {
    let fields = match depth {
        None => check::no_such_category("parent_id"),
        Some(depth) if depth >= MAX_DEPTH => {
            let message = format!("categories can be nested at most {MAX_DEPTH} levels deep");
            vec![Detail::new("parent_id", DetailCode::Range, message).with("max", MAX_DEPTH)]
        }
        Some(_) => return Ok(()),
    };
    Err(CatalogError::InvalidCategory { fields })
}

impl Handle<CreateCategory> for Catalog {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CreateCategory>,
    ) -> HandlerResult<Category, CatalogError> {
        let category = plan(&command.message, tx.now())?;
        if let Some(parent) = category.parent_id {
            check_parent(store::depth_of_category(tx.reads(), parent.0).await?)?;
        }
        if !store::insert_category(tx.writes(), &category).await? {
            return Err(CatalogError::CategorySlugTaken.into());
        }
        Ok(category)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_fields_are_named() {
        let command =
            CreateCategory { name: " ".into(), slug: "No Slug".into(), description: "\0".into(), parent_id: None };
        let Err(CatalogError::InvalidCategory { fields }) = plan(&command, Utc::now()) else {
            panic!("must be rejected")
        };
        assert_eq!(
            fields.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(),
            ["name", "slug", "description"]
        );
    }
}
