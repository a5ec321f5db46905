//! The settings of a producer that publishes directly to the broker.

use crate::settings::parse_duration;
use clap::Args;
use fanfare_broker::address::Address;
use std::path::PathBuf;
use std::time::Duration;

/// The broker's address and the producer's login. Without a URL, events are published over HTTP.
///
/// Secrets are in files, so that they appear in no list of processes and no dump of an environment.
#[derive(Args, Clone, Debug)]
pub struct BrokerSettings {
    /// The broker's servers, nats://HOST:PORT,... or kafka://HOST:PORT,...; without it events are published over HTTP
    #[arg(long, env = "FANFARE_BROKER_URL")]
    pub broker_url: Option<Address>,
    /// What the names of Fanfare's own streams begin with, as in the nodes' configuration
    #[arg(long, env = "FANFARE_BROKER_PREFIX", default_value = "fanfare")]
    pub broker_prefix: String,
    /// Makes streams and topics that are missing, with one replica; without it they are the nodes' or the operator's
    #[arg(long, env = "FANFARE_BROKER_CREATE")]
    pub broker_create: bool,
    /// How long published events are kept, to be published again if the broker loses its end, such as 10m; 0s for never.
    /// Without it 5m on NATS and 1m on Kafka
    #[arg(long, env = "FANFARE_BROKER_HORIZON", value_parser = parse_duration)]
    pub broker_horizon: Option<Duration>,
    /// NATS: a file with a JWT and its seed
    #[arg(long, env = "FANFARE_BROKER_CREDENTIALS_FILE", conflicts_with_all = ["broker_user", "broker_token_file"])]
    pub broker_credentials_file: Option<PathBuf>,
    /// NATS: a name, with a file of its password
    #[arg(long, env = "FANFARE_BROKER_USER", requires = "broker_password_file", conflicts_with = "broker_token_file")]
    pub broker_user: Option<String>,
    /// NATS: the file with the password
    #[arg(long, env = "FANFARE_BROKER_PASSWORD_FILE", requires = "broker_user")]
    pub broker_password_file: Option<PathBuf>,
    /// NATS: a file with a token
    #[arg(long, env = "FANFARE_BROKER_TOKEN_FILE")]
    pub broker_token_file: Option<PathBuf>,
    /// NATS: the connection must be encrypted
    #[arg(long, env = "FANFARE_BROKER_TLS")]
    pub broker_tls: bool,
    /// NATS: the authorities that may vouch for the server, as PEM
    #[arg(long, env = "FANFARE_BROKER_CA_FILE")]
    pub broker_ca_file: Option<PathBuf>,
    /// NATS: the producer's own certificate, as PEM
    #[arg(long, env = "FANFARE_BROKER_CERT_FILE", requires = "broker_key_file")]
    pub broker_cert_file: Option<PathBuf>,
    /// NATS: the key of that certificate, as PEM
    #[arg(long, env = "FANFARE_BROKER_KEY_FILE", requires = "broker_cert_file")]
    pub broker_key_file: Option<PathBuf>,
    /// Kafka: what the topics of events are called before the service's name
    #[arg(long, env = "FANFARE_BROKER_EVENTS", default_value = "events")]
    pub broker_events: String,
    /// Kafka: what the topics of states are called before the service's name
    #[arg(long, env = "FANFARE_BROKER_STATE", default_value = "state")]
    pub broker_state: String,
    /// Kafka: a file of lines NAME=VALUE with settings of librdkafka, its login among them
    #[arg(long, env = "FANFARE_BROKER_PROPERTIES_FILE")]
    pub broker_properties_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use fanfare_broker::address::Kind;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        broker: BrokerSettings,
    }

    fn parse(line: &str) -> Result<BrokerSettings, String> {
        let arguments = std::iter::once("x").chain(line.split_whitespace());
        Command::try_parse_from(arguments).map(|command| command.broker).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_url_there_is_no_broker() {
        let settings = parse("").expect("sound");
        assert!(settings.broker_url.is_none() && !settings.broker_create);
        let settings = parse("--broker-url kafka://a:9092,b:9092").expect("sound");
        let address = settings.broker_url.expect("an address");
        assert_eq!((address.kind, address.servers.len()), (Kind::Kafka, 2));
    }

    #[test]
    fn impossible_values_are_refused() {
        for (line, expected) in [
            ("--broker-url nats://a", "the server \"a\" has no port (for instance a:4222)"),
            ("--broker-url nats://u:hunter2@a:1", "put secrets into separate files"),
            ("--broker-user u", "--broker-password-file"),
            ("--broker-password-file f", "--broker-user"),
            ("--broker-credentials-file f --broker-token-file f", "cannot be used with"),
            ("--broker-cert-file f", "--broker-key-file"),
        ] {
            let told = parse(line).expect_err(line);
            assert!(told.contains(expected), "{line}: {told}");
        }
    }
}
