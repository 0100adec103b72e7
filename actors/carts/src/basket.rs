//! A cart as a value: as stored, and as shown with current prices.

use contract::{Detail, DetailCode};
use runtime::{Context, InternalError, QueryResult};
use serde::Deserialize;
use sqlx::FromRow;
use subjects::{
    CartId, Currency, ItemId, Money, MoneyError, ProductId, VariantId,
    carts::{Cart, CartItem, CartsError, LineProblem},
    catalog::Offer,
    pricing::Estimate,
};
use uuid::Uuid;

use crate::{
    owner::{Owner, customers_cart},
    quotes::Quotes,
    store,
};

/// A line, with the offer as of the last change to the cart: the price that the buyer has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    pub id: Uuid,
    pub variant_id: Uuid,
    pub product_id: Uuid,
    pub sku: String,
    pub name: String,
    /// In the cart's currency.
    pub unit_amount: i64,
    pub quantity: i64,
}

impl Line {
    /// A line for an offer.
    pub(crate) fn of(id: Uuid, offer: &Offer, quantity: i64) -> Self {
        Self {
            id,
            variant_id: offer.variant_id.0,
            product_id: offer.product_id.0,
            sku: offer.sku.clone(),
            name: offer.name.clone(),
            unit_amount: offer.price.amount,
            quantity,
        }
    }
}

/// A cart.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Basket {
    pub id: CartId,
    pub currency: Currency,
    pub version: i64,
    /// In the order in which they were added.
    #[sqlx(json)]
    pub lines: Vec<Line>,
}

impl Basket {
    /// An empty cart.
    pub(crate) fn empty(id: CartId) -> Self {
        Self { id, currency: Currency::USD, version: 0, lines: Vec::new() }
    }

    /// The stored cart of an owner. If none is stored, a customer has an empty cart and a guest has none.
    pub(crate) fn of(stored: Option<Self>, owner: Owner) -> Result<Self, CartsError> {
        match (stored, owner) {
            (Some(basket), _) => Ok(basket),
            (None, Owner::Customer(user)) => Ok(Self::empty(customers_cart(user))),
            (None, Owner::Guest(_)) => Err(CartsError::CartNotFound),
        }
    }

    /// The cart that the caller addresses.
    pub(crate) async fn read(cx: &Context) -> QueryResult<Self, CartsError> {
        let owner = Owner::of(cx.caller())?;
        Ok(Self::of(store::basket(cx.reads(), owner).await?, owner)?)
    }

    /// Rejects the change if the cart's version is not the expected one.
    pub(crate) fn expect(&self, version: Option<i64>) -> Result<(), CartsError> {
        match version {
            Some(version) if version != self.version => Err(CartsError::CartVersionMismatch),
            _ => Ok(()),
        }
    }

    /// The line of a variant.
    pub(crate) fn line_of(&self, variant: Uuid) -> Option<&Line> {
        self.lines.iter().find(|line| line.variant_id == variant)
    }

    /// A line by its id.
    pub(crate) fn line(&self, id: ItemId) -> Result<&Line, CartsError> {
        self.lines.iter().find(|line| line.id == id.0).ok_or(CartsError::ItemNotFound)
    }

    /// The cart with a line added, or replaced if its id exists.
    pub(crate) fn with(&self, line: &Line) -> Self {
        let mut after = self.next();
        match after.lines.iter_mut().find(|known| known.id == line.id) {
            Some(known) => known.clone_from(line),
            None => after.lines.push(line.clone()),
        }
        after
    }

    /// The cart without a line.
    pub(crate) fn without(&self, line: Uuid) -> Self {
        let mut after = self.next();
        after.lines.retain(|known| known.id != line);
        after
    }

    /// The cart without lines.
    pub(crate) fn cleared(&self) -> Self {
        Self { lines: Vec::new(), ..self.next() }
    }

    fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    /// The cart with current prices, which every change to the cart accepts.
    #[must_use]
    pub(crate) fn accepting(mut self, quotes: &Quotes) -> Self {
        for line in &mut self.lines {
            if let Some(offer) = quotes.for_sale_in(line.variant_id, self.currency) {
                *line = Line::of(line.id, offer, line.quantity);
            }
        }
        self
    }

    /// New and changed lines, with the id of their cart.
    pub(crate) fn changes_since(&self, before: &Self) -> Vec<(CartId, &Line)> {
        let is_new = |line: &&Line| !before.lines.contains(line);
        self.lines.iter().filter(is_new).map(|line| (self.id, line)).collect()
    }

