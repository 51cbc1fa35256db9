//! What the program says of a database that it cannot use, and how it gets in.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::server::Server;

/// A refusal does not wait for anything.
const AT_ONCE: Duration = Duration::from_secs(15);

struct Said {
    code: Option<i32>,
    stderr: String,
}

fn list(home: &Path, url: &str, more: &[(&str, &str)]) -> Said {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_clawberth"))
        .arg("list")
        .env_clear()
        .envs([("HOME", home.to_str().unwrap()), ("CLAWBERTH_STATE", url)])
        .envs(more.iter().copied())
        .output()
        .unwrap();
    assert!(begun.elapsed() < AT_ONCE, "took {:?}", begun.elapsed());
    Said { code: output.status.code(), stderr: String::from_utf8(output.stderr).unwrap() }
}

/// What, why and what to do, a line each; and never a password.
#[track_caller]
fn refused(said: &Said, what: &str, password: &str) {
    let lines: Vec<&str> = said.stderr.lines().collect();
    let [first, why, hint] = lines[..] else { panic!("{}", said.stderr) };
    assert!(first.starts_with(what), "{}", said.stderr);
    assert!(why.starts_with("caused by: ") && hint.starts_with("hint: "), "{}", said.stderr);
    assert!(!said.stderr.contains(password), "{}", said.stderr);
    // PostgreSQL tells where in its own source it refused
    assert!(!said.stderr.contains(" at line "), "{}", said.stderr);
    assert_eq!(said.code, Some(1));
}

/// The URL as it is shown.
fn shown(url: &str) -> &str {
    url.split_once('?').map_or(url, |(shown, _)| shown)
}

#[test]
fn a_database_that_does_not_let_in_is_not_there_or_does_not_answer() {
    let Some(server) = Server::shared() else { return };
    let (database, home) = (server.database(), tempfile::tempdir().unwrap());
    let (password, place) = (database.password(), database.url_without_password());
    let home = home.path();

    let wrong = database.url().replace(password, "hunter2");
    refused(
        &list(home, &wrong, &[]),
        &format!("error: the state's database {place} does not let you in"),
        "hunter2",
    );
    refused(
        &list(home, &place, &[]),
        &format!("error: the state's database {place} does not let you in"),
        password,
    );
    let nowhere = format!("{}x", database.url());
    refused(&list(home, &nowhere, &[]), &format!("error: there is no database {place}x"), password);
    // nobody has had this port since it was given away
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = format!("postgres://clawberth@127.0.0.1:{port}/fleet");
    refused(
        &list(home, &away, &[]),
        &format!("error: no answer from the state's database {away}"),
        "hunter2",
    );
    let unknown = "postgres://clawberth@db.invalid/fleet";
    let what = format!("error: no answer from the state's database {unknown}");
    refused(&list(home, unknown, &[]), &what, "hunter2");
}

#[test]
fn a_password_file_lets_in() {
    let Some(server) = Server::shared() else { return };
    let (database, home) = (server.database(), tempfile::tempdir().unwrap());
    let file = home.path().join("passwords");
    std::fs::write(&file, format!("127.0.0.1:*:*:clawberth:{}\n", database.password())).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = list(home.path(), &database.url_without_password(), &[("PGPASSFILE", file.to_str().unwrap())]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
}

#[test]
fn a_certificate_is_that_of_a_known_authority_or_nothing_is_sent() {
    let Some(server) = Server::own_with_tls() else { return };
    let (database, home) = (server.database(), tempfile::tempdir().unwrap());
    let home = home.path();
    let with = |authority: &Path| {
        format!("{}?sslmode=verify-full&sslrootcert={}", database.url(), authority.display())
    };
    let said = list(home, &with(&server.authority()), &[]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);

    let stranger = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(home.join("stranger.pem"), stranger.cert.pem()).unwrap();
    let untrusted =
        format!("error: the state's database {} is not known to be itself", database.url_without_password());
    let unknown = format!("{}?sslmode=verify-full", database.url());
    for url in [with(&home.join("stranger.pem")), with(&home.join("missing.pem")), unknown] {
        let said = list(home, &url, &[]);
        refused(&said, &untrusted, database.password());
        assert!(said.stderr.contains("sslrootcert"), "{}", said.stderr);
    }
    let missing = home.join("missing.pem");
    let said = list(home, &with(&missing), &[]);
    assert!(
        said.stderr.contains(&format!("cannot read sslrootcert {}: ", missing.display())),
        "{}",
        said.stderr
    );
    let plain = format!("{}?sslmode=disable", database.url());
    let said = list(home, &plain, &[]);
    let what = format!(
        "error: the state's database {} does not let you in",
        shown(&database.url_without_password())
    );
    refused(&said, &what, database.password());
}
