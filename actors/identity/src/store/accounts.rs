//! Accounts.

use chrono::{DateTime, Utc};
use contract::text::trimmed;
use runtime::{InternalError, Locks, Reads, Version, Writes};
use sqlx::FromRow;
use subjects::{UserId, identity::User};
use uuid::Uuid;

macro_rules! account_columns {
    () => {
        "id, email, password_hash, role, username, first_name, last_name, phone, is_active, is_verified, version, \
         made_by, created_at, updated_at"
    };
}

/// An account's row.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Account {
    #[sqlx(flatten)]
    pub user: User,
    pub password_hash: String,
    /// The version that the next event advances; that of `user` is the stored one.
    pub version: Version,
    pub made_by: Uuid,
}

impl Account {
    /// The account as its owner sees it.
    pub(crate) fn user(&self) -> User {
        User { version: self.version.get(), ..self.user.clone() }
    }

    /// A new account, without names.
    pub(crate) fn new(email: &str, role: &str, password_hash: String, made_by: Uuid, now: DateTime<Utc>) -> Self {
        let user = User {
            id: UserId::new(),
            email: trimmed(email).to_owned(),
            role: role.to_owned(),
            username: None,
            first_name: None,
            last_name: None,
            phone: None,
            is_active: true,
            is_verified: false,
            version: 0,
            created_at: now,
            updated_at: now,
        };
        Self { user, password_hash, version: Version::default(), made_by }
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self::new("ann@example.com", "customer", "$argon2id$".into(), Uuid::nil(), DateTime::UNIX_EPOCH)
    }
}

/// Finds an account by e-mail address, ignoring case and character width.
pub(crate) async fn account_by_email(db: Reads<'_>, email: &str) -> Result<Option<Account>, InternalError> {
    let sql = concat!(
        "select ",
        account_columns!(),
        " from users where lower(normalize(email, nfkc)) = lower(normalize($1, nfkc))"
    );
    Ok(sqlx::query_as(sql).bind(email).fetch_optional(db).await?)
}

/// Locks an account against changes until this transaction ends.
pub(crate) async fn share_account(db: Locks<'_>, id: Uuid) -> Result<Option<Account>, InternalError> {
    let sql = concat!("select ", account_columns!(), " from users where id = $1 for share");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// Locks accounts for update, in the order of their ids, so that two admins who change each other do not deadlock.
pub(crate) async fn lock_accounts(db: Locks<'_>, ids: &[Uuid]) -> Result<Vec<Account>, InternalError> {
    let sql = concat!("select ", account_columns!(), " from users where id = any($1) order by id for no key update");
    Ok(sqlx::query_as(sql).bind(ids).fetch_all(db).await?)
}

/// Inserts an account. Returns `None` and writes nothing if the e-mail address has an account.
pub(crate) async fn insert_account(db: Writes<'_>, account: &Account) -> Result<Option<Account>, InternalError> {
    let Account { user, password_hash, version, made_by } = account;
    let sql = concat!(
        "insert into users (id, email, password_hash, role, username, first_name, last_name, phone, version, made_by,
                            created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
         on conflict (lower(normalize(email, nfkc))) do nothing
         returning ",
        account_columns!()
    );
    let row = sqlx::query_as(sql)
        .bind(user.id)
        .bind(&user.email)
        .bind(password_hash)
        .bind(&user.role)
        .bind(&user.username)
        .bind(&user.first_name)
        .bind(&user.last_name)
        .bind(&user.phone)
        .bind(version)
        .bind(made_by)
        .bind(user.created_at)
        .fetch_optional(db)
        .await?;
    Ok(row)
}

/// Updates the role, active flag and version of an account.
pub(crate) async fn update_account(db: Writes<'_>, account: &Account) -> Result<(), InternalError> {
    let User { id, role, is_active, updated_at, .. } = &account.user;
    let sql = "update users set role = $2, is_active = $3, version = $4, updated_at = $5 where id = $1";
    sqlx::query(sql).bind(id).bind(role).bind(is_active).bind(account.version).bind(updated_at).execute(db).await?;
    Ok(())
}
