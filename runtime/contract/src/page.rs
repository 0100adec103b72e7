//! Pagination of lists.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Detail, ErrorKind, Format, ServiceError, UnknownFields};

/// The requested part of a list: `limit` with `offset`, or with `cursor` to go deeper.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// 1 to 100; 20 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The number of rows to skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// `next_cursor` or `prev_cursor` of another page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The position of a page in its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Pagination {
    /// The maximum size of the page.
    pub limit: u32,
    /// The number of skipped entries.
    pub offset: u32,
    /// The number of entries in the list, counted up to 10,000.
    pub total: i64,
    /// Whether `total` is exact. False if there are more entries than were counted.
    #[serde(default = "yes")]
    pub is_total_exact: bool,
    /// The cursor of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub next_cursor: Option<String>,
    /// The cursor of the previous page; absent on the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub prev_cursor: Option<String>,
}

fn yes() -> bool {
    true
}

/// The error for a cursor that belongs to no list, or to another.
pub fn invalid_cursor() -> ServiceError {
    let error = ServiceError::new(ErrorKind::Malformed, "invalid_cursor", "The cursor is not valid.");
    error.about(Detail::format("cursor", "cursor", "must be a cursor of another page"))
}

/// The most rows of a list that are counted: a count reads every row that it counts.
pub const COUNTED: i64 = 10_000;

/// A part of a list for a store to read. `K` is the sort key, including a tie-breaker that makes the order total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<K> {
    list: String,
    limit: u32,
    offset: u32,
    /// The row after which reading starts, exclusive.
    pub from: Option<K>,
    /// Whether the list is read towards its start, in reverse order.
    pub is_backwards: bool,
}

impl PageRequest {
    /// The largest page size.
    pub const MAX_LIMIT: u32 = 100;
    /// The largest offset. A cursor can go deeper, at no extra cost.
    pub const MAX_OFFSET: u32 = 10_000;

    /// The requested part of `list`, whose name includes the sort order; `None` if the cursor belongs to another list.
    pub fn part<K: DeserializeOwned>(&self, list: &str) -> Option<Part<K>> {
        let limit = self.limit.unwrap_or(20).clamp(1, Self::MAX_LIMIT);
        let mut part = Part { list: list.to_owned(), limit, offset: 0, from: None, is_backwards: false };
        let Some(cursor) = &self.cursor else {
            part.offset = self.offset.unwrap_or(0).min(Self::MAX_OFFSET);
            return Some(part);
        };
        let text = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        // A client may forge a cursor: decode it as strictly as a request.
        let (of, is_backwards, key) =
            Format::Json.decode_request::<(String, bool, K)>(&text, UnknownFields::Reject).ok()?;
        (of == list).then_some(Part { from: Some(key), is_backwards, ..part })
    }
}

impl<K: Serialize> Part<K> {
    /// The number of rows to read: one more than the page size, to detect whether there is another page.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The number of rows to skip.
    pub fn offset(&self) -> i64 {
        self.offset.into()
    }

    /// Builds the page, in the order of the list. `counted` is the number of rows of the list, counted up to
    /// [`COUNTED`] plus one; `key` returns the sort key of a row.
    pub fn page<R>(self, rows: Vec<R>, counted: i64, key: impl Fn(&R) -> K) -> (Vec<R>, Pagination) {
        let has_more = rows.len() > self.limit as usize;
        self.cut(rows, has_more, counted, key)
    }

    /// The page of `rows`, which are in the order of reading.
    fn cut<R>(self, mut rows: Vec<R>, has_more: bool, counted: i64, key: impl Fn(&R) -> K) -> (Vec<R>, Pagination) {
        rows.truncate(self.limit as usize);
        if self.is_backwards {
            rows.reverse();
        }
        let (has_next, has_previous) =
            if self.is_backwards { (true, has_more) } else { (has_more, self.from.is_some() || self.offset > 0) };
        let cursor = |row: Option<&R>, is_backwards: bool| {
            let cursor = serde_json::to_vec(&(&self.list, is_backwards, key(row?))).ok()?;
            Some(URL_SAFE_NO_PAD.encode(cursor))
        };
        let pagination = Pagination {
            limit: self.limit,
            offset: self.offset,
            total: counted.min(COUNTED),
            is_total_exact: counted <= COUNTED,
            next_cursor: cursor(rows.last().filter(|_| has_next), false),
            prev_cursor: cursor(rows.first().filter(|_| has_previous), true),
        };
        (rows, pagination)
    }
}

