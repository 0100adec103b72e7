//! Who may call an operation.

/// Who may call an operation. The owning domain enforces it, whoever asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// A caller whose token names one of these roles.
    Roles(&'static [&'static str]),
    /// A caller with one of these roles or, without an access token, one who shows a capability
    /// ([`header::CAPABILITY`](crate::header::CAPABILITY)). The domain checks what that opens.
    RolesOrCapability(&'static [&'static str]),
    /// The same, where a capability beside an access token opens more.
    RolesAndCapability(&'static [&'static str]),
    /// Other domains only. Such subjects are refused to everyone else by the rights of the NATS users.
    Internal,
}

impl Access {
    /// In words, for endpoint metadata and generated documents.
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
