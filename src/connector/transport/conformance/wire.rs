//! A wire between a source and its reader that ends when a test wants it to.

use super::RECEIVED;
use crate::project::{Address, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes bytes on to the server of `source`, and stops after some: with an end, or in silence.
pub(super) async fn proxied(source: &Source, bytes: usize, is_cut: bool) -> Source {
    let mut source = source.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = listener.local_addr().unwrap().port();
    let to = match &mut source.address {
        Address::Postgres(server) | Address::Mysql(server) => std::mem::replace(&mut server.port, ours),
        Address::Sftp(remote) => std::mem::replace(&mut remote.port, ours),
        Address::Odbc(odbc) => {
            let (before, behind) = odbc.attributes.split_once("Port=").unwrap();
            let (port, behind) = behind.split_once(';').unwrap();
            let port: u16 = port.parse().unwrap();
            odbc.attributes = format!("{before}Port={ours};{behind}");
            port
        }
        other => panic!("{other:?} is no server"),
    };
    if let (Some(known), Address::Sftp(remote)) = (&mut source.access.known_hosts, &source.address) {
        // The host is known by its port, too.
        let text = std::fs::read_to_string(&*known).unwrap();
        *known = RECEIVED.with(|folder| folder.path().join("known_hosts"));
        std::fs::write(known, text.replace(&format!("]:{to} "), &format!("]:{} ", remote.port))).unwrap();
    }
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, TcpStream::connect(("127.0.0.1", to)).await.unwrap(), bytes, is_cut));
        }
    });
    source
}

async fn pass(client: TcpStream, server: TcpStream, mut bytes: usize, is_cut: bool) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await.ok() });
    let mut buffer = vec![0; 16 << 10];
    while bytes > 0 {
        match from_server.read(&mut buffer).await {
            Ok(read) if read > 0 && to_client.write_all(&buffer[..read]).await.is_ok() => {
                bytes = bytes.saturating_sub(read);
            }
            _ => return,
        }
    }
    if !is_cut {
        // In silence until the client goes.
        asking.await.ok();
    }
}
