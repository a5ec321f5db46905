//! Trace ids across processes, in the form of the W3C `traceparent` header.

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetrySpanExt, SetParentError};

/// The header's length in version 00; later versions may add a little.
const LONGEST_TRACEPARENT: usize = 256;

/// The W3C `traceparent` of the current span; `None` outside any span.
pub fn traceparent() -> Option<String> {
    with_current(|span| {
        format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags() & TraceFlags::SAMPLED)
    })
}

/// The same if the span is sampled: it is exported, so others may be its children.
pub fn sampled_traceparent() -> Option<String> {
    let is_sampled = with_current(|span| span.trace_flags().is_sampled()).unwrap_or_default();
    is_sampled.then(traceparent).flatten()
}

/// The trace id of the current span; `None` outside any span.
pub fn trace_id() -> Option<String> {
    with_current(|span| span.trace_id().to_string())
}

/// Makes `span` the child of the span in `traceparent`, so that both belong to one trace.
///
/// Call it before the span is entered: a span that has started keeps its own trace and gets a link instead. An invalid
/// traceparent changes nothing, because a header from elsewhere must never fail an event.
pub fn follow(span: &Span, traceparent: &str) {
    if traceparent.len() > LONGEST_TRACEPARENT {
        return;
    }
    // An empty context instead of the current one: the header alone decides.
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
    let remote = parent.span().span_context().clone();
    if !remote.is_valid() {
        return;
    }
    if let Err(SetParentError::AlreadyStarted) = span.set_parent(parent) {
        span.add_link(remote);
    }
}

fn with_current<T>(read: impl FnOnce(&SpanContext) -> T) -> Option<T> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| read(span))
    })
}

/// A carrier with one `traceparent` header and nothing else.
struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == "traceparent").then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}
