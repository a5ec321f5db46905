//! The settings of all producers, from the command line or the environment.

use crate::Service;
use crate::identity::JWKS_PATH;
use crate::publisher::BrokerSettings;
use clap::Args;
use fanfare_telemetry::LogFormat;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Settings of a producer. Each may be given as an option or as an environment variable.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Address to listen on [default: 127.0.0.1 and the port of the service]
    #[arg(long, env = "FANFARE_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Folder of the database file and the keys [default: .fanfare/{service}]
    #[arg(long, env = "FANFARE_DATA")]
    pub data: Option<PathBuf>,
    /// Database instead of the file in the data folder, for instance postgres://...
    #[arg(long, env = "FANFARE_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Where events are published, unless it is straight to the broker
    #[arg(long, env = "FANFARE_FANOUT_URL", default_value = "http://127.0.0.1:8080")]
    pub fanout_url: BaseUrl,
    /// The broker
    #[command(flatten)]
    pub broker: BrokerSettings,
    /// Who issues the tokens of users
    #[arg(long, env = "FANFARE_AUTH_ISSUER", default_value = "http://127.0.0.1:8081")]
    pub auth_issuer: BaseUrl,
    /// Keys of that issuer [default: {auth issuer}/.well-known/jwks.json]
    #[arg(long, env = "FANFARE_AUTH_JWKS_URL")]
    pub auth_jwks_url: Option<BaseUrl>,
    /// Where auth is asked who is signed out and has which roles [default: where its keys are]
    #[arg(long, env = "FANFARE_AUTH_URL")]
    pub auth_url: Option<BaseUrl>,
    /// The name under which this service signs its own tokens [default: http://127.0.0.1:{port}]
    #[arg(long, env = "FANFARE_ISSUER")]
    pub issuer: Option<BaseUrl>,
    /// Origins of the pages that may call this service from a browser
    #[arg(
        long = "allowed-origin",
        env = "FANFARE_ALLOWED_ORIGINS",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8080,http://localhost:8080"
    )]
    pub allowed_origins: Vec<Origin>,
    /// Form of the log lines
    #[arg(long, env = "FANFARE_LOG_FORMAT", value_name = "pretty|json", default_value = "pretty")]
    pub log_format: LogFormat,
}

impl Settings {
    /// The address to listen on.
    pub fn listen(&self, service: &Service) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, service.port)))
    }

    /// The folder for the service's files.
    pub fn data(&self, service: &Service) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(".fanfare").join(service.name))
    }

    /// The issuer of this service's own tokens.
    pub fn issuer(&self, service: &Service) -> String {
        match &self.issuer {
            Some(issuer) => issuer.as_str().to_owned(),
            None => format!("http://127.0.0.1:{}", service.port),
        }
    }

    /// The URL of the keys for users' tokens.
    pub fn auth_jwks_url(&self) -> String {
        match &self.auth_jwks_url {
            Some(url) => url.as_str().to_owned(),
            None => format!("{}{JWKS_PATH}", self.auth_issuer.as_str()),
        }
    }

    /// The URL of auth, for users' standings.
    pub fn auth_url(&self) -> String {
        match &self.auth_url {
            Some(url) => url.as_str().to_owned(),
            // An issuer may be only a name; its keys have a real address.
            None => {
                let keys = self.auth_jwks_url();
                keys.strip_suffix(JWKS_PATH).unwrap_or(self.auth_issuer.as_str()).to_owned()
            }
        }
    }
}

/// An `http` or `https` URL without query and fragment, and without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let trimmed = text.trim_end_matches('/');
        let rest = trimmed
            .strip_prefix("https://")
            .or_else(|| trimmed.strip_prefix("http://"))
            .ok_or("a URL starts with http:// or https://")?;
        let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '"' | '@');
        if rest.is_empty() || rest.starts_with('/') || !rest.chars().all(fits) {
            return Err("a URL here is a host, perhaps a port and a path, and nothing else".into());
        }
        Ok(Self(trimmed.to_owned()))
    }
}

/// The origin of a page in a browser's notation: scheme, host and port, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let BaseUrl(url) = text.trim().parse()?;
        match url.splitn(4, '/').nth(3) {
            Some(_) => Err("an origin has no path, for instance http://127.0.0.1:8080".into()),
            // Browsers send it in lower case, and it is compared byte for byte.
            None => Ok(Self(url.to_ascii_lowercase())),
        }
    }
}

/// Parses a duration: a whole number and `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// A message with the valid forms.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a whole number and ms, s, m, h or d, such as 90s".to_owned();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }

    const SERVICE: Service = Service { name: "license", port: 8082, publishes: &["license.*"] };

    #[test]
    fn the_defaults_are_the_demo_platform() {
        let Command { settings } = Command::parse_from(["x"]);
        assert_eq!(settings.listen(&SERVICE).to_string(), "127.0.0.1:8082");
        assert_eq!(settings.data(&SERVICE), PathBuf::from(".fanfare/license"));
        assert_eq!(settings.issuer(&SERVICE), "http://127.0.0.1:8082");
        assert_eq!(settings.auth_jwks_url(), "http://127.0.0.1:8081/.well-known/jwks.json");
        assert_eq!(settings.auth_url(), "http://127.0.0.1:8081");
        let origins: Vec<_> = settings.allowed_origins.iter().map(Origin::as_str).collect();
        assert_eq!(origins, ["http://127.0.0.1:8080", "http://localhost:8080"]);
    }

    #[test]
    fn the_address_of_auth_is_that_of_its_keys_unless_configured() {
        let url = |arguments: &[&str]| {
            let Command { settings } = Command::parse_from([&["x"], arguments].concat());
            settings.auth_url()
        };
        let keys = ["--auth-issuer", "https://id.example", "--auth-jwks-url", "http://auth:1/.well-known/jwks.json"];
        assert_eq!(url(&keys), "http://auth:1");
        assert_eq!(url(&[&keys[..], &["--auth-url", "http://auth:2"]].concat()), "http://auth:2");
        let elsewhere = ["--auth-issuer", "https://id.example", "--auth-jwks-url", "http://keys:1/keys"];
        assert_eq!(url(&elsewhere), "https://id.example");
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("24h"), Ok(Duration::from_secs(86_400)));
        for wrong in ["", "5", "s", "1.5h", "-1s", "1 s", "99999999999999999999s", "9999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn urls_that_would_be_cut_or_joined_wrongly_are_refused() {
        for wrong in
            ["", "127.0.0.1:8080", "ftp://a", "http://", "http:///x", "http://a?b", "http://a b", "https://u:p@h"]
        {
            assert!(wrong.parse::<BaseUrl>().is_err(), "{wrong}");
        }
        assert_eq!("http://a:1/".parse::<BaseUrl>().expect("url").as_str(), "http://a:1");
        assert!("http://a:1/path".parse::<Origin>().is_err());
        assert_eq!(
            "HTTPS://App.Example".to_lowercase().parse::<Origin>().expect("origin").as_str(),
            "https://app.example"
        );
    }
}
