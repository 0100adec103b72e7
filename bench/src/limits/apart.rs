//! Threads of its own for the side that answers.
//!
//! The shop shares no thread with its clients, so neither does what it is compared with. (It does not make the limit
//! steadier: that was tried. How much a limit moved is printed beside it.)

use std::future::Future;

use anyhow::Context;
use tokio::runtime::Runtime;

pub(super) struct Apart(Option<Runtime>);

impl Apart {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Some(Runtime::new().context("threads for the answering side")?)))
    }

    /// Runs until the future ends or this is dropped.
    pub fn spawn(&self, answering: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(answering);
        }
    }

    /// Waits for a result from over there: what is opened there is served there.
    pub async fn run<T: Send + 'static>(
        &self,
        opening: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let runtime = self.0.as_ref().context("the answering side has ended")?;
        runtime.spawn(opening).await.context("the answering side broke")?
    }
}

/// A runtime that is dropped inside another one waits for its threads, which tokio refuses.
impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
