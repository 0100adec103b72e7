//! Carts: one per customer, or one per guest token.

use contract::{Access, Answer, Detail, DetailCode, command, domain_error, query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    CartId, Currency, ItemId, Money, ProductId, VariantId,
    inventory::Units,
    pricing::{Discount, Estimate},
    registry::MessageInfo,
    roles,
};

/// The domain's name.
pub const DOMAIN: &str = "carts";

/// The maximum number of lines in a cart.
pub const MAX_LINES: usize = 100;
/// The maximum number of units in a line.
pub const MAX_QUANTITY: i64 = 10_000;

/// Why a line of a cart needs the buyer's attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum LineProblem {
    /// Fewer units are available than the line has. Not part of the totals.
    OutOfStock,
    /// The variant cannot be bought any more. Not part of the totals.
    NotForSale,
    /// The price has changed since the buyer last changed the cart; the next change accepts it. The line counts at its
    /// current price.
    PriceChanged,
}

impl LineProblem {
    /// Whether the line cannot be bought, and so is not part of the totals.
    pub fn prevents_purchase(self) -> bool {
        matches!(self, Self::OutOfStock | Self::NotForSale)
    }
}

/// A line of a cart, with its current price and availability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct CartItem {
    pub id: ItemId,
    pub product_id: ProductId,
    pub variant_id: VariantId,
    pub sku: String,
    pub name: String,
    pub quantity: i64,
    pub unit_price: Money,
    pub line_total: Money,
    /// Units available now.
    pub available: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub problem: Option<LineProblem>,
}

/// The totals of an order. `total = subtotal - discount + shipping + tax`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Totals {
    pub subtotal: Money,
    pub discount: Money,
    pub shipping: Money,
    /// The tax that is added. Tax that the prices contain is in the tax lines only.
    pub tax: Money,
    pub total: Money,
}

impl Totals {
    /// The totals of a subtotal without discount, shipping and tax.
    pub fn of_subtotal(subtotal: Money) -> Self {
        let zero = Money::zero(subtotal.currency);
        Self { subtotal, discount: zero, shipping: zero, tax: zero, total: subtotal }
    }
}

/// A cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Cart {
    pub id: CartId,
    pub currency: Currency,
    pub items: Vec<CartItem>,
    /// An estimate for the lines that can be bought, with the promotions that apply by themselves. Replies to changes
    /// of the cart are without them.
    pub totals: Estimate,
    /// What promotions give.
    #[serde(default)]
    pub discounts: Vec<Discount>,
    /// Increases with every change of the cart; the `ETag`.
    pub version: i64,
}

/// Creates a guest's cart. A customer needs none: the first added item creates it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateCart {}
command!(CreateCart, DOMAIN, "create", Access::Public => NewCart, CartsError, key = |_| None, answer = Answer::Secret);

/// A guest's cart and its secret token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewCart {
    pub id: CartId,
    /// The secret to send in `X-Cart-Token`.
    pub token: String,
}

/// Returns the caller's cart, identified by the access token or by a guest's cart token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetCart {}
query!(GetCart, DOMAIN, "get", roles::SIGNED_IN_OR_GUEST => Cart, CartsError);

/// Empties the caller's cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearCart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ClearCart, DOMAIN, "clear", roles::SIGNED_IN_OR_GUEST => Cart, CartsError, key = |_| None);

/// An item to add to a cart: a variant, or a product that has only one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewCartItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<VariantId>,
    /// A product with one variant for sale; with several, `variant_id` is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// 1 to 10,000; added to the quantity that is in the cart already.
    pub quantity: i64,
}

/// Adds an item to the caller's cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddItem {
    pub item: NewCartItem,
}
command!(AddItem, DOMAIN, "add_item", roles::SIGNED_IN_OR_GUEST => Cart, CartsError, key = |_| None);

/// The changes of a cart line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct CartItemChanges {
    /// 1 to 10,000.
    pub quantity: i64,
}

/// Changes the quantity of a line of the caller's cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeItem {
    pub item_id: ItemId,
    pub changes: CartItemChanges,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ChangeItem, DOMAIN, "change_item", roles::SIGNED_IN_OR_GUEST => Cart, CartsError, key = |_| None);

/// Removes a line from the caller's cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveItem {
    pub item_id: ItemId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(RemoveItem, DOMAIN, "remove_item", roles::SIGNED_IN_OR_GUEST => Cart, CartsError, key = |_| None);

/// Returns the contents of a cart to another domain: a customer's by account id, or a guest's by the digest of its
/// token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetContents {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    /// The digest of the cart token, if the caller sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Uuid>,
}
query!(GetContents, DOMAIN, "contents", Access::Internal => Contents, CartsError);

/// The contents of a cart, without prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    pub cart_id: CartId,
    pub version: i64,
    pub items: Vec<Units>,
}

domain_error! {
    /// The errors of carts.
    pub enum CartsError {
        CartNotFound: NotFound "cart_not_found" = "There is no such cart.";
        ItemNotFound: NotFound "item_not_found" = "There is no such line in the cart.";
        NotForSale: NotFound "not_for_sale" = "The product does not exist or is not for sale.";
        VariantRequired: Invalid "variant_required" = "The product has several variants. Choose one."
            => vec![Detail::new(
                "variant_id",
                DetailCode::Required,
                "is required: the product has several variants",
            )];
        InvalidItem { fields: Vec<Detail> }: Invalid "invalid_item" =
            "Some fields of the cart line are not valid." => fields.clone();
        CartFull: Conflict "cart_full" = "A cart has at most 100 lines.";
        OutOfStock { available: i64 }: Conflict "out_of_stock" = "Not enough stock."
            => vec![
                Detail::new("quantity", DetailCode::Range, format!("{available} units are available"))
                    .with("max", *available),
            ];
        CurrencyMismatch: Conflict "currency_mismatch" = "The cart is in another currency.";
        CartVersionMismatch: PreconditionFailed "cart_version_mismatch" = "The cart was changed in the meantime.";
    }
}

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::command::<CreateCart>(),
        MessageInfo::query::<GetCart>(),
        MessageInfo::command::<ClearCart>(),
        MessageInfo::command::<AddItem>(),
        MessageInfo::command::<ChangeItem>(),
        MessageInfo::command::<RemoveItem>(),
        MessageInfo::query::<GetContents>(),
    ]
}
