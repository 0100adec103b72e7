//! The state machine against a model of a provider with every possible result, and of a buyer, an admin and an order
//! with every possible action, in every interleaving.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Open,
    /// Confirmed, and requires an action of the buyer.
    Asks,
    Paid,
    Cancelled,
}

#[derive(Debug, Clone)]
struct World {
    attempt: Attempt,
    /// The objects at the provider.
    objects: BTreeMap<String, Object>,
    given_back: i64,
    /// The number of declined attempts.
    declined: u32,
    /// Committed effects, performed one at a time.
    effects: VecDeque<Act>,
    /// Whether the charge under way has committed its object.
    committed: bool,
    /// What may still happen, each once.
    may: Vec<May>,
    /// The final events that were emitted to the order: at most one.
    verdicts: Vec<Act>,
    automatic: u32,
    /// The order has ended, or its deadline has passed, and that input was applied.
    requested: bool,
    ended: bool,
    browser_paid: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum May {
    Apply(Fact),
    /// The buyer opens an intent: the provider has an object before the transaction that commits it.
    Prepare,
    OpenIntent,
    Act(&'static str),
    /// The buyer pays in the browser, without an input.
    BrowserPays,
    /// The buyer's card is declined in the browser.
    BrowserFails,
    /// The buyer confirms or rejects the charge.
    BrowserAnswers(bool),
    /// A webhook causes a read of the object.
    Webhook,
    Refund,
}

impl World {
    fn new(may: &[May]) -> Self {
        Self {
            attempt: Attempt::default(),
            objects: BTreeMap::new(),
            given_back: 0,
            declined: 0,
            effects: VecDeque::new(),
            committed: false,
            may: may.to_vec(),
            verdicts: Vec::new(),
            automatic: 0,
            requested: false,
            ended: false,
            browser_paid: false,
        }
    }

    fn apply(mut self, fact: Fact) -> Self {
        self.requested |= matches!(fact, Fact::ExpiryDue | Fact::OrderEnded { .. });
        self.ended |= matches!(fact, Fact::OrderEnded { .. });
        let step = step(&self.attempt, fact);
        self.attempt = step.next;
        for act in step.acts {
            match act {
                Act::EmitSucceeded | Act::EmitFailed(_) | Act::EmitCancelled => self.verdicts.push(act),
                Act::GiveBack { id, .. } if id == automatic() => {
                    self.automatic += 1;
                    self.effects.push_back(act);
                }
                Act::Charge { .. } | Act::Confirm { .. } | Act::Cancel(_) | Act::GiveBack { .. } => {
                    self.effects.push_back(act);
                }
                Act::EmitIntentCreated | Act::EmitActionRequired => {}
                Act::EmitRefunded { .. } | Act::EmitRefundFailed { .. } => {}
                Act::EmitDisputed { .. } | Act::EmitDisputeWon { .. } | Act::EmitDisputeLost { .. } => {}
            }
        }
        self
    }

    /// The provider confirms an object.
    fn confirm(&mut self, object: &str, method: &str) -> Fact {
        let Some(truth) = self.objects.get_mut(object) else { panic!("confirmed what is not there") };
        let object = object.to_owned();
        match truth {
            Object::Paid => Fact::Paid(object),
            Object::Cancelled => Fact::CancelConfirmed(object),
            Object::Open | Object::Asks if method == "good" => {
                *truth = Object::Paid;
                Fact::Paid(object)
            }
            Object::Open | Object::Asks if method == "asks" => {
                *truth = Object::Asks;
                Fact::ActionRequired(object)
            }
            Object::Open | Object::Asks => {
                *truth = Object::Open;
                self.declined += 1;
                decline(&object, &self.declined.to_string())
            }
        }
    }

    /// All worlds that the next effect may lead to.
    fn perform(&self) -> Vec<Self> {
        let mut world = self.clone();
        let Some(effect) = world.effects.pop_front() else { return Vec::new() };
        match effect {
            Act::Charge { method } if world.committed => {
                world.committed = false;
                let charge = Act::Charge { method: method.clone() };
                // A crash repeats it from the start: before the confirm, or after it and before its result was written.
                let mut crashed_before = world.clone();
                crashed_before.effects.push_front(charge.clone());
                let fact = world.confirm(OWN, &method);
                let mut crashed_after = world.clone();
                crashed_after.effects.push_front(charge);
                // A decline leaves the object as it was: its repeat gets the same reply.
                let has_changed = crashed_after.objects != crashed_before.objects;
                let finished = world.apply(Fact::ObjectCommitted { object: OWN.into(), method }).apply(fact);
                let repeats = [Some(crashed_before), has_changed.then_some(crashed_after)];
                repeats.into_iter().flatten().chain([finished]).collect()
            }
            Act::Charge { method } => {
                let mut results = Vec::new();
                if !world.objects.contains_key(OWN) {
                    results.push(world.clone().apply(Fact::CreateRejected(declined())));
                }
                world.objects.entry(OWN.into()).or_insert(Object::Open);
                if let Some(attempt) = commit(&world.attempt, OWN) {
                    world.attempt = attempt;
                    world.committed = true;
                    world.effects.push_front(Act::Charge { method });
                    results.push(world);
                } else {
                    results.push(world.apply(Fact::ObjectCreated(OWN.into())));
                }
                results
            }
            Act::Confirm { object, method } => {
                let mut results = Vec::new();
                if !world.attempt.can_be_paid() {
                    // The effect reads the row first, so it only reads the object; the cancel follows.
                    results.push(match world.objects[&object] {
                        Object::Paid => world.clone().apply(Fact::Paid(object.clone())),
                        Object::Cancelled => world.clone().apply(Fact::CancelConfirmed(object.clone())),
                        Object::Open | Object::Asks => world.clone(),
                    });
                }
                // Or it read the row just before the payment was closed.
                let fact = world.confirm(&object, &method);
                results.push(world.apply(fact));
                results
            }
            Act::Cancel(object) => {
                let truth = world.objects.entry(object.clone()).or_insert(Object::Cancelled);
                let fact = if *truth == Object::Paid {
                    Fact::Paid(object)
                } else {
                    *truth = Object::Cancelled;
                    Fact::CancelConfirmed(object)
                };
                vec![world.apply(fact)]
            }
            Act::GiveBack { id, amount } => {
                let mut results = Vec::new();
                if id != automatic() {
                    results.push(world.clone().apply(Fact::RefundDeclined { id, failure: declined() }));
                }
                world.given_back += amount;
                results.push(world.apply(Fact::RefundDone { id, provider_id: "re".into() }));
                results
            }
            emitted => panic!("no effect: {emitted:?}"),
        }
    }

    /// All worlds that may come next.
    fn next(&self) -> Vec<Self> {
        let mut worlds = self.perform();
        for index in 0..self.may.len() {
            let mut world = self.clone();
            match world.may.remove(index) {
                May::Apply(fact) => worlds.push(world.apply(fact)),
                May::Prepare => {
                    world.objects.entry(OWN.into()).or_insert(Object::Open);
                    worlds.push(world);
                }
                May::OpenIntent => {
                    if self.objects.contains_key(OWN) && self.attempt.can_be_paid() {
                        worlds.push(world.apply(Fact::IntentOpened { details: details(), object: OWN.into() }));
                    }
                }
                May::Act(method) => {
                    if self.attempt.can_be_paid() && self.attempt.details.is_some() {
                        worlds.push(world.apply(Fact::BuyerActs { method: method.into() }));
                    }
                }
                May::BrowserPays => {
                    if self.attempt.intent_emitted && self.objects.get(OWN) == Some(&Object::Open) {
                        world.objects.insert(OWN.into(), Object::Paid);
                        world.browser_paid = true;
                        worlds.push(world);
                    }
                }
                May::BrowserFails => {
                    let is_open = matches!(self.objects.get(OWN), Some(Object::Open | Object::Asks));
                    if self.attempt.intent_emitted && is_open {
                        world.objects.insert(OWN.into(), Object::Open);
                        world.declined += 1;
                        worlds.push(world);
                    }
                }
                May::BrowserAnswers(succeeds) => {
                    if self.objects.get(OWN) == Some(&Object::Asks) {
                        world.objects.insert(OWN.into(), if succeeds { Object::Paid } else { Object::Open });
                        world.browser_paid |= succeeds;
                        world.declined += u32::from(!succeeds);
                        worlds.push(world);
                    }
                }
                May::Webhook => match self.objects.get(OWN) {
                    Some(Object::Paid) => worlds.push(world.apply(Fact::Paid(OWN.into()))),
                    Some(Object::Asks) => worlds.push(world.apply(Fact::ActionRequired(OWN.into()))),
                    Some(Object::Open) if self.declined > 0 => {
                        worlds.push(world.apply(decline_seen(OWN, &self.declined.to_string())));
                    }
                    _ => {}
                },
                May::Refund => {
                    if self.attempt.left() >= 40 {
                        worlds.push(world.apply(Fact::RefundRequested { id: refund_id(1), amount: 40 }));
                    }
                }
            }
        }
        worlds
    }

    fn check(&self) {
        let over = matches!(self.attempt.status, P::Failed | P::Cancelled);
        if over && let Some(own) = &self.attempt.object {
            assert_eq!(self.objects[own], Object::Cancelled, "said to be over, but chargeable: {self:?}");
        }
        assert!(self.verdicts.len() <= 1, "an order receives one verdict: {self:?}");
        assert!(self.automatic <= 1, "{self:?}");
        assert!(self.given_back <= self.attempt.captured, "{self:?}");
        if self.effects.is_empty() {
            assert!(!self.attempt.creating && self.attempt.closing.is_none(), "stuck: {self:?}");
        }
    }

    /// Without pending inputs and effects, every request of the order is answered, and a captured amount either pays a
    /// live order or is refunded.
    fn check_at_rest(&self) {
        let has_waiting = self.may.iter().any(|may| matches!(may, May::Apply(_)));
        if has_waiting || !self.effects.is_empty() {
            return;
        }
        let truth = self.objects.get(OWN).copied();
        if self.requested {
            assert!(!self.attempt.is_open(), "requested, and not answered: {self:?}");
            let silent = self.attempt.status == P::Cancelled && self.attempt.object.is_none();
            assert!(self.verdicts.len() == 1 || silent, "{self:?}");
            if truth == Some(Object::Paid) {
                assert_eq!(self.attempt.captured, 100, "captured, and not emitted: {self:?}");
            }
        }
        let is_orders = self.verdicts == [Act::EmitSucceeded] && !self.ended;
        assert!(self.attempt.captured == 0 || is_orders || self.attempt.left() == 0, "kept without an order: {self:?}");
        if truth == Some(Object::Paid) && !self.browser_paid {
            assert_eq!(self.attempt.captured, 100, "{self:?}");
        }
    }
}

/// Checks every world that `may` leads to, and returns their number.
fn explore(may: &[May]) -> usize {
    let mut seen = HashSet::new();
    let mut next = vec![World::new(may)];
    while let Some(world) = next.pop() {
        if seen.insert(format!("{world:?}")) {
            world.check();
            world.check_at_rest();
            next.extend(world.next());
        }
    }
    seen.len()
}

fn due(method: Option<&str>) -> May {
    May::Apply(Fact::Due { details: details(), method: method.map(Into::into) })
}

fn ended(wants_answer: bool) -> May {
    May::Apply(Fact::OrderEnded { wants_answer })
}

/// Scenario 19: the effects of a payment, one at a time, with every result at every point.
#[test]
fn a_charged_order_in_every_course() {
    for method in ["good", "bad"] {
        let worlds = explore(&[due(Some(method)), May::Apply(Fact::ExpiryDue), ended(true), May::Refund]);
        assert!(worlds > 40, "{worlds}");
    }
}

#[test]
fn an_intent_beside_the_charge_in_every_course() {
    for method in ["good", "bad"] {
        let worlds = explore(&[
            due(Some(method)),
            May::Prepare,
            May::OpenIntent,
            May::BrowserPays,
            May::Apply(Fact::ExpiryDue),
            ended(false),
        ]);
        assert!(worlds > 40, "{worlds}");
    }
}

#[test]
fn an_intent_in_every_course() {
    let worlds = explore(&[
        due(None),
        May::Prepare,
        May::OpenIntent,
        May::Act("bad"),
        May::Act("good"),
        May::Apply(Fact::ExpiryDue),
        ended(true),
        May::Refund,
    ]);
    assert!(worlds > 40, "{worlds}");
}

#[test]
fn a_browser_payment_without_a_webhook_in_every_course() {
    let worlds = explore(&[
        due(None),
        May::Prepare,
        May::OpenIntent,
        May::BrowserPays,
        May::Webhook,
        May::Apply(Fact::ExpiryDue),
        ended(true),
    ]);
    assert!(worlds > 40, "{worlds}");
}

#[test]
fn a_charge_that_its_buyer_must_confirm_in_every_course() {
    for succeeds in [true, false] {
        let worlds = explore(&[
            due(Some("asks")),
            May::BrowserAnswers(succeeds),
            May::Webhook,
            May::Webhook,
            May::Apply(Fact::ExpiryDue),
            ended(true),
        ]);
        assert!(worlds > 40, "{worlds}");
    }
}

#[test]
fn cards_that_are_declined_on_an_open_intent_in_every_course() {
    let worlds = explore(&[
        due(None),
        May::Prepare,
        May::OpenIntent,
        May::BrowserFails,
        May::Webhook,
        May::Act("bad"),
        May::Act("asks"),
        May::Act("good"),
        May::Apply(Fact::ExpiryDue),
    ]);
    assert!(worlds > 40, "{worlds}");
}
