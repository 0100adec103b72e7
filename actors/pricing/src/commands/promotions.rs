//! Promotions: creation, change, deletion.

use chrono::{DateTime, Utc};
use contract::text::trimmed;
use runtime::{CommandEnvelope, Handle, HandlerResult, Tx};
use subjects::{
    PromotionId,
    pricing::{
        ChangePromotion, CreatePromotion, DeletePromotion, Deleted, NewPromotion, PricingError, Promotion,
        PromotionChanges,
    },
};

use super::is_expected;
use crate::{Pricing, check, engine::normal_code, store};

/// The most promotions that apply by themselves: every quote reads them.
const MAX_AUTOMATIC: i64 = 100;

fn plan(new: &NewPromotion, now: DateTime<Utc>) -> Promotion {
    Promotion {
        id: PromotionId::new(),
        name: trimmed(&new.name).to_owned(),
        code: new.code.as_deref().map(normal_code),
        is_active: new.is_active.unwrap_or(true),
        reward: new.reward.clone(),
        conditions: new.conditions.clone().unwrap_or_default(),
        starts_at: new.starts_at,
        ends_at: new.ends_at,
        stacking: new.stacking.unwrap_or_default(),
        priority: new.priority.unwrap_or(0),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

fn decide(old: &Promotion, changes: &PromotionChanges, now: DateTime<Utc>) -> Promotion {
    let code = changes.code.as_ref().map(|code| code.as_deref().map(normal_code));
    let conditions = changes.conditions.clone().map(Option::unwrap_or_default);
    let changed = Promotion {
        name: changes.name.as_deref().map_or(old.name.as_str(), trimmed).to_owned(),
        code: code.unwrap_or_else(|| old.code.clone()),
        is_active: changes.is_active.unwrap_or(old.is_active),
        reward: changes.reward.clone().unwrap_or_else(|| old.reward.clone()),
        conditions: conditions.unwrap_or_else(|| old.conditions.clone()),
        starts_at: changes.starts_at.unwrap_or(old.starts_at),
        ends_at: changes.ends_at.unwrap_or(old.ends_at),
        stacking: changes.stacking.unwrap_or(old.stacking),
        priority: changes.priority.unwrap_or(old.priority),
        ..old.clone()
    };
    if changed == *old { changed } else { Promotion { version: old.version + 1, updated_at: now, ..changed } }
}

/// Whether a promotion applies by itself, now or later.
fn is_automatic(promotion: &Promotion, now: DateTime<Utc>) -> bool {
    promotion.code.is_none() && promotion.is_active && promotion.ends_at.is_none_or(|end| end > now)
}

/// Rejects a promotion whose code another one has, and one more that applies by itself than are allowed.
async fn check_others(
    tx: &mut Tx<'_>,
    promotion: &Promotion,
    is_new_automatic: bool,
) -> HandlerResult<(), PricingError> {
    if is_new_automatic && store::count_automatic(tx.reads()).await? >= MAX_AUTOMATIC {
        return Err(PricingError::TooMany { limit: MAX_AUTOMATIC }.into());
    }
    // A concurrent transaction may take the code before the write; then the write fails and the command runs again.
    if let Some(code) = &promotion.code
        && store::code_is_taken(tx.reads(), code, promotion.id).await?
    {
        return Err(PricingError::CodeTaken.into());
    }
    Ok(())
}

impl Handle<CreatePromotion> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CreatePromotion>,
    ) -> HandlerResult<Promotion, PricingError> {
        let promotion = plan(&command.message.promotion, tx.now());
        check::promotion(&promotion)?;
        check_others(tx, &promotion, is_automatic(&promotion, tx.now())).await?;
        store::insert_promotion(tx.writes(), &promotion).await?;
        let (promotion_id, request_id) = (promotion.id, &command.cause.request_id);
        tracing::info!(%promotion_id, request_id, "promotion created");
        Ok(promotion)
    }
}

impl Handle<ChangePromotion> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ChangePromotion>,
    ) -> HandlerResult<Promotion, PricingError> {
        let ChangePromotion { id, changes, expected_version } = &command.message;
        let old = store::lock_promotion(tx.locks(), *id).await?.ok_or(PricingError::PromotionNotFound)?;
        if !is_expected(old.version, *expected_version) {
            return Err(PricingError::PromotionVersionMismatch.into());
        }
        let promotion = decide(&old, changes, tx.now());
        check::promotion(&promotion)?;
        let is_new_automatic = is_automatic(&promotion, tx.now()) && !is_automatic(&old, tx.now());
        check_others(tx, &promotion, is_new_automatic).await?;
        if promotion != old {
            store::update_promotion(tx.writes(), &promotion).await?;
        }
        Ok(promotion)
    }
}

