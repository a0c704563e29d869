//! Faults in the middle of a pull: whatever fails at whatever moment, after one more pull raw holds
//! what an uninterrupted pull would have brought, row for row, and nothing else.
//!
//! The counter method: the same story is told again and again, with a fault at operation 1, 2, 3 …
//! of the lake's store, until it runs to its end untouched.

use crate::pulled::{Story, violations};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use muster::lake::Lake;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The operation fails and has done nothing.
    Before,
    /// The operation is done, and its answer is lost.
    After,
    /// Half of what was to be written is there, under its final name. Not for the log: its store
    /// writes whole objects or none.
    Torn,
    /// Everything fails from here on.
    Broken,
    /// The operation takes its time.
    Slow,
}

const FAULTS: [Fault; 5] = [Fault::Before, Fault::After, Fault::Torn, Fault::Broken, Fault::Slow];

/// A store that fails at its `at`-th operation.
#[derive(Debug)]
struct FaultStore {
    inner: LocalFileSystem,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    fault: Mutex<Option<Fault>>,
    at: usize,
    count: AtomicUsize,
}

impl Plan {
    fn new(fault: Fault, at: usize) -> Arc<Self> {
        Arc::new(Self { fault: Mutex::new(Some(fault)), at, count: AtomicUsize::new(0) })
    }

    /// The fault of this operation, if it is its turn.
    fn turn(&self) -> Option<Fault> {
        let now = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fault = self.fault.lock().expect("a lock");
        match *fault {
            Some(Fault::Broken) if now >= self.at => Some(Fault::Broken),
            Some(_) if now == self.at => fault.take(),
            _ => None,
        }
    }

    fn heal(&self) {
        self.fault.lock().expect("a lock").take();
    }

    fn fired(&self) -> bool {
        self.count.load(Ordering::SeqCst) >= self.at
    }
}

fn broken(path: &Path) -> Error {
    Error::Generic { store: "FaultStore", source: format!("input/output error at {path}").into() }
}

