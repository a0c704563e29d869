//! The lake: Delta tables as a commit log over Parquet files. The only module that imports delta-rs.
//!
//! delta-rs is used without its DataFusion feature. The hub needs two kinds of commit, "append"
//! and "replace one force", and both are lists of files; going through a query plan for them would
//! cost a third of the cold build and a provider that decides for itself which files it reads.

pub mod compact;
mod data;
pub mod delta;
pub mod failures;
pub mod life;
mod log;
pub mod raw;
pub mod snapshot;
mod write;

use crate::error::{Error, Result};
use delta::{Table, Version};
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::io::AsyncWriteExt;

/// Opened versions, by table and number.
type Versions = HashMap<(String, u64), Arc<Version>>;

/// The most versions kept open. A release needs one for each of its tables, and clients may ask
/// for any number of past releases.
const MAX_VERSIONS: usize = 4096;

/// The root folder of all tables. Cheap to clone; clones share their caches.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    /// The whole machine's files: what delta-rs wants to be given.
    machine: Arc<dyn ObjectStore>,
    /// The lake's own.
    store: Arc<dyn ObjectStore>,
    tables: Arc<Mutex<HashMap<String, Table>>>,
    /// Versions are immutable, so they never go stale.
    versions: Arc<Mutex<Versions>>,
}

/// An object in the making.
#[derive(Debug)]
pub struct Writer {
    name: String,
    inner: BufWriter,
}

impl Writer {
    /// Appends bytes.
    pub async fn put(&mut self, bytes: bytes::Bytes) -> Result<()> {
        self.inner.put(bytes).await.map_err(|e| self.failed(e))
    }

    /// Makes the object appear.
    pub async fn finish(mut self) -> Result<()> {
        self.inner.shutdown().await.map_err(|e| self.failed(e))
    }

    /// Gives the object up; what was written of it is deleted.
    pub async fn abort(mut self) {
        if let Err(error) = self.inner.abort().await {
            tracing::info!(object = self.name, %error, "an unfinished object could not be deleted");
        }
    }

    fn failed(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::lake("the object could not be written").at(&self.name).because(cause)
    }
}

impl Lake {
    /// Opens the lake at `root`, making the folder when it is missing.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_over(root, Arc::new(LocalFileSystem::new()))
    }

    /// The same over another store of this machine's files: the way in for stores that count,
    /// delay or fail what is asked of them.
    pub fn open_over(root: &Path, machine: Arc<dyn ObjectStore>) -> Result<Self> {
        let made = std::fs::create_dir_all(root).and_then(|()| root.canonicalize());
        let root =
            made.map_err(|e| Error::lake("the lake's folder cannot be made").at(root.display()).because(e))?;
        let prefix = ObjectPath::from_absolute_path(&root)
            .map_err(|e| Error::lake("the lake's folder cannot be opened").at(root.display()).because(e))?;
        let store = Arc::new(PrefixStore::new(Arc::clone(&machine), prefix));
        Ok(Self { root, machine, store, tables: Arc::default(), versions: Arc::default() })
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The table at `name`, its path in the lake: `raw/beds/beds_hr/position`.
    pub fn table(&self, name: &str) -> Table {
        let mut tables = self.tables.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let make = || Table::new(name.to_string(), self.root.join(name), Arc::clone(&self.machine));
        tables.entry(name.to_string()).or_insert_with(make).clone()
    }

    /// The table `name` as of version `number`, from memory when it has been read before.
    pub async fn version(&self, name: &str, number: u64) -> Result<Arc<Version>> {
        let key = (name.to_string(), number);
        let known = |cache: &Mutex<Versions>| {
            cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&key).cloned()
        };
        if let Some(version) = known(&self.versions) {
            return Ok(version);
        }
        let version = self.table(name).version(Some(number)).await?;
        let version = Arc::new(
            version
                .ok_or_else(|| Error::lake(format!("version {number} of the table is missing")).at(name))?,
        );
        let mut cache = self.versions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cache.len() >= MAX_VERSIONS {
            // What is read all the time is soon here again.
            cache.clear();
        }
        cache.insert(key, Arc::clone(&version));
        Ok(version)
    }

    /// Writes an object that must not exist yet, atomically; `false` when it did exist, and then
    /// nothing has changed. `name` is its path in the lake.
    pub async fn put_if_absent(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<bool> {
        let path = ObjectPath::from(name);
        match self.store.put_opts(&path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(Error::lake("the object could not be written").at(name).because(e)),
        }
    }

    /// A writer of a new object, which appears whole or not at all when it is finished.
    pub fn writer(&self, name: &str) -> Writer {
        Writer {
            name: name.to_string(),
            inner: BufWriter::new(Arc::clone(&self.store), ObjectPath::from(name)),
        }
    }

    /// Gives an object its name, unless there is one of that name: then it is deleted.
    pub async fn rename_if_absent(&self, from: &str, to: &str) -> Result<()> {
        let failed = |e: object_store::Error| Error::lake("the object could not be named").at(to).because(e);
        let (from, to_path) = (ObjectPath::from(from), ObjectPath::from(to));
        match self.store.rename_if_not_exists(&from, &to_path).await {
            Ok(()) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => self.store.delete(&from).await.map_err(failed),
            Err(e) => Err(failed(e)),
        }
    }

    /// The bytes of an object.
    pub async fn get(&self, name: &str) -> Result<bytes::Bytes> {
        let read = async { self.store.get(&ObjectPath::from(name)).await?.bytes().await };
        read.await.map_err(|e| Error::lake("the object could not be read").at(name).because(e))
    }

    /// Whether there is an object `name`.
    pub async fn exists(&self, name: &str) -> Result<bool> {
        match self.store.head(&ObjectPath::from(name)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(Error::lake("the object could not be looked up").at(name).because(e)),
        }
    }

    /// Deletes the objects directly in the folder `name` that were last written before `before`. For
    /// whoever knows that their writers are dead.
    pub fn clear(&self, name: &str, before: SystemTime) -> Result<()> {
        let cleared = || -> std::io::Result<()> {
            let entries = match std::fs::read_dir(self.root.join(name)) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if entry.metadata()?.modified()? < before {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        cleared().map_err(|e| Error::lake("the folder could not be cleared").at(name).because(e))
    }

    /// The tables below a folder (empty: all of them) by their paths in the lake, sorted.
    pub fn tables_below(&self, folder: &str) -> Result<Vec<String>> {
        let failed = |e: std::io::Error| Error::lake("the folder could not be listed").at(folder).because(e);
        let mut tables = Vec::new();
        let mut folders = vec![self.root.join(folder)];
        while let Some(folder) = folders.pop() {
            if folder.join("_delta_log").is_dir() {
                let path = folder.strip_prefix(&self.root).unwrap_or(&folder);
                tables.push(path.to_string_lossy().into_owned());
            } else if folder.is_dir() {
                for entry in std::fs::read_dir(&folder).map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    if entry.file_type().map_err(failed)?.is_dir() {
                        folders.push(entry.path());
                    }
                }
            }
        }
        tables.sort();
        Ok(tables)
    }

    /// The names of the objects directly in the folder `name`, sorted.
    pub async fn list(&self, name: &str) -> Result<Vec<String>> {
        let listed = self.store.list_with_delimiter(Some(&ObjectPath::from(name))).await;
        let listed = listed.map_err(|e| Error::lake("the folder could not be listed").at(name).because(e))?;
        let mut names: Vec<String> =
            listed.objects.iter().filter_map(|o| o.location.filename().map(str::to_string)).collect();
        names.sort();
        Ok(names)
    }
}
