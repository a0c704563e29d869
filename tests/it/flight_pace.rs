//! Clients that ping often and clients that read slowly: neither harms the server.

use crate::flight::{ask, log_in};
use crate::flight_cancel::{Own, ticket, until};
use crate::hub;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use std::time::{Duration, Instant};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

/// The memory of this process, client and server, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn a_reader_that_stops_costs_bounded_memory() {
    let own = Own::start().await;
    let mut client = own.log_in("hub").await;
    // A gigabyte.
    let sql = "select value, repeat('x', 1000) as a from generate_series(1, 1000000)";
    let info = client.execute(sql.into(), None).await.unwrap();
    let before = resident();
    let mut rows = client.do_get(ticket(&info)).await.unwrap();
    assert!(rows.try_next().await.unwrap().is_some());
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        assert!(resident() < before + (200 << 20), "{} bytes more", resident() - before);
        assert!(own.hub.engine.reserved_bytes() < 200 << 20);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nobody else waits for it, and it goes on when it is asked to.
    assert_eq!(ask(&mut own.log_in("beds").await, "select 1 as a").await.unwrap().num_rows(), 1);
    let mut read = 0;
    while let Some(batch) = rows.try_next().await.unwrap() {
        read += batch.num_rows();
    }
    assert!(read > 900_000, "{read}");
    until("no memory reserved", || own.hub.engine.reserved_bytes() == 0).await;
}

#[tokio::test]
async fn a_client_that_pings_all_the_time_is_not_sent_away() {
    let served = hub::served();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&served.authority))
        .domain_name("localhost");
    let channel = Endpoint::from_shared(format!("https://{}", served.address))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .http2_keep_alive_interval(Duration::from_millis(5))
        .keep_alive_timeout(Duration::from_secs(20))
        .keep_alive_while_idle(true)
        .connect()
        .await
        .unwrap();
    let mut client = FlightSqlServiceClient::new(channel);
    client.handshake("hub", &hub::password("hub")).await.unwrap();
    for _ in 0..10 {
        assert_eq!(ask(&mut client, "select * from conformed.widget").await.unwrap().num_rows(), 4);
        // Some twenty pings.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let sql = "select repeat('x', 1000) as a from generate_series(1, 50000)";
    assert_eq!(ask(&mut client, sql).await.unwrap().num_rows(), 50_000);
}

#[tokio::test]
async fn many_answers_are_read_at_once_over_one_connection() {
    let client = log_in("hub").await;
    let answers = (0..8).map(|n| {
        let mut client = client.clone();
        async move {
            let sql = format!("select value, repeat('x', {}) as a from generate_series(1, 20000)", 100 + n);
            ask(&mut client, &sql).await.unwrap().num_rows()
        }
    });
    assert_eq!(futures::future::join_all(answers).await, [20_000; 8]);
}
