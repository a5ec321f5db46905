//! The tracer: ids for every span, and a way out for them where a collector is named.

use std::path::Path;

use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use reqwest::blocking::Client;
use reqwest::{Certificate, Identity};

use crate::error::TelemetryError;
use crate::standard::Export;

/// A tracer provider for a service that posts spans in batches to where the environment says, or keeps them to itself.
pub(crate) fn tracer_provider(service: &str, export: Option<&Export>) -> Result<SdkTracerProvider, TelemetryError> {
    let resource = Resource::builder().with_service_name(service.to_owned()).build();
    let provider = SdkTracerProvider::builder().with_resource(resource);
    let Some(export) = export else {
        // Nothing reads the spans, so they record nothing: a span costs its ids. One that continues a sampled trace
        // stays sampled, or the services behind this one would drop the rest of that trace.
        return Ok(provider.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff))).build());
    };
    // The batch exporter has a thread of its own and a bounded queue (OTEL_BSP_MAX_QUEUE_SIZE, 2048 spans); what does
    // not fit is dropped and counted there.
    let exporter = span_exporter(export)?;
    Ok(provider.with_sampler(export.sampler.clone()).with_batch_exporter(exporter).build())
}

/// Headers and compression are read from the environment by the exporter itself.
fn span_exporter(export: &Export) -> Result<SpanExporter, TelemetryError> {
    let Export { url, timeout, .. } = export;
    let fault = |reason: String| TelemetryError::Exporter { endpoint: url.clone(), reason };
    if !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(fault("it does not begin with http:// or https://".to_owned()));
    }
    let mut exporter = SpanExporter::builder().with_http();
    if let Some(client) = client(export).map_err(fault)? {
        exporter = exporter.with_http_client(client);
    }
    exporter
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(*timeout)
        .build()
        .map_err(|error| fault(error.to_string()))
}

/// A client with the certificates that are asked for; none where the exporter's own will do.
fn client(export: &Export) -> Result<Option<Client>, String> {
    if export.certificate.is_none() && export.client.is_none() {
        return Ok(None);
    }
    let mut client = Client::builder().timeout(export.timeout);
    if let Some(path) = &export.certificate {
        let certificates = Certificate::from_pem_bundle(&read(path)?).map_err(|error| unusable(path, &error))?;
        if certificates.is_empty() {
            return Err(format!("{} holds no certificate in PEM", path.display()));
        }
        client = client.tls_certs_merge(certificates);
    }
    if let Some((certificate, key)) = &export.client {
        let mut pem = read(key)?;
        pem.push(b'\n');
        pem.extend(read(certificate)?);
        client = client.identity(Identity::from_pem(&pem).map_err(|error| unusable(certificate, &error))?);
    }
    // A blocking client has a runtime of its own, which cannot be made on a thread that has one.
    let made = std::thread::spawn(move || client.build()).join();
    match made {
        Ok(client) => client.map(Some).map_err(|error| error.to_string()),
        Err(_) => Err("its HTTP client cannot be made".to_owned()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

fn unusable(path: &Path, error: &reqwest::Error) -> String {
    format!("{} cannot be used: {error}", path.display())
}
