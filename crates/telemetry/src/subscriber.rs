//! The process-wide subscriber: one layer for log lines, one for traces.

use opentelemetry::trace::TracerProvider;
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
use crate::settings::{LogFormat, Settings};
use crate::standard::Standard;

/// Sets up logs and traces for this process; lines go to standard error.
///
/// `FANFARE_LOG` filters the lines (a level, or levels by module; `info` if it is not set).
/// `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector that spans are posted to as protobuf over HTTP; without it spans
/// have ids and go nowhere; the standard's other variables say how. Keep the guard until the process ends, or the last spans are lost.
pub fn init(service: &'static str, format: LogFormat) -> Result<Guard, TelemetryError> {
    let settings = Settings::from_env(service, format)?;
    let (subscriber, guard) = build(&settings, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadyInitialised)?;
    for warning in &settings.standard.warnings {
        tracing::warn!("{warning}");
    }
    Ok(guard)
}

/// Ends the exporter: spans that wait in its queue are sent when it is dropped.
#[derive(Debug)]
#[must_use = "dropping the guard at once would end the export of spans"]
pub struct Guard {
    provider: SdkTracerProvider,
}

impl Guard {
    /// Sends what waits and ends the exporter; blocks the thread for at most 5 seconds.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A collector that cannot be reached is reported by the exporter itself; at the end of the process there is
        // nobody left to act on it.
        let _ = self.provider.shutdown();
    }
}

/// The subscriber and its guard, without making them the process's own.
pub(crate) fn build<W>(settings: &Settings, writer: W) -> Result<(impl Subscriber + use<W>, Guard), TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(&settings.filter)
        .map_err(|error| TelemetryError::Filter { value: settings.filter.clone(), reason: error.to_string() })?;
    let Standard { service, export, .. } = &settings.standard;
    let provider = exporter::tracer_provider(service.as_deref().unwrap_or(settings.service), export.as_ref())?;
    // Traces have a filter of their own: a quieter log must not cut the trace that an event carries on.
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("fanfare"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter::filter_fn(is_traced));
    let subscriber = Registry::default().with(traces).with(log_layer(settings, writer).with_filter(lines));
    Ok((subscriber, Guard { provider }))
}

/// Spans down to `info`, and what went wrong inside them.
///
/// Libraries make their spans at `debug` and below; the HTTP client that posts spans is one of them.
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
