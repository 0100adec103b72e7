//! Tax rates, shipping zones and promotions, for admins.

use poem_openapi::{OpenApi, param::Path};
use subjects::{
    PromotionId, ShippingZoneId, TaxRateId,
    pricing::{
        ChangePromotion, ChangeShippingZone, ChangeTaxRate, CreatePromotion, CreateShippingZone, CreateTaxRate,
        DeletePromotion, DeleteShippingZone, DeleteTaxRate, GetPromotion, GetShippingZone, GetTaxRate, ListPromotions,
        ListShippingZones, ListTaxRates, NewPromotion, NewShippingZone, NewTaxRate, Promotion, PromotionChanges,
        Promotions, ShippingZone, ShippingZoneChanges, ShippingZones, TaxRate, TaxRateChanges, TaxRates,
    },
};

use crate::http::{
    body::Body,
    caller::Caller,
    error::ApiError,
    header::{IfMatch, IfNoneMatch, Key},
    query::{Query, page},
    reply::{Answer, Fresh, NoContent, Reply},
    tag::{BASE, Tag},
};

/// The routes of tax rates, shipping zones and promotions.
pub(crate) struct PricingApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Pricing")]
impl PricingApi {
    /// List tax rates
    #[oai(path = "/admin/tax-rates", method = "get", operation_id = "list_tax_rates")]
    async fn list_tax_rates(
        &self,
        caller: Caller<ListTaxRates>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<TaxRates> {
        Reply::new(&caller.ask(&ListTaxRates { page: page(limit, offset, cursor) }).await?)
    }

    /// Get a tax rate
    #[oai(path = "/admin/tax-rates/:id", method = "get", operation_id = "get_tax_rate")]
    async fn get_tax_rate(
        &self,
        caller: Caller<GetTaxRate>,
        id: Path<TaxRateId>,
        #[oai(name = "If-None-Match")] known: IfNoneMatch,
    ) -> Result<Fresh<TaxRate>, ApiError> {
        Ok(Reply::versioned(&caller.ask(&GetTaxRate { id: id.0 }).await?)?.unless(&known))
    }

    /// Create a tax rate
    #[oai(path = "/admin/tax-rates", method = "post", operation_id = "create_tax_rate")]
    async fn create_tax_rate(
        &self,
        caller: Caller<CreateTaxRate>,
        #[oai(name = "Idempotency-Key")] key: Key,
        body: Body<NewTaxRate>,
    ) -> Answer<TaxRate, 201> {
        let answer = caller.send(&CreateTaxRate { tax_rate: body.0 }, key).await?;
        let path = format!("{BASE}/admin/tax-rates/{}", answer.reply.id);
        Ok(Reply::versioned(&answer.reply)?.at(&path).replayed(answer.replayed))
    }

    /// Update a tax rate
    #[oai(path = "/admin/tax-rates/:id", method = "put", operation_id = "change_tax_rate")]
    async fn change_tax_rate(
        &self,
        caller: Caller<ChangeTaxRate>,
        id: Path<TaxRateId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<TaxRateChanges>,
    ) -> Answer<TaxRate> {
        let command = ChangeTaxRate { id: id.0, changes: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Delete a tax rate
    #[oai(path = "/admin/tax-rates/:id", method = "delete", operation_id = "delete_tax_rate")]
    async fn delete_tax_rate(
        &self,
        caller: Caller<DeleteTaxRate>,
        id: Path<TaxRateId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
    ) -> Result<NoContent, ApiError> {
        caller.send(&DeleteTaxRate { id: id.0, expected_version: expected.0 }, key).await?;
        Ok(NoContent)
    }

    /// List shipping zones
    #[oai(path = "/admin/shipping-zones", method = "get", operation_id = "list_shipping_zones")]
    async fn list_shipping_zones(
        &self,
        caller: Caller<ListShippingZones>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<ShippingZones> {
        Reply::new(&caller.ask(&ListShippingZones { page: page(limit, offset, cursor) }).await?)
    }

    /// Get a shipping zone
    #[oai(path = "/admin/shipping-zones/:id", method = "get", operation_id = "get_shipping_zone")]
    async fn get_shipping_zone(
        &self,
        caller: Caller<GetShippingZone>,
        id: Path<ShippingZoneId>,
        #[oai(name = "If-None-Match")] known: IfNoneMatch,
    ) -> Result<Fresh<ShippingZone>, ApiError> {
        Ok(Reply::versioned(&caller.ask(&GetShippingZone { id: id.0 }).await?)?.unless(&known))
    }

    /// Create a shipping zone
    #[oai(path = "/admin/shipping-zones", method = "post", operation_id = "create_shipping_zone")]
    async fn create_shipping_zone(
        &self,
        caller: Caller<CreateShippingZone>,
        #[oai(name = "Idempotency-Key")] key: Key,
        body: Body<NewShippingZone>,
    ) -> Answer<ShippingZone, 201> {
        let answer = caller.send(&CreateShippingZone { zone: body.0 }, key).await?;
        let path = format!("{BASE}/admin/shipping-zones/{}", answer.reply.id);
        Ok(Reply::versioned(&answer.reply)?.at(&path).replayed(answer.replayed))
    }

    /// Update a shipping zone
    #[oai(path = "/admin/shipping-zones/:id", method = "put", operation_id = "change_shipping_zone")]
    async fn change_shipping_zone(
        &self,
        caller: Caller<ChangeShippingZone>,
        id: Path<ShippingZoneId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<ShippingZoneChanges>,
    ) -> Answer<ShippingZone> {
        let command = ChangeShippingZone { id: id.0, changes: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Delete a shipping zone
    #[oai(path = "/admin/shipping-zones/:id", method = "delete", operation_id = "delete_shipping_zone")]
    async fn delete_shipping_zone(
        &self,
        caller: Caller<DeleteShippingZone>,
        id: Path<ShippingZoneId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
    ) -> Result<NoContent, ApiError> {
        caller.send(&DeleteShippingZone { id: id.0, expected_version: expected.0 }, key).await?;
        Ok(NoContent)
    }

    /// List promotions
    #[oai(path = "/admin/promotions", method = "get", operation_id = "list_promotions")]
    async fn list_promotions(
        &self,
        caller: Caller<ListPromotions>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<Promotions> {
        Reply::new(&caller.ask(&ListPromotions { page: page(limit, offset, cursor) }).await?)
    }

    /// Get a promotion
    #[oai(path = "/admin/promotions/:id", method = "get", operation_id = "get_promotion")]
    async fn get_promotion(
        &self,
        caller: Caller<GetPromotion>,
        id: Path<PromotionId>,
        #[oai(name = "If-None-Match")] known: IfNoneMatch,
    ) -> Result<Fresh<Promotion>, ApiError> {
        Ok(Reply::versioned(&caller.ask(&GetPromotion { id: id.0 }).await?)?.unless(&known))
    }

    /// Create a promotion
    #[oai(path = "/admin/promotions", method = "post", operation_id = "create_promotion")]
    async fn create_promotion(
        &self,
        caller: Caller<CreatePromotion>,
        #[oai(name = "Idempotency-Key")] key: Key,
        body: Body<NewPromotion>,
    ) -> Answer<Promotion, 201> {
        let answer = caller.send(&CreatePromotion { promotion: body.0 }, key).await?;
        let path = format!("{BASE}/admin/promotions/{}", answer.reply.id);
        Ok(Reply::versioned(&answer.reply)?.at(&path).replayed(answer.replayed))
    }

    /// Update a promotion
    #[oai(path = "/admin/promotions/:id", method = "put", operation_id = "change_promotion")]
    async fn change_promotion(
        &self,
        caller: Caller<ChangePromotion>,
        id: Path<PromotionId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<PromotionChanges>,
    ) -> Answer<Promotion> {
        let command = ChangePromotion { id: id.0, changes: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Delete a promotion
    #[oai(path = "/admin/promotions/:id", method = "delete", operation_id = "delete_promotion")]
    async fn delete_promotion(
        &self,
        caller: Caller<DeletePromotion>,
        id: Path<PromotionId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
    ) -> Result<NoContent, ApiError> {
        caller.send(&DeletePromotion { id: id.0, expected_version: expected.0 }, key).await?;
        Ok(NoContent)
    }
}
