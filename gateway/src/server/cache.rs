//! Public reads, kept as ready bytes.
//!
//! An entry is served for a second after its read began, and only until a change of what it shows is known. So a lost
//! notice costs a second, and needs no recovery.
//!
//! Changes are counted. Each entity has a slot with the number of its last change, and an entry has the count of when
//! its read began: it is current while its slot has no higher number. So a change that arrives during a read discards
//! the result, even where only the result shows which entity it is about (a slug). Entities that share a slot discard
//! each other's entries, which costs a read.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use crate::{http::error::ApiError, server::page::Page};

/// How long an entry is served after its read began.
const FRESH: Duration = Duration::from_secs(1);
/// The largest entry, in bytes.
const LARGEST: usize = 256 * 1024;
/// All entries, in bytes.
const CAPACITY: u64 = 64 * 1024 * 1024;
/// How many entries that is about, and how many parts they are locked in.
const ENTRIES: usize = 32 * 1024;
const SHARDS: usize = 16;
/// Enough that two entities rarely share one.
const SLOTS: usize = 16 * 1024;

/// What a request shows: an entity, or a list of a service.
pub(crate) type Subject = (&'static str, Option<Uuid>);

/// The public reads that are kept.
pub(crate) struct ReadCache {
    entries: sync::Cache<Box<str>, Arc<Entry>, Weight>,
    running: Mutex<HashMap<Box<str>, watch::Receiver<Option<Outcome>>>>,
    changes: Changes,
}

/// A response, and until when it is current.
pub(crate) struct Entry {
    pub(crate) page: Page,
    began: Instant,
    changes: u64,
    slot: usize,
}

/// The result of a read that others wait for.
type Outcome = Result<Arc<Entry>, ApiError>;

/// What a request does that found no current entry.
pub(crate) enum Turn<'a> {
    /// An entry was kept meanwhile.
    Kept(Arc<Entry>),
    /// Another request reads it.
    Wait(Waiting),
    /// This request reads it.
    Read(Reading<'a>),
}

impl ReadCache {
    pub(crate) fn new() -> Self {
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(ENTRIES).weight_capacity(CAPACITY).shards(SHARDS);
        let entries = match options.build() {
            Ok(options) => sync::Cache::with_options(
                options,
                Weight,
                DefaultHashBuilder::default(),
                sync::DefaultLifecycle::default(),
            ),
            // Both capacities are set.
            Err(_) => sync::Cache::with_weighter(ENTRIES, CAPACITY, Weight),
        };
        Self { entries, running: Mutex::default(), changes: Changes::new() }
    }

    /// The current entry of a key.
    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<Arc<Entry>> {
        let entry = self.entries.get(key)?;
        (now < entry.began + FRESH && self.is_unchanged(&entry)).then_some(entry)
    }

    /// Of all requests without a current entry, one reads and the others wait for it.
    pub(crate) fn turn(&self, key: &str) -> Turn<'_> {
        let mut running = self.running.lock();
        if let Some(result) = running.get(key) {
            return Turn::Wait(Waiting(result.clone()));
        }
        // A read that ended since the caller has looked.
        if let Some(entry) = self.get(key, Instant::now()) {
            return Turn::Kept(entry);
        }
        let (result, waiting) = watch::channel(None);
        running.insert(key.into(), waiting);
        let (began, changes) = (Instant::now(), self.changes.count());
        Turn::Read(Reading { cache: self, key: key.into(), result, began, changes })
    }

    /// Discards what shows a subject, whether kept or still being read.
    pub(crate) fn changed(&self, subject: Subject) {
        self.changes.record(subject);
    }

    fn is_unchanged(&self, entry: &Entry) -> bool {
        self.changes.last(entry.slot) <= entry.changes
    }
}

/// The result of another request's read.
pub(crate) struct Waiting(watch::Receiver<Option<Outcome>>);

impl Waiting {
    /// `None` if the result was discarded, or the other request has ended without one.
    pub(crate) async fn result(mut self) -> Option<Outcome> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

/// A read in progress. Dropped without a result, those that wait for it take another turn.
pub(crate) struct Reading<'a> {
    cache: &'a ReadCache,
    key: Box<str>,
    result: watch::Sender<Option<Outcome>>,
    began: Instant,
    changes: u64,
}

