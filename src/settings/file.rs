//! `souk.toml`: the same settings as in the environment, under keys.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use toml::{Table, Value};

use super::{
    setting::{Kind, Row},
    table::GROUPS,
};

/// The settings of a file, by their keys.
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) values: BTreeMap<String, String>,
    /// Whether every user of the machine may read a secret in it.
    pub(super) is_exposed: bool,
}

/// The mode bit of a file that every user may read.
const READABLE_BY_ALL: u32 = 0o004;

/// More edits than this make another key, not a misspelled one.
const MAX_EDITS: usize = 3;

impl SettingsFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let open = || {
            let mut file = File::open(path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            std::io::Result::Ok((text, file.metadata()?.permissions().mode() & READABLE_BY_ALL != 0))
        };
        let (text, is_readable) = open().with_context(|| path.display().to_string())?;
        let mut file = Self::parse(path, &text)?;
        file.is_exposed = is_readable && file.has_secrets();
        Ok(file)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            // Without the line itself, which may have a secret.
            let line = 1 + error.span().map_or(0, |span| text[..span.start].matches('\n').count());
            anyhow!("{}: line {line}: {}", path.display(), error.message())
        })?;
        let mut read = Reading { known: known(), values: BTreeMap::new(), errors: Vec::new() };
        read.section("", table);
        if !read.errors.is_empty() {
            bail!("{}: {}", path.display(), read.errors.join("; "));
        }
        Ok(Self { path: path.to_owned(), values: read.values, is_exposed: false })
    }

    fn has_secrets(&self) -> bool {
        let known = known();
        self.values.iter().any(|(key, text)| known.get(key).is_some_and(|(_, row)| row.name.kind.has_password(text)))
    }
}

