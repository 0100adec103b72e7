//! Who may call an operation.

/// Who may call an operation. The owning domain enforces it, whichever path a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any caller.
    Public,
    /// A caller whose access token has one of these roles.
    Roles(&'static [&'static str]),
    /// A caller with one of these roles or, without an access token, a caller with a capability
    /// ([`header::CAPABILITY`](crate::header::CAPABILITY)). The domain checks what the capability grants.
    RolesOrCapability(&'static [&'static str]),
    /// As `RolesOrCapability`, but a capability beside an access token counts too and grants additional access.
    RolesAndCapability(&'static [&'static str]),
    /// The domains that register it as a call, verifiers of access tokens for theirs, and the operator. The permissions
    /// of the NATS users reject all other callers.
    Internal,
}

impl Access {
    /// Describes the access in endpoint metadata and generated documents.
    pub fn describe(self) -> String {
        match self {
            Self::Public => "public".into(),
            Self::Roles(roles) => roles.join(" "),
            Self::RolesOrCapability(roles) => format!("{} or capability", roles.join(" ")),
            Self::RolesAndCapability(roles) => format!("{} or capability, or both", roles.join(" ")),
            Self::Internal => "internal".into(),
        }
    }
}
