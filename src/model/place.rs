//! Where the state lies: in a file, or in a PostgreSQL database.

use std::fmt;
use std::path::{Path, PathBuf};

use url::{Host, Url};

use crate::model::refusal::Refusal;
use crate::secret::Secret;

/// Where the state lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An SQLite file on this computer.
    File(PathBuf),
    /// A database that several controllers share.
    Postgres(Database),
}

/// A PostgreSQL database. `Display` shows it without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    url: Secret,
    shown: String,
    has_password: bool,
}

impl Place {
    /// Reads a path or a `postgres://` URL.
    ///
    /// # Errors
    /// [`Refusal`] for a URL that is none, or that names no database.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(Database::parse(text)?));
        }
        match text.split_once("://") {
            Some((scheme, _)) => Err(Refusal::new(
                format!("the state cannot lie at {scheme}://"),
                "give the path of a file, or postgres://USER@HOST/DATABASE",
            )),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl Database {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let hint = "write it as postgres://USER@HOST/DATABASE";
        // the text may have a password in it, so it is not repeated
        let wrong = |why: &str| Refusal::new("the state's URL cannot be used", hint).because(why);
        let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        let named = |key: &str| url.query_pairs().any(|(k, _)| k == key);
        if url.path().trim_matches('/').is_empty() && !named("dbname") {
            return Err(wrong("it names no database"));
        }
        let has_password = url.password().is_some() || named("password");
        if !is_local(&url) && !named("sslmode") && !named("ssl-mode") {
            url.query_pairs_mut().append_pair("sslmode", "verify-full");
        }
        let shown = shown(&url);
        Ok(Self { url: Secret::new(url.as_str()), shown, has_password })
    }

    /// The whole URL. On the way to another computer it asks for TLS with a verified certificate, unless it says itself
    /// what it wants (`sslmode`).
    pub fn url(&self) -> &Secret {
        &self.url
    }

    /// Whether the URL has a password in it, which a process list would show.
    pub fn has_password(&self) -> bool {
        self.has_password
    }
}

/// A Unix socket, or a loopback address: nobody on the way.
fn is_local(url: &Url) -> bool {
    let other = url.query_pairs().find(|(key, _)| key == "host" || key == "hostaddr");
    match (other, url.host()) {
        (Some((_, host)), _) => host.starts_with('/'),
        (None, None) => true,
        (None, Some(Host::Domain(name))) => {
            name == "localhost" || name.to_ascii_lowercase().starts_with("%2f")
        }
        (None, Some(Host::Ipv4(address))) => address.is_loopback(),
        (None, Some(Host::Ipv6(address))) => address.is_loopback(),
    }
}

/// The URL without password and parameters.
fn shown(url: &Url) -> String {
    let user = if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("postgres://{user}{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(database) => database.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(text: &str) -> Database {
        match Place::parse(text).unwrap() {
            Place::Postgres(database) => database,
            Place::File(path) => panic!("{path:?} is a file"),
        }
    }

    #[test]
    fn a_path_is_a_file_and_other_urls_are_refused() {
        assert_eq!(Place::parse("a/state.sqlite").unwrap().to_string(), "a/state.sqlite");
        let error = Place::parse("mysql://h/d").unwrap_err();
        assert_eq!(error.to_string(), "the state cannot lie at mysql://");
        assert!(Place::parse("postgres://alice@db.example").is_err());
    }

    #[test]
    fn a_password_is_never_shown() {
        let place = database("postgres://alice:hunter2@db.example:5433/fleet?application_name=x");
        assert!(place.has_password());
        assert_eq!(place.to_string(), "postgres://alice@db.example:5433/fleet");
        assert!(!format!("{place:?}").contains("hunter2"));
        let error = Place::parse("postgres://alice:hunter2@db.example:x/fleet").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn another_computer_must_show_its_certificate() {
        let asks = |text| database(text).url().expose().contains("sslmode=verify-full");
        assert!(asks("postgres://db.example/fleet"));
        assert!(!asks("postgres://db.example/fleet?sslmode=require"));
        assert!(!asks("postgres://localhost/fleet"));
        assert!(!asks("postgres://127.0.0.1:5433/fleet"));
        assert!(!asks("postgres:///fleet?host=/run/postgresql"));
        assert!(!asks("postgres://%2Frun%2Fpostgresql/fleet"));
    }
}
