//! Accounts, roles and tokens.

use chrono::{DateTime, Utc};
use contract::{
    Access, Answer, Detail, RevocationsPage, RevocationsRequest, VerificationKeys, command, domain_error, event, query,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{UserId, registry::MessageInfo, roles};

/// The domain's name.
pub const DOMAIN: &str = "identity";

/// An account, for its owner and for admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct User {
    pub id: UserId,
    pub email: String,
    /// `customer`, `seller` or `admin`.
    pub role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub phone: Option<String>,
    /// An inactive account can neither log in nor refresh a session.
    pub is_active: bool,
    pub is_verified: bool,
    /// Increases with every change of the account; the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The tokens of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Session {
    pub user: User,
    /// An EdDSA JWT, to be sent as `Authorization: Bearer <token>`.
    pub access_token: String,
    /// Valid for one use.
    pub refresh_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: i64,
}

/// Registers an account with the role `customer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Register {
    /// 3 to 254 characters; compared case-insensitively.
    pub email: String,
    /// 10 to 256 characters.
    #[serde(deserialize_with = "contract::text::as_sent")]
    pub password: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}
command!(Register, DOMAIN, "register", Access::Public => Session, IdentityError,
    key = |_| None, answer = Answer::Secret);

/// Logs in: starts a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Login {
    pub email: String,
    #[serde(deserialize_with = "contract::text::as_sent")]
    pub password: String,
}
command!(Login, DOMAIN, "login", Access::Public => Session, IdentityError, key = |_| None, answer = Answer::Secret);

/// Refreshes a session; the refresh token becomes invalid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Refresh {
    pub refresh_token: String,
}
command!(Refresh, DOMAIN, "refresh", Access::Public => Session, IdentityError, key = |_| None, answer = Answer::Secret);

/// Ends the session of the access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logout {}
command!(Logout, DOMAIN, "logout", roles::SIGNED_IN => Done, IdentityError, key = |_| None);

/// An empty reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Returns the public keys that verify access tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetKeys {}
query!(GetKeys, DOMAIN, "jwks", Access::Public => VerificationKeys, IdentityError);

/// Lists the access tokens that were revoked before they expired, by position, or checks one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GetRevocations {
    pub request: RevocationsRequest,
}
query!(GetRevocations, DOMAIN, "revocations", Access::Internal => RevocationsPage, IdentityError);

impl From<RevocationsRequest> for GetRevocations {
    fn from(request: RevocationsRequest) -> Self {
        Self { request }
    }
}

/// The changes of an account by an admin. Absent fields stay unchanged; null is rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct UserChanges {
    /// `customer`, `seller` or `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub is_active: Option<bool>,
}

/// Changes the role or the active flag of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeUser {
    pub user_id: UserId,
    pub changes: UserChanges,
    /// Rejected if the account has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ChangeUser, DOMAIN, "change_user", roles::ADMINS => User, IdentityError, key = |c| Some(c.user_id.0),
    sensitive = true, recorded = ["changes.role"]);

/// Creates the first admin, or a demo account. Not reachable from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateAccount {
    pub email: String,
    #[serde(deserialize_with = "contract::text::as_sent")]
    pub password: String,
    pub role: String,
}
// The body is secret, not the answer: the command log would store a fast hash of the password.
command!(CreateAccount, DOMAIN, "create_account", Access::Internal => User, IdentityError,
    key = |_| None, answer = Answer::Secret);

/// An account was registered. The only event with personal data: its stream has a short maximum age, and its log can be
/// redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRegistered {
    pub user_id: UserId,
    pub email: String,
    pub role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
}
event!(UserRegistered, DOMAIN, "user_registered", entity = |e| e.user_id.0);

/// An admin changed an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserChanged {
    pub user_id: UserId,
    pub role: String,
    pub is_active: bool,
}
event!(UserChanged, DOMAIN, "user_changed", entity = |e| e.user_id.0);

/// An account was deactivated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDeactivated {
    pub user_id: UserId,
}
event!(UserDeactivated, DOMAIN, "user_deactivated", entity = |e| e.user_id.0);

/// A deactivated account was reactivated, possibly with another role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserReactivated {
    pub user_id: UserId,
    pub role: String,
}
event!(UserReactivated, DOMAIN, "user_reactivated", entity = |e| e.user_id.0);

/// A session was revoked: its access tokens are no longer accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRevoked {
    pub session_id: Uuid,
    pub user_id: UserId,
}
event!(SessionRevoked, DOMAIN, "session_revoked", entity = |e| e.session_id);

domain_error! {
    /// The errors of identity.
    pub enum IdentityError {
        InvalidAccount { fields: Vec<Detail> }: Invalid "invalid_account" =
            "Some fields of the account are not valid." => fields.clone();
        EmailTaken: Conflict "email_taken" = "An account with this e-mail address exists.";
        WrongCredentials: Unauthenticated "wrong_credentials" = "The e-mail address or the password is wrong.";
        TooManyLogins { retry_after: u64 }: TooMany "too_many_logins" = "Too many failed logins. Try again later."
            => vec![Detail::value("retry_after", retry_after)];
        AccountInactive: Unauthenticated "account_inactive" = "The account is not active.";
        InvalidRefreshToken: Unauthenticated "invalid_refresh_token" = "The refresh token is not valid.";
        UserNotFound: NotFound "user_not_found" = "There is no such account.";
        UnknownRole: Invalid "unknown_role" = "There is no such role."
            => vec![Detail::one_of("role", &roles::ALL)];
        UserVersionMismatch: PreconditionFailed "user_version_mismatch" = "The account was changed in the meantime.";
        InvalidToken: Unauthenticated "invalid_token" = "The access token is not valid.";
        CannotChangeYourself: Conflict "cannot_change_yourself" =
            "You cannot change your own role or deactivate your own account.";
    }
}

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::command::<Register>(),
        MessageInfo::command::<Login>(),
        MessageInfo::command::<Refresh>(),
        MessageInfo::command::<Logout>(),
        MessageInfo::query::<GetKeys>(),
        MessageInfo::query::<GetRevocations>(),
        MessageInfo::command::<ChangeUser>(),
        MessageInfo::command::<CreateAccount>(),
        MessageInfo::event::<UserRegistered>(),
        MessageInfo::event::<UserChanged>(),
        MessageInfo::event::<UserDeactivated>(),
        MessageInfo::event::<UserReactivated>(),
        MessageInfo::event::<SessionRevoked>(),
    ]
}
