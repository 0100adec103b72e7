//! A stream of server-sent events, as its reader sees it.

use std::time::Duration;

use futures::{StreamExt, stream::BoxStream};
use serde_json::Value;

use super::Person;

/// An event.
#[derive(Debug)]
pub struct Event {
    pub id: i64,
    pub data: Value,
}

/// A stream of events of one name.
pub struct Events {
    name: &'static str,
    body: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    text: String,
}

impl Events {
    pub async fn open(person: &Person, path: &str, name: &'static str, last: Option<i64>) -> Self {
        let last = last.map(|id| id.to_string());
        let headers: Vec<_> = last.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
        let response = person.stream(path, &headers).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.bytes_stream().map(|chunk| chunk.map(|chunk| chunk.to_vec())).boxed();
        Self { name, body, text: String::new() }
    }

    /// The next event; `None` where the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                let event = field("data:").map(|data| Event {
                    id: field("id:").unwrap().parse().unwrap(),
                    data: serde_json::from_str(&data).unwrap(),
                });
                if event.is_some() {
                    assert_eq!(field("event:").as_deref(), Some(self.name), "{block}");
                }
                self.text = rest.to_owned();
                // A comment keeps the connection awake and says nothing.
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.body.next()).await.expect("nothing comes");
            match chunk {
                Some(chunk) => self.text.push_str(&String::from_utf8(chunk.unwrap()).unwrap().replace('\r', "")),
                None => return None,
            }
        }
    }

    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}
