//! Files in object stores: S3, Azure, GCS, and HTTP servers that speak WebDAV.

#![cfg_attr(
    not(any(feature = "s3", feature = "azure", feature = "gcs", feature = "http")),
    allow(unused, reason = "every store is left out of this build")
)]

use super::names::Names;
use super::{Found, changed};
use crate::connector::{Bytes, Listed};
use crate::error::{Error, Result};
use crate::project::{Setting, Source};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig,
};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How often one request is repeated, with growing and jittered waits. A pull that fails is tried
/// again as a whole, so this only has to outlast a hiccup.
const RETRIES: usize = 3;

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A folder of an object store.
#[derive(Debug, Clone)]
pub(super) struct Store {
    store: Arc<dyn ObjectStore>,
    folder: ObjectPath,
}

/// Makes a client; no request is sent.
pub(super) fn open(source: &Source, url: &Url) -> Result<Store> {
    let mut behaviour = ClientOptions::new()
        .with_timeout(source.access.timeout)
        .with_connect_timeout(source.access.idle_timeout.min(CONNECT));
    for authority in authorities(source)? {
        behaviour = behaviour.with_root_certificate(authority);
    }
    let store = client(url, behaviour, options(source, url)?)?;
    let folder = ObjectPath::from_url_path(url.path())
        .map_err(|error| Error::config("the address does not name a folder").because(error))?;
    Ok(Store { store, folder })
}

/// The authorities that the source trusts besides those of the system.
fn authorities(source: &Source) -> Result<Vec<Certificate>> {
    let Some(ca) = &source.access.ca else { return Ok(Vec::new()) };
    let unreadable = || Error::config("the certificate of the authority cannot be read").at(ca.display());
    let pem = std::fs::read(ca).map_err(|error| unreadable().because(error))?;
    let read = Certificate::from_pem_bundle(&pem).map_err(|error| unreadable().because(error))?;
    match read.is_empty() {
        true => Err(unreadable().hint("it must be in the format PEM")),
        false => Ok(read),
    }
}

/// The source's options, secrets read.
fn options(source: &Source, url: &Url) -> Result<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    for (name, setting) in &source.access.options {
        let value = match setting {
            Setting::Plain(text) => text.clone(),
            Setting::Secret(secret) => secret.read()?,
        };
        options.insert(name.to_ascii_lowercase(), value);
    }
    let plain = url.scheme() == "http" || options.values().any(|value| value.starts_with("http://"));
    let allowed = ["allow_http", "aws_allow_http"]
        .iter()
        .any(|name| options.get(*name).is_some_and(|value| value.eq_ignore_ascii_case("true")));
    match plain && !allowed {
        true => Err(Error::config("the store would be read over plain http")
            .hint("use https, or set allow_http = \"true\" in the source's options")),
        false => Ok(options),
    }
}

#[cfg_attr(not(feature = "http"), allow(unused_mut, reason = "only the client of http takes options away"))]
fn client(
    url: &Url,
    behaviour: ClientOptions,
    mut options: BTreeMap<String, String>,
) -> Result<Arc<dyn ObjectStore>> {
    let built: object_store::Result<Arc<dyn ObjectStore>> = match url.scheme() {
        #[cfg(feature = "s3")]
        "s3" => {
            let builder = object_store::aws::AmazonS3Builder::new().with_url(url.as_str());
            let builder = builder.with_client_options(behaviour).with_retry(retries());
            with_options(builder, options, |b, key, value| b.with_config(key, value))?.build().map(shared)
        }
        #[cfg(feature = "azure")]
        "az" => {
            let builder = object_store::azure::MicrosoftAzureBuilder::new().with_url(url.as_str());
            let builder = builder.with_client_options(behaviour).with_retry(retries());
            with_options(builder, options, |b, key, value| b.with_config(key, value))?.build().map(shared)
        }
        #[cfg(feature = "gcs")]
        "gs" => {
            let builder = object_store::gcp::GoogleCloudStorageBuilder::new().with_url(url.as_str());
            let builder = builder.with_client_options(behaviour).with_retry(retries());
            with_options(builder, options, |b, key, value| b.with_config(key, value))?.build().map(shared)
        }
        #[cfg(feature = "http")]
        "http" | "https" => {
            let behaviour = behaviour.with_default_headers(authorization(&mut options)?);
            let builder = object_store::http::HttpBuilder::new().with_url(&url[..url::Position::BeforePath]);
            let builder = builder.with_client_options(behaviour).with_retry(retries());
            with_options(builder, options, |b, key, value| b.with_config(key, value))?.build().map(shared)
        }
        scheme => {
            let feature = match scheme {
                "az" => "azure",
                "gs" => "gcs",
                "https" => "http",
                scheme => scheme,
            };
            return Err(Error::config(format!("this build cannot read sources at \"{scheme}:\""))
                .hint(format!("build muster with its feature \"{feature}\"")));
        }
    };
    built.map_err(|error| {
        Error::config("the store's options do not fit together")
            .hint("see [sources.<name>.options]")
            .because(error)
    })
}

fn shared(store: impl ObjectStore) -> Arc<dyn ObjectStore> {
    Arc::new(store)
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(5),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: Duration::from_secs(60) }
}

