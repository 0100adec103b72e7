//! The configuration that a browser needs to pay.

use runtime::{Answer, Context, QueryResult};
use subjects::payments::{GetConfig, PaymentConfig, PaymentsError};

use crate::Payments;

impl Answer<GetConfig> for Payments {
    async fn answer(&self, _cx: &Context, _query: &GetConfig) -> QueryResult<PaymentConfig, PaymentsError> {
        let provider = self.provider();
        Ok(PaymentConfig {
            provider: provider.name().to_owned(),
            publishable_key: provider.publishable_key().to_owned(),
        })
    }
}
