//! Drop folders on SFTP servers, from the definition to raw, against a private OpenSSH.

use crate::files::{AT_ONCE, FileProject, LOG};
use crate::keepers::{self, SftpServer};
use muster::project::{Address, Library, load_with};
use std::fs;
use std::process::{Command, Stdio};

async fn server() -> Option<SftpServer> {
    let server = keepers::openssh().await;
    if server.is_none() {
        eprintln!("skipped: OpenSSH's server is not installed");
    }
    server
}

/// The source at the server, as `muster.toml` writes it.
fn source(server: &SftpServer) -> String {
    let Address::Sftp(remote) = server.source().address else { panic!("an SFTP server") };
    format!(
        "address = \"sftp://{}@127.0.0.1:{}{}\"\nkey = {{ file = \"{}\" }}\nknown_hosts = \"known_hosts\"",
        remote.user,
        remote.port,
        remote.folder,
        server.own("user").display()
    )
}

fn project(server: &SftpServer) -> FileProject {
    let source = source(server);
    let project = FileProject::new(&[("beds", &source), ("herts", "address = \"file:drop\"")], LOG, AT_ONCE);
    project.write("known_hosts", fs::read(server.own("known_hosts")).unwrap());
    project
}

#[tokio::test]
async fn a_folder_of_a_server_is_read_like_one_of_this_machine() {
    let Some(server) = server().await else { return };
    let project = project(&server);
    for (at, name) in ["pay_1.csv", "pay_ä b.csv", "PAY_10.CSV"].iter().enumerate() {
        let text = format!("id,amount\n{name} {at},1.50\n\"second\",\n");
        fs::write(server.drop().join(name), &text).unwrap();
        project.write(&format!("drop/{name}"), text);
    }
    let failures = project.pull().await.failures;
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(project.rows("beds").await, project.rows("herts").await);
    assert_eq!(project.rows("beds").await.len(), 6);
    project.pull().await;
    assert_eq!(project.loads("beds").await.len(), 3, "nothing has changed");

    // The server shows another key: nothing of it is read, and the other source is not held up.
    let port = server.running.port;
    let stranger = fs::read_to_string(server.own("stranger.pub")).unwrap();
    project.write("known_hosts", format!("[127.0.0.1]:{port} {stranger}"));
    for folder in [server.drop(), project.path("drop")] {
        fs::write(folder.join("pay_2.csv"), "id,amount\na,1.50\n").unwrap();
    }
    let refused = project.pull().await.failures;
    assert!(
        refused["beds"].contains("shows another host key than before: ssh-ed25519 SHA256:"),
        "{refused:?}"
    );
    assert_eq!((refused.len(), project.loads("beds").await.len()), (1, 3));
    assert_eq!(project.loads("herts").await.len(), 4);

    project.write("known_hosts", fs::read(server.own("known_hosts")).unwrap());
    assert!(project.pull().await.failures.is_empty());
    assert_eq!(project.rows("beds").await, project.rows("herts").await);
}

#[tokio::test]
async fn a_full_disk_leaves_no_half_of_a_file() {
    let Some(server) = server().await else { return };
    let project = project(&server);
    fs::create_dir(project.path("lake")).unwrap();
    let mounted = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(project.path("lake")).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    };
    if !mounted("size=8m") {
        eprintln!("skipped: a file system of eight megabytes can only be mounted by root");
        return;
    }
    let row = |at: u32| format!("{at:0>30},1.50\n");
    let rows: String = (0..400_000).map(row).collect();
    fs::write(server.drop().join("pay_1.csv"), format!("id,amount\n{rows}")).unwrap();
    let full = project.pull().await.failures;
    let (kept, loads) = (project.kept("beds"), project.loads("beds").await.len());
    let grown = mounted("remount,size=256m");
    let after = project.pull().await.failures;
    let landed = project.loads("beds").await;
    Command::new("umount").arg(project.path("lake")).status().unwrap();
    assert!(full["beds"].contains("files/beds/beds/incoming"), "{full:?}");
    assert_eq!((kept, loads), (Vec::<String>::new(), 0));
    assert!(grown && after.is_empty(), "{after:?}");
    assert_eq!(landed.iter().map(|load| load.inserted_rows).collect::<Vec<_>>(), [400_000]);
}

#[test]
fn settings_that_cannot_work_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let problems = |source: &str| {
        let settings = format!(
            "[hub]\nname = \"x\"\n[forces.beds]\nname = \"Beds\"\n[sources.beds]\nforce = \"beds\"\nsystem = \"till\"\n{source}\n"
        );
        fs::write(folder.path().join("muster.toml"), settings).unwrap();
        load_with(folder.path(), &Library::empty()).unwrap_err().plain()
    };
    let connector = folder.path().join("connectors/till");
    fs::create_dir_all(&connector).unwrap();
    fs::write(
        connector.join("connector.toml"),
        "system = \"till\"\nvendor = \"Tests\"\n[entities.e]\nkey = [\"id\"]\n[entities.e.file]\nmatch = \"*\"\n\
         format = \"csv\"\n[entities.e.columns]\nid = { type = \"text\", required = true }\n",
    )
    .unwrap();
    for (source, told) in [
        ("address = \"sftp://a@b/drop\"", "neither \"key\" nor \"password\""),
        ("address = \"sftp://a@b/drop\"", "has no \"known_hosts\""),
        ("address = \"sftp://a:hunter2@b/drop\"", "the address holds a password"),
        ("address = \"sftp://b/drop\"", "the address needs a user, a host and a folder"),
        ("address = \"sftp://a@b/drop\"\npassphrase = { env = \"HOME\" }", "\"passphrase\" is for a \"key\""),
        ("address = \"sftp://a@b/drop\"\ntls = \"off\"", "\"tls\" is for databases on a server"),
        ("address = \"sftp://a@b/drop\"\nknown_hosts = \"nowhere\"", "there is no file \"nowhere\""),
        (
            "address = \"sftp://a@b/drop\"\nkey = \"-----BEGIN PRIVATE KEY-----hunter2\"",
            "must be a reference to a secret",
        ),
        ("address = \"file:drop\"\nkey = { env = \"HOME\" }", "unknown key \"key\""),
        (
            "address = \"file:drop\"\npassword = { env = \"HOME\" }",
            "\"password\" is for databases on a server",
        ),
    ] {
        let shown = problems(source);
        assert!(shown.contains(told) && !shown.contains("hunter2"), "{source}: {shown}");
    }
}
