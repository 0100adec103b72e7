//! Quotes for other domains. Those of all queries that arrive together are by the rules of one read.

use std::{collections::BTreeSet, sync::Arc};

use runtime::{AnswerBatch, Context, InternalError, QueryEnvelope, QueryResult, Reads};
use subjects::pricing::{GetQuotes, PricingError, QuoteRequest, Quotes};

use crate::{
    Pricing,
    engine::{self, Rules, normal_code},
    store,
};

impl AnswerBatch<GetQuotes> for Pricing {
    type Loaded = Arc<Rules>;

    async fn load(
        &self,
        db: Reads<'_>,
        queries: &[&QueryEnvelope<GetQuotes>],
    ) -> Result<Vec<Arc<Rules>>, InternalError> {
        let requests = || queries.iter().flat_map(|query| &query.message.requests);
        let country = |request: &QuoteRequest| request.address.as_ref().map(|address| address.country.clone());
        let countries: BTreeSet<String> = requests().filter_map(country).collect();
        let codes: BTreeSet<String> =
            requests().flat_map(|request| &request.coupons).map(|code| normal_code(code)).collect();
        let rules = Arc::new(store::rules(db, &Vec::from_iter(countries), &Vec::from_iter(codes)).await?);
        Ok(queries.iter().map(|_| rules.clone()).collect())
    }

    async fn answer(&self, _: &Context, query: &GetQuotes, rules: Arc<Rules>) -> QueryResult<Quotes, PricingError> {
        let quotes: Result<_, _> = query.requests.iter().map(|request| engine::quote(&rules, request)).collect();
        Ok(Quotes { quotes: quotes? })
    }
}
