//! Starts the auth service.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use fanfare_auth::{App, AuthSettings, SERVICE};
use fanfare_producer::{Producer, Settings, publisher, shutdown};
use tokio::net::TcpListener;

/// Users, sessions, tokens and alerts, with an event for each change.
#[derive(Parser)]
#[command(name = "fanfare-auth", version)]
struct Command {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    auth: AuthSettings,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    fanfare_producer::exit("fanfare-auth", run(command).await)
}

async fn run(command: Command) -> anyhow::Result<()> {
    let Command { settings, auth } = command;
    let mut telemetry = fanfare_producer::telemetry(&SERVICE, &settings)?;
    let shutdown = shutdown::on_signal().context("cannot listen for signals")?;
    let producer = Producer::open(SERVICE, &settings).await?;
    let of = producer.clone();
    telemetry.push_metrics(move || of.metrics_text())?;
    let publisher = publisher(&producer, &SERVICE, &settings)?;
    let app = App::open(producer.clone(), settings.issuer(&SERVICE), &auth).await?;
    let address = settings.listen(&SERVICE);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(%address, "auth is up");
    app.start_tasks(&shutdown);
    producer.run(listener, app.routes(), app.authenticator(), publisher, shutdown).await;
    Ok(())
}
