//! Catch-up: the one recovery path. Each second, for each source, one node compares the owner's log with its own inbox,
//! asks for what is missing, hands it to the lanes as if delivered, and moves the cursors up. It covers a killed node, a
//! lost or wiped stream, a new event type, a database restored from a backup, a new projection.
//!
//! docs/catch-up.md tells its rules, each with what breaks without it; the numbers in comments are theirs.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use contract::{Position, subject};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::{
    client::{Call, Client},
    consumer::Consumer,
    database::Database,
    failure::{Breakage, Stored},
    lease,
    log::{Digest, EventsPage, EventsRequest, LogPage, LogRequest, LogRow, LoggedEvent, head},
    operation::EventHead,
};

/// Younger commits are left to the stream, which is faster: so catch-up never races a healthy one.
const DELAY: Duration = Duration::from_secs(2);

/// A lag counts for so much at most: a stream that never comes back must not stop the repair.
const MAX_LAG_MS: i64 = 30_000;

/// Positions whose events are asked for at once.
const POSITIONS: usize = 100;

/// Inbox rows pruned in one pass.
const PRUNED: i64 = 20_000;

/// The lease is given up now and then, so that an old node cannot keep a new type from being repaired.
const KEEP: Duration = Duration::from_secs(10);

pub(crate) struct CatchUp {
    pub consumer: Arc<Consumer>,
    pub db: Database,
    pub client: Client,
    pub node: Uuid,
    /// The newest era that is written down, to spare writing it again.
    pub seen_era: AtomicI64,
}

impl CatchUp {
    /// One pass, if the lease is ours. `held_since` remembers when we got it.
    pub(crate) async fn pass(&self, held_since: &mut Option<Instant>) -> Stored<()> {
        let name = self.lease_name();
        if held_since.is_some_and(|at| at.elapsed() > KEEP) {
            *held_since = None;
            lease::release(&self.db.lanes, &name, self.node).await?;
            return Ok(());
        }
        if !lease::hold(&self.db.lanes, &name, self.node, Duration::from_secs(5)).await? {
            *held_since = None;
            return Ok(());
        }
        held_since.get_or_insert_with(Instant::now);
        self.compare_log().await
    }

    fn lease_name(&self) -> String {
        let mut names: Vec<&str> = self.consumer.routes.iter().map(|route| route.name).collect();
        names.sort_unstable();
        format!("catch-up:{}:{}", self.consumer.source, names.join(","))
    }