impl<K: Serialize + Ord> Part<K> {
    /// Merges the pages of several lists, each the answer to this part's request, into one in descending order.
    pub fn merge<R>(self, pages: Vec<(Vec<R>, Pagination)>, key: impl Fn(&R) -> K) -> (Vec<R>, Pagination) {
        let is_exact = pages.iter().all(|(_, page)| page.is_total_exact);
        let total: i64 = pages.iter().map(|(_, page)| page.total).sum();
        let further =
            |page: &Pagination| if self.is_backwards { &page.prev_cursor } else { &page.next_cursor }.is_some();
        let has_more = pages.iter().any(|(_, page)| further(page));
        let mut rows: Vec<R> = pages.into_iter().flat_map(|(rows, _)| rows).collect();
        rows.sort_by(|a, b| if self.is_backwards { key(a).cmp(&key(b)) } else { key(b).cmp(&key(a)) });
        let has_more = has_more || rows.len() > self.limit as usize;
        self.cut(rows, has_more, if is_exact { total } else { COUNTED + 1 }, key)
    }
}

/// A time in a cursor: in microseconds, the resolution of PostgreSQL, from the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Moment(pub DateTime<Utc>);

impl TryFrom<i64> for Moment {
    type Error = &'static str;

    fn try_from(micros: i64) -> Result<Self, Self::Error> {
        let last = 253_402_300_799_999_999;
        let known = Some(micros).filter(|micros| (0..=last).contains(micros)).and_then(DateTime::from_timestamp_micros);
        known.map(Self).ok_or("not a time of these years")
    }
}

