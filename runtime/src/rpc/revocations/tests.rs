use super::*;

const NOW: i64 = 1_800_000_000;

fn token(account: u128, version: i64, session: u128) -> TokenOwner {
    TokenOwner { account: Uuid::from_u128(account), version, session: Uuid::from_u128(session) }
}

fn revocation(position: i64, revoked: Revoked) -> Revocation {
    let id = Uuid::from_u128(position.unsigned_abs().into());
    Revocation { cursor: RevocationCursor { position, id }, revoked, expires_at: i64::MAX }
}

fn account(position: i64, id: u128, least_version: i64) -> Revocation {
    revocation(position, Revoked::Account { id: Uuid::from_u128(id), least_version })
}

fn session(position: i64, id: u128) -> Revocation {
    revocation(position, Revoked::Session { id: Uuid::from_u128(id) })
}

/// A signer whose list a test writes, and which can be away.
#[derive(Default)]
struct Signer {
    list: Mutex<Vec<Revocation>>,
    is_away: std::sync::atomic::AtomicBool,
    token_requests: std::sync::atomic::AtomicUsize,
}

impl Signer {
    fn answer(&self, request: &RevocationsRequest) -> Result<RevocationsPage, ServiceError> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.is_away.load(Relaxed) {
            return Err(ServiceError::unavailable("signer"));
        }
        let list = self.list.lock();
        if let Some(token) = &request.token {
            self.token_requests.fetch_add(1, Relaxed);
            let ends = |one: &Revocation| match one.revoked {
                Revoked::Account { id, least_version } => id == token.account && token.version < least_version,
                Revoked::Session { id } => id == token.session,
            };
            return Ok(RevocationsPage { is_revoked: Some(list.iter().any(ends)), ..Default::default() });
        }
        let after = request.after.map_or(0, |cursor| cursor.position);
        let behind: Vec<_> = list.iter().filter(|one| one.cursor.position > after).copied().collect();
        let has_more = behind.len() > 2;
        Ok(RevocationsPage { revocations: behind.into_iter().take(2).collect(), has_more, is_revoked: None })
    }

    fn reader(self: &Arc<Self>, bound: usize) -> Revocations {
        let signer = self.clone();
        let source: RevocationSource = Arc::new(move |request| {
            let answer = signer.answer(&request);
            Box::pin(async move { answer })
        });
        Revocations::new("test", source, bound, Clock::default())
    }
}

fn away(signer: &Signer, is_away: bool) {
    signer.is_away.store(is_away, std::sync::atomic::Ordering::Relaxed);
}

#[test]
fn a_lower_version_and_an_ended_session_are_revoked_and_nothing_else() {
    let mut list = List { read_at: Some(Instant::now()), ..List::default() };
    assert!(list.add(&account(1, 7, 3), 10) && list.add(&session(2, 9), 10));
    assert_eq!(list.status(&token(7, 2, 1)), Status::Revoked);
    assert_eq!(list.status(&token(7, 0, 1)), Status::Revoked, "a token that names no version");
    assert_eq!(list.status(&token(8, 1, 9)), Status::Revoked);
    assert!(matches!(list.status(&token(7, 3, 1)), Status::Valid(_)));
    assert!(matches!(list.status(&token(8, 1, 1)), Status::Valid(_)));
}

#[test]
fn an_older_revocation_of_an_account_takes_nothing_back() {
    let mut list = List::default();
    assert!(list.add(&account(2, 7, 5), 10) && list.add(&account(1, 7, 3), 10));
    assert_eq!(list.status(&token(7, 4, 1)), Status::Revoked);
}

#[test]
fn an_entry_goes_when_no_token_can_be_left_and_no_sooner() {
    let mut list = List::default();
    let ends = |at| Revocation { expires_at: at, ..session(1, 9) };
    assert!(list.add(&ends(NOW + 1), 10));
    list.drop_expired(NOW);
    assert_eq!(list.status(&token(7, 1, 9)), Status::Revoked);
    list.drop_expired(NOW + 1);
    assert_eq!((list.status(&token(7, 1, 9)), list.len()), (Status::Unknown, 0));
}

#[tokio::test]
async fn a_poll_reads_every_page_and_then_what_is_new() {
    let signer = Arc::<Signer>::default();
    signer.list.lock().extend((1..=5).map(|position| session(position, position.unsigned_abs().into())));
    let reader = signer.reader(100);
    reader.poll(Instant::now()).await.unwrap();
    for number in 1..=5 {
        reader.check(&token(1, 1, number)).await.expect_err("revoked");
    }
    reader.check(&token(1, 1, 6)).await.unwrap();
    signer.list.lock().push(session(6, 6));
    reader.poll(Instant::now()).await.unwrap();
    reader.check(&token(1, 1, 6)).await.expect_err("revoked meanwhile");
    assert_eq!(signer.token_requests.load(std::sync::atomic::Ordering::Relaxed), 0, "a list that is whole suffices");
}

