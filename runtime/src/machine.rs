//! The driver of state machines: a batch of inputs is folded over entities that were locked together, and each entity
//! that moved is saved once.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    failure::Breakage,
    tx::{Cause, Tx},
};

/// What an input does to an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition<A> {
    /// Nothing: it is known already, or too late to matter.
    Stay,
    /// Nothing: the entity's state forbids it.
    Illegal,
    /// The entity moves, and this follows, in this order.
    Go(Vec<A>),
}

/// The state machine of a domain's entities, for the time of one batch.
pub trait Machine: Send {
    /// What tells entities apart. They are locked in its order, so that batches do not wait for each other in a circle.
    type Key: Copy + Ord + Send + Sync;
    /// An entity under lock, with its state and version.
    type Entity: Send + Sync;
    /// What happens to an entity.
    type Input: Send;
    /// What follows: an event to emit or an effect to leave, with what it says of the state that led to it.
    type Act: Send + Sync;

    /// Locks entities. One that is absent from the map gets no inputs.
    fn lock(
        &mut self,
        tx: &mut Tx<'_>,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<BTreeMap<Self::Key, Self::Entity>, Breakage>> + Send;

    /// Takes an entity where its table says. No I/O: tests go through every state and input.
    fn transition(&mut self, entity: &mut Self::Entity, input: Self::Input) -> Transition<Self::Act>;

    /// Reads what the acts need beyond their entities.
    fn load(
        &mut self,
        _tx: &mut Tx<'_>,
        _acts: &[(Self::Key, Self::Act)],
    ) -> impl Future<Output = Result<(), Breakage>> + Send {
        async { Ok(()) }
    }

    /// Emits an event of the entity, or leaves an effect.
    ///
    /// # Errors
    /// As [`Tx::emit`] and [`Tx::effect`].
    fn act(
        &mut self,
        tx: &mut Tx<'_>,
        entity: &mut Self::Entity,
        act: Self::Act,
        cause: &Cause,
    ) -> Result<(), Breakage>;

    /// Writes the entities that moved, sorted by key, with the versions of their last events.
    fn save(&mut self, tx: &mut Tx<'_>, moved: &[&Self::Entity]) -> impl Future<Output = Result<(), Breakage>> + Send;
}

/// Entities of a machine under lock, and what has happened to them in this batch.
#[derive(Debug)]
pub struct Transitions<'a, M: Machine> {
    machine: M,
    entities: BTreeMap<M::Key, M::Entity>,
    moved: BTreeSet<M::Key>,
    acts: Vec<(M::Key, M::Act)>,
    causes: Vec<&'a Cause>,
}

impl<'a, M: Machine> Transitions<'a, M> {
    /// Locks the entities of a batch, whatever the order and number of their mentions.
    ///
    /// # Errors
    /// Those of [`Machine::lock`].
    pub async fn lock(
        mut machine: M,
        tx: &mut Tx<'_>,
        keys: impl IntoIterator<Item = M::Key>,
    ) -> Result<Self, Breakage> {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let entities = if keys.is_empty() { BTreeMap::new() } else { machine.lock(tx, &keys).await? };
        Ok(Self { machine, entities, moved: BTreeSet::new(), acts: Vec::new(), causes: Vec::new() })
    }

    /// An entity as it stands after the inputs so far.
    pub fn get(&self, key: M::Key) -> Option<&M::Entity> {
        self.entities.get(&key)
    }

    /// The machine, with what it knows beyond the entities.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Applies an input; false where the entity is unknown, or its state forbids it.
    pub fn apply(&mut self, key: M::Key, input: M::Input, cause: &'a Cause) -> bool {
        let Some(entity) = self.entities.get_mut(&key) else { return false };
        match self.machine.transition(entity, input) {
            Transition::Stay => true,
            Transition::Illegal => false,
            Transition::Go(acts) => {
                self.moved.insert(key);
                self.causes.extend(acts.iter().map(|_| cause));
                self.acts.extend(acts.into_iter().map(|act| (key, act)));
                true
            }
        }
    }

    /// Emits what follows and saves what moved.
    ///
    /// # Errors
    /// Those of the machine.
    pub async fn save(mut self, tx: &mut Tx<'_>) -> Result<(), Breakage> {
        if self.moved.is_empty() {
            return Ok(());
        }
        self.machine.load(tx, &self.acts).await?;
        for ((key, act), cause) in self.acts.into_iter().zip(self.causes) {
            if let Some(entity) = self.entities.get_mut(&key) {
                self.machine.act(tx, entity, act, cause)?;
            }
        }
        let moved: Vec<_> = self.moved.iter().filter_map(|key| self.entities.get(key)).collect();
        self.machine.save(tx, &moved).await
    }
}
