//! What is special about object stores: keys, places, and certificates.

use super::buckets::{self, Store};
use super::files::{id, offers};
use crate::connector::transport::conformance::{Bench, Case};
use crate::error::{Error, Kind};
use crate::project::{Address, Setting, Source};
use futures::FutureExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use url::Url;

/// Cases of every store.
pub(super) const CASES: &[Case] = &[
    ("a_missing_place_is_told", |bench| a_missing_place_is_told(bench).boxed_local()),
    ("a_store_that_is_gone_is_told", |bench| a_store_that_is_gone_is_told(bench).boxed_local()),
];

/// Cases of stores that ask for a key.
pub(super) const GUARDED: &[Case] =
    &[("a_wrong_key_is_told_and_not_shown", |bench| a_wrong_key_is_told_and_not_shown(bench).boxed_local())];

async fn refused(source: &Source) -> Error {
    offers(source, &id()).await.map(drop).unwrap_err()
}

async fn a_missing_place_is_told(bench: &Bench) {
    let mut source = bench.source();
    let Address::Store(url) = &source.address else { panic!("a store") };
    source.address = Address::Store(Url::parse(&format!("{}://nowhere-at-all/in", url.scheme())).unwrap());
    let error = refused(&source).await;
    assert_eq!((error.kind(), error.place()), (Kind::Source, Some("beds_s.e")));
    let told = error.to_string();
    // The emulator of Google's store answers with an error of its own.
    let emulated = url_scheme(&source) == "gs" && told.contains("could not be read");
    assert!(emulated || told == "beds_s.e: there is no such place in the store", "{error:?}");
}

fn url_scheme(source: &Source) -> &str {
    match &source.address {
        Address::Store(url) => url.scheme(),
        _ => "",
    }
}

async fn a_store_that_is_gone_is_told(bench: &Bench) {
    let mut source = bench.source();
    for name in ["endpoint", "base_url"] {
        if let Some(endpoint) = source.access.options.get_mut(name) {
            *endpoint = Setting::Plain("http://127.0.0.1:1/beds".into());
        }
    }
    let error = refused(&source).await;
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Source, "beds_s.e: the store could not be read")
    );
}

async fn a_wrong_key_is_told_and_not_shown(bench: &Bench) {
    let mut source = bench.source();
    let wrong = "aW5jb3JyZWN0IGhvcnNl";
    for name in ["access_key", "secret_access_key"] {
        if let Some(key) = source.access.options.get_mut(name) {
            *key = Setting::Plain(wrong.into());
        }
    }
    let error = refused(&source).await;
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Source, "beds_s.e: the store refused the source's key")
    );
    assert!(!format!("{error:?}").contains(wrong), "{error:?}");
}

/// A certificate of this machine until the end of that year, and its key, signed by `authority`.
fn certificate(authority: &CertifiedIssuer<'_, KeyPair>, year: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_string()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(year, 12, 31));
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn certificates_of_stores_must_be_valid() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    for (year, is_valid) in [(2099, true), (2021, false)] {
        let (pem, key) = certificate(&authority, year);
        let Some(store) = buckets::azure(Some((&pem, &key, &ca))).await else { return };
        let mut source = store.source();
        put_one(&store).await;
        let told = "beds_s.e: the store shows a certificate that is not valid";
        assert_eq!(refused(&source).await.to_string(), told, "nobody trusts the authority");
        source.access.ca = Some(ca.clone());
        match is_valid {
            true => assert_eq!(offers(&source, &id()).await.unwrap().0.len(), 1),
            false => {
                let error = refused(&source).await;
                assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Source, told));
                assert!(error.advice().unwrap().contains("expired"), "{error:?}");
            }
        }
    }
}

async fn put_one(store: &Store) {
    store.put("E_1.csv", b"ID\n1\n".to_vec()).await;
}
