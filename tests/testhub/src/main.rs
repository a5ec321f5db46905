//! A server for the functional tests of SignalR's clients: the hubs and methods that they call.
//!
//! It is the fan-out itself, embedded, with code behind its hubs. Only what is not SignalR, such as redirects and
//! cookies, is answered here. Never part of the product.

mod echo;
mod edge;
mod hub;
mod settings;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Parser;
use fanfare_fanout::config::Loaded;
use fanfare_fanout::embed::EmbeddedNode;
use fanfare_fanout::method::Methods;
use fanfare_fanout::socket;
use fanfare_telemetry::LogFormat;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use hub::{AuthorizedHub, TestHub};

/// Serves the hubs that the functional tests of SignalR's clients call.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port on the loopback address.
    #[arg(long, env = "FANFARE_TESTHUB_PORT", default_value_t = 5000)]
    port: u16,
    /// The folder of the JavaScript client's package, whose build for web workers is served to tests in browsers
    #[arg(long, env = "FANFARE_TESTHUB_CLIENT", default_value = "tests/clients/node_modules/@microsoft/signalr")]
    client: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let _telemetry = fanfare_telemetry::init("testhub", LogFormat::Pretty)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)))?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let config = settings::write(folder.path()).context("the temporary folder cannot be written")?;
    let node = EmbeddedNode::start(load(&config)?, methods())?;
    let router = edge::router(&node, arguments.client);
    let stop = CancellationToken::new();
    tracing::info!("listening on http://{}{}", listener.local_addr()?, settings::TEST_HUB);
    let served = tokio::spawn(socket::serve(listener, router, node.port(), |_, _| {}, stop.clone()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stop.cancel();
    node.stop().await;
    served.await?;
    Ok(())
}

fn load(config: &std::path::Path) -> anyhow::Result<Loaded> {
    Loaded::load(config).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow!("the hubs cannot be configured: {}", faults.join("; "))
    })
}

fn methods() -> Methods {
    let mut methods = Methods::default();
    let test_hub = Arc::new(TestHub);
    methods.register(settings::TEST_HUB.into(), test_hub.clone());
    methods.register(settings::WITHOUT_WEB_SOCKETS.into(), test_hub);
    methods.register(settings::AUTHORIZED.into(), Arc::new(AuthorizedHub));
    methods
}
