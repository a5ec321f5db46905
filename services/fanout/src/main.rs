//! The `fanfare` binary: arguments in, exit codes out.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fanfare_fanout::command::{
    check, connections, deadletters, docs, events, explain, health, init, publish, relay, serve, token,
};
use fanfare_fanout::operator::connections::Filter;
use fanfare_fanout::operator::{MOST_MINUTES, Rights};
use fanfare_fanout::pipeline::Unusable;
use fanfare_fanout::pipeline::letters::{LetterId, MOST_LISTED};

/// Measured with 5,000 tabs that connect 1,000 at a time: the allocator of glibc, with an arena for each thread, keeps 1.5 KB
/// more for each tab of what their handshakes took.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Turns the events of your services into notifications in every open browser tab.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version = env!("FANFARE_VERSION"), about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a configuration, an event, a route and a page to start from; existing files are never overwritten.
    Init {
        /// The folder to write to.
        #[arg(value_name = "FOLDER", default_value = ".")]
        folder: PathBuf,
    },
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
        /// Print one line per route: its event, what it sends to whom, and what keeps other orgs from it.
        #[arg(long)]
        explain: bool,
    },
    /// Ask a running node whether it is healthy: exit code 0, or 3 if it is not or does not answer.
    Health {
        /// The configuration file of the node.
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
    /// Print a development token or an operator's token, or explain a token.
    ///
    /// A development token needs `signing_key` in [development] of the configuration.
    Token {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Explain this token instead: user, org, roles and groups, or why a node refuses it; `-` reads it from the
        /// standard input.
        #[arg(long, value_name = "TOKEN", conflicts_with_all = ["user", "org", "roles", "publish", "session", "claims", "lifetime"])]
        explain: Option<String>,
        /// Print a token for the operator's port instead, for the console at `/` and calls such as `GET /connections`.
        #[arg(long, conflicts_with_all = ["explain", "user", "org", "roles", "publish", "session", "claims", "lifetime"])]
        operator: bool,
        /// The token may only read.
        #[arg(long, requires = "operator")]
        read_only: bool,
        /// For how many minutes the token is valid.
        #[arg(long, requires = "operator", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_MINUTES)))]
        minutes: u32,
        /// The user's id.
        #[arg(long, required_unless_present_any = ["explain", "operator"], default_value = "", hide_default_value = true)]
        user: String,
        /// The user's org.
        #[arg(long, required_unless_present_any = ["explain", "operator"], default_value = "", hide_default_value = true)]
        org: String,
        /// A role, as an issuer would name it; may be repeated. `producer` makes a token for POST /events.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// The event types that a producer may publish, for instance license.*; may be repeated.
        #[arg(long, value_name = "PATTERN")]
        publish: Vec<String>,
        /// The session's id.
        #[arg(long)]
        session: Option<String>,
        /// Another claim, such as plan=pro; repeated, it has several values.
        #[arg(long = "claim", value_name = "NAME=VALUE")]
        claims: Vec<String>,
        /// How long the token is valid, in seconds.
        #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
        lifetime: u32,
    },
    /// Write an OpenAPI document of POST /events and an AsyncAPI document of the channels, from schemas and routes.
    Docs {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The folder to write to.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        output: PathBuf,
    },
    /// Publish the events of a service's outbox table to the broker or to a node, with the program fanfare-relay.
    #[command(disable_help_flag = true)]
    Relay {
        /// --config FILE and other arguments of the relay; --help lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// List, show and replay events that nodes could not use, through the operator's port of a running node.
    #[command(subcommand, name = "deadletters")]
    DeadLetterWriter(DeadLetterWriter),
    /// List the open connections of all nodes and close some, through the operator's port of a running node.
    #[command(subcommand)]
    Connections(Connections),
    /// Show what became of an event on all nodes, through the operator's port of a running node.
    #[command(subcommand)]
    Events(Events),
}

#[derive(Debug, Subcommand)]
enum Events {
    /// Print which routes took an event or why not, how many connections it was sent to, and the slowest of them.
    Show {
        /// The configuration file of a running node.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The event's id, or the place of its record as `fanfare deadletters` prints it.
        #[arg(allow_hyphen_values = true)]
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Connections {
    /// Print open connections, sorted by id; several filters must all match.
    List {
        /// The configuration file of a running node.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Only connections of this user.
        #[arg(long)]
        user: Option<String>,
        /// Only connections that may hear events of this org.
        #[arg(long)]
        org: Option<String>,
        /// Only connections in this group, for instance org:acme.
        #[arg(long)]
        group: Option<String>,
        /// Only connections of the hub at this path.
        #[arg(long, value_name = "PATH")]
        hub: Option<String>,
        /// Only connections of this session.
        #[arg(long)]
        session: Option<String>,
        /// Only connections of users of this realm.
        #[arg(long)]
        realm: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        limit: u32,
        /// Print one JSON object per line instead of a table.
        #[arg(long)]
        json: bool,
        /// Ping each client with a WebSocket, and print how long it takes to answer.
        #[arg(long)]
        round_trips: bool,
    },
    /// Close a connection, or all connections of a user or a session, on all nodes.
    Close {
        /// The configuration file of a running node.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// A connection's id, as `list` prints it.
        #[arg(conflicts_with_all = ["user", "session", "realm"], required_unless_present_any = ["user", "session"], allow_hyphen_values = true)]
        id: Option<String>,
        /// All connections of this user.
        #[arg(long)]
        user: Option<String>,
        /// All connections of this session; with --user, of that user's session.
        #[arg(long)]
        session: Option<String>,
        /// Only users of this realm.
        #[arg(long)]
        realm: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum DeadLetterWriter {
    /// Print the newest dead letters, the newest first.
    List {
        /// The configuration file of a running node.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// How many at most, 1 to 1000.
        #[arg(long, default_value_t = 50, value_parser = limit)]
        limit: usize,
        /// Print one JSON object per line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Print one dead letter: reason, position, headers and body.
    Show {
        /// The configuration file of a running node.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Its id, for instance 0-17.
        id: LetterId,
        /// Write the body to this file instead of printing it.
        #[arg(long, value_name = "FILE")]
        body: Option<PathBuf>,
    },
    /// Publish dead letters again, oldest first, with the same ce-id: nodes that have delivered one drop it.
    Replay {
        /// The configuration file of a running node.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Ids of letters, for instance 0-17.
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<LetterId>,
        /// Replay all letters.
        #[arg(long)]
        all: bool,
        /// With --all: only letters with this reason.
        #[arg(long, value_name = "LABEL", requires = "all", conflicts_with = "ids", value_parser = kinds())]
        reason: Option<String>,
        /// Publish also letters that would be dead letters again, or whose state is older than the current one.
        #[arg(long)]
        force: bool,
        /// Publish nothing, only print what would happen to each.
        #[arg(long)]
        dry_run: bool,
    },
}

fn limit(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST_LISTED).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {MOST_LISTED}"))
}

fn kinds() -> clap::builder::PossibleValuesParser {
    Unusable::LABELS.iter().copied().chain(["other"]).into()
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Init { folder } => init::run(&folder).into(),
        Command::Serve { config } => serve::run(&config).into(),
        Command::Check { config, explain } => check::run(&config, explain),
        Command::Health { config } => health::run(&config).into(),
        Command::Publish { config, event_type, json, version, source, token } => {
            let publication = publish::Publication { event_type, json, version, source, token };
            publish::run(&config, &publication).into()
        }
        Command::Token { config, operator: true, read_only, minutes, .. } => {
            let rights = if read_only { Rights::Read } else { Rights::Change };
            token::run_operator(&config, rights, minutes).into()
        }
        Command::Token { config, explain: Some(token), .. } => explain::run(&config, &token).into(),
        Command::Token { config, user, org, roles, publish, session, claims, lifetime, .. } => {
            let request = token::Request { user, org, roles, publish, session, claims, lifetime };
            token::run(&config, &request).into()
        }
        Command::Docs { config, output } => docs::run(&config, &output).into(),
        Command::Relay { arguments } => relay::run(&arguments).into(),
        Command::DeadLetterWriter(command) => dead_letters(command),
        Command::Connections(command) => open_connections(command),
        Command::Events(Events::Show { config, id, json }) => events::show(&config, &id, json).into(),
    }
}

fn open_connections(command: Connections) -> ExitCode {
    let (config, action) = match command {
        Connections::List { config, user, org, group, hub, session, realm, limit, json, round_trips } => {
            let filter = Filter { id: None, user, org, group, hub, session, realm };
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            (config, connections::Action::List { filter, limit, json, round_trips })
        }
        Connections::Close { config, id, user, session, realm } => {
            (config, connections::Action::Close(connections::Close { id, user, session, realm }))
        }
    };
    connections::run(&config, &action).into()
}

fn dead_letters(command: DeadLetterWriter) -> ExitCode {
    let (config, action) = match command {
        DeadLetterWriter::List { config, limit, json } => (config, deadletters::Action::List { limit, json }),
        DeadLetterWriter::Show { config, id, body } => (config, deadletters::Action::Show { id, body }),
        DeadLetterWriter::Replay { config, ids, all, reason, force, dry_run } => {
            let replay = deadletters::Replay { ids, all, reason, force, dry_run };
            (config, deadletters::Action::Replay(replay))
        }
    };
    deadletters::run(&config, &action).into()
}
