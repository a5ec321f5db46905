//! The tracer: ids for every span, and a way out for them where a collector is named.

use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use crate::error::TelemetryError;

/// A tracer provider for `service` that posts spans to `traces_url` in batches, or keeps them to itself.
pub(crate) fn tracer_provider(
    service: &'static str,
    traces_url: Option<&str>,
) -> Result<SdkTracerProvider, TelemetryError> {
    let resource = Resource::builder().with_service_name(service).build();
    let provider = SdkTracerProvider::builder().with_resource(resource);
    let Some(url) = traces_url else {
        // Nothing reads the spans, so they record nothing: a span costs its ids. One that continues a sampled trace
        // stays sampled, or the services behind this one would drop the rest of that trace.
        return Ok(provider.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff))).build());
    };
    // The batch exporter has a thread of its own and a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2048 spans); what does
    // not fit is dropped and counted there. The sampler is the standard's OTEL_TRACES_SAMPLER.
    let exporter = span_exporter(url)?;
    Ok(provider.with_batch_exporter(exporter).build())
}

fn span_exporter(url: &str) -> Result<SpanExporter, TelemetryError> {
    let fault = |reason: String| TelemetryError::Exporter { endpoint: url.to_owned(), reason };
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(fault("it does not begin with http:// or https://".to_owned()));
    }
    SpanExporter::builder()
        .with_http()
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .build()
        .map_err(|error| fault(error.to_string()))
}
