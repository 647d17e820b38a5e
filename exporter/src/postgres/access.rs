//! Where a server is and how to log in: from an address, a service file, a
//! password file. No message from here repeats what was configured, since a
//! password may stand where none belongs.

use std::fs;
use std::path::PathBuf;

use tokio_postgres::config::{Host, SslMode};

/// Where passwords of several servers stand, and where services do.
const PASSWORD_FILE: &str = ".pgpass";
const SERVICE_FILE: &str = ".pg_service.conf";
const SERVICES_OF_ALL: &str = "/etc/postgresql-common/pg_service.conf";

/// How a server is reached.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) config: tokio_postgres::Config,
    /// `host:port`, as it stands in the label `server`.
    pub(super) place: String,
}

impl Access {
    /// Reads an address, with a password or without. An empty user is `postgres`.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let parsed: Result<tokio_postgres::Config, _> = url.parse();
        // The parser knows `require` alone of what wants TLS.
        let verified = ["sslmode=verify-full", "sslmode=verify-ca"];
        let parsed = parsed.or_else(|err| {
            let mode = verified.into_iter().find(|mode| url.contains(mode));
            mode.map_or(Err(err), |mode| {
                url.replace(mode, "sslmode=require").parse()
            })
        });
        let config = parsed.map_err(|_| "postgres://user@host:port/database is wanted")?;
        Self::with(config)
    }

    /// Whether it is said to be reached by TLS alone. By default it is not said.
    pub(super) fn is_to_be_encrypted(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }

    /// Takes what a service file says of a service.
    pub(super) fn service(text: &str, service: &str) -> Result<Self, &'static str> {
        let mut config = tokio_postgres::Config::new();
        let lines = text.lines().map(str::trim);
        let mut lines = lines.skip_while(|line| *line != format!("[{service}]"));
        lines.next().ok_or("the service file has no such service")?;
        for line in lines.take_while(|line| !line.starts_with('[')) {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            match (key.trim(), value.trim()) {
                ("host" | "hostaddr", host) => _ = config.host(host),
                ("user", user) => _ = config.user(user),
                ("password", password) => _ = config.password(password),
                ("dbname", database) => _ = config.dbname(database),
                ("sslmode", "require" | "verify-ca" | "verify-full") => {
                    config.ssl_mode(SslMode::Require);
                }
                ("port", port) => {
                    _ = config.port(
                        port.parse()
                            .map_err(|_| "the service's port is no number")?,
                    );
                }
                _ => {}
            }
        }
        Self::with(config)
    }

    fn with(mut config: tokio_postgres::Config) -> Result<Self, &'static str> {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let place = match config.get_hosts() {
            [Host::Tcp(host)] => format!("{host}:{port}"),
            [Host::Unix(folder)] => format!("{}:{port}", folder.display()),
            [] => return Err("the address has no host"),
            _ => return Err("one host is wanted, not several"),
        };
        if config.get_user().is_none() {
            config.user("postgres");
        }
        if config.get_dbname().is_none() {
            config.dbname("postgres");
        }
        Ok(Self { config, place })
    }

    /// Looks for the password in the text of a password file, unless there is
    /// one already.
    pub(super) fn look_up(&mut self, passwords: &str) {
        let config = &self.config;
        if config.get_password().is_some() {
            return;
        }
        let (host, port) = self.place.rsplit_once(':').unwrap_or_default();
        let wanted = [
            host,
            port,
            config.get_dbname().unwrap_or_default(),
            config.get_user().unwrap_or_default(),
        ];
        let found = passwords.lines().find_map(|line| {
            let fields = fields(line)?;
            let (password, keys) = fields.split_last()?;
            let mut pairs = keys.iter().zip(wanted);
            let fits = keys.len() == 4 && pairs.all(|(key, wanted)| key == "*" || key == wanted);
            fits.then(|| password.clone())
        });
        if let Some(password) = found {
            self.config.password(password);
        }
    }
}

