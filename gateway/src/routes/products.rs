//! Products and categories.

use poem_openapi::{Enum, OpenApi, param::Path};
use subjects::{
    ProductId, UserId,
    catalog::{
        Categories, ChangeProduct, CreateProduct, GetProduct, ListCategories, ListProducts, NewProduct, Product,
        ProductChanges, ProductSort, Products,
    },
};

use crate::http::{
    body::Body,
    caller::Caller,
    error::ApiError,
    header::{IfMatch, IfNoneMatch, Key},
    query::{Query, currency, page},
    reply::{Answer, Fresh, Reply},
    tag::{BASE, Tag},
};

/// The order of a list of products.
#[derive(Enum)]
enum Sort {
    #[oai(rename = "-created_at")]
    Newest,
    #[oai(rename = "name")]
    Name,
    #[oai(rename = "-name")]
    NameDescending,
    #[oai(rename = "price")]
    Price,
    #[oai(rename = "-price")]
    PriceDescending,
}

impl From<Sort> for ProductSort {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Newest => Self::Newest,
            Sort::Name => Self::Name,
            Sort::NameDescending => Self::NameDescending,
            Sort::Price => Self::Price,
            Sort::PriceDescending => Self::PriceDescending,
        }
    }
}

/// The routes of products and categories.
pub(crate) struct ProductsApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Products")]
impl ProductsApi {
    /// List products
    ///
    /// A product matches if one of its variants satisfies `min_price`, `max_price` and `in_stock` together. Sorting by
    /// price uses the cheapest of those variants, by `-price` the most expensive. Hidden products are listed for their
    /// seller and for admins.
    #[oai(path = "/products", method = "get", operation_id = "list_products")]
    #[allow(clippy::too_many_arguments, reason = "one per query parameter")]
    async fn list_products(
        &self,
        caller: Caller<ListProducts>,
        /// Id or slug of a category; products of categories below it are included.
        #[oai(validator(max_length = 200))]
        category: Query<Option<String>>,
        /// Minor units, in `currency`.
        #[oai(validator(minimum(value = "0")))]
        min_price: Query<Option<i64>>,
        /// Minor units, in `currency`.
        #[oai(validator(minimum(value = "0")))]
        max_price: Query<Option<i64>>,
        /// ISO 4217; by default the shop's currency, if the filter or the order uses prices.
        #[oai(name = "currency", validator(pattern = "^[A-Z]{3}$"))]
        code: Query<Option<String>>,
        seller: Query<Option<UserId>>,
        in_stock: Query<Option<bool>>,
        featured: Query<Option<bool>>,
        /// Narrows what the caller may see: `false` finds nothing for the public, a seller's own hidden products for
        /// that seller, and every hidden product for an admin.
        is_active: Query<Option<bool>>,
        /// Terms that the name or description must contain.
        #[oai(validator(max_length = 200))]
        search: Query<Option<String>>,
        sort: Query<Option<Sort>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<Products> {
        let query = ListProducts {
            category: category.0,
            min_price: min_price.0,
            max_price: max_price.0,
            currency: currency(code.0.as_deref())?,
            seller: seller.0,
            in_stock: in_stock.0,
            featured: featured.0,
            is_active: is_active.0,
            search: search.0,
            sort: sort.0.map(ProductSort::from).unwrap_or_default(),
            page: page(limit, offset, cursor),
        };
        Ok(Reply::new(&caller.ask(&query).await?)?.public_unless(caller.is_signed_in()))
    }

    /// Get a product by id or slug
    #[oai(path = "/products/:id", method = "get", operation_id = "get_product")]
    async fn get_product(
        &self,
        caller: Caller<GetProduct>,
        id: Path<String>,
        #[oai(name = "If-None-Match")] known: IfNoneMatch,
    ) -> Result<Fresh<Product>, ApiError> {
        let product = caller.ask(&GetProduct { id: id.0 }).await?;
        Ok(Reply::versioned(&product)?.about(product.id.0).public_unless(caller.is_signed_in()).unless(&known))
    }

    /// Create a product
    #[oai(path = "/products", method = "post", operation_id = "create_product")]
    async fn create_product(
        &self,
        caller: Caller<CreateProduct>,
        #[oai(name = "Idempotency-Key")] key: Key,
        body: Body<NewProduct>,
    ) -> Answer<Product, 201> {
        let answer = caller.send(&CreateProduct { product: body.0 }, key).await?;
        let path = format!("{BASE}/products/{}", answer.reply.id);
        Ok(Reply::versioned(&answer.reply)?.at(&path).replayed(answer.replayed))
    }

    /// Update a product
    #[oai(path = "/products/:id", method = "patch", operation_id = "change_product")]
    async fn change_product(
        &self,
        caller: Caller<ChangeProduct>,
        id: Path<ProductId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<ProductChanges>,
    ) -> Answer<Product> {
        let command = ChangeProduct { product_id: id.0, changes: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// List categories
    #[oai(path = "/categories", method = "get", operation_id = "list_categories")]
    async fn list_categories(
        &self,
        caller: Caller<ListCategories>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<Categories> {
        let query = ListCategories { page: page(limit, offset, cursor) };
        Ok(Reply::new(&caller.ask(&query).await?)?.public_unless(caller.is_signed_in()))
    }
}
