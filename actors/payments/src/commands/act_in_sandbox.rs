//! Lets a test act in place of the buyer with the simulated provider: confirm a payment, or have it declined.

use runtime::{CommandEnvelope, Handle, HandlerResult, Tx};
use subjects::payments::{ActInSandbox, Payment, PaymentsError, SandboxAction};

use crate::{
    Payments,
    machine::{Attempt, Fact},
    provider::{AUTHENTICATED, NOT_AUTHENTICATED},
    store,
};

fn fact(action: SandboxAction) -> Fact {
    match action {
        SandboxAction::Confirm => Fact::BuyerActs { method: "pm_card_visa".into() },
        SandboxAction::Decline => Fact::BuyerActs { method: "pm_card_visa_chargeDeclined".into() },
        SandboxAction::RequireAuthentication => Fact::BuyerActs { method: "pm_card_authenticationRequired".into() },
        SandboxAction::Authenticate => Fact::BuyerAuthenticates { method: AUTHENTICATED.into() },
        SandboxAction::FailAuthentication => Fact::BuyerAuthenticates { method: NOT_AUTHENTICATED.into() },
    }
}

fn decide(attempt: &Attempt, fact: &Fact) -> Result<(), PaymentsError> {
    let is_requested = attempt.awaits_action || !matches!(fact, Fact::BuyerAuthenticates { .. });
    if attempt.can_be_paid() && is_requested {
        Ok(())
    } else {
        Err(PaymentsError::NotPayable { status: attempt.status.as_str().into() })
    }
}

impl Handle<ActInSandbox> for Payments {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ActInSandbox>,
    ) -> HandlerResult<Payment, PaymentsError> {
        if !self.provider().is_sandbox() {
            return Err(PaymentsError::NotASandbox.into());
        }
        let found = store::of_provider(tx.reads(), &command.message.intent).await?;
        let key = found.ok_or(PaymentsError::PaymentNotFound)?;
        let mut locked = self.lock(tx, [key]).await?;
        let attempt = locked.get(key).map(|row| &row.attempt).ok_or(PaymentsError::PaymentNotFound)?;
        if attempt.details.is_none() {
            return Err(PaymentsError::PaymentNotFound.into());
        }
        let fact = fact(command.message.action);
        decide(attempt, &fact)?;
        locked.apply(key, fact, &command.cause);
        locked.save(tx).await?;
        tx.flush().await?;
        let view = store::load(tx.reads(), key.0).await?.ok_or(PaymentsError::PaymentNotFound)?;
        Ok(view.payment)
    }
}
