//! One who tells, and four editions of one who hears: they share their name, their database and their durable.

use contract::{Access, command, domain_error, event};
use runtime::{
    CommandEnvelope, Domain, EventEnvelope, Handle, HandlerResult, InternalError, Projection, React, Registry, Tx,
    Version,
};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use uuid::Uuid;

/// What kills the process of whoever hears it and is mortal.
pub const POISON: &str = "poison";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Speak {
    pub text: String,
}
command!(Speak, "teller", "tell", Access::Public => Spoken, TellerError, key = |_| None);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spoken {
    pub id: Uuid,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Said {
    pub id: Uuid,
    pub text: String,
}
event!(Said, "teller", "said", entity = |e| e.id);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sung {
    pub id: Uuid,
    pub text: String,
}
event!(Sung, "teller", "sung", entity = |e| e.id);

domain_error! {
    pub enum TellerError {
        Silence: Invalid "silence" = "There is nothing to tell.";
    }
}

/// Says and sings whatever it is told to.
pub struct Teller;

impl Domain for Teller {
    const NAME: &'static str = "teller";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/teller")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Speak>();
    }
}

impl Handle<Speak> for Teller {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Speak>) -> HandlerResult<Spoken, TellerError> {
        let (id, text) = (Uuid::now_v7(), command.message.text.clone());
        if text.is_empty() {
            return Err(TellerError::Silence.into());
        }
        let insert = sqlx::query("insert into told values ($1, $2, $3)").bind(id).bind(command.cause.id).bind(&text);
        insert.execute(tx.writes()).await.map_err(InternalError::from)?;
        let mut version = Version::default();
        tx.emit(&command.cause, &mut version, &Said { id, text: text.clone() })?;
        tx.emit(&command.cause, &mut version, &Sung { id, text })?;
        Ok(Spoken { id })
    }
}

pub async fn write_down(tx: &mut Tx<'_>, kind: &str, id: Uuid, text: &str) -> Result<(), InternalError> {
    let sql = "insert into heard values ($1, $2, $3) on conflict (kind, id) do update set times = heard.times + 1";
    sqlx::query(sql).bind(kind).bind(id).bind(text).execute(tx.writes()).await?;
    Ok(())
}

fn hearers_migrations() -> Migrator {
    sqlx::migrate!("tests/nodes/migrations/hearer")
}

/// The edition of yesterday, which nobody ever sang to.
pub struct OldHearer;

impl Domain for OldHearer {
    const NAME: &'static str = "hearer";
    fn migrations() -> Migrator {
        hearers_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.event::<Said>();
    }
}

impl React for OldHearer {
    type Input = EventEnvelope<Said>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Said>]) -> Result<(), InternalError> {
        for said in inputs {
            write_down(tx, "said", said.message.id, &said.message.text).await?;
        }
        Ok(())
    }
}

/// The edition of today.
pub struct NewHearer;

impl Domain for NewHearer {
    const NAME: &'static str = "hearer";
    fn migrations() -> Migrator {
        hearers_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.event::<Said>();
        routes.event::<Sung>();
    }
}

pub enum Heard {
    Said(EventEnvelope<Said>),
    Sung(EventEnvelope<Sung>),
}

impl From<EventEnvelope<Said>> for Heard {
    fn from(event: EventEnvelope<Said>) -> Self {
        Self::Said(event)
    }
}

impl From<EventEnvelope<Sung>> for Heard {
    fn from(event: EventEnvelope<Sung>) -> Self {
        Self::Sung(event)
    }
}

impl React for NewHearer {
    type Input = Heard;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&Heard]) -> Result<(), InternalError> {
        for input in inputs {
            match input {
                Heard::Said(said) => write_down(tx, "said", said.message.id, &said.message.text).await?,
                Heard::Sung(sung) => write_down(tx, "sung", sung.message.id, &sung.message.text).await?,
            }
        }
        Ok(())
    }
}

/// Whoever forgets stops for whoever holds this lock.
pub const FORGETTING: i64 = 42;

/// An edition that only shows what it hears: how often it heard each saying.
pub struct ShowingHearer;

impl Domain for ShowingHearer {
    const NAME: &'static str = "hearer";
    fn migrations() -> Migrator {
        hearers_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.projection::<Said>();
    }
}

impl React for ShowingHearer {
    type Input = EventEnvelope<Said>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Said>]) -> Result<(), InternalError> {
        for said in inputs {
            write_down(tx, "said", said.message.id, &said.message.text).await?;
        }
        Ok(())
    }
}

impl Projection<Said> for ShowingHearer {
    async fn reset(&self, tx: &mut Tx<'_>) -> Result<(), InternalError> {
        sqlx::query("delete from heard where kind = 'said'").execute(tx.writes()).await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(FORGETTING).execute(tx.writes()).await?;
        Ok(())
    }
}

/// An edition with a fault: one word takes the whole process with it.
pub struct MortalHearer;

impl Domain for MortalHearer {
    const NAME: &'static str = "hearer";
    fn migrations() -> Migrator {
        hearers_migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.event::<Said>();
    }
}

impl React for MortalHearer {
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