    /// The ids of removed lines.
    pub(crate) fn lines_gone_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Uuid> + 'a {
        let ids = before.lines.iter().map(|line| line.id);
        ids.filter(|id| self.lines.iter().all(|line| line.id != *id))
    }

    /// The cart with current prices and stock. A line that is no longer for sale, or is for sale in another currency,
    /// is shown as stored with 0 units available. A line that was not quoted was added while the quotes were requested;
    /// it is shown as it was added.
    ///
    /// # Errors
    /// If a sum overflows [`Money`].
    pub(crate) fn show(&self, quotes: &Quotes) -> Result<Cart, MoneyError> {
        let mut subtotal = Money::zero(self.currency);
        let mut items = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let offer = quotes.for_sale_in(line.variant_id, self.currency);
            let accepted = Money::new(line.unit_amount, self.currency);
            let unit_price = offer.map_or(accepted, |offer| offer.price);
            let line_total = unit_price.checked_mul(line.quantity)?;
            let (available, problem) = match offer {
                None if !quotes.cover(line.variant_id) => (line.quantity, None),
                None => (0, Some(LineProblem::NotForSale)),
                Some(_) => {
                    let available = quotes.available(line.variant_id);
                    let changed = (unit_price != accepted).then_some(LineProblem::PriceChanged);
                    (available, if available < line.quantity { Some(LineProblem::OutOfStock) } else { changed })
                }
            };
            if !problem.is_some_and(LineProblem::prevents_purchase) {
                subtotal = subtotal.checked_add(line_total)?;
            }
            items.push(CartItem {
                id: ItemId(line.id),
                product_id: ProductId(line.product_id),
                variant_id: VariantId(line.variant_id),
                sku: offer.map_or(&line.sku, |offer| &offer.sku).clone(),
                name: offer.map_or(&line.name, |offer| &offer.name).clone(),
                quantity: line.quantity,
                unit_price,
                line_total,
                available,
                problem,
            });
        }
        Ok(Cart {
            id: self.id,
            currency: self.currency,
            items,
            totals: Estimate::of_subtotal(subtotal),
            discounts: Vec::new(),
            version: self.version,
        })
    }
}

/// The error for an invalid field.
pub(crate) fn invalid(detail: Detail) -> CartsError {
    CartsError::InvalidItem { fields: vec![detail] }
}

/// Accepts a cart if none of its sums exceeds the limit of an order. A cart that exceeds it later, because prices rose,
/// is still shown.
pub(crate) fn accepted(cart: Cart) -> Result<Cart, MoneyError> {
    cart.totals.total.accepted()?;
    cart.items.iter().try_for_each(|item| item.line_total.accepted().map(drop))?;
    Ok(cart)
}

/// The error for a sum that overflows because of the caller's quantity.
pub(crate) fn too_much(_: MoneyError) -> CartsError {
    invalid(Detail::new("quantity", DetailCode::Range, "the total of the cart would be too large"))
}

