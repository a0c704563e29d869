//! The lake: Delta tables as a commit log over Parquet files. The only module that imports delta-rs.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The root folder of all tables.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
}

impl Lake {
    /// Opens the lake at `root`, making the folder when it is missing.
    pub fn open(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root)
            .map_err(|e| Error::lake("the lake's folder cannot be made").at(root.display()).because(e))?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
