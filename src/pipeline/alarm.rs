//! Alarms: what somebody should know, posted to where the pipeline says.

use crate::error::{Error, Result};
use crate::project::{Alarm, Occasion, Pipeline, Setting};
use backon::{ExponentialBuilder, Retryable};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::redirect::Policy;
use serde_json::json;
use std::time::Duration;

/// The time that one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Attempts after the first, at growing distances: about two minutes in all.
const RETRIES: usize = 6;

/// The first wait between attempts.
const WAIT: Duration = Duration::from_secs(1);

/// What somebody should know. Says nothing of anybody's data: its texts are those of errors, which
/// hold no cell value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub occasion: Occasion,
    /// The instant that the run was scheduled for.
    pub slot: Option<DateTime<Utc>>,
    /// The release that readers see.
    pub release: Option<u64>,
    /// What has happened, in a sentence.
    pub text: String,
}

/// Posts `notice`, if `pipeline` wants such notices; in any case it is logged. An alarm that cannot
/// be delivered is an error in the log: nothing else waits for it.
pub async fn raise(pipeline: &Pipeline, notice: &Notice) {
    let Notice { occasion, slot, release, text } = notice;
    tracing::warn!(pipeline = pipeline.name, occasion = occasion.word(), ?slot, ?release, "{text}");
    let Some(alarm) = pipeline.alarm.as_ref().filter(|alarm| alarm.on.contains(occasion)) else { return };
    if let Err(error) = post(alarm, &body(&pipeline.name, notice)).await {
        let cause = std::error::Error::source(&error);
        tracing::error!(pipeline = pipeline.name, %error, ?cause, "alarm not delivered");
    }
}

fn body(pipeline: &str, notice: &Notice) -> String {
    let slot = notice.slot.map(|slot| slot.to_rfc3339_opts(SecondsFormat::Secs, true));
    json!({
        "occasion": notice.occasion.word(),
        "pipeline": pipeline,
        "slot": slot,
        "release": notice.release,
        "text": notice.text,
    })
    .to_string()
}

async fn post(alarm: &Alarm, body: &str) -> Result<()> {
    let address = match &alarm.webhook {
        Setting::Plain(address) => address.clone(),
        Setting::Secret(secret) => secret.read()?,
    };
    let authorization = alarm.authorization.as_ref().map(|secret| secret.read()).transpose()?;
    // The address may be a secret, and an error of the client shows it.
    let failed = |e: reqwest::Error| Error::internal("the webhook was not reached").because(e.without_url());
    // Who redirects an alarm is not who it is meant for.
    let client =
        reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none()).build().map_err(failed)?;
    let attempt = || async {
        let mut request =
            client.post(&address).header(CONTENT_TYPE, "application/json").body(body.to_string());
        if let Some(authorization) = &authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let status = request.send().await.map_err(failed)?.status();
        match status.is_success() {
            true => Ok(()),
            false => Err(Error::internal(format!("the webhook answered {status}"))),
        }
    };
    let waits = ExponentialBuilder::default().with_min_delay(WAIT).with_max_times(RETRIES).with_jitter();
    attempt.retry(waits).await
}
