//! Real handshakes: versions, authorities, certificates of clients, certificates that are replaced.

use crate::access::{Own, answer};
use crate::hub::{self, certificates, password};
use arrow_flight::sql::client::FlightSqlServiceClient;
use muster::serve;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, crypto};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

const COUNT: &str = "select count(*) as n from conformed.widget";

/// A handshake and the server's first words; what was agreed on.
async fn shake(
    address: SocketAddr,
    authority: &str,
    version: &'static SupportedProtocolVersion,
    own: Option<(&str, &str)>,
) -> Result<(ProtocolVersion, Vec<u8>), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let mut stream = connecting.await.map_err(|e| e.to_string())?;
    // In TLS 1.3 the server says only after the handshake what it thinks of the client.
    stream.read_u8().await.map_err(|e| e.to_string())?;
    let (_, connection) = stream.get_ref();
    let protocol = connection.alpn_protocol().unwrap_or_default().to_vec();
    Ok((connection.protocol_version().unwrap(), protocol))
}

#[tokio::test]
async fn both_versions_are_spoken_and_nothing_older() {
    let served = hub::served();
    for (version, agreed) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let shaken = shake(served.address, &served.authority, version, None).await;
        assert_eq!(shaken, Ok((agreed, b"h2".to_vec())));
    }
    let (stranger, ..) = certificates();
    let wrong = shake(served.address, &stranger, &TLS13, None).await.unwrap_err();
    assert!(wrong.contains("invalid peer certificate"), "{wrong}");
}

#[tokio::test]
async fn clients_need_a_certificate_where_it_is_asked_for() {
    let (clients, certificate, key) = certificates();
    let own = Own::with(|dir| {
        fs::write(dir.join("tls/clients.pem"), &clients).unwrap();
        let settings = fs::read_to_string(dir.join("muster.toml")).unwrap();
        let asks = settings.replacen("[hub.tls]", "[hub.tls]\nclient_ca = \"tls/clients.pem\"", 1);
        fs::write(dir.join("muster.toml"), asks).unwrap();
    });
    let (_, strange_certificate, strange_key) = certificates();
    for version in [&TLS12, &TLS13] {
        for without in [None, Some((strange_certificate.as_str(), strange_key.as_str()))] {
            shake(own.address, &own.authority, version, without).await.unwrap_err();
        }
        shake(own.address, &own.authority, version, Some((&certificate, &key))).await.unwrap();
    }
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&own.authority))
        .identity(Identity::from_pem(&certificate, &key))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{}", own.address)).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
    let mut client = FlightSqlServiceClient::new(channel);
    let wrong = client.handshake("beds", "wrong").await;
    assert!(wrong.is_err(), "a certificate is no password");
    client.handshake("beds", &password("beds")).await.unwrap();
    assert!(answer(&mut client, COUNT).await.contains("| 2 |"));
}

#[tokio::test]
async fn a_certificate_is_replaced_while_the_server_runs() {
    let own = Own::new();
    let mut open = own.log_in("beds").await;
    let write = |file: &str, text: &str| fs::write(own.dir().join("tls").join(file), text).unwrap();
    let (authority, certificate, key) = certificates();
    // A certificate without its key, and what is none: the pair before goes on.
    for broken in [certificate.as_str(), "nonsense"] {
        write("server.pem", broken);
        let seen = Instant::now() + Duration::from_secs(6);
        while Instant::now() < seen {
            shake(own.address, &own.authority, &TLS13, None).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    write("server.pem", &certificate);
    write("server.key", &key);
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = shake(own.address, &authority, &TLS13, None).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shake(own.address, &own.authority, &TLS13, None).await.unwrap_err();
    assert!(answer(&mut open, COUNT).await.contains("| 2 |"), "connections that stand go on");
}

#[tokio::test]
async fn those_who_never_finish_their_handshake_keep_nobody_out() {
    let served = hub::served();
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    shake(served.address, &served.authority, &TLS13, None).await.unwrap();
    // The server closes what stays silent.
    assert_eq!(silent[0].read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn nothing_is_served_in_the_clear_unless_it_is_said_and_to_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    hub::write(dir.path());
    let settings = fs::read_to_string(dir.path().join("muster.toml")).unwrap();
    let without = settings.replace("certificate = \"tls/server.pem\"\nkey = \"tls/server.key\"\n", "");
    fs::write(dir.path().join("muster.toml"), without.replace("[hub.tls]\n", "")).unwrap();
    let hub = Arc::new(hub::open(Path::new(dir.path())).await);
    let listen = |address: &'static str| TcpListener::bind(address);
    let here = listen("127.0.0.1:0").await.unwrap();
    let refused = serve::run(Arc::clone(&hub), here, std::future::ready(())).await.unwrap_err();
    assert!(refused.to_string().ends_with("the hub has no certificate"), "{refused}");
    let everywhere = listen("0.0.0.0:0").await.unwrap();
    let refused = serve::run_plaintext(Arc::clone(&hub), everywhere, std::future::ready(())).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.ends_with("can be reached from other machines"), "{refused}");
    let here = listen("127.0.0.1:0").await.unwrap();
    serve::run_plaintext(hub, here, std::future::ready(())).await.unwrap();
}