impl Reading<'_> {
    /// Keeps the response, and gives it to those that wait, unless what it shows has changed since the read began.
    pub(crate) fn succeeded(self, subject: Subject, page: Page) -> Arc<Entry> {
        let slot = self.cache.changes.slot(subject);
        let entry = Arc::new(Entry { page, began: self.began, changes: self.changes, slot });
        if self.cache.is_unchanged(&entry) {
            if weight(&self.key, &entry.page) <= LARGEST as u64 {
                self.cache.entries.insert(self.key.clone(), entry.clone());
            }
            self.result.send_replace(Some(Ok(entry.clone())));
        }
        entry
    }

    /// Gives the error to those that wait. It is not kept.
    pub(crate) fn failed(self, error: ApiError) {
        self.result.send_replace(Some(Err(error)));
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.cache.running.lock().remove(&self.key);
    }
}

/// The number of the last change of each entity, by slot.
struct Changes {
    count: AtomicU64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Changes {
    fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    fn slot(&self, subject: Subject) -> usize {
        // The remainder is less than the number of slots.
        (self.hasher.hash_one(subject) % SLOTS as u64) as usize
    }

    /// Changes before this moment precede a read that begins now.
    fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    fn record(&self, subject: Subject) {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        self.slots[self.slot(subject)].fetch_max(number, Ordering::SeqCst);
    }

    fn last(&self, slot: usize) -> u64 {
        self.slots[slot].load(Ordering::SeqCst)
    }
}

/// The bytes of an entry.
#[derive(Clone)]
struct Weight;

impl Weighter<Box<str>, Arc<Entry>> for Weight {
    fn weight(&self, key: &Box<str>, entry: &Arc<Entry>) -> u64 {
        weight(key, &entry.page)
    }
}

fn weight(key: &str, page: &Page) -> u64 {
    (key.len() + page.size()) as u64
}

#[cfg(test)]
mod tests {
    use contract::ErrorKind;

    use super::*;

    const MUG: Subject = ("catalog", Some(Uuid::from_u128(1)));
    const LAMP: Subject = ("catalog", Some(Uuid::from_u128(2)));
    const LIST: Subject = ("catalog", None);

    fn page(text: &str) -> Page {
        Page::of_text(text)
    }

