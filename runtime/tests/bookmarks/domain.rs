//! A whole domain: two tables, one command, one query, one event, one reaction.

use contract::{Access, command, domain_error, event, query};
use runtime::{
    Answer, CommandEnvelope, Context, Domain, EventEnvelope, Handle, HandlerResult, InternalError, QueryResult, React,
    Registry, Tx,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Add {
    pub url: String,
}
command!(Add, "bookmarks", "add", Access::Public => Bookmark, BookmarksError, key = |_| None);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bookmark {
    pub id: uuid::Uuid,
    pub url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountSite {
    pub name: String,
}
query!(CountSite, "bookmarks", "count_site", Access::Public => SiteCount, BookmarksError);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SiteCount {
    pub bookmarks: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BookmarkAdded {
    pub bookmark_id: uuid::Uuid,
    pub site: String,
}
event!(BookmarkAdded, "bookmarks", "added", entity = |e| e.bookmark_id);

domain_error! {
    pub enum BookmarksError {
        NotAUrl: Invalid "not_a_url" = "A bookmark must begin with https://";
        Exists: Conflict "bookmark_exists" = "This bookmark exists.";
    }
}

pub struct Bookmarks;

impl Domain for Bookmarks {
    const NAME: &'static str = "bookmarks";
    fn migrations() -> sqlx::migrate::Migrator {
        sqlx::migrate!("tests/bookmarks/migrations")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Add>();
        routes.query::<CountSite>();
        routes.event::<BookmarkAdded>();
    }
}

impl Handle<Add> for Bookmarks {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Add>) -> HandlerResult<Bookmark, BookmarksError> {
        let url = command.message.url.clone();
        let site = url.strip_prefix("https://").and_then(|s| s.split('/').next()).ok_or(BookmarksError::NotAUrl)?;
        let added = BookmarkAdded { bookmark_id: uuid::Uuid::now_v7(), site: site.to_owned() };
        let sql = "insert into bookmark values ($1, $2, $3) on conflict do nothing";
        let insert = sqlx::query(sql).bind(added.bookmark_id).bind(&url).bind(tx.now());
        if insert.execute(tx.writes()).await.map_err(InternalError::from)?.rows_affected() == 0 {
            return Err(BookmarksError::Exists.into());
        }
        tx.emit_first(&command.cause, &added)?;
        Ok(Bookmark { id: added.bookmark_id, url })
    }
}

impl Answer<CountSite> for Bookmarks {
    async fn answer(&self, cx: &Context, query: &CountSite) -> QueryResult<SiteCount, BookmarksError> {
        let count = sqlx::query_scalar("select coalesce((select bookmarks from site where name = $1), 0)");
        Ok(SiteCount { bookmarks: count.bind(&query.name).fetch_one(cx.reads()).await.map_err(InternalError::from)? })
    }
}

impl React for Bookmarks {
    type Input = EventEnvelope<BookmarkAdded>;
    async fn react(&self, tx: &mut Tx<'_>, added: &[&Self::Input]) -> Result<(), InternalError> {
        let sites: Vec<_> = added.iter().map(|added| &added.message.site).collect();
        let sql = "insert into site select name, count(*) from unnest($1::text[]) as name group by name order by name
            on conflict (name) do update set bookmarks = site.bookmarks + excluded.bookmarks";
        Ok(sqlx::query(sql).bind(sites).execute(tx.writes()).await.map(drop)?)
    }
}
