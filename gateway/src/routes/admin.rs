//! Routes of admins: accounts and the conservation checks.

use poem_openapi::{OpenApi, param::Path};
use subjects::{
    UserId,
    identity::{ChangeUser, User, UserChanges},
    operations::{CheckInvariants, Invariants},
};

use crate::http::{
    body::Body,
    caller::Caller,
    header::{IfMatch, Key},
    reply::{Answer, Reply},
    tag::Tag,
};

/// The routes of admins.
pub(crate) struct AdminApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Admin")]
impl AdminApi {
    /// Update an account's role or active flag
    #[oai(path = "/admin/users/:id", method = "patch", operation_id = "change_user")]
    async fn change_user(
        &self,
        caller: Caller<ChangeUser>,
        id: Path<UserId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<UserChanges>,
    ) -> Answer<User> {
        let command = ChangeUser { user_id: id.0, changes: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Run the conservation checks
    ///
    /// Compares all databases and streams of the running shop. Fast if everything agrees; takes some seconds if
    /// something is suspect: work in flight changes meanwhile, a violation does not.
    #[oai(path = "/admin/invariants", method = "get", operation_id = "check_invariants")]
    async fn invariants(&self, caller: Caller<CheckInvariants>) -> Answer<Invariants> {
        Reply::new(&caller.ask_with_long_deadline(&CheckInvariants {}).await?)
    }
}