/// The error for a sum that overflows without the caller's doing.
pub(crate) fn uncountable(error: MoneyError) -> InternalError {
    InternalError::other(format!("the total of a cart: {error}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Rising prices do not make a cart unreadable.
    #[test]
    fn a_cart_that_became_too_dear_is_shown_and_takes_no_more() {
        let cart = basket([1, 2]).show(&quotes(&[(1, Money::MAX_AMOUNT, 7), (2, 100, 1)])).unwrap();
        assert_eq!(cart.totals.total.amount, Money::MAX_AMOUNT + 100);
        assert_eq!(accepted(cart), Err(MoneyError::Overflow));
        let cart = basket([1, 2]).show(&quotes(&[(1, Money::MAX_AMOUNT - 100, 7), (2, 100, 1)])).unwrap();
        assert_eq!(accepted(cart.clone()), Ok(cart));
    }

    /// A quote per variant: number, price, available units.
    pub(crate) fn quotes(of: &[(u128, i64, i64)]) -> Quotes {
        let mut quotes = Quotes::default();
        for (variant, amount, available) in of {
            quotes.add(offer(*variant, *amount, Currency::USD), *available);
        }
        quotes
    }

    pub(crate) fn offer(variant: u128, amount: i64, currency: Currency) -> Offer {
        Offer {
            variant_id: VariantId(Uuid::from_u128(variant)),
            product_id: ProductId(Uuid::from_u128(variant + 1000)),
            category_id: None,
            seller_id: subjects::UserId(Uuid::nil()),
            sku: format!("SKU-{variant}"),
            name: format!("Thing {variant}"),
            price: Money::new(amount, currency),
            is_active: true,
            version: 1,
        }
    }

    /// A cart with one unit at 100 of each variant; the line ids equal the variant ids.
    pub(crate) fn basket(variants: impl IntoIterator<Item = u128>) -> Basket {
        let line = |variant| Line::of(Uuid::from_u128(variant), &offer(variant, 100, Currency::USD), 1);
        let lines = variants.into_iter().map(line).collect();
        Basket { lines, version: 5, ..Basket::empty(CartId(Uuid::nil())) }
    }

    #[test]
    fn prices_are_those_of_now() {
        let cart = basket([1, 2, 3]).show(&quotes(&[(1, 250, 7), (2, 100, 1), (3, 50, 0)])).unwrap();
        let seen: Vec<_> = cart.items.iter().map(|item| (item.unit_price.amount, item.available)).collect();
        assert_eq!(seen, [(250, 7), (100, 1), (50, 0)]);
        let problems: Vec<_> = cart.items.iter().map(|item| item.problem).collect();
        assert_eq!(problems, [Some(LineProblem::PriceChanged), None, Some(LineProblem::OutOfStock)]);
        assert_eq!(cart.totals.total, Money::new(350, Currency::USD), "what cannot be bought does not count");
    }

    #[test]
    fn a_change_accepts_the_prices_of_now() {
        let quotes = quotes(&[(1, 250, 7), (2, 100, 7)]);
        let before = basket([1, 2, 3]);
        let after = before.clone().accepting(&quotes);
        let prices: Vec<_> = after.lines.iter().map(|line| line.unit_amount).collect();
        assert_eq!(prices, [250, 100, 100], "a line without an offer keeps its price");
        assert_eq!(after.changes_since(&before), [(after.id, &after.lines[0])]);
        assert_eq!(after.show(&quotes).unwrap().items[0].problem, None);
    }

    #[test]
    fn a_line_added_while_the_quotes_were_requested_is_shown_as_it_was_added() {
        let cart = basket([1, 2]).show(&quotes(&[(1, 100, 7)])).unwrap();
        assert_eq!((cart.items[1].available, cart.items[1].problem), (1, None));
        assert_eq!(cart.totals.total, Money::new(200, Currency::USD));
    }

    #[test]
    fn what_is_no_longer_for_sale_is_shown_as_it_was() {
        let mut quotes = quotes(&[(1, 250, 7)]);
        quotes.add(offer(2, 9, Currency::EUR), 7);
        quotes.add(Offer { is_active: false, ..offer(3, 9, Currency::USD) }, 7);
        quotes.add(Offer { is_active: false, ..offer(4, 9, Currency::USD) }, 7);
        let cart = basket([1, 2, 3, 4]).show(&quotes).unwrap();
        let seen: Vec<_> = cart.items.iter().map(|item| (item.unit_price.amount, item.available)).collect();
        assert_eq!(seen, [(250, 7), (100, 0), (100, 0), (100, 0)]);
        assert!(cart.items[1..].iter().all(|item| item.problem == Some(LineProblem::NotForSale)));
        assert_eq!((cart.items[3].name.as_str(), cart.totals.total.amount), ("Thing 4", 250));
    }

    #[test]
    fn a_sum_beyond_counting_is_an_error_and_never_wraps() {
        let mut full = basket([1]);
        full.lines[0].quantity = 10_000;
        assert_eq!(full.show(&quotes(&[(1, i64::MAX / 2, 1)])), Err(MoneyError::Overflow));
    }

    #[test]
    fn a_customer_without_a_cart_has_an_empty_one_and_a_guest_none() {
        let user = Uuid::from_u128(1);
        assert_eq!(Basket::of(None, Owner::Customer(user)).map(|b| (b.id, b.version)), Ok((customers_cart(user), 0)));
        assert_eq!(Basket::of(None, Owner::Guest(user)), Err(CartsError::CartNotFound));
    }

    #[test]
    fn another_version_is_rejected() {
        assert_eq!(basket([1]).expect(Some(4)), Err(CartsError::CartVersionMismatch));
        assert_eq!(basket([1]).expect(Some(5)), Ok(()));
        assert_eq!(basket([1]).expect(None), Ok(()));
    }
}
