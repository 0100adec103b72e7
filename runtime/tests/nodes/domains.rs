//! A domain that speaks, and four versions of a domain that listens: these share name, database and durable.

use contract::{Access, command, domain_error, event};
use runtime::{
    CommandEnvelope, Domain, EventEnvelope, Handle, HandlerResult, InternalError, Projection, React, Registry, Tx,
    Version,
};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use uuid::Uuid;

/// The text that kills the process of a mortal listener.
pub const POISON: &str = "poison";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Speak {
    pub text: String,
}
command!(Speak, "speaker", "speak", Access::Public => Spoken, SpeakerError, key = |_| None);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spoken {
    pub id: Uuid,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Said {
    pub id: Uuid,
    pub text: String,
}
event!(Said, "speaker", "said", entity = |e| e.id);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sung {
    pub id: Uuid,
    pub text: String,
}
event!(Sung, "speaker", "sung", entity = |e| e.id);

domain_error! {
    pub enum SpeakerError {
        Silence: Invalid "silence" = "There is nothing to say.";
    }
}

/// Emits both events for each command.
pub struct Speaker;

impl Domain for Speaker {
    const NAME: &'static str = "speaker";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/speaker")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Speak>();
    }
}

impl Handle<Speak> for Speaker {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Speak>) -> HandlerResult<Spoken, SpeakerError> {
        let (id, text) = (Uuid::now_v7(), command.message.text.clone());
        if text.is_empty() {
            return Err(SpeakerError::Silence.into());
        }
        let insert = sqlx::query("insert into spoken values ($1, $2, $3)").bind(id).bind(command.cause.id).bind(&text);
        insert.execute(tx.writes()).await.map_err(InternalError::from)?;
        let mut version = Version::default();
        tx.emit(&command.cause, &mut version, &Said { id, text: text.clone() })?;
        tx.emit(&command.cause, &mut version, &Sung { id, text })?;
        Ok(Spoken { id })
    }
}

pub async fn write_down(tx: &mut Tx<'_>, kind: &str, id: Uuid, text: &str) -> Result<(), InternalError> {
    let sql =
        "insert into received values ($1, $2, $3) on conflict (kind, id) do update set times = received.times + 1";
    sqlx::query(sql).bind(kind).bind(id).bind(text).execute(tx.writes()).await?;
    Ok(())
}

fn listener_migrations() -> Migrator {
    sqlx::migrate!("tests/nodes/migrations/listener")
}

/// The old version, which does not handle `Sung`.
pub struct OldListener;

impl Domain for OldListener {
    const NAME: &'static str = "listener";
    fn migrations() -> Migrator {
        listener_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.event::<Said>();
    }
}

impl React for OldListener {
    type Input = EventEnvelope<Said>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Said>]) -> Result<(), InternalError> {
        for said in inputs {
            write_down(tx, "said", said.message.id, &said.message.text).await?;
        }
        Ok(())
    }
}

/// The new version.
pub struct NewListener;

impl Domain for NewListener {
    const NAME: &'static str = "listener";
    fn migrations() -> Migrator {
        listener_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.event::<Said>();
        routes.event::<Sung>();
    }
}

pub enum Incoming {
    Said(EventEnvelope<Said>),
    Sung(EventEnvelope<Sung>),
}

impl From<EventEnvelope<Said>> for Incoming {
    fn from(event: EventEnvelope<Said>) -> Self {
        Self::Said(event)
    }
}

impl From<EventEnvelope<Sung>> for Incoming {
    fn from(event: EventEnvelope<Sung>) -> Self {
        Self::Sung(event)
    }
}

impl React for NewListener {
    type Input = Incoming;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&Incoming]) -> Result<(), InternalError> {
        for input in inputs {
            match input {
                Incoming::Said(said) => write_down(tx, "said", said.message.id, &said.message.text).await?,
                Incoming::Sung(sung) => write_down(tx, "sung", sung.message.id, &sung.message.text).await?,
            }
        }
        Ok(())
    }
}

/// The advisory lock for which a reset waits.
pub const RESETTING: i64 = 42;

/// A version that is a projection: how often it received each text.
pub struct ShowingListener;

impl Domain for ShowingListener {
    const NAME: &'static str = "listener";
    fn migrations() -> Migrator {
        listener_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.projection::<Said>();
    }
}

impl React for ShowingListener {
    type Input = EventEnvelope<Said>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Said>]) -> Result<(), InternalError> {
        for said in inputs {
            write_down(tx, "said", said.message.id, &said.message.text).await?;
        }
        Ok(())
    }
}

impl Projection<Said> for ShowingListener {
    async fn reset(&self, tx: &mut Tx<'_>) -> Result<(), InternalError> {
        sqlx::query("delete from received where kind = 'said'").execute(tx.writes()).await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(RESETTING).execute(tx.writes()).await?;
        Ok(())
    }
}

/// A version with a bug: one text kills the whole process.
pub struct MortalListener;

impl Domain for MortalListener {
    const NAME: &'static str = "listener";
    fn migrations() -> Migrator {
        listener_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.event::<Said>();
    }
}

impl React for MortalListener {
    type Input = EventEnvelope<Said>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Said>]) -> Result<(), InternalError> {
        for said in inputs {
            if said.message.text == POISON {
                std::process::abort();
            }
            write_down(tx, "said", said.message.id, &said.message.text).await?;
        }
        Ok(())
    }
}
