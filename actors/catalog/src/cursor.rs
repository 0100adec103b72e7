//! Where a page ended: the sort, the last row's value in it, and its id. Opaque to clients.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use subjects::catalog::{CatalogError, ProductSort};
use uuid::Uuid;

use crate::slug::is_slug;

/// The value by which a list is sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SortKey {
    CreatedAt(DateTime<Utc>),
    Name(String),
    Price(i64),
}

/// Where a page of products ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub key: SortKey,
    pub id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Written(ProductSort, serde_json::Value, Uuid);

impl Cursor {
    /// The cursor as a client gets it.
    pub(crate) fn write(&self, sort: ProductSort) -> String {
        let key = match &self.key {
            SortKey::CreatedAt(at) => at.timestamp_micros().into(),
            SortKey::Name(name) => name.as_str().into(),
            SortKey::Price(price) => (*price).into(),
        };
        let written = serde_json::json!(Written(sort, key, self.id));
        URL_SAFE_NO_PAD.encode(written.to_string())
    }

    /// Reads a cursor for a list with this sort. Whatever a client makes up itself, PostgreSQL can take it.
    pub(crate) fn read(text: &str, sort: ProductSort) -> Result<Self, CatalogError> {
        read(text, sort).ok_or(CatalogError::InvalidCursor)
    }
}

fn read(text: &str, sort: ProductSort) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let Written(of, key, id) = serde_json::from_slice(&bytes).ok()?;
    if of != sort {
        return None;
    }
    let key = match sort {
        ProductSort::Newest => {
            let micros = key.as_i64().filter(|micros| (0..=LAST_MICROS).contains(micros))?;
            SortKey::CreatedAt(DateTime::from_timestamp_micros(micros)?)
        }
        ProductSort::Name | ProductSort::NameDescending => {
            SortKey::Name(key.as_str().filter(|name| !name.contains('\0'))?.to_owned())
        }
        ProductSort::Price | ProductSort::PriceDescending => SortKey::Price(key.as_i64()?),
    };
    Some(Cursor { key, id })
}

/// The end of the year 9999.
const LAST_MICROS: i64 = 253_402_300_799_000_000;

/// Where a page of categories ended.
pub(crate) fn write_slug(slug: &str) -> String {
    URL_SAFE_NO_PAD.encode(slug)
}

/// Reads where a page of categories ended.
pub(crate) fn read_slug(text: &str) -> Result<String, CatalogError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CatalogError::InvalidCursor)?;
    String::from_utf8(bytes).ok().filter(|slug| is_slug(slug)).ok_or(CatalogError::InvalidCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_by_its_own_sort_only() {
        let id = Uuid::now_v7();
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        for (sort, key) in [
            (ProductSort::Newest, SortKey::CreatedAt(at)),
            (ProductSort::Name, SortKey::Name("Crème".into())),
            (ProductSort::PriceDescending, SortKey::Price(4999)),
        ] {
            let cursor = Cursor { key, id };
            let text = cursor.write(sort);
            assert_eq!(Cursor::read(&text, sort), Ok(cursor));
            assert_eq!(Cursor::read(&text, ProductSort::NameDescending), Err(CatalogError::InvalidCursor));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let forged = |json: String| URL_SAFE_NO_PAD.encode(json);
        let id = Uuid::now_v7();
        let texts = [
            String::new(),
            "?".into(),
            "AAAA".into(),
            forged(format!(r#"["name","\u0000","{id}"]"#)),
            forged(format!(r#"["name",5,"{id}"]"#)),
            forged(r#"["name","a","b"]"#.into()),
        ];
        for text in texts {
            assert_eq!(Cursor::read(&text, ProductSort::Name), Err(CatalogError::InvalidCursor), "{text}");
        }
        let far = forged(format!(r#"["-created_at",{},"{id}"]"#, i64::MAX));
        assert_eq!(Cursor::read(&far, ProductSort::Newest), Err(CatalogError::InvalidCursor));
        assert_eq!(read_slug(&URL_SAFE_NO_PAD.encode("no slug")), Err(CatalogError::InvalidCursor));
        assert_eq!(read_slug(&write_slug("a-slug")).as_deref(), Ok("a-slug"));
    }
}
