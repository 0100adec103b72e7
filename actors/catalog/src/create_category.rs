//! Makes a category.

use chrono::{DateTime, Utc};
use runtime::{Commanded, Handle, Handled, Tx};
use subjects::{
    CategoryId,
    catalog::{CatalogError, Category, CreateCategory},
};

use crate::{
    Catalog,
    check::Fields,
    store::{self, CategoryRow},
};

fn plan(command: &CreateCategory, now: DateTime<Utc>) -> Result<CategoryRow, CatalogError> {
    let mut fields = Fields::default();
    fields.check_name("name", &command.name);
    fields.check_slug(&command.slug);
    fields.check_description(&command.description);
    fields.of_category()?;
    Ok(CategoryRow {
        id: CategoryId::new().0,
        slug: command.slug.clone(),
        name: command.name.trim().to_owned(),
        description: command.description.clone(),
        parent_id: command.parent_id.map(|parent| parent.0),
        created_at: now,
        updated_at: now,
    })
}

impl Handle<CreateCategory> for Catalog {
    async fn handle(&self, tx: &mut Tx<'_>, command: &Commanded<CreateCategory>) -> Handled<Category, CatalogError> {
        let row = plan(&command.message, tx.now())?;
        if let Some(parent) = row.parent_id
            && !store::category_exists(tx.read(), parent).await?
        {
            let mut fields = Fields::default();
            fields.no_such_category("parent_id");
            fields.of_category()?;
        }
        // Where the slug is taken, nothing is written and the refusal costs nothing.
        if !store::insert_category(tx.read(), &row).await? {
            return Err(CatalogError::CategorySlugTaken.into());
        }
        Ok(row.category())
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
            panic!("must be refused")
        };
        assert_eq!(
            fields.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(),
            ["name", "slug", "description"]
        );
    }
}
