//! Separate threads for the responder of a limit.
//!
//! The shop shares no threads with its clients, so the responders that it is compared with do not either. (Measured:
//! this does not make limits steadier. The spread of a limit is printed beside it.)

use std::future::Future;

use anyhow::Context;
use tokio::runtime::Runtime;

pub(super) struct Apart(Option<Runtime>);

impl Apart {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Some(Runtime::new().context("threads for the responder")?)))
    }

    /// Spawns a future that runs until it completes or this is dropped.
    pub fn spawn(&self, answering: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(answering);
        }
    }

    /// Runs a future on the separate threads and waits for its result: sockets opened there are served there.
    pub async fn run<T: Send + 'static>(
        &self,
        opening: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let runtime = self.0.as_ref().context("the responder has ended")?;
        runtime.spawn(opening).await.context("the responder failed")?
    }
}

/// Dropping a runtime inside another one would block on its threads, which tokio rejects.
impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
