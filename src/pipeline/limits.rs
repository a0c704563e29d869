//! How long a run and its steps may take.

use crate::error::{Error, Result};
use std::time::Duration;

/// The longest times; `None`: no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Of the whole run.
    pub run: Option<Duration>,
    /// Of one step.
    pub step: Option<Duration>,
}

impl Limits {
    /// Does `work`, which is the run. What a run has not released when it is stopped, nobody sees.
    pub(super) async fn run<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        within(self.run, "run", "timeout", work).await
    }

    /// Does `work`, which is one step.
    pub(super) async fn step<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        within(self.step, "step", "step_timeout", work).await
    }
}

async fn within<T>(
    limit: Option<Duration>,
    what: &str,
    key: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(limit) = limit else { return work.await };
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => {
            let limit = humantime::format_duration(limit);
            Err(Error::source(format!("the {what} was stopped after {limit}"))
                .hint(format!("`{key}` of the pipeline says how long it may take")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_stopped_and_says_so() {
        let limits = Limits { run: None, step: Some(Duration::from_millis(2)) };
        assert_eq!(limits.step(async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(limits.run(async { Ok(2) }).await.unwrap(), 2);
        let error = limits.step(std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(error.to_string(), "the step was stopped after 2ms");
        assert!(error.advice().unwrap().contains("`step_timeout`"));
    }
}
