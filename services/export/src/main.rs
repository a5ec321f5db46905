//! Starts the export service.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use fanfare_export::{App, ExportSettings, SERVICE};
use fanfare_producer::{Authenticator, Producer, Settings, VerifiedTokens, publisher, shutdown};
use tokio::net::TcpListener;

/// Exports that run in the background, with an event for each step.
#[derive(Parser)]
#[command(name = "fanfare-export", version)]
struct Command {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    export: ExportSettings,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    fanfare_producer::exit("fanfare-export", run(command).await)
}

async fn run(command: Command) -> anyhow::Result<()> {
    let Command { settings, export } = command;
    let mut telemetry = fanfare_producer::telemetry(&SERVICE, &settings)?;
    let shutdown = shutdown::on_signal().context("cannot listen for signals")?;
    let authenticator = Authenticator::new(VerifiedTokens::new(&settings)?);
    let producer = Producer::open(SERVICE, &settings).await?;
    let of = producer.clone();
    telemetry.push_metrics(move || of.metrics_text())?;
    let publisher = publisher(&producer, &SERVICE, &settings)?;
    let app = App::open(producer.clone(), authenticator.clone(), export).await?;
    let address = settings.listen(&SERVICE);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(%address, "export is up");
    app.start_tasks(&shutdown);
    producer.run(listener, app.routes(), authenticator, publisher, shutdown).await;
    Ok(())
}
