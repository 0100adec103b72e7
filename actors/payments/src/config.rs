//! The configuration of the domain.

use std::{fmt, sync::Arc};

use crate::provider::{self, Provider};

/// The configuration of payments.
#[derive(Clone)]
pub struct PaymentsConfig {
    /// The payment provider.
    pub provider: Arc<dyn Provider>,
}

impl Default for PaymentsConfig {
    /// Uses the simulated provider.
    fn default() -> Self {
        Self { provider: Arc::new(provider::Simulated::default()) }
    }
}

impl fmt::Debug for PaymentsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentsConfig").field("provider", &self.provider.name()).finish()
    }
}
