//! A shop that charges over HTTP: its settings, and the provider's process, which can be killed and started again.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use super::{Person, Shop, process::souk, wait_until};

/// Signs webhooks.
pub const WEBHOOK_SECRET: &str = "whsec_test";

/// A port on which nothing listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A shop whose provider listens on this port.
pub async fn shop_with_provider(port: u16) -> Shop {
    Shop::start(&[
        ("SOUK_PAYMENTS_PROVIDER", "stripe"),
        ("SOUK_STRIPE_BASE", &format!("http://127.0.0.1:{port}")),
        ("SOUK_STRIPE_SECRET_KEY", "sk_test_souk"),
        ("SOUK_STRIPE_PUBLISHABLE_KEY", "pk_test_souk"),
        ("SOUK_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("SOUK_STRIPE_TIMEOUT", "2s"),
    ])
    .await
}

impl Shop {
    /// Where its provider sends webhooks.
    pub fn webhook_url(&self) -> String {
        format!("{}/api/v1/webhooks/payments/stripe", self.url)
    }
}

/// A running `souk sandbox`.
pub struct Sandbox {
    port: u16,
    process: Mutex<Option<Child>>,
}

impl Sandbox {
    /// Starts on a port, for a shop, with a database of its own on the shop's server.
    pub async fn start(port: u16, shop: &Shop, settings: &[(&str, &str)]) -> Self {
        let sandbox = Self { port, process: Mutex::new(None) };
        sandbox.start_again_with(shop, settings).await;
        sandbox
    }

    pub async fn start_again(&self, shop: &Shop) {
        self.start_again_with(shop, &[]).await;
    }

    /// The same, with the given variables on top for this life.
    pub async fn start_again_with(&self, shop: &Shop, more: &[(&str, &str)]) {
        let listen = format!("127.0.0.1:{}", self.port);
        let settings = [
            ("SOUK_SANDBOX_WEBHOOK_URL".to_owned(), shop.webhook_url()),
            ("SOUK_STRIPE_WEBHOOK_SECRET".to_owned(), WEBHOOK_SECRET.to_owned()),
        ];
        let arguments = ["sandbox", "--listen", &listen, "--stop-with-stdin"];
        let mut command = souk(&shop.stack().home, &settings, &arguments);
        command.envs(more.iter().copied());
        *self.process.lock().unwrap() = Some(command.stdout(Stdio::null()).spawn().unwrap());
        self.answers().await;
    }

    /// kill -9.
    pub fn kill(&self) {
        let mut process = self.process.lock().unwrap().take().expect("the sandbox is not running");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Whether it has ended by itself.
    pub fn has_died(&self) -> bool {
        self.process.lock().unwrap().as_mut().is_some_and(|process| process.try_wait().unwrap().is_some())
    }

    async fn answers(&self) {
        let person = self.person();
        wait_until("the sandbox answers", || async { person.try_get("//v1/refunds").await.is_some() }).await;
    }

    /// A client that acts as a browser does.
    pub fn person(&self) -> Person {
        Person::new(&format!("http://127.0.0.1:{}", self.port)).with_token("sk_test_browser".into())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            drop(process.stdin.take());
            drop(process.wait());
        }
    }
}

/// A running localstripe, a third-party server; it forgets everything when it ends.
pub struct Localstripe {
    port: u16,
    process: Child,
}

impl Localstripe {
    pub async fn start(program: &std::path::Path, port: u16) -> Self {
        let mut command = Command::new(program);
        command.args(["--from-scratch", "--port", &port.to_string()]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let localstripe = Self { port, process };
        let person = localstripe.person();
        wait_until("localstripe answers", || async { person.try_get("//v1/refunds").await.is_some() }).await;
        localstripe
    }

    pub fn person(&self) -> Person {
        Person::new(&format!("http://127.0.0.1:{}", self.port)).with_token("sk_test_browser".into())
    }
}

impl Drop for Localstripe {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