impl From<Moment> for i64 {
    fn from(moment: Moment) -> Self {
        moment.0.timestamp_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of the numbers 1 to 10, as a store would read them.
    fn read(request: &PageRequest) -> (Vec<i32>, Pagination) {
        let part: Part<i32> = request.part("numbers").unwrap();
        let rows: Vec<i32> = (1..=10).collect();
        let limit = usize::try_from(part.rows()).unwrap();
        let found: Vec<i32> = if part.is_backwards {
            rows.into_iter().rev().filter(|n| part.from.is_none_or(|from| *n < from)).take(limit).collect()
        } else {
            let skip = usize::try_from(part.offset()).unwrap();
            rows.into_iter().filter(|n| part.from.is_none_or(|from| *n > from)).skip(skip).take(limit).collect()
        };
        part.page(found, 10, |n| *n)
    }

    fn at(cursor: Option<String>) -> PageRequest {
        PageRequest { limit: Some(4), cursor: Some(cursor.unwrap()), offset: None }
    }

    #[test]
    fn cursors_lead_through_a_list_and_back() {
        let (first, page) = read(&PageRequest { limit: Some(4), ..PageRequest::default() });
        assert_eq!((first.as_slice(), page.prev_cursor), ([1, 2, 3, 4].as_slice(), None));
        let (second, page) = read(&at(page.next_cursor));
        assert_eq!(second, [5, 6, 7, 8]);
        let (third, last) = read(&at(page.next_cursor));
        assert_eq!((third.as_slice(), last.next_cursor), ([9, 10].as_slice(), None));
        let (second, page) = read(&at(last.prev_cursor));
        assert_eq!(second, [5, 6, 7, 8]);
        let (third, _) = read(&at(page.next_cursor.clone()));
        assert_eq!(third, [9, 10]);
        let (first, page) = read(&at(page.prev_cursor));
        assert_eq!((first.as_slice(), page.prev_cursor), ([1, 2, 3, 4].as_slice(), None));
        assert!(page.next_cursor.is_some());
    }

    #[test]
    fn an_offset_has_a_page_before_it() {
        let (rows, page) = read(&PageRequest { limit: Some(4), offset: Some(6), cursor: None });
        assert_eq!((rows.as_slice(), page.offset), ([7, 8, 9, 10].as_slice(), 6));
        assert_eq!(read(&at(page.prev_cursor)).0, [3, 4, 5, 6]);
    }

    #[test]
    fn a_cursor_is_one_of_its_list() {
        let (_, page) = read(&PageRequest { limit: Some(4), ..PageRequest::default() });
        let request = at(page.next_cursor);
        assert!(request.part::<i32>("numbers").is_some());
        assert_eq!(request.part::<i32>("others"), None);
        assert_eq!(request.part::<String>("numbers"), None, "another key");
        let made_up = |text: &str| PageRequest { cursor: Some(URL_SAFE_NO_PAD.encode(text)), ..PageRequest::default() };
        assert_eq!(made_up(r#"["names",false,"a\u0000"]"#).part::<String>("names"), None, "NUL");
        assert_eq!(made_up(r#"["times",false,-1]"#).part::<Moment>("times"), None, "before 1970");
        for text in ["", "{}", "[]", r#"["names"]"#, "nope"] {
            assert_eq!(made_up(text).part::<String>("names"), None, "{text}");
        }
        assert_eq!(PageRequest { cursor: Some("!".into()), ..PageRequest::default() }.part::<String>("names"), None);
    }

    /// Pages of several lists of numbers, in descending order, as one list of them.
    fn read_merged(lists: &[&[i32]], request: &PageRequest) -> (Vec<i32>, Pagination) {
        let part = request.part::<i32>("numbers").unwrap();
        let pages = lists.iter().map(|list| {
            let mut rows: Vec<i32> = list
                .iter()
                .copied()
                .filter(|n| part.from.is_none_or(|from| if part.is_backwards { *n > from } else { *n < from }))
                .collect();
            rows.sort_by_key(|n| if part.is_backwards { *n } else { -*n });
            rows.truncate(usize::try_from(part.rows()).unwrap());
            part.clone().page(rows, i64::try_from(list.len()).unwrap(), |n| *n)
        });
        let pages = pages.collect();
        part.merge(pages, |n| *n)
    }

    #[test]
    fn merged_pages_lead_through_all_lists_and_back() {
        let lists: [&[i32]; 3] = [&[1, 2, 9, 10, 11, 12], &[3, 8], &[]];
        let (first, page) = read_merged(&lists, &PageRequest { limit: Some(4), ..PageRequest::default() });
        assert_eq!((first.as_slice(), page.total), ([12, 11, 10, 9].as_slice(), 8));
        assert_eq!(page.prev_cursor, None);
        let (second, page) = read_merged(&lists, &at(page.next_cursor));
        assert_eq!((second.as_slice(), page.next_cursor), ([8, 3, 2, 1].as_slice(), None));
        let (first, page) = read_merged(&lists, &at(page.prev_cursor));
        assert_eq!((first.as_slice(), page.prev_cursor), ([12, 11, 10, 9].as_slice(), None));
        assert!(page.next_cursor.is_some());
    }

    /// One list has exactly the page, and another one more row.
    #[test]
    fn a_merged_page_has_a_next_one_if_any_list_has_more() {
        let lists: [&[i32]; 2] = [&[10, 9, 8, 7, 6], &[5]];
        let (rows, page) = read_merged(&lists, &PageRequest { limit: Some(4), ..PageRequest::default() });
        assert_eq!(rows, [10, 9, 8, 7]);
        let (rows, page) = read_merged(&lists, &at(page.next_cursor));
        assert_eq!((rows.as_slice(), page.next_cursor), ([6, 5].as_slice(), None));
    }

    #[test]
    fn a_total_is_bounded() {
        let part = PageRequest::default().part::<i32>("numbers").unwrap();
        let (_, page) = part.clone().page(vec![1], COUNTED, |n| *n);
        assert_eq!((page.total, page.is_total_exact), (COUNTED, true));
        let (_, page) = part.page(vec![1], COUNTED + 1, |n| *n);
        assert_eq!((page.total, page.is_total_exact), (COUNTED, false));
    }
}
