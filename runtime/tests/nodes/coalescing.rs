//! Queries between domains: those of one type that arise together share a message. A domain without a node.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use contract::{Access, CallError, Coalesce, ErrorKind, query};
use futures::future::join_all;
use runtime::{
    Call, Client, InternalError, NodeBuilder, NodeConfig, QueryResult, Serve, Service, ServiceContext, ServiceRegistry,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    domains::{Speak, Speaker, SpeakerError},
    world::World,
};

/// The lengths of words.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lengths {
    words: BTreeSet<String>,
}
query!(Lengths, "bells", "lengths", Access::Internal => BTreeMap<String, usize>, SpeakerError);

impl Coalesce for Lengths {
    const MAX_KEYS: usize = 100;

    fn keys(&self) -> usize {
        self.words.len()
    }

    fn merge(queries: &[&Self]) -> Self {
        Self { words: queries.iter().flat_map(|query| &query.words).cloned().collect() }
    }

    fn split(queries: &[&Self], reply: Self::Reply) -> Vec<Self::Reply> {
        let of = |query: &&Self| query.words.iter().map(|word| (word.clone(), reply[word])).collect();
        queries.iter().map(of).collect()
    }
}

/// The length of one word, asked from another domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LengthOf {
    word: String,
}
query!(LengthOf, "listener", "length_of", Access::Public => usize, SpeakerError);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ping {}
query!(Ping, "listener", "ping", Access::Public => usize, SpeakerError);

/// Measures the words of a message when it gets a permit. An empty word breaks it.
struct Measurer {
    messages: mpsc::UnboundedSender<usize>,
    gate: Arc<Semaphore>,
}

impl Service for Measurer {
    const NAME: &'static str = "bells";
    fn register(routes: &mut ServiceRegistry<Self>) {
        routes.query::<Lengths>();
    }
}

impl Serve<Lengths> for Measurer {
    async fn serve(&self, _: &ServiceContext, query: &Lengths) -> QueryResult<BTreeMap<String, usize>, SpeakerError> {
        self.messages.send(query.words.len()).map_err(InternalError::other)?;
        self.gate.acquire().await.map_err(InternalError::other)?.forget();
        if query.words.contains("") {
            return Err(InternalError::other("an empty word").into());
        }
        Ok(query.words.iter().map(|word| (word.clone(), word.len())).collect())
    }
}

struct Asker {
    /// The words of the requests that have ended.
    ended: mpsc::UnboundedSender<String>,
}

/// Dropped with the request, however it ends.
struct Ended<'a>(&'a Asker, &'a str);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        // Fails if the test has ended.
        let _ = self.0.ended.send(self.1.to_owned());
    }
}

impl Service for Asker {
    const NAME: &'static str = "listener";
    fn register(routes: &mut ServiceRegistry<Self>) {
        routes.calls::<Lengths>();
        routes.query::<LengthOf>();
        routes.query::<Ping>();
    }
}

impl Serve<LengthOf> for Asker {
    async fn serve(&self, cx: &ServiceContext, query: &LengthOf) -> QueryResult<usize, SpeakerError> {
        let _ended = Ended(self, &query.word);
        let words = BTreeSet::from([query.word.clone()]);
        let lengths = cx.ask_together(Lengths { words }).await.map_err(InternalError::from)?;
        Ok(lengths[&query.word])
    }
}

impl Serve<Ping> for Asker {
    async fn serve(&self, _: &ServiceContext, _: &Ping) -> QueryResult<usize, SpeakerError> {
        Ok(0)
    }
}

/// The length of a word, or the kind of the error.
async fn length(client: Client, word: String, deadline: Duration) -> Result<usize, ErrorKind> {
    let call = Call { deadline, ..Call::default() };
    client.ask(&LengthOf { word }, &call).await.map_err(|error| error.kind())
}

const LONG: Duration = Duration::from_secs(30);

/// On one thread, so that tasks run in the order in which they became ready.
#[tokio::test]
async fn queries_that_arise_during_a_message_share_the_next_and_each_has_its_own_end() {
    let world = World::start().await;
    let (messages, mut sizes) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let measurer = Measurer { messages, gate: gate.clone() };
    let builder = NodeBuilder::new(NodeConfig::new(world.nats()));
    let (ended, mut has_ended) = mpsc::unbounded_channel();
    let asker = Asker { ended };
    let node = builder.service(measurer, "bells").service(asker, "listener").start_without_tokens().await.unwrap();
    let client = world.client().await;
    let ask = |word: String, deadline| tokio::spawn(length(client.clone(), word, deadline));

    // Two messages of one query each are under way; what is asked now waits for one of them to end.
    let first = ask("a".into(), LONG);
    assert_eq!(sizes.recv().await, Some(1));
    let second = ask("ab".into(), LONG);
    assert_eq!(sizes.recv().await, Some(1));
    let waiting = join_all((0..40).map(|number| ask("x".repeat(number), LONG)));
    let impatient = ask("impatient".into(), Duration::from_millis(200)).await.unwrap();
    assert_eq!(impatient, Err(ErrorKind::Deadline));
    // The deadline of the service's own query may pass later than the client's.
    assert_eq!(has_ended.recv().await.as_deref(), Some("impatient"));
    // Answered, so that all that was sent before it is waiting by now.
    client.ask(&Ping {}, &Call::default()).await.unwrap();

    gate.add_permits(1000);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(1), Ok(2)));
    let answers: Vec<_> = waiting.await.into_iter().map(Result::unwrap).collect();
    // The empty word breaks every message that it is in, and is alone in the end.
    assert_eq!(answers[0], Err(ErrorKind::Internal));
    for (number, answer) in answers.iter().enumerate().skip(1) {
        assert_eq!(answer, &Ok(number));
    }
    let mut later = Vec::new();
    while let Ok(size) = sizes.try_recv() {
        later.push(size);
    }
    assert_eq!(later[0], 40, "{later:?}: all in one message, without the one whose deadline has passed");
    assert!(later.len() < 20, "{later:?}: it is halved until one is alone");
    node.drain().await;
    world.stack.stop().await.unwrap();
}

/// Neither callers nor the server are kept busy by a domain that is away; and it is found when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn while_no_node_of_a_domain_is_there_its_callers_fail_at_once() {
    let world = World::start().await;
    let client = world.client().await;
    let call = Call { deadline: Duration::from_secs(1), ..Call::default() };
    let speak = async || client.send(&Speak { text: "hello".into() }, &call).await;
    let failing_at_once = async {
        loop {
            let began = Instant::now();
            let error = speak().await.unwrap_err();
            let CallError::ServiceError(error) = error else { panic!("{error:?}") };
            assert_eq!((error.code.as_str(), error.service.as_str()), ("unavailable", "speaker"));
            // An attempt that meets no node is repeated after 300 ms.
            if began.elapsed() < Duration::from_millis(150) {
                break error;
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(30), failing_at_once).await.unwrap();
    assert!(error.message.ends_with("Try again in a second."), "{error}");

    let node = world.node(Speaker).await;
    let back = async {
        while speak().await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("the domain is not asked again");
    for _ in 0..20 {
        speak().await.unwrap();
    }
    node.drain().await;
    world.stack.stop().await.unwrap();
}
