//! A gateway beside that of a shop, with the same settings.

use std::process::Child;

use super::{Person, Shop, process};

/// Such a gateway. It goes before the shop.
pub struct Beside {
    child: Child,
    url: String,
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

impl Beside {
    pub async fn start(shop: &Shop, settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let home = shop.stack().home;
        let start = move || {
            let (child, url, _) = process::start_node(&home, &settings, &["--gateway"]);
            let url = url.unwrap();
            process::wait_until_ready(&url);
            Self { child, url }
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    pub fn anonymous(&self) -> Person {
        Person::new(&self.url)
    }
}