    async fn compare_log(&self) -> Stored<()> {
        let lag = self.consumer.lag_ms.load(Ordering::Relaxed).clamp(0, MAX_LAG_MS);
        let delay_ms = i64::try_from(DELAY.as_millis()).unwrap_or(2000) + lag;
        let cursors = self.cursors(&mut *self.db.lanes.acquire().await?).await?;
        self.seen_era.store(self.written_era().await?, Ordering::Relaxed);
        let lower = cursors.values().copied().min().unwrap_or(Position::START);
        let mut after = lower;
        let mut gaps = HashMap::new();
        loop {
            let page = self.ask_log(&LogRequest { after, delay_ms }).await?;
            if page.trimmed.is_some_and(|trimmed| lower < trimmed) {
                metrics::counter!("catch_up_stopped_total", "domain" => self.consumer.domain).increment(1);
                tracing::error!(
                    domain = self.consumer.domain,
                    source = self.consumer.source,
                    "the owner's log was trimmed above our cursor: events are gone, a person must decide"
                );
                return Ok(());
            }
            let suspects = self.suspects(&page, &cursors).await?;
            let found = self.fetch(&suspects).await?;
            let Some(missing) = self.compare_and_move(&page, lower, after, &found, &mut gaps).await? else {
                return Ok(());
            };
            self.hand_over(missing, page.era).await;
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        self.prune().await
    }

    /// The cursors of the types this node handles; a type without one starts at the beginning.
    async fn cursors(&self, connection: &mut PgConnection) -> Stored<HashMap<String, Position>> {
        let mut cursors: HashMap<String, Position> =
            self.consumer.routes.iter().map(|route| (route.name.to_owned(), Position::START)).collect();
        let rows = sqlx::query("select name, era, xid from cursor where source = $1")
            .bind(self.consumer.source)
            .fetch_all(connection)
            .await?;
        for row in rows {
            // R8: cursors of types that only other nodes handle are theirs to move.
            if let Some(cursor) = cursors.get_mut(row.try_get::<&str, _>("name")?) {
                *cursor = Position { era: row.try_get("era")?, xid: row.try_get("xid")? };
            }
        }
        Ok(cursors)
    }

    /// The newest era of the owner that is written down here; a restore may have taken it back.
    async fn written_era(&self) -> Stored<i64> {
        let era = sqlx::query_scalar("select era from source_era where source = $1")
            .bind(self.consumer.source)
            .fetch_optional(&self.db.lanes)
            .await?;
        Ok(era.unwrap_or(0))
    }

    async fn ask_log(&self, request: &LogRequest) -> Stored<LogPage> {
        let call = Call::default();
        Ok(self.client.ask_internal(self.consumer.source, subject::internal::LOG, request, &call).await?)
    }

    /// Positions where digests differ, before the transaction that decides.
    async fn suspects(&self, page: &LogPage, cursors: &HashMap<String, Position>) -> Stored<Vec<Position>> {
        let inbox = self.inbox_digests(&mut *self.db.lanes.acquire().await?, &page.rows).await?;
        Ok(page
            .rows
            .iter()
            .filter(|row| differing(row, cursors, &inbox).next().is_some())
            .map(|row| row.position)
            .collect())
    }

    /// R7: count and xor per commit and type.
    async fn inbox_digests(
        &self,
        connection: &mut PgConnection,
        rows: &[LogRow],
    ) -> Stored<HashMap<(Position, String), Digest>> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(HashMap::new()) };
        let rows = sqlx::query(
            "select era, xid, name, count(*) as count, bit_xor(mark) as mark from inbox
             where source = $1 and (era, xid) >= ($2, $3) and (era, xid) <= ($4, $5) group by era, xid, name",
        )
        .bind(self.consumer.source)
        .bind(first.position.era)
        .bind(first.position.xid)
        .bind(last.position.era)
        .bind(last.position.xid)
        .fetch_all(connection)
        .await?;
        rows.iter()
            .map(|row| {
                let position = Position { era: row.try_get("era")?, xid: row.try_get("xid")? };
                let digest = Digest { count: row.try_get("count")?, xor: row.try_get("mark")? };
                Ok(((position, row.try_get("name")?), digest))
            })
            .collect()
    }

    /// The events of suspect commits, as far as one pass brings them.
    async fn fetch(&self, suspects: &[Position]) -> Stored<BTreeMap<Position, Vec<(EventHead, bytes::Bytes)>>> {
        let mut found = BTreeMap::new();
        let names: Vec<String> = self.consumer.routes.iter().map(|route| route.name.to_owned()).collect();
        for positions in suspects.chunks(POSITIONS) {
            let mut request = Some(EventsRequest { positions: positions.to_vec(), names: names.clone(), skip: 0 });
            while let Some(asked) = request {
                let call = Call::default();
                let page: EventsPage =
                    self.client.ask_internal(self.consumer.source, subject::internal::EVENTS, &asked, &call).await?;
                for commit in &page.commits {
                    let events: Vec<LoggedEvent> = serde_json::from_str(&commit.events).map_err(Breakage::other)?;
                    let events = events.iter().map(|event| {
                        let payload = bytes::Bytes::from(event.data.get().to_owned());
                        (head(self.consumer.source, commit.position, commit.at, event), payload)
                    });
                    found.entry(commit.position).or_insert_with(Vec::new).extend(events);
                }
                request = asked.rest(&page);
            }
        }
        Ok(found)
    }

    /// R2: compares and moves in one transaction that re-reads the cursors first, gives up where one fell below the list
    /// (a restore in between), and only ever moves up. Gives what is missing.
    async fn compare_and_move(
        &self,
        page: &LogPage,
        lower: Position,
        after: Position,
        found: &BTreeMap<Position, Vec<(EventHead, bytes::Bytes)>>,
        gaps: &mut HashMap<String, ()>,
    ) -> Stored<Option<Vec<(EventHead, bytes::Bytes)>>> {
        if page.rows.is_empty() && self.seen_era.load(Ordering::Relaxed) >= page.era {
            return Ok(Some(Vec::new()));
        }
        let mut transaction = self.db.lanes.begin().await?;
        let cursors = self.cursors(&mut transaction).await?;
        if cursors.values().any(|cursor| *cursor < lower) {
            return Ok(None);
        }
        let inbox = self.inbox_digests(&mut transaction, &page.rows).await?;
        let handled = self.handled(&mut transaction, found).await?;
        let mut targets: HashMap<String, Position> = HashMap::new();
        let mut missing = Vec::new();
        for (name, cursor) in cursors.iter().filter(|_| !page.rows.is_empty()) {
            // A gap on an earlier page holds the cursor; this page is only repaired.
            if gaps.contains_key(name) || *cursor < after {
                gaps.insert(name.clone(), ());
            } else {
                targets.insert(name.clone(), page.horizon);
            }
        }
        for row in &page.rows {
            for name in differing(row, &cursors, &inbox) {
                let of_type = || found.get(&row.position).into_iter().flatten().filter(|(head, _)| head.name == *name);
                let open: Vec<_> = of_type().filter(|(head, _)| !handled.contains(&head.id)).cloned().collect();
                // Only what the log itself counts is all there is: an answer that lacks an event proves nothing.
                let is_whole = row.digest.get(name) == Some(&Digest::of(of_type().map(|(head, _)| head.id)));
                if is_whole && open.is_empty() {
                    continue;
                }
                // R9: just below the first commit with a missing event of its type.
                if let Some(target) = targets.get_mut(name) {
                    *target = (*target).min(row.position.just_below());
                    gaps.insert(name.clone(), ());
                }
                missing.extend(open);
            }
        }
        self.move_up(&mut transaction, page.era, &cursors, targets).await?;
        crate::fail_point("catch_up.before_move");
        transaction.commit().await?;
        Ok(Some(missing))
    }

    async fn handled(
        &self,
        connection: &mut PgConnection,
        found: &BTreeMap<Position, Vec<(EventHead, bytes::Bytes)>>,
    ) -> Stored<HashSet<Uuid>> {
        let ids: Vec<Uuid> = found.values().flatten().map(|(head, _)| head.id).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let rows: Vec<Uuid> = sqlx::query_scalar("select event_id from inbox where source = $1 and event_id = any($2)")
            .bind(self.consumer.source)
            .bind(ids)
            .fetch_all(connection)
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn move_up(
        &self,
        connection: &mut PgConnection,
        era: i64,
        cursors: &HashMap<String, Position>,
        targets: HashMap<String, Position>,
    ) -> Stored<()> {
        // R14: the newest era that was seen, written by the same transaction.
        sqlx::query(
            "insert into source_era (source, era) values ($1, $2)
             on conflict (source) do update set era = excluded.era where source_era.era < excluded.era",
        )
        .bind(self.consumer.source)
        .bind(era)
        .execute(&mut *connection)
        .await?;
        let mut moves: Vec<(String, Position)> = targets
            .into_iter()
            .filter(|(name, target)| cursors.get(name).is_some_and(|cursor| target > cursor))
            .collect();
        moves.sort_unstable();
        sqlx::query(
            "insert into cursor (source, name, era, xid) select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[])
             on conflict (source, name) do update set era = excluded.era, xid = excluded.xid
             where (cursor.era, cursor.xid) < (excluded.era, excluded.xid)",
        )
        .bind(self.consumer.source)
        .bind(moves.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>())
        .bind(moves.iter().map(|(_, position)| position.era).collect::<Vec<_>>())
        .bind(moves.iter().map(|(_, position)| position.xid).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// R9: hands over like any delivery; the lane decides. What is in a lane of this node already is let alone.
    async fn hand_over(&self, missing: Vec<(EventHead, bytes::Bytes)>, era: i64) {
        let mut brought = 0_u64;
        for (head, payload) in missing {
            if self.consumer.in_flight.holds(head.id) {
                continue;
            }
            let Ok(permit) = self.consumer.permits.clone().acquire_owned().await else { return };
            brought += 1;
            self.consumer.hand_over(head, payload, era, true, Some(permit));
        }
        if brought > 0 {
            let (domain, source) = (self.consumer.domain, self.consumer.source);
            metrics::counter!("catch_up_events_total", "domain" => domain, "source" => source).increment(brought);
            tracing::info!(domain, source, brought, "catch-up brought events");
        }
    }

    /// R3: one statement reads the cursor and deletes, by the row's own type; in slices, so that none runs long.
    async fn prune(&self) -> Stored<()> {
        sqlx::query(
            "delete from inbox where ctid = any(array(
                 select inbox.ctid from inbox join cursor using (source, name)
                 where source = $1 and (inbox.era, inbox.xid) <= (cursor.era, cursor.xid)
                 order by inbox.era, inbox.xid limit $2))",
        )
        .bind(self.consumer.source)
        .bind(PRUNED)
        .execute(&self.db.lanes)
        .await?;
        Ok(())
    }
}

/// The types of a commit, above their cursors, whose digests the inbox does not have.
fn differing<'a>(
    row: &'a LogRow,
    cursors: &'a HashMap<String, Position>,
    inbox: &'a HashMap<(Position, String), Digest>,
) -> impl Iterator<Item = &'a String> {
    row.digest.iter().filter_map(move |(name, digest)| {
        let cursor = cursors.get(name)?;
        let have = inbox.get(&(row.position, name.clone()));
        (row.position > *cursor && have != Some(digest)).then_some(name)
    })
}