/// The fields of a line of a password file: parted by colons, with a backslash
/// before what is meant as it stands.
fn fields(line: &str) -> Option<Vec<String>> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let plain = match letter {
            '\\' => letters.next()?,
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            other => other,
        };
        fields.last_mut()?.push(plain);
    }
    Some(fields)
}

/// The password file of this user, if others cannot read it.
pub(super) fn password_file() -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let path = of_user("PGPASSFILE", PASSWORD_FILE)?;
    let about = fs::metadata(&path).ok()?;
    if about.permissions().mode() & 0o077 != 0 {
        return None;
    }
    fs::read_to_string(&path).ok()
}

/// The service file of this user, or the one of all users.
pub(super) fn service_file() -> Option<String> {
    let own = of_user("PGSERVICEFILE", SERVICE_FILE)?;
    let usual = |_| fs::read_to_string(SERVICES_OF_ALL);
    fs::read_to_string(&own).or_else(usual).ok()
}

fn of_user(variable: &str, name: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) => Some(path.into()),
        None => Some(std::env::home_dir()?.join(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_in_both_forms_and_with_a_password() {
        let place = |url| Access::parse(url).map(|access| access.place);
        assert_eq!(place("postgres://me@db:5433/x").unwrap(), "db:5433");
        assert_eq!(
            place("host=/run/postgresql user=me").unwrap(),
            "/run/postgresql:5432"
        );
        for url in ["postgres://me:hunter2@db/x", "host=db password=hunter2"] {
            let access = Access::parse(url).unwrap();
            assert_eq!(access.config.get_password(), Some(&b"hunter2"[..]));
            assert_eq!(access.place, "db:5432");
            assert!(!format!("{access:?}").contains("hunter2"));
        }
        for (url, encrypted) in [
            ("postgres://db", false),
            ("postgres://db?sslmode=prefer", false),
            ("postgres://db?sslmode=require", true),
            ("host=db sslmode=require", true),
            ("host=db sslmode=verify-ca", true),
            (
                "postgres://db/x?sslmode=verify-full&connect_timeout=5",
                true,
            ),
        ] {
            let access = Access::parse(url).unwrap();
            assert_eq!(access.is_to_be_encrypted(), encrypted, "{url}");
        }
        for url in [
            "",
            "db:5432",
            "postgres://",
            "host=a,b",
            "postgres://a:b:c@d:port",
        ] {
            assert!(place(url).is_err(), "{url:?}");
        }
        let access = Access::parse("postgres://db").unwrap();
        assert_eq!(access.config.get_user(), Some("postgres"));
        assert_eq!(access.config.get_dbname(), Some("postgres"));
    }

    #[test]
    fn a_service_is_taken_from_its_section_alone() {
        let text = "[a]\nhost=x\npassword=p\nsslmode=verify-full\n\n[b]\n# c\nhost = y\nport=6000\nuser=me\n[c]\nhost=z\n";
        let access = Access::service(text, "b").unwrap();
        assert_eq!(access.place, "y:6000");
        assert_eq!(access.config.get_user(), Some("me"));
        assert_eq!(access.config.get_password(), None);
        assert!(!access.is_to_be_encrypted());
        let other = Access::service(text, "a").unwrap();
        assert_eq!(other.config.get_password(), Some(&b"p"[..]));
        assert!(other.is_to_be_encrypted());
        assert!(Access::service(text, "d").is_err());
    }

    #[test]
    fn a_password_file_is_matched_field_by_field() {
        let file = "# db:5432:*:me:no\nother:*:*:me:no\ndb:5432:x\nd\\:b:5432:*:*:no\n\
            db:5432:postgres:me:a\\:b\\\\c:d\ndb:*:*:*:late\n";
        let mut access = Access::parse("postgres://me@db").unwrap();
        access.look_up(file);
        assert_eq!(access.config.get_password(), Some(&br"a:b\c:d"[..]));
        access.look_up("*:*:*:*:other");
        assert_eq!(access.config.get_password(), Some(&br"a:b\c:d"[..]));
        let mut nobody = Access::parse("postgres://me@elsewhere").unwrap();
        nobody.look_up(file);
        assert_eq!(nobody.config.get_password(), None);
    }
}
