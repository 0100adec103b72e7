//! The driver of state machines: applies a batch of inputs to entities that were locked together, and saves each entity
//! that has changed once.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::tx::{Cause, Tx},
    error::InternalError,
};

/// The result of applying an input to an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition<A> {
    /// No change: the input was applied already, or comes too late to matter.
    Stay,
    /// No change: the entity's state forbids the input.
    Illegal,
    /// The entity has changed; these acts follow, in this order.
    Changed(Vec<A>),
}

/// The state machine of a domain's entities, for the duration of one batch.
pub trait Machine: Send {
    /// The identity of an entity. Entities are locked in the order of their keys, so that batches cannot deadlock.
    type Key: Copy + Ord + Send + Sync;
    /// An entity under lock, with its state and version.
    type Entity: Send + Sync;
    /// An input of the state machine.
    type Input: Send;
    /// What follows a transition: an event to emit or an effect to leave, with what it needs of the state that led to
    /// it.
    type Act: Send + Sync;

    /// Locks entities. An entity that is absent from the map gets no inputs.
    fn lock(
        &mut self,
        tx: &mut Tx<'_>,
        keys: &[Self::Key],
    ) -> impl Future<Output = Result<BTreeMap<Self::Key, Self::Entity>, InternalError>> + Send;

    /// Applies the transition table to an entity. No I/O, so that tests can go through every state and input.
    fn transition(&mut self, entity: &mut Self::Entity, input: Self::Input) -> Transition<Self::Act>;

    /// Reads what the acts need beyond their entities.
    fn load(
        &mut self,
        _tx: &mut Tx<'_>,
        _acts: &[(Self::Key, Self::Act)],
    ) -> impl Future<Output = Result<(), InternalError>> + Send {
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
    ) -> Result<(), InternalError>;

    /// Writes the entities that have changed, sorted by key, with the versions of their last events.
    fn save(
        &mut self,
        tx: &mut Tx<'_>,
        moved: &[&Self::Entity],
    ) -> impl Future<Output = Result<(), InternalError>> + Send;
}

/// The locked entities of a machine, and their transitions in this batch.
#[derive(Debug)]
pub struct Transitions<'a, M: Machine> {
    machine: M,
    entities: BTreeMap<M::Key, M::Entity>,
    moved: BTreeSet<M::Key>,
    acts: Vec<(M::Key, M::Act)>,
    causes: Vec<&'a Cause>,
}

impl<'a, M: Machine> Transitions<'a, M> {
    /// Locks the entities of a batch. `keys` may be in any order and contain duplicates.
    ///
    /// # Errors
    /// Those of [`Machine::lock`].
    pub async fn lock(
        mut machine: M,
        tx: &mut Tx<'_>,
        keys: impl IntoIterator<Item = M::Key>,
    ) -> Result<Self, InternalError> {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let entities = if keys.is_empty() { BTreeMap::new() } else { machine.lock(tx, &keys).await? };
        Ok(Self { machine, entities, moved: BTreeSet::new(), acts: Vec::new(), causes: Vec::new() })
    }

    /// An entity, after the inputs so far.
    pub fn get(&self, key: M::Key) -> Option<&M::Entity> {
        self.entities.get(&key)
    }

    /// The machine, with its data beyond the entities.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Applies an input. Returns false if the entity is unknown or its state forbids the input.
    pub fn apply(&mut self, key: M::Key, input: M::Input, cause: &'a Cause) -> bool {
        let Some(entity) = self.entities.get_mut(&key) else { return false };
        match self.machine.transition(entity, input) {
            Transition::Stay => true,
            Transition::Illegal => false,
            Transition::Changed(acts) => {
                self.moved.insert(key);
                self.causes.extend(acts.iter().map(|_| cause));
                self.acts.extend(acts.into_iter().map(|act| (key, act)));
                true
            }
        }
    }

    /// Performs the acts and saves the entities that have changed.
    ///
    /// # Errors
    /// Those of the machine.
    pub async fn save(mut self, tx: &mut Tx<'_>) -> Result<(), InternalError> {
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