/// The variable and the row of every key.
type Known = BTreeMap<String, (String, &'static Row)>;

fn known() -> Known {
    let rows = GROUPS.iter().flat_map(|group| group.rows);
    rows.flat_map(|row| row.names().into_iter().map(move |(variable, key)| (key, (variable, row)))).collect()
}

struct Reading {
    known: Known,
    values: BTreeMap<String, String>,
    errors: Vec<String>,
}

impl Reading {
    fn section(&mut self, section: &str, table: Table) {
        for (name, value) in table {
            let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            // A key with a dot in quotation marks is not a section and a key.
            let name = if is_bare { name } else { format!("{name:?}") };
            let key = if section.is_empty() { name } else { format!("{section}.{name}") };
            match (self.known.get(&key), value) {
                (Some((_, row)), value) => match text_of(row.name.kind, &value) {
                    Ok(text) => drop(self.values.insert(key, text)),
                    Err(reason) => self.errors.push(format!("{key} is {reason}")),
                },
                (None, Value::Table(table)) if self.is_section(&key) => self.section(&key, table),
                (None, _) if self.is_section(&key) => {
                    self.errors.push(format!("{key} is a section, [{key}], not a key"));
                }
                (None, _) => self.errors.push(self.unknown(&key)),
            }
        }
    }

    fn is_section(&self, key: &str) -> bool {
        self.known.keys().any(|known| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
    }

    fn unknown(&self, key: &str) -> String {
        let of_variable = self.known.iter().find(|(_, (variable, _))| variable == key).map(|(known, _)| known.as_str());
        match of_variable.or_else(|| self.nearest(key)) {
            Some(nearest) => format!("unknown key {key}; did you mean {nearest}?"),
            None => format!("unknown key {key}"),
        }
    }

    /// The key or section with the nearest spelling.
    fn nearest(&self, key: &str) -> Option<&str> {
        let sections = self.known.keys().filter_map(|known| known.rsplit_once('.')).map(|(section, _)| section);
        let names = self.known.keys().map(String::as_str).chain(sections);
        let (edits, nearest) = names.map(|name| (strsim::osa_distance(key, name), name)).min()?;
        // Of a short name fewer: three edits make `nats` of `shop`.
        (edits <= MAX_EDITS.min(key.len() / 2)).then_some(nearest)
    }
}

/// A value as a variable would have it; the error says what it is instead.
fn text_of(kind: Kind, value: &Value) -> Result<String, String> {
    match (kind, value) {
        (_, Value::String(text)) => Ok(text.clone()),
        (Kind::Number, Value::Integer(number)) => Ok(number.to_string()),
        (Kind::Flag, Value::Boolean(flag)) => Ok(flag.to_string()),
        (kind, Value::Array(entries)) if kind.is_list() => {
            let entry = |entry: &Value| match entry.as_str() {
                Some(text) if !text.contains(',') => Ok(text.to_owned()),
                Some(_) => Err("a list of which an entry has a comma".to_owned()),
                None => Err(format!("a list with an entry of the type {}, not string", entry.type_str())),
            };
            Ok(entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?.join(","))
        }
        (kind, value) => {
            let wanted = match kind {
                Kind::Number => "integer",
                Kind::Flag => "boolean",
                Kind::List | Kind::Urls => "string or array of strings",
                Kind::Text | Kind::Url | Kind::Secret => "string",
            };
            Err(format!("of the type {}, not {wanted}", value.type_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>> {
        SettingsFile::parse(Path::new("souk.toml"), text).map(|file| file.values)
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn values_are_read_as_variables_have_them() {
        let read = read(
            "nats.url = [\"nats://n1\", \"nats://n2\"]\n[node]\nlanes = 4\nstart_timeout = \"5s\"\n\
             [stack]\nstatistics = true\n[database.passwords]\norders = \"s3cret\"\n",
        );
        let read = read.unwrap();
        let read: Vec<_> = read.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        let wanted = [
            ("database.passwords.orders", "s3cret"),
            ("nats.url", "nats://n1,nats://n2"),
            ("node.lanes", "4"),
            ("node.start_timeout", "5s"),
            ("stack.statistics", "true"),
        ];
        assert_eq!(read, wanted);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_the_nearest_spelling() {
        assert_eq!(error("[node]\nlane = 4"), "souk.toml: unknown key node.lane; did you mean node.lanes?");
        assert_eq!(error("[nod]\nlanes = 4"), "souk.toml: unknown key nod; did you mean node?");
        assert_eq!(error("[extra]"), "souk.toml: unknown key extra");
        assert_eq!(error("SOUK_LANES = 4"), "souk.toml: unknown key SOUK_LANES; did you mean node.lanes?");
        assert_eq!(error("\"node.lanes\" = 4"), "souk.toml: unknown key \"node.lanes\"; did you mean node.lanes?");
        assert!(error("[database.passwords]\nordres = \"x\"").ends_with("did you mean database.passwords.orders?"));
        assert_eq!(error("a.b = 1\n[node]\nzzzzzzzzz = 2").matches("unknown key").count(), 2, "all are named");
    }

    #[test]
    fn a_value_of_another_type_is_an_error_that_does_not_show_it() {
        assert_eq!(error("node = 4"), "souk.toml: node is a section, [node], not a key");
        assert_eq!(error("node.lanes = 1.5"), "souk.toml: node.lanes is of the type float, not integer");
        assert_eq!(error("node.lanes.x = 1"), "souk.toml: node.lanes is of the type table, not integer");
        assert_eq!(error("demo.password = 12345"), "souk.toml: demo.password is of the type integer, not string");
        assert_eq!(error("shop.name = [\"a\"]"), "souk.toml: shop.name is of the type array, not string");
        assert!(error("http.cors_origins = [\"a,b\"]").ends_with("a list of which an entry has a comma"));
        let broken = error("[demo]\n\npassword = s3cret\n");
        assert!(broken.starts_with("souk.toml: line 3: ") && !broken.contains("s3cret"), "{broken}");
    }

    #[test]
    fn a_file_with_secrets_is_exposed_if_every_user_may_read_it() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        for (text, mode, is_exposed) in [
            ("demo.password = \"x\"", 0o644, true),
            ("demo.password = \"x\"", 0o640, false),
            ("database.url = \"postgres://souk:x@db/postgres\"", 0o604, true),
            ("database.url = \"postgres://db/postgres\"", 0o644, false),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(SettingsFile::open(&path).unwrap().is_exposed, is_exposed, "{text} {mode:o}");
        }
    }
}