/// `builder` with every option set; one that it does not know is an error.
fn with_options<B, K: FromStr>(
    builder: B,
    options: BTreeMap<String, String>,
    set: impl Fn(B, K, String) -> B,
) -> Result<B> {
    options.into_iter().try_fold(builder, |builder, (name, value)| match name.parse() {
        Ok(key) => Ok(set(builder, key, value)),
        Err(_) => Err(Error::config(format!("unknown option \"{name}\" of the store"))
            .hint("options have the names that the `object_store` crate gives them: connectors/README.md")),
    })
}

/// The header that says who asks, taken out of the options `user` and `password`, or `token`.
#[cfg(feature = "http")]
fn authorization(options: &mut BTreeMap<String, String>) -> Result<http::HeaderMap> {
    use base64::Engine;
    let (user, password) = (options.remove("user"), options.remove("password"));
    let text = match (user, password, options.remove("token")) {
        (None, None, None) => return Ok(http::HeaderMap::new()),
        (None, None, Some(token)) => format!("Bearer {token}"),
        (Some(user), password, None) => {
            let pair = format!("{user}:{}", password.unwrap_or_default());
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        _ => return Err(Error::config("give the store either a user and a password, or a token")),
    };
    let mut value = http::HeaderValue::try_from(text)
        .map_err(|_| Error::config("the store's token holds characters that no header can"))?;
    value.set_sensitive(true);
    Ok([(http::header::AUTHORIZATION, value)].into_iter().collect())
}

impl Store {
    /// The files that `names` wants, in no particular order.
    pub(super) async fn list(&self, names: &Names) -> Result<Vec<Found>> {
        let listed = self.store.list_with_delimiter(Some(&self.folder)).await.map_err(refused)?;
        let found = |meta: ObjectMeta| {
            let mut parts = meta.location.prefix_match(&self.folder)?;
            // Some stores keep an empty object of the folder's own name.
            let name = parts.next().filter(|_| parts.next().is_none())?.as_ref().to_string();
            let (tag, changed) = (tag(&meta), Some(meta.last_modified));
            names.wants(&name).then_some(Found { name, size: meta.size, tag, changed })
        };
        Ok(listed.objects.into_iter().filter_map(found).collect())
    }

    pub(super) async fn read(&self, file: &Listed) -> Result<Bytes> {
        let got = match self.store.get(&self.path(file)?).await {
            Err(object_store::Error::NotFound { .. }) => return Err(changed()),
            got => got.map_err(refused)?,
        };
        match is_as_listed(&got.meta, file) {
            true => Ok(got.into_stream().map_err(refused).boxed()),
            false => Err(changed()),
        }
    }

    pub(super) async fn is_as_listed(&self, file: &Listed) -> Result<bool> {
        match self.store.head(&self.path(file)?).await {
            Ok(meta) => Ok(is_as_listed(&meta, file)),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(refused(error)),
        }
    }

    /// The name as the store gave it: joining would escape it once more.
    fn path(&self, file: &Listed) -> Result<ObjectPath> {
        let path = format!("{}/{}", self.folder, file.name);
        ObjectPath::parse(&path).map_err(|error| {
            Error::source(format!("the store cannot keep a file {:?}", file.name)).because(error)
        })
    }
}

fn is_as_listed(meta: &ObjectMeta, file: &Listed) -> bool {
    // Some HTTP servers send an entity tag with a file but not in the listing.
    meta.size == file.size && (tag(meta) == file.tag || tag_by_time(meta) == file.tag)
}

fn tag(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(e_tag) => e_tag.trim_matches('"').to_string(),
        None => tag_by_time(meta),
    }
}

/// For stores without entity tags; listings and files may write times to different precisions.
fn tag_by_time(meta: &ObjectMeta) -> String {
    format!("{}-{}", meta.last_modified.timestamp(), meta.size)
}

fn refused(error: object_store::Error) -> Error {
    use object_store::Error as Cause;
    if let Some(why) = distrust(&error) {
        return Error::source("the store shows a certificate that is not valid")
            .hint(format!("{why}; an authority that the system does not know is given as `ca`"))
            .because(error);
    }
    let status = match &error {
        Cause::Unauthenticated { .. } | Cause::PermissionDenied { .. } => Some(403),
        Cause::NotFound { .. } => Some(404),
        other => status(other),
    };
    let (message, hint) = match status {
        Some(401 | 403) => (
            "the store refused the source's key",
            "see whether the key in the source's options may list and read",
        ),
        Some(404) => {
            ("there is no such place in the store", "see whether the bucket or folder of the address exists")
        }
        _ => ("the store could not be read", "see whether it can be reached from here"),
    };
    Error::source(message).hint(hint).because(error)
}

/// Why the store's certificate is not trusted, if that is what went wrong. The error itself lies
/// behind those of two crates that do not show theirs.
fn distrust(error: &object_store::Error) -> Option<String> {
    let first: &(dyn std::error::Error + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |cause| cause.source());
    causes.find_map(|cause| {
        let told = cause.to_string();
        let (_, why) = told.split_once("invalid peer certificate: ")?;
        Some(if why.to_lowercase().contains("expired") { "it has expired".into() } else { why.to_string() })
    })
}

/// The status of the answer to a listing: the crate says it in words only.
fn status(error: &object_store::Error) -> Option<u16> {
    error.to_string().split_once("status code: ")?.1.get(..3)?.parse().ok()
}
