//! Abavus: the JSON behind the REST interface of one council's job system.

use crate::demo::calendar::{self, Minute, Style};
use crate::demo::service::Request;
use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::path::Path;

/// What the vendor writes for no date.
const NEVER: &str = "0001-01-01T00:00:00";

/// Writes the jobs among `requests` into `folder`, from which [`crate::demo::rest`] answers.
pub(in crate::demo) fn write(requests: &[Request], folder: &Path) -> Result<()> {
    let jobs = || requests.iter().filter(|request| request.is_job());
    let events: Vec<Value> = jobs().filter(|job| job.closed.is_some()).map(event).collect();
    let jobs: Vec<Value> = jobs().map(job).collect();
    let failed = |e| Error::internal(format!("cannot write '{}'", folder.display())).because(e);
    std::fs::create_dir_all(folder.join("serviceRequest/event")).map_err(failed)?;
    for (name, list) in [("serviceRequest.json", jobs), ("serviceRequest/event/status.queue.json", events)] {
        std::fs::write(folder.join(name), Value::from(list).to_string()).map_err(failed)?;
    }
    Ok(())
}

fn moment(at: Option<Minute>) -> String {
    let Some(at) = at else { return NEVER.to_string() };
    let mut text = String::new();
    calendar::push_time(&mut text, at, Style::Report, true);
    text
}

fn form(request: &Request) -> String {
    let words = request.service.name.to_uppercase().replace([' ', '-'], "_");
    format!("{words}_17821_C")
}

fn status(request: &Request) -> &'static str {
    match request.status() {
        "closed" => "FIXED_8401_S",
        "open" => "FMS_-_OPEN_8402_S",
        _ => "FMS_-_INVESTIGATING_8398_S",
    }
}

fn job(request: &Request) -> Value {
    let changed = request.closed.or(request.started).unwrap_or(request.opened);
    json!({ "serviceRequest": {
        "number": 230_000 + request.number,
        "form": { "code": form(request), "name": request.service.name },
        "status": status(request),
        "submissionDate": moment(Some(request.opened)),
        "changedDate": moment(Some(changed)),
        "targetDate": moment(Some(request.target)),
        "closedDate": moment(request.closed),
        "personNumber": request.contact.to_string(),
        "reporterType": if request.number.is_multiple_of(4) { "STAFF" } else { "PUBLIC" },
        "channel": request.channel,
        "team": "Streetscene",
        "location": {
            "latitude": 52.8 + (request.number % 97) as f64 / 1_000.0,
            "longitude": -2.1 - (request.number % 89) as f64 / 1_000.0,
            "uprn": format!("{:012}", 10_000_000 + request.contact),
        },
        "job": {
            "crew": "Streetscene 3",
            "startedDate": moment(request.started),
            "completedDate": moment(request.closed),
        },
    } })
}

fn event(request: &Request) -> Value {
    json!({ "ServiceEvent": {
        "number": 230_000 + request.number,
        "guid": format!("FE15D2B6{:024X}", request.number),
        "process": form(request),
        "objectCode": status(request),
    } })
}