    fn reading<'a>(cache: &'a ReadCache, key: &str) -> Reading<'a> {
        match cache.turn(key) {
            Turn::Read(reading) => reading,
            Turn::Kept(_) | Turn::Wait(_) => panic!("{key} is kept or being read"),
        }
    }

    fn waiting(cache: &ReadCache, key: &str) -> Waiting {
        match cache.turn(key) {
            Turn::Wait(waiting) => waiting,
            Turn::Kept(_) | Turn::Read(_) => panic!("{key} is not being read"),
        }
    }

    fn found(cache: &ReadCache, key: &str) -> Option<String> {
        cache.get(key, Instant::now()).map(|entry| entry.page.text())
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_served_for_a_second_after_its_read_began() {
        let cache = ReadCache::new();
        assert_eq!(found(&cache, "/mug"), None);
        let read = reading(&cache, "/mug");
        tokio::time::advance(Duration::from_millis(300)).await;
        read.succeeded(MUG, page("1"));
        tokio::time::advance(Duration::from_millis(699)).await;
        assert_eq!(found(&cache, "/mug").as_deref(), Some("1"));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(found(&cache, "/mug"), None, "a second after its read began");
        // A read that took as long is given to those that waited, and not kept.
        let (slow, waiting) = (reading(&cache, "/mug"), waiting(&cache, "/mug"));
        tokio::time::advance(FRESH).await;
        slow.succeeded(MUG, page("2"));
        assert_eq!(waiting.result().await.unwrap().unwrap().page.text(), "2");
        assert_eq!(found(&cache, "/mug"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_discards_an_entry_and_no_other() {
        let cache = ReadCache::new();
        for (key, subject) in [("/mug", MUG), ("/slug-of-mug", MUG), ("/list", LIST)] {
            reading(&cache, key).succeeded(subject, page(key));
        }
        cache.changed(LAMP);
        for key in ["/mug", "/slug-of-mug", "/list"] {
            assert_eq!(found(&cache, key).as_deref(), Some(key));
        }
        cache.changed(MUG);
        assert_eq!((found(&cache, "/mug"), found(&cache, "/slug-of-mug")), (None, None));
        assert!(found(&cache, "/list").is_some());
        cache.changed(LIST);
        assert_eq!(found(&cache, "/list"), None);
        reading(&cache, "/mug").succeeded(MUG, page("new"));
        assert_eq!(found(&cache, "/mug").as_deref(), Some("new"), "a read that began after the change");
    }

    #[tokio::test]
    async fn a_change_during_a_read_discards_its_result() {
        let cache = ReadCache::new();
        let (read, waiting) = (reading(&cache, "/mug"), waiting(&cache, "/mug"));
        cache.changed(MUG);
        assert_eq!(read.succeeded(MUG, page("old")).page.text(), "old", "its own request began before the change");
        assert!(waiting.result().await.is_none(), "those that wait read again");
        assert_eq!(found(&cache, "/mug"), None);
    }

    /// Every order of six commits, notices, beginnings and ends of a read.
    #[tokio::test]
    async fn nothing_that_was_read_before_a_change_is_kept_after_it() {
        let cache = ReadCache::new();
        for steps in 0..4_u32.pow(6) {
            let (mut version, mut known, mut running) = (steps * 6, steps * 6, Vec::new());
            cache.changed(MUG);
            for step in (0..6).map(|place| steps / 4_u32.pow(place) % 4) {
                match step {
                    // A commit, whose notice comes later.
                    0 => version += 1,
                    1 => {
                        known = version;
                        cache.changed(MUG);
                    }
                    2 => {
                        if let Turn::Read(read) = cache.turn("/mug") {
                            running.push((read, version));
                        }
                    }
                    _ => {
                        if let Some((read, seen)) = running.pop() {
                            read.succeeded(MUG, page(&seen.to_string()));
                        }
                    }
                }
                let shown = found(&cache, "/mug").map(|text| text.parse::<u32>().unwrap());
                assert!(shown.is_none_or(|shown| shown >= known), "{steps}: {shown:?} after {known}");
            }
        }
    }

    #[tokio::test]
    async fn one_request_reads_and_the_others_get_its_result() {
        let cache = ReadCache::new();
        let (read, first, second) = (reading(&cache, "/mug"), waiting(&cache, "/mug"), waiting(&cache, "/mug"));
        drop(reading(&cache, "/lamp"));
        read.succeeded(MUG, page("1"));
        for waiting in [first, second] {
            assert_eq!(waiting.result().await.unwrap().unwrap().page.text(), "1");
        }
        assert!(matches!(cache.turn("/mug"), Turn::Kept(_)));

        let (read, waiting) = (reading(&cache, "/none"), waiting(&cache, "/none"));
        read.failed(ApiError::new(ErrorKind::NotFound, "product_not_found", ""));
        assert_eq!(waiting.result().await.unwrap().err().unwrap().code(), "product_not_found");
        drop(reading(&cache, "/none"));
    }

    #[tokio::test]
    async fn a_read_that_is_cancelled_leaves_the_next_turn_to_another() {
        let cache = ReadCache::new();
        let (read, waiting) = (reading(&cache, "/mug"), waiting(&cache, "/mug"));
        drop(read);
        assert!(waiting.result().await.is_none());
        reading(&cache, "/mug").succeeded(MUG, page("1"));
    }

    #[tokio::test]
    async fn bytes_are_bounded() {
        let cache = ReadCache::new();
        reading(&cache, "/large").succeeded(MUG, page(&"x".repeat(LARGEST)));
        assert_eq!(found(&cache, "/large"), None);
        let text = "x".repeat(LARGEST / 2);
        for number in 0..1000 {
            reading(&cache, &format!("/{number}")).succeeded(MUG, page(&text));
        }
        assert!(cache.entries.weight() <= CAPACITY, "{}", cache.entries.weight());
        assert!(cache.entries.len() > 100, "{}", cache.entries.len());
    }
}
