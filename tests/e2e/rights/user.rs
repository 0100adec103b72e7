//! A user of NATS as the server sees it.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{ConnectOptions, Event};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::harness::Shop;

/// A user of NATS, with everything the server denies it.
pub struct User {
    name: String,
    pub client: async_nats::Client,
    domain_errors: UnboundedReceiver<String>,
    barriers: usize,
}

impl User {
    /// By its key; without one for `cli`.
    pub async fn connect(shop: &Shop, name: &str) -> Self {
        let (sender, domain_errors) = unbounded_channel();
        let mut options = ConnectOptions::new().event_callback(move |event| {
            let sender = sender.clone();
            async move {
                if let Event::ServerError(error) = event {
                    drop(sender.send(error.to_string()));
                }
            }
        });
        let stack = shop.stack();
        if name != "cli" {
            let seed = std::fs::read_to_string(stack.nats_keys().join(format!("{name}.nk"))).unwrap();
            options = options.nkey(seed.trim().to_owned()).custom_inbox_prefix(format!("_INBOX_{name}"));
        }
        let client = options.connect(stack.nats_url()).await.unwrap();
        Self { name: name.to_owned(), client, domain_errors, barriers: 0 }
    }

    /// Which of these it may not publish. The server answers in order, so once it has denied a last
    /// subject, which no user may use, it has answered for all.
    async fn rejected_publishes(&mut self, subjects: &[String]) -> BTreeSet<String> {
        let mut rejected = BTreeSet::new();
        for some in subjects.chunks(25) {
            for subject in some {
                self.client.publish(subject.clone(), "{}".into()).await.unwrap();
            }
            rejected.extend(self.denied("Publish", some).await);
        }
        rejected
    }

    /// Which of these it may not subscribe.
    async fn rejected_subscriptions(&mut self, subjects: &[String]) -> BTreeSet<String> {
        let mut open = Vec::new();
        for subject in subjects {
            open.push(self.client.subscribe(subject.clone()).await.unwrap());
        }
        self.denied("Subscription", subjects).await
    }

    async fn denied(&mut self, verb: &str, subjects: &[String]) -> BTreeSet<String> {
        self.barriers += 1;
        let barrier = format!("no.user.may.{}", self.barriers);
        self.client.publish(barrier.clone(), "".into()).await.unwrap();
        let mut rejected = BTreeSet::new();
        loop {
            let text = tokio::time::timeout(Duration::from_secs(20), self.domain_errors.recv()).await;
            let text =
                text.unwrap_or_else(|_| panic!("{}: the server says nothing about {barrier}", self.name)).unwrap();
            if text.contains(&format!("\"{barrier}\"")) {
                return rejected;
            }
            let subject = subjects.iter().find(|subject| text.contains(&format!("{verb} to \"{subject}\"")));
            rejected.insert(subject.unwrap_or_else(|| panic!("{}: {text}", self.name)).clone());
        }
    }

    /// May do all of the first and none of the second.
    pub async fn expect_publish(&mut self, allowed: &[String], forbidden: &[String]) {
        let rejected = self.rejected_publishes(&[allowed, forbidden].concat()).await;
        assert_eq!(rejected, forbidden.iter().cloned().collect(), "{} publishes", self.name);
    }

    pub async fn expect_subscribe(&mut self, allowed: &[String], forbidden: &[String]) {
        let rejected = self.rejected_subscriptions(&[allowed, forbidden].concat()).await;
        assert_eq!(rejected, forbidden.iter().cloned().collect(), "{} subscribes", self.name);
    }
}

pub fn texts(subjects: &[&str]) -> Vec<String> {
    subjects.iter().map(ToString::to_string).collect()
}

/// What only the operator may do to a stream.
pub fn destructions(stream: &str) -> Vec<String> {
    ["STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.SNAPSHOT", "STREAM.RESTORE"]
        .map(|what| format!("$JS.API.{what}.{stream}"))
        .to_vec()
}