impl Handle<DeletePromotion> for Pricing {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<DeletePromotion>,
    ) -> HandlerResult<Deleted, PricingError> {
        let DeletePromotion { id, expected_version } = &command.message;
        let old = store::lock_promotion(tx.locks(), *id).await?.ok_or(PricingError::PromotionNotFound)?;
        if !is_expected(old.version, *expected_version) {
            return Err(PricingError::PromotionVersionMismatch.into());
        }
        store::delete_promotion(tx.writes(), *id).await?;
        Ok(Deleted {})
    }
}

#[cfg(test)]
mod tests {
    use subjects::{
        Currency, Money,
        pricing::{Conditions, Reward, RewardKind},
    };

    use super::*;

    fn reward(kind: RewardKind) -> Reward {
        Reward { kind, rate: None, amounts: None, buy: None, get: None }
    }

    fn ten_percent() -> Promotion {
        let new = NewPromotion {
            name: "Ten percent".into(),
            code: Some(" ten ".into()),
            is_active: None,
            reward: Reward { rate: Some(100_000), ..reward(RewardKind::Percent) },
            conditions: None,
            starts_at: None,
            ends_at: None,
            stacking: None,
            priority: None,
        };
        plan(&new, DateTime::UNIX_EPOCH)
    }

    fn wrong_fields(promotion: &Promotion) -> Vec<String> {
        match check::promotion(promotion) {
            Err(PricingError::InvalidPromotion { fields }) => fields.into_iter().map(|wrong| wrong.field).collect(),
            Ok(()) => Vec::new(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_absent_stays_and_what_is_null_is_cleared() {
        let (old, now) = (ten_percent(), Utc::now());
        assert_eq!((old.code.as_deref(), wrong_fields(&old)), (Some("TEN"), Vec::new()));
        assert_eq!(decide(&old, &PromotionChanges::default(), now), old);
        let old = Promotion {
            conditions: Conditions { minimum_subtotals: vec![Money::new(1, Currency::USD)], ..Conditions::default() },
            ends_at: Some(now),
            ..old
        };
        let changes = PromotionChanges {
            code: Some(None),
            conditions: Some(None),
            ends_at: Some(None),
            priority: Some(7),
            ..PromotionChanges::default()
        };
        let cleared =
            Promotion { code: None, ends_at: None, priority: 7, version: 2, updated_at: now, ..ten_percent() };
        let changed = decide(&old, &changes, now);
        assert_eq!(changed, Promotion { id: old.id, ..cleared });
    }

    #[test]
    fn a_reward_has_the_fields_of_its_kind() {
        let of = |reward| wrong_fields(&Promotion { reward, ..ten_percent() });
        let usd = |amount| Some(vec![Money::new(amount, Currency::USD)]);
        assert_eq!(of(reward(RewardKind::Percent)), ["reward.rate"]);
        assert_eq!(of(reward(RewardKind::Amount)), ["reward.amounts"]);
        assert_eq!(of(reward(RewardKind::BuyXGetY)), ["reward.buy", "reward.get"]);
        assert!(of(reward(RewardKind::FreeShipping)).is_empty());
        assert!(of(Reward { amounts: usd(500), ..reward(RewardKind::Amount) }).is_empty());
        assert_eq!(of(Reward { amounts: usd(0), ..reward(RewardKind::Amount) }), ["reward.amounts[0].amount"]);
        let too_much = Reward { rate: Some(1_000_001), buy: Some(1), amounts: usd(1), ..reward(RewardKind::Percent) };
        assert_eq!(of(too_much), ["reward.rate", "reward.amounts", "reward.buy"]);
        assert!(of(Reward { buy: Some(2), get: Some(1), ..reward(RewardKind::BuyXGetY) }).is_empty());
    }

    #[test]
    fn every_wrong_field_is_named() {
        let twice = vec![Money::new(1, Currency::USD); 2];
        let wrong = Promotion {
            name: String::new(),
            code: Some("A B".into()),
            conditions: Conditions { minimum_subtotals: twice, ..Conditions::default() },
            starts_at: Some(DateTime::UNIX_EPOCH),
            ends_at: Some(DateTime::UNIX_EPOCH),
            priority: 1001,
            ..ten_percent()
        };
        let fields = ["name", "code", "conditions.minimum_subtotals[1].currency", "ends_at", "priority"];
        assert_eq!(wrong_fields(&wrong), fields);
    }
}