#[tokio::test]
async fn before_the_first_poll_and_beyond_the_bound_each_token_is_looked_up() {
    let signer = Arc::<Signer>::default();
    signer.list.lock().extend((1..=3).map(|position| session(position, position.unsigned_abs().into())));
    let reader = signer.reader(1);
    for round in 0..2 {
        for number in 1..=3 {
            reader.check(&token(1, 1, number)).await.expect_err("revoked");
        }
        reader.check(&token(1, 1, 4)).await.unwrap();
        reader.confirm(&token(1, 1, 4)).await.unwrap();
        assert_eq!(signer.token_requests.load(std::sync::atomic::Ordering::Relaxed), 4, "answers hold for a second");
        if round == 0 {
            reader.poll(Instant::now()).await.unwrap();
        }
    }
    // What is on the list needs no signer.
    away(&signer, true);
    *reader.shared.answers.lock() = Answers::default();
    reader.check(&token(1, 1, 1)).await.expect_err("revoked");
    reader.check(&token(1, 1, 4)).await.unwrap();
    assert_eq!(reader.confirm(&token(1, 1, 4)).await.unwrap_err().kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_full_list_takes_up_the_rest_when_there_is_room_again() {
    let signer = Arc::<Signer>::default();
    signer.list.lock().extend([Revocation { expires_at: NOW, ..session(1, 1) }, session(2, 2), session(3, 3)]);
    let reader = signer.reader(2);
    // The clock is past the first entry's end: it is dropped at the next poll.
    reader.poll(Instant::now()).await.unwrap();
    assert!(reader.shared.list.read().is_full);
    reader.shared.list.write().drop_expired(NOW);
    reader.poll(Instant::now()).await.unwrap();
    let list = reader.shared.list.read();
    assert_eq!((list.is_full, list.len()), (false, 2));
    assert_eq!(list.status(&token(1, 1, 3)), Status::Revoked);
}

#[tokio::test]
async fn a_full_list_stays_full_until_the_last_page_has_found_room() {
    let signer = Arc::<Signer>::default();
    let expired = |position| Revocation { expires_at: NOW, ..session(position, position.unsigned_abs().into()) };
    signer.list.lock().extend([expired(1), expired(2), expired(3)]);
    signer.list.lock().extend([4, 5, 6, 7].map(|position| session(position, position.unsigned_abs().into())));
    let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let source: RevocationSource = Arc::new(move |request| {
        let is_fourth = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 3;
        let answer = if is_fourth { Err(ServiceError::unavailable("signer")) } else { signer.answer(&request) };
        Box::pin(async move { answer })
    });
    let reader = Revocations::new("test", source, 3, Clock::default());
    reader.poll(Instant::now()).await.unwrap();
    assert!(reader.shared.list.read().is_full);
    reader.shared.list.write().drop_expired(NOW);
    reader.poll(Instant::now()).await.expect_err("the signer fails between two pages");
    let list = reader.shared.list.read();
    assert_eq!(list.status(&token(1, 1, 7)), Status::Unknown, "it is on a page that was not read");
}

#[tokio::test]
async fn a_signer_that_is_away_stops_sensitive_commands_only_and_only_after_ten_seconds() {
    let signer = Arc::<Signer>::default();
    let reader = signer.reader(100);
    let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
    reader.poll(ago(8)).await.unwrap();
    away(&signer, true);
    reader.poll(Instant::now()).await.expect_err("it is away");
    reader.confirm(&token(1, 1, 1)).await.unwrap();
    away(&signer, false);
    reader.poll(ago(11)).await.unwrap();
    away(&signer, true);
    assert_eq!(reader.confirm(&token(1, 1, 1)).await.unwrap_err().kind, ErrorKind::Unavailable);
    reader.check(&token(1, 1, 1)).await.unwrap();
    away(&signer, false);
    reader.poll(Instant::now()).await.unwrap();
    reader.confirm(&token(1, 1, 1)).await.unwrap();
}

#[tokio::test]
async fn a_wait_for_a_revocation_ends_with_it() {
    let signer = Arc::<Signer>::default();
    let reader = signer.reader(100);
    let waiting = tokio::spawn({
        let reader = reader.clone();
        async move { reader.listed(&token(1, 1, 9)).await }
    });
    signer.list.lock().push(session(1, 8));
    reader.poll(Instant::now()).await.unwrap();
    assert!(!waiting.is_finished());
    signer.list.lock().push(session(2, 9));
    reader.poll(Instant::now()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it ends").unwrap();
}
