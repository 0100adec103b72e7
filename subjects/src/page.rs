//! How lists are cut into pages.

use serde::{Deserialize, Serialize};

/// Which part of a list is asked for: `limit` with `offset`, or with `cursor` for depth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// 1 to 100; 20 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many to skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl PageRequest {
    /// The greatest page.
    pub const MAX_LIMIT: u32 = 100;
    /// The deepest offset; a cursor goes deeper and costs nothing.
    pub const MAX_OFFSET: u32 = 10_000;

    /// The limit, within its bounds.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(20).clamp(1, Self::MAX_LIMIT)
    }

    /// The offset, within its bound.
    pub fn offset(&self) -> u32 {
        self.offset.unwrap_or(0).min(Self::MAX_OFFSET)
    }
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Pagination {
    /// The page's size at most.
    pub limit: u32,
    /// How many were skipped.
    pub offset: u32,
    /// How many there are in all.
    pub total: i64,
    /// Asks for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub next_cursor: Option<String>,
}
