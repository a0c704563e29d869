//! The programs that analysts have, against a real server over TLS: `tests/python/flight_clients.py`.

use crate::hub;
use std::process::Command;

#[tokio::test]
async fn adbc_pyarrow_sqlalchemy_polars_pandas_and_duckdb_read_the_hub() {
    let Some(python) = std::env::var_os("MUSTER_TEST_PYTHON") else {
        // Said aloud, because a test that is not run must not look like one that passed.
        eprintln!("skipped: MUSTER_TEST_PYTHON is not set; tests/run sets it");
        return;
    };
    let served = hub::served();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, &served.authority).unwrap();
    let asked = Command::new(python)
        .arg("tests/python/flight_clients.py")
        .arg(format!("grpc+tls://localhost:{}", served.address.port()))
        .args(["hub", &hub::password("hub"), "conformed.widget"])
        .arg(authority)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    assert!(said.trim_end().ends_with(" 0 failed"), "{said}");
}
