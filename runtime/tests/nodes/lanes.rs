//! A lane whose actor dies.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use contract::{Access, command};
use runtime::{Call, CommandEnvelope, Context, Domain, Handle, HandlerResult, Prepare, PrepareError, Registry, Tx};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;

use crate::{domains::SpeakerError, world::World};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Burn {}
command!(Burn, "bells", "burn", Access::Public => Burnt, SpeakerError, key = |_| None);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Burnt {}

/// Panics when it is dropped after its command was handled: outside the handlers, whose panics do not end the lane.
struct Fuse {
    is_lit: AtomicBool,
}

impl Drop for Fuse {
    fn drop(&mut self) {
        assert!(!self.is_lit.load(Ordering::Relaxed), "the fuse has burnt down");
    }
}

struct Furnace;

impl Domain for Furnace {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.prepared_command::<Burn>();
    }
}

impl Prepare<Burn> for Furnace {
    type Prepared = Fuse;

    async fn prepare(&self, _: &Context, _: &Burn) -> Result<Fuse, PrepareError<SpeakerError>> {
        Ok(Fuse { is_lit: AtomicBool::new(false) })
    }
}

impl Handle<Burn, Fuse> for Furnace {
    async fn handle(
        &self,
        _: &mut Tx<'_>,
        command: &CommandEnvelope<Burn, Fuse>,
    ) -> HandlerResult<Burnt, SpeakerError> {
        command.prepared.is_lit.store(true, Ordering::Relaxed);
        Ok(Burnt {})
    }
}

/// Items that are lost with their lane are no longer counted: a drain, which may take 20 s, does not wait for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_does_not_wait_for_items_that_died_with_their_lane() {
    let world = World::start().await;
    world.migrate::<Furnace>().await;
    let node = world.node(Furnace).await;
    let client = world.client().await;
    client.send(&Burn {}, &Call::default()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), node.drain()).await.expect("the drain waits for a lost item");
    world.stack.stop().await.unwrap();
}