impl FaultStore {
    /// Does an operation, or what the plan makes of it.
    async fn act<T>(&self, path: &Path, action: impl Future<Output = Result<T>>) -> Result<T> {
        match self.plan.turn() {
            None => action.await,
            Some(Fault::Slow) => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                action.await
            }
            Some(Fault::Before | Fault::Broken | Fault::Torn) => Err(broken(path)),
            Some(Fault::After) => action.await.and_then(|_| Err(broken(path))),
        }
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let torn = *self.plan.fault.lock().expect("a lock") == Some(Fault::Torn)
            && self.plan.count.load(Ordering::SeqCst) + 1 == self.plan.at;
        if torn && !path.as_ref().contains("_delta_log") {
            let bytes: Vec<u8> = payload.iter().flat_map(|bytes| bytes.to_vec()).collect();
            let half = PutPayload::from(bytes[..bytes.len() / 2].to_vec());
            self.inner.put_opts(path, half, PutOptions::default()).await?;
        }
        self.act(path, self.inner.put_opts(path, payload, opts)).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.act(path, self.inner.put_multipart_opts(path, opts)).await?;
        Ok(Box::new(FaultUpload { inner, path: path.clone(), plan: Arc::clone(&self.plan) }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.act(path, self.inner.get_opts(path, options)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.plan.turn() {
            Some(Fault::Before | Fault::Broken) => {
                futures::stream::iter([Err(broken(&Path::default()))]).boxed()
            }
            _ => self.inner.delete_stream(paths),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.plan.turn() {
            Some(Fault::Before | Fault::Broken) => {
                futures::stream::iter([Err(broken(&Path::default()))]).boxed()
            }
            _ => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.act(prefix.unwrap_or(&Path::default()), self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.act(to, self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.act(to, self.inner.rename_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct FaultUpload {
    inner: Box<dyn MultipartUpload>,
    path: Path,
    plan: Arc<Plan>,
}

#[async_trait]
impl MultipartUpload for FaultUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.plan.turn() {
            None | Some(Fault::Slow) => self.inner.put_part(data),
            Some(_) => {
                let failed = Err(broken(&self.path));
                Box::pin(async move { failed })
            }
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.plan.turn() {
            None | Some(Fault::Slow) => self.inner.complete().await,
            Some(Fault::After) => self.inner.complete().await.and_then(|_| Err(broken(&self.path))),
            Some(_) => Err(broken(&self.path)),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// Tells `story` with a fault at operation `at`; whether the fault's turn came.
async fn trial(story: Story, fault: Fault, at: usize, expected: &[String]) -> (bool, Vec<String>) {
    let plan = Plan::new(fault, at);
    let teller = story.begin().await;
    for chapter in 0..story.chapters() {
        teller.change(chapter).await;
        for last in [false, true] {
            let store = FaultStore { inner: LocalFileSystem::new(), plan: Arc::clone(&plan) };
            let lake = Lake::open_over(&teller.lake(), Arc::new(store)).expect("a lake");
            let pulled = teller.pull_into(lake).await;
            // A pull may also say that it failed when nothing is wrong any more: then pull again.
            match pulled {
                Ok(()) => break,
                Err(why) if last => return (plan.fired(), vec![format!("the pull after the fault: {why}")]),
                Err(_) => plan.heal(),
            }
        }
    }
    let fired = plan.fired();
    plan.heal();
    (fired, violations(&teller, expected).await)
}

/// Runs a story with `fault` at operations 1, 2, 3 … until it is not reached any more.
async fn count(story: Story, fault: Fault, step: usize) -> (usize, Vec<String>) {
    let expected = story.told().await;
    let mut found = Vec::new();
    let mut trials = 0;
    for at in (1..).step_by(step) {
        let (fired, problems) = trial(story, fault, at, &expected).await;
        trials += 1;
        found.extend(problems.into_iter().map(|p| format!("{story:?}, {fault:?} at operation {at}: {p}")));
        if !fired {
            break;
        }
    }
    (trials, found)
}

/// Every how many operations a fault is tried: all of them on demand, some at each run.
fn step() -> usize {
    std::env::var("MUSTER_FAULT_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(3)
}

async fn survives(story: Story) {
    let mut trials = 0;
    let mut found = Vec::new();
    for fault in FAULTS {
        let (tried, problems) = count(story, fault, step()).await;
        eprintln!("{story:?}, {fault:?}: {tried} trials, {} violations", problems.len());
        trials += tried;
        found.extend(problems);
    }
    eprintln!("{story:?}: {trials} trials, {} violations", found.len());
    assert!(trials > 50, "{story:?} has hardly any operations");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn a_table_read_whole_survives_every_fault() {
    survives(Story::Diff).await;
}

#[tokio::test]
async fn a_table_with_a_cursor_survives_every_fault() {
    survives(Story::Cursor).await;
}

#[tokio::test]
async fn files_that_are_states_survive_every_fault() {
    survives(Story::States).await;
}

#[tokio::test]
async fn files_that_add_rows_survive_every_fault() {
    survives(Story::Additions).await;
}

/// The loops must find mistakes, or they prove nothing.
#[tokio::test]
async fn planted_mistakes_are_caught() {
    for (mistake, story, fault) in [
        ("plant::skip-transaction-check", Story::Diff, Fault::After),
        ("plant::cursor-first", Story::Cursor, Fault::Before),
    ] {
        let scenario = fail::FailScenario::setup();
        let expected = story.told().await;
        fail::cfg(mistake, "return").expect("a failpoint");
        let mut caught = 0;
        let mut trials = 0;
        for at in 1.. {
            let (fired, problems) = trial(story, fault, at, &expected).await;
            trials += 1;
            caught += usize::from(!problems.is_empty());
            if !fired || caught > 0 {
                break;
            }
        }
        scenario.teardown();
        eprintln!("{mistake}: caught after {trials} trials");
        assert!(caught > 0, "{mistake} was not noticed in {trials} trials");
    }
}
