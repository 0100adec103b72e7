use contract::{
    Revocation, RevocationCursor, RevocationsPage, RevocationsRequest, Revoked, TokenOwner, VerificationKey,
    VerificationKeys,
};
use subjects::identity::{
    ChangeUser, CreateAccount, DOMAIN, Done, GetKeys, GetRevocations, IdentityError, Login, Logout, Refresh, Register,
    Session, SessionRevoked, User, UserChanged, UserChanges, UserDeactivated, UserReactivated, UserRegistered,
};

use super::{buyer_id, changed, fields, id, made, text};
use crate::goldens::Goldens;

fn user() -> User {
    User {
        id: buyer_id(),
        email: "ada@example.com".into(),
        role: "customer".into(),
        username: text("ada"),
        first_name: text("Ada"),
        last_name: text("Moreau"),
        phone: text("+1 217 555 0100"),
        is_active: true,
        is_verified: false,
        version: 3,
        created_at: made(),
        updated_at: changed(),
    }
}

fn session() -> Session {
    Session {
        user: user(),
        access_token: "header.claims.signature".into(),
        refresh_token: "refresh".into(),
        token_type: "Bearer".into(),
        expires_in: 900,
    }
}

fn keys() -> VerificationKeys {
    let key = VerificationKey {
        kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".into(),
        kty: "OKP".into(),
        crv: "Ed25519".into(),
        alg: "EdDSA".into(),
        usage: "sig".into(),
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
    };
    VerificationKeys { keys: vec![key] }
}

fn revocations_request() -> GetRevocations {
    let request = RevocationsRequest {
        after: Some(RevocationCursor { position: 7, id: id(0x91) }),
        token: Some(TokenOwner { account: buyer_id().0, version: 3, session: id(0x90) }),
    };
    GetRevocations { request }
}

fn revocations() -> RevocationsPage {
    let revocation = |position, revoked| Revocation {
        cursor: RevocationCursor { position, id: id(0x92) },
        revoked,
        expires_at: 1_800_000_000,
    };
    let account = Revoked::Account { id: buyer_id().0, least_version: 4 };
    let session = Revoked::Session { id: id(0x90) };
    RevocationsPage {
        revocations: vec![revocation(8, account), revocation(9, session)],
        has_more: true,
        is_revoked: Some(true),
    }
}

pub fn add(goldens: &mut Goldens) {
    let (email, password) = ("ada@example.com".to_owned(), "a good long password".to_owned());
    let register = Register {
        email: email.clone(),
        password: password.clone(),
        first_name: text("Ada"),
        last_name: text("Moreau"),
        username: text("ada"),
        phone: text("+1 217 555 0100"),
    };
    goldens.command(&register, &session());
    goldens.command(&Login { email: email.clone(), password: password.clone() }, &session());
    goldens.command(&Refresh { refresh_token: "refresh".into() }, &session());
    goldens.command(&Logout {}, &Done {});
    goldens.query(&GetKeys {}, &keys());
    goldens.query(&revocations_request(), &revocations());
    let changes = UserChanges { role: text("seller"), is_active: Some(true) };
    goldens.command(&ChangeUser { user_id: buyer_id(), changes, expected_version: Some(2) }, &user());
    goldens.command(&CreateAccount { email: email.clone(), password, role: "admin".into() }, &user());

    goldens.event(&UserRegistered {
        user_id: buyer_id(),
        email,
        role: "customer".into(),
        first_name: text("Ada"),
        last_name: text("Moreau"),
    });
    goldens.event(&UserChanged { user_id: buyer_id(), role: "seller".into(), is_active: true });
    goldens.event(&UserDeactivated { user_id: buyer_id() });
    goldens.event(&UserReactivated { user_id: buyer_id(), role: "seller".into() });
    goldens.event(&SessionRevoked { session_id: id(0x90), user_id: buyer_id() });

    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<IdentityError> {
    vec![
        IdentityError::InvalidAccount { fields: fields() },
        IdentityError::EmailTaken,
        IdentityError::WrongCredentials,
        IdentityError::TooManyLogins { retry_after: 8 },
        IdentityError::AccountInactive,
        IdentityError::InvalidRefreshToken,
        IdentityError::UserNotFound,
        IdentityError::UnknownRole,
        IdentityError::UserVersionMismatch,
        IdentityError::CannotChangeYourself,
        IdentityError::InvalidToken,
    ]
}
