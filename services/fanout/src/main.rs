//! The `fanfare` binary: arguments in, exit codes out.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fanfare_fanout::command::{check, publish, serve, token};

/// Turns the events of your services into notifications in every open browser tab.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one fan-out node until SIGTERM or Ctrl-C.
    Serve {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check configuration, routes and schemas: exit code 0, or 1 with one line per fault.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check JSON against the schema of an event type, publish it and print the event's id.
    Publish {
        /// The configuration file of the node to publish to.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The event type, for instance license.FlagToggled.
        #[arg(value_name = "TYPE")]
        event_type: String,
        /// The event as a JSON object.
        json: String,
        /// The schema version; the newest if not given.
        #[arg(long)]
        version: Option<u32>,
        /// The event's source.
        #[arg(long, default_value = "fanfare-cli")]
        source: String,
        /// A producer's token; without one it is signed with the development key.
        #[arg(long, env = "FANFARE_TOKEN", hide_env_values = true)]
        token: Option<String>,
    },
    /// Print a development token; refused unless the config holds a development signing key.
    Token {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The user's id.
        #[arg(long)]
        user: String,
        /// The user's org.
        #[arg(long)]
        org: String,
        /// A role; may be given several times. `producer` makes a token for POST /events.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// What a producer may publish, for instance license.*; may be given several times.
        #[arg(long, value_name = "PATTERN")]
        publish: Vec<String>,
        /// The session's id.
        #[arg(long)]
        session: Option<String>,
        /// How long the token is good, in seconds.
        #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
        lifetime: u32,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config } => serve::run(&config).into(),
        Command::Check { config } => check::run(&config),
        Command::Publish { config, event_type, json, version, source, token } => {
            let publication = publish::Publication { event_type, json, version, source, token };
            publish::run(&config, &publication).into()
        }
        Command::Token { config, user, org, roles, publish, session, lifetime } => {
            let request = token::Request { user, org, roles, publish, session, lifetime };
            token::run(&config, &request).into()
        }
    }
}
