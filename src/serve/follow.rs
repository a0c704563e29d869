//! Files that may change while the server runs: users and roles, certificates.

use crate::policy::access::Access;
use crate::project;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a file is looked at. A change takes two looks, and must be in force within 10 seconds.
const EVERY: Duration = Duration::from_secs(2);

/// Some files, and what has been taken from them.
#[derive(Debug)]
pub(super) struct Followed {
    files: Vec<PathBuf>,
    seen: Vec<Seen>,
    taken: Vec<Seen>,
}

/// What a file holds. Not the content: it may be a key.
type Seen = Result<[u8; 32], io::ErrorKind>;

/// What was read from each file.
pub(super) type Contents = Vec<io::Result<Vec<u8>>>;

impl Followed {
    /// Follows `files`, of which nothing has been taken yet.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        Self { files, seen: Vec::new(), taken: Vec::new() }
    }

    /// What the files hold now.
    pub(super) async fn take(&mut self) -> Contents {
        let contents = read(&self.files).await;
        self.taken = contents.iter().map(seen).collect();
        contents
    }

    /// Waits until the files hold something else than what was taken last, and takes it.
    pub(super) async fn changed(&mut self) -> Contents {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Some(changed) = self.look(read(&self.files).await) {
                return changed;
            }
        }
    }

    /// Takes `contents` if they are new. Whoever writes several files, or a long one, is waited
    /// for: two looks in a row must find the same.
    fn look(&mut self, contents: Contents) -> Option<Contents> {
        let found: Vec<Seen> = contents.iter().map(seen).collect();
        let rests = found == self.seen;
        self.seen = found;
        (rests && self.seen != self.taken).then(|| {
            self.taken.clone_from(&self.seen);
            contents
        })
    }
}

/// Keeps `access` as the project in `dir` says. A file that is wrong changes nothing, neither for
/// better nor for worse, and is reported once.
pub(super) async fn people(access: &Access, dir: &Path) -> Infallible {
    let file = dir.join(project::FILE);
    let mut followed = Followed::new(vec![file.clone()]);
    loop {
        let text = followed.changed().await.pop().unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
        let text = text.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let folder = dir.to_path_buf();
        let read = tokio::task::spawn_blocking(move || match text {
            Ok(text) => project::people(&folder, text).map_err(|problems| problems.plain()),
            Err(error) => Err(error.to_string()),
        });
        match read.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(people) => {
                if access.replace(people) {
                    tracing::info!(file = %file.display(), generation = access.generation(), "users and roles changed");
                }
            }
            Err(problems) => tracing::error!(
                file = %file.display(),
                %problems,
                "users and roles stay as they were: the file is wrong; \"muster check\" shows where"
            ),
        }
    }
}

async fn read(files: &[PathBuf]) -> Contents {
    let mut contents = Vec::with_capacity(files.len());
    for file in files {
        contents.push(tokio::fs::read(file).await);
    }
    contents
}

fn seen(content: &io::Result<Vec<u8>>) -> Seen {
    content.as_ref().map(|bytes| Sha256::digest(bytes).into()).map_err(io::Error::kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(followed: &mut Followed, contents: &[&str]) -> Vec<bool> {
        let look = |text: &&str| followed.look(vec![Ok(text.as_bytes().to_vec())]).is_some();
        contents.iter().map(look).collect()
    }

    #[test]
    fn a_change_is_taken_once_and_when_it_rests() {
        let mut followed = Followed::new(Vec::new());
        assert_eq!(looks(&mut followed, &["one", "one", "one"]), [false, true, false]);
        assert_eq!(looks(&mut followed, &["t", "tw", "two", "two"]), [false, false, false, true]);
        assert_eq!(looks(&mut followed, &["one", "two", "two"]), [false; 3]);
    }

    #[test]
    fn a_file_that_is_gone_is_a_change() {
        let mut followed = Followed::new(Vec::new());
        assert_eq!(looks(&mut followed, &["one", "one"]), [false, true]);
        let gone = || vec![Err(io::ErrorKind::NotFound.into())];
        assert!(followed.look(gone()).is_none());
        assert!(followed.look(gone()).unwrap()[0].is_err());
    }
}
