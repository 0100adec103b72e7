//! Rate limits at the edge.

use gateway::{RateLimit, RateLimits};
use poem::test::TestResponse;

use super::{client_with, expect_error};

fn header(response: &TestResponse, name: &str) -> Option<u64> {
    response.0.header(name).map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn a_response_names_the_limit_and_one_beyond_it_the_time_to_wait() {
    let limit = RateLimit::PerMinute(2);
    let client = client_with(RateLimits { auth: limit, payments: limit, writes: limit, reads: limit }).await;
    for remaining in [1, 0] {
        let response = client.get("/api/v1/nothing").send().await;
        assert_eq!(response.0.status().as_u16(), 404, "an unknown path is counted too");
        assert_eq!(header(&response, "RateLimit-Limit"), Some(2));
        assert_eq!(header(&response, "RateLimit-Remaining"), Some(remaining));
    }
    let response = client.get("/api/v1/nothing").send().await;
    let headers = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"];
    assert_eq!(headers.map(|name| header(&response, name)), [Some(2), Some(0), Some(60), Some(30)]);
    let body = expect_error(response, 429, "rate_limited").await;
    assert_eq!(body["details"][0]["params"]["value"], 30);
    // Another class, and none.
    let response = client.post("/api/v1/auth/login").send().await;
    assert_eq!(header(&response, "RateLimit-Remaining"), Some(1));
    let response = client.get("/health/live").send().await;
    assert_eq!((response.0.status().as_u16(), header(&response, "RateLimit-Limit")), (200, None));
}
