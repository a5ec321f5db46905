//! Exporters to a collector: for spans, which have ids with or without a collector, and for log lines.

use std::path::Path;

use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use reqwest::blocking::Client;
use reqwest::{Certificate, Identity};

use crate::error::TelemetryError;
use crate::settings::Settings;
use crate::standard::{Export, Traces};

/// The attributes of everything that a process exports: its service, the service's instance, and those from the
/// environment.
pub(crate) fn resource(settings: &Settings) -> Resource {
    let standard = &settings.standard;
    let service = standard.service.clone().unwrap_or_else(|| settings.service.to_owned());
    let resource = Resource::builder().with_service_name(service);
    if standard.names_instance {
        return resource.build();
    }
    // Without it the metrics of two nodes would be mixed. In each container the process id is 1, but the host has a
    // name.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let instance = format!("{}-{}", host.trim(), std::process::id());
    resource.with_attribute(opentelemetry::KeyValue::new("service.instance.id", instance)).build()
}

/// A tracer provider that posts spans in batches to the configured collector, or does not export them.
pub(crate) fn tracer_provider(
    resource: Resource,
    traces: Option<&Traces>,
) -> Result<SdkTracerProvider, TelemetryError> {
    let provider = SdkTracerProvider::builder().with_resource(resource);
    let Some(Traces { export, sampler }) = traces else {
        // No exporter reads the spans, so they record nothing: a span only costs its ids. A span that continues a
        // sampled trace stays sampled; otherwise the services after this one would drop the rest of that trace.
        return Ok(provider.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff))).build());
    };
    let mut exporter = SpanExporter::builder().with_http();
    if let Some(client) = client(export)? {
        exporter = exporter.with_http_client(client);
    }
    let exporter = exporter.with_endpoint(&export.url).with_protocol(Protocol::HttpBinary).with_timeout(export.timeout);
    let exporter = exporter.build().map_err(|error| fault(export, &error))?;
    // The batch exporter has a thread of its own and a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2048 spans); excess
    // spans are dropped and counted there. It reads headers and compression from the environment itself.
    Ok(provider.with_sampler(sampler.clone()).with_batch_exporter(exporter).build())
}

/// A logger provider that posts log lines in batches, bounded like that of spans (OTEL_BLRP_MAX_QUEUE_SIZE).
pub(crate) fn logger_provider(resource: Resource, export: &Export) -> Result<SdkLoggerProvider, TelemetryError> {
    let mut exporter = LogExporter::builder().with_http();
    if let Some(client) = client(export)? {
        exporter = exporter.with_http_client(client);
    }
    let exporter = exporter.with_endpoint(&export.url).with_protocol(Protocol::HttpBinary).with_timeout(export.timeout);
    let exporter = exporter.build().map_err(|error| fault(export, &error))?;
    Ok(SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

/// A client with the configured certificates; none if the exporter's default client is enough.
fn client(export: &Export) -> Result<Option<Client>, TelemetryError> {
    if !(export.url.starts_with("http://") || export.url.starts_with("https://")) {
        return Err(fault(export, &"it does not begin with http:// or https://"));
    }
    let is_plain = export.certificate.is_none() && export.client.is_none();
    if is_plain { Ok(None) } else { own_client(export).map(Some) }
}

/// A client that posts as the environment configures.
pub(crate) fn own_client(export: &Export) -> Result<Client, TelemetryError> {
    let mut client = Client::builder().timeout(export.timeout);
    if let Some(path) = &export.certificate {
        let pem = read(path).map_err(|reason| fault(export, &reason))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(export, path, &error))?;
        if certificates.is_empty() {
            return Err(fault(export, &format_args!("{} holds no certificate in PEM", path.display())));
        }
        client = client.tls_certs_merge(certificates);
    }
    if let Some((certificate, key)) = &export.client {
        let mut pem = read(key).map_err(|reason| fault(export, &reason))?;
        pem.push(b'\n');
        pem.extend(read(certificate).map_err(|reason| fault(export, &reason))?);
        client = client.identity(Identity::from_pem(&pem).map_err(|error| unusable(export, certificate, &error))?);
    }
    // A blocking client has a runtime of its own, which cannot be created on a thread that has one.
    let made = std::thread::spawn(move || client.build()).join();
    match made {
        Ok(client) => client.map_err(|error| fault(export, &error)),
        Err(_) => Err(fault(export, &"its HTTP client cannot be made")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

fn unusable(export: &Export, path: &Path, error: &reqwest::Error) -> TelemetryError {
    fault(export, &format_args!("{} cannot be used: {error}", path.display()))
}

pub(crate) fn fault(export: &Export, reason: &dyn std::fmt::Display) -> TelemetryError {
    TelemetryError::Exporter { endpoint: export.url.clone(), reason: reason.to_string() }
}
