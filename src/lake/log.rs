//! What the commits of a table record beside its data, from the log's own files: a survey of a
//! thousand tables must not replay a thousand logs, and delta-rs finds no history in a folder whose
//! name must be escaped in a URL.

use super::delta::Table;
use crate::error::{Error, Result};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

impl Table {
    /// The newest version's number and the newest record under `key`, without opening the version;
    /// `None` when the table does not exist.
    pub fn head(&self, key: &str) -> Result<Option<(u64, Option<Value>)>> {
        let head = head(&self.dir.join("_delta_log"), key).map_err(|e| self.failed("read", e))?;
        Ok(head.map(|head| (head.number, head.record)))
    }

    /// What every commit recorded under `key` beside its data, newest first.
    pub async fn recorded(&self, key: &str) -> Result<Vec<Value>> {
        self.records(key).await?.try_collect().await
    }

    /// The newest record under `key` that `wanted` accepts.
    pub async fn recorded_lately(&self, key: &str, wanted: impl Fn(&Value) -> bool) -> Result<Option<Value>> {
        let mut records = self.records(key).await?;
        while let Some(record) = records.try_next().await? {
            if wanted(&record) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The records under `key`, newest first, read as they are asked for.
    async fn records(&self, key: &str) -> Result<BoxStream<'_, Result<Value>>> {
        let Some(table) = self.open(None).await? else { return Ok(stream::empty().boxed()) };
        let (store, key) = (table.log_store(), key.to_string());
        let newest = table.version().map_or(0, |number| number + 1);
        let records = stream::iter((0..newest).rev()).then(move |number| {
            let (store, key) = (Arc::clone(&store), key.clone());
            async move {
                let entry = store.read_commit_entry(number).await.map_err(|e| self.failed("read", e))?;
                let records =
                    recorded(&entry.unwrap_or_default(), &key).map_err(|e| self.failed("read", e))?;
                Ok::<_, Error>(stream::iter(records.into_iter().map(Ok)))
            }
        });
        Ok(records.try_flatten().boxed())
    }
}

/// The newest state of a table, without its files.
#[derive(Debug, Clone)]
struct Head {
    /// The newest version.
    number: u64,
    /// The newest record under the key that was asked for.
    record: Option<Value>,
}

/// The newest version of the table whose log is in the folder `log`, and the newest record under
/// `key`; `None` when there is no table.
fn head(log: &Path, key: &str) -> Result<Option<Head>> {
    let failed = |e: std::io::Error| Error::lake("the log cannot be read").at(log.display()).because(e);
    let newest = newest(log).map_err(failed)?;
    let Some(number) = newest else { return Ok(None) };
    for version in (0..=number).rev() {
        let text = match std::fs::read(log.join(format!("{version:020}.json"))) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(e)),
        };
        let records = recorded(&text, key).map_err(|e| failed(e.into()))?;
        if let Some(record) = records.into_iter().next() {
            return Ok(Some(Head { number, record: Some(record) }));
        }
    }
    Ok(Some(Head { number, record: None }))
}

/// The newest version of the table whose log is in the folder `log`; `None` when there is no table.
pub(super) fn newest(log: &Path) -> std::io::Result<Option<u64>> {
    let entries = match std::fs::read_dir(log) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut newest = None;
    for entry in entries {
        newest = newest.max(version(&entry?.file_name().to_string_lossy()));
    }
    Ok(newest)
}

/// What the commit `entry`, one JSON action a line, records under `key`, newest first: a list is
/// several records, oldest first.
fn recorded(entry: &[u8], key: &str) -> serde_json::Result<Vec<Value>> {
    for action in serde_json::Deserializer::from_slice(entry).into_iter::<Value>() {
        let record = action?.get_mut("commitInfo").and_then(|info| info.get_mut(key)).map(Value::take);
        match record {
            Some(Value::Array(records)) => return Ok(records.into_iter().rev().collect()),
            Some(record) => return Ok(vec![record]),
            None => {}
        }
    }
    Ok(Vec::new())
}

/// The version that a file of a log commits; checkpoints and unfinished files commit none.
fn version(name: &str) -> Option<u64> {
    name.strip_suffix(".json").filter(|digits| digits.len() == 20)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_the_newest_commit_and_the_newest_record() {
        let dir = tempfile::tempdir().unwrap();
        assert!(head(&dir.path().join("none"), "k").unwrap().is_none());
        assert!(head(dir.path(), "k").unwrap().is_none());
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("00000000000000000000.json", "{\"metaData\":{}}\n{\"commitInfo\":{\"k\":7}}\n");
        write("00000000000000000001.json", "{\"commitInfo\":{}}\n{\"add\":{}}\n");
        write("00000000000000000009.checkpoint.parquet", "");
        write("00000000000000000002.json#1", "");
        let found = head(dir.path(), "k").unwrap().unwrap();
        assert_eq!((found.number, found.record), (1, Some(Value::from(7))));
        write("00000000000000000002.json", "{\"commitInfo\":{\"k\":[8,9]}}\n");
        let found = head(dir.path(), "k").unwrap().unwrap();
        assert_eq!((found.number, found.record), (2, Some(Value::from(9))), "the last of several");
        write("00000000000000000002.json", "{");
        assert!(head(dir.path(), "k").is_err());
    }
}
