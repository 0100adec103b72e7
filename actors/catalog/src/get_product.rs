//! One product, by id or slug.

use runtime::{Answer, Caller, Context, Handled};
use subjects::catalog::{CatalogError, GetProduct, Product};
use uuid::Uuid;

use crate::{
    Catalog,
    slug::is_slug,
    store::{self, ProductRow},
    view::{self, may_manage},
};

/// Whether a caller may know of a product at all.
fn is_visible(row: &ProductRow, caller: &Caller) -> bool {
    row.is_active || may_manage(caller, row.seller_id)
}

impl Answer<GetProduct> for Catalog {
    async fn answer(&self, cx: &Context, query: &GetProduct) -> Handled<Product, CatalogError> {
        let row = match query.id.parse::<Uuid>() {
            Ok(id) => store::product_by_id(cx.db(), id).await?,
            Err(_) if is_slug(&query.id) => store::product_by_slug(cx.db(), &query.id).await?,
            Err(_) => None,
        };
        let row = row.filter(|row| is_visible(row, cx.caller())).ok_or(CatalogError::ProductNotFound)?;
        let variants = store::variants_of(cx.db(), &[row.id]).await?;
        Ok(view::product(&row, &variants, cx.caller())?)
    }
}

#[cfg(test)]
mod tests {
    use runtime::Identity;

    use super::*;

    #[test]
    fn an_inactive_product_is_found_by_its_seller_and_admins_only() {
        let row = ProductRow { is_active: false, ..ProductRow::example() };
        let user =
            |id, role: &str| Caller::User(Identity { id, role: role.into(), session: Uuid::nil(), issued_at: 0 });
        assert!(is_visible(&row, &user(row.seller_id, "seller")));
        assert!(is_visible(&row, &user(Uuid::now_v7(), "admin")));
        assert!(!is_visible(&row, &user(Uuid::now_v7(), "seller")));
        assert!(!is_visible(&row, &Caller::Anonymous));
        assert!(is_visible(&ProductRow::example(), &Caller::Anonymous));
    }
}
