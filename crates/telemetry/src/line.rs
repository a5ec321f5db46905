//! Log lines with the trace id of their span.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::propagation::trace_id;

/// Adds ` trace_id=…` to the end of a pretty line.
pub(crate) struct PrettyLine<F>(pub(crate) F);

/// Adds `service` and `trace_id` to the front of a JSON line.
pub(crate) struct JsonLine<F> {
    pub(crate) service: &'static str,
    pub(crate) inner: F,
}

impl<S, N, F> FormatEvent<S, N> for PrettyLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(id) = trace_id() else {
            return self.0.format_event(context, out, event);
        };
        let line = formatted(&self.0, context, event)?;
        writeln!(out, "{} trace_id={id}", line.trim_end_matches('\n'))
    }
}

impl<S, N, F> FormatEvent<S, N> for JsonLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let line = formatted(&self.inner, context, event)?;
        let Some(rest) = line.strip_prefix('{') else {
            return out.write_str(&line);
        };
        // Service names are constants of ours and trace ids hexadecimal: neither needs escaping.
        write!(out, "{{\"service\":\"{}\",", self.service)?;
        if let Some(id) = trace_id() {
            write!(out, "\"trace_id\":\"{id}\",")?;
        }
        out.write_str(rest)
    }
}

fn formatted<S, N, F>(inner: &F, context: &FmtContext<'_, S, N>, event: &Event<'_>) -> Result<String, fmt::Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    let mut line = String::with_capacity(256);
    inner.format_event(context, Writer::new(&mut line), event)?;
    Ok(line)
}
