//! The subscriber as a service uses it, on one thread and with its lines in memory.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::{Span, info, info_span};
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::{DEFAULT_FILTER, LogFormat, Settings};
use crate::standard::{Standard, Traces};
use crate::subscriber::build;
use crate::{TelemetryError, fields, follow, trace_id, traceparent};

/// A trace that another service would have started.
const REMOTE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const REMOTE_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn settings() -> Settings {
    Settings {
        service: "test",
        format: LogFormat::Json,
        filter: DEFAULT_FILTER.to_owned(),
        colour: false,
        standard: Standard::default(),
    }
}

/// Runs `body` under a subscriber of its own and returns its log output.
fn logged(settings: &Settings, body: impl FnOnce()) -> String {
    let lines = Lines::default();
    let (subscriber, _guard) = build(settings, lines.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, body);
    lines.text()
}

fn json(line: &str) -> serde_json::Value {
    serde_json::from_str(line.trim()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn every_span_has_a_traceparent_without_a_collector() {
    logged(&settings(), || {
        assert_eq!(traceparent(), None, "outside a span there is none");
        let _span = info_span!("request").entered();
        let header = traceparent().unwrap();
        let parts: Vec<_> = header.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2], "{header}");
        assert_eq!((parts[0], parts[3]), ("00", "00"), "nothing records it, so it is not sampled");
        assert_eq!(trace_id().as_deref(), Some(parts[1]));
    });
}

#[test]
fn a_span_follows_the_trace_of_another_process() {
    logged(&settings(), || {
        let span = info_span!("event");
        follow(&span, REMOTE);
        let _entered = span.entered();
        let header = traceparent().unwrap();
        assert!(header.starts_with(&format!("00-{REMOTE_TRACE}-")), "{header}");
        assert!(header.ends_with("-01"), "the sampled flag goes on to the services behind: {header}");
        assert!(!header.contains("b7ad6b7169203331"), "the span has an id of its own: {header}");
        let _child = info_span!("child").entered();
        assert_eq!(trace_id().as_deref(), Some(REMOTE_TRACE));
    });
}

#[test]
fn text_that_is_no_traceparent_changes_nothing() {
    let long = format!("{REMOTE}{}", "-00".repeat(1000));
    let zero = "00-00000000000000000000000000000000-0000000000000000-01";
    for text in ["", "garbage", "00-xyz-abc-01", "é-é-é-é", zero, "ff-0af7-b7ad-01", long.as_str()] {
        logged(&settings(), || {
            let span = info_span!("event");
            follow(&span, text);
            let _entered = span.entered();
            let own = trace_id().unwrap();
            assert!(own != REMOTE_TRACE && own != "0".repeat(32), "{text:?} gave {own}");
        });
    }
}

#[test]
fn a_span_that_has_begun_keeps_its_trace() {
    logged(&settings(), || {
        let span = info_span!("event");
        let own = span.in_scope(trace_id);
        follow(&span, REMOTE);
        assert_eq!(span.in_scope(trace_id), own);
        follow(&Span::none(), REMOTE);
    });
}

#[test]
fn a_quiet_log_does_not_cut_the_trace() {
    let quiet = Settings { filter: "error".to_owned(), ..settings() };
    let text = logged(&quiet, || {
        let span = info_span!("event");
        follow(&span, REMOTE);
        span.in_scope(|| {
            info!("not written");
            assert_eq!(trace_id().as_deref(), Some(REMOTE_TRACE));
        });
    });
    assert_eq!(text, "");
}

#[test]
fn a_json_line_carries_service_trace_and_fields() {
    let text = logged(&settings(), || {
        info!("outside");
        let span = info_span!("event", { fields::EVENT_TYPE } = "license.FlagToggled");
        follow(&span, REMOTE);
        span.in_scope(|| info!({ fields::COUNT } = 3, "inside \"quotes\""));
    });
    let lines: Vec<_> = text.lines().map(json).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((lines[0]["service"].as_str(), lines[0].get("trace_id")), (Some("test"), None));
    assert_eq!(lines[1][fields::TRACE_ID], REMOTE_TRACE);
    assert_eq!(lines[1]["message"], "inside \"quotes\"");
    assert_eq!(lines[1][fields::COUNT], 3);
    assert_eq!(lines[1]["span"][fields::EVENT_TYPE], "license.FlagToggled");
    assert_eq!(lines[1]["level"], "INFO");
}

#[test]
fn a_pretty_line_ends_with_the_trace() {
    let text = logged(&Settings { format: LogFormat::Pretty, ..settings() }, || {
        let span = info_span!("event");
        follow(&span, REMOTE);
        span.in_scope(|| info!("inside"));
    });
    assert!(text.ends_with(&format!(" trace_id={REMOTE_TRACE}\n")), "{text:?}");
    assert!(text.contains("inside") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn a_filter_that_cannot_be_read_is_an_error_that_names_it() {
    let wrong = Settings { filter: "fanfare=loud".to_owned(), ..settings() };
    let fault = build(&wrong, std::io::sink).err().expect("no such level");
    assert!(matches!(fault, TelemetryError::Filter { .. }), "{fault:?}");
    assert!(fault.to_string().contains("FANFARE_LOG=\"fanfare=loud\""), "{fault}");
}

#[test]
fn an_endpoint_that_is_no_url_is_an_error_that_names_it() {
    for endpoint in ["127.0.0.1:4318/v1/traces", "grpc://collector:4317/v1/traces", "http://exa mple/v1/traces"] {
        let standard = Standard { traces: Some(Traces::to(endpoint)), ..Standard::default() };
        let wrong = Settings { standard, ..settings() };
        let fault = build(&wrong, std::io::sink).err().expect("no such endpoint");
        assert!(matches!(fault, TelemetryError::Exporter { .. }), "{fault:?}");
        assert!(fault.to_string().contains(endpoint), "{fault}");
    }
}
