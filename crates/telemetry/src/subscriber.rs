//! The process-wide subscriber: one layer for log lines, one for traces, and one for exported log lines.

use opentelemetry::trace::TracerProvider;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Format;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, filter, fmt};

use crate::error::TelemetryError;
use crate::exporter;
use crate::line::{JsonLine, PrettyLine};
use crate::push::Push;
use crate::settings::{LogFormat, Settings};
use crate::standard::{Metrics, Standard};

/// Sets up logs and traces for this process; lines go to standard error.
///
/// `FANFARE_LOG` filters the lines (a level, or levels by module; `info` if it is not set).
/// `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector to which spans are posted as protobuf over HTTP; without it spans
/// have ids but are not exported. The standard's other variables configure details, and whether log lines and metrics
/// are exported as well. Keep the guard until the process ends, or the last of them are lost.
pub fn init(service: &'static str, format: LogFormat) -> Result<Guard, TelemetryError> {
    let settings = Settings::from_env(service, format)?;
    let (subscriber, guard) = build(&settings, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadyInitialised)?;
    for warning in &settings.standard.warnings {
        tracing::warn!("{warning}");
    }
    Ok(guard)
}

/// Ends the exporters: on drop, they send what waits in their queues.
#[derive(Debug)]
#[must_use = "dropping the guard at once would end the export of spans"]
pub struct Guard {
    tracers: SdkTracerProvider,
    loggers: Option<SdkLoggerProvider>,
    /// The export of metrics, until there are metrics to export.
    metrics: Option<(Metrics, Resource)>,
    push: Option<Push>,
}

impl Guard {
    /// Posts metrics to the collector if the environment configures it; `read` is [`crate::metrics::encode`] of them.
    ///
    /// # Errors
    /// [`TelemetryError::Exporter`] if the exporter cannot be created.
    pub fn push_metrics(&mut self, read: impl Fn() -> String + Send + 'static) -> Result<(), TelemetryError> {
        if let Some((metrics, resource)) = self.metrics.take() {
            self.push = Some(Push::start(metrics, &resource, read)?);
        }
        Ok(())
    }

    /// Sends pending data and ends the exporters; blocks the thread for at most 5 seconds for each.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The exporter itself reports a collector that cannot be reached; at the end of the process no code is left to
        // react to it.
        drop(self.push.take());
        let _ = self.tracers.shutdown();
        if let Some(loggers) = &self.loggers {
            let _ = loggers.shutdown();
        }
    }
}

/// The subscriber and its guard, without installing them for the process.
pub(crate) fn build<W>(settings: &Settings, writer: W) -> Result<(impl Subscriber + use<W>, Guard), TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = filter_of_lines(settings)?;
    let Standard { traces, metrics, logs, .. } = &settings.standard;
    let resource = exporter::resource(settings);
    let tracers = exporter::tracer_provider(resource.clone(), traces.as_ref())?;
    let loggers = logs.as_ref().map(|export| exporter::logger_provider(resource.clone(), export)).transpose()?;
    // Traces have a separate filter: a quieter log must not cut the trace that an event continues.
    let traced = tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer("fanfare"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter::filter_fn(is_traced));
    let posted = match &loggers {
        Some(loggers) => {
            let lines = filter_of_lines(settings)?;
            let posted = OpenTelemetryTracingBridge::new(loggers).with_filter(filter::filter_fn(is_posted));
            Some(posted.with_filter(lines))
        }
        None => None,
    };
    let subscriber = Registry::default().with(traced).with(posted).with(log_layer(settings, writer).with_filter(lines));
    let metrics = metrics.clone().map(|metrics| (metrics, resource));
    Ok((subscriber, Guard { tracers, loggers, metrics, push: None }))
}

fn filter_of_lines(settings: &Settings) -> Result<EnvFilter, TelemetryError> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(&settings.filter);
    filter.map_err(|error| TelemetryError::Filter { value: settings.filter.clone(), reason: error.to_string() })
}

/// Lines that posting itself may write are not posted: each would cause another.
fn is_posted(metadata: &Metadata<'_>) -> bool {
    let of = ["opentelemetry", "hyper", "reqwest", "rustls", "h2"];
    !of.iter().any(|prefix| metadata.target().starts_with(prefix))
}

/// Spans down to `info`, and the errors within them.
///
/// Libraries create their spans at `debug` and below; the HTTP client that posts spans is one of them.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    let lowest = if metadata.is_span() { Level::INFO } else { Level::WARN };
    *metadata.level() <= lowest
}

fn log_layer<S, W>(settings: &Settings, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match settings.format {
        LogFormat::Pretty => {
            let line = PrettyLine(Format::default().compact().with_ansi(settings.colour));
            fmt::layer().with_ansi(settings.colour).event_format(line).with_writer(writer).boxed()
        }
        LogFormat::Json => {
            let inner = Format::default().json().flatten_event(true).with_current_span(true).with_span_list(false);
            let line = JsonLine { service: settings.service, inner };
            fmt::layer().fmt_fields(fmt::format::JsonFields::new()).event_format(line).with_writer(writer).boxed()
        }
    }
}
