//! The two text formats of `/metrics`, and which one a scraper requests.

use std::borrow::Cow;
use std::fmt::Write as _;

use prometheus_client::registry::Registry;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The answer of `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposition {
    /// The content type of the text.
    pub content_type: &'static str,
    /// Every metric and its value.
    pub text: String,
}

/// The current values of all registered metrics, in the format that the header `Accept` requests: OpenMetrics if it is
/// named, else Prometheus' text format 0.0.4, which every scraper reads.
pub fn expose(registry: &Registry, accept: Option<&str>) -> Exposition {
    let text = encode(registry);
    if wants_open_metrics(accept.unwrap_or_default()) {
        Exposition { content_type: OPEN_METRICS, text }
    } else {
        Exposition { content_type: PLAIN, text: plain(&text) }
    }
}

/// The current values of all registered metrics in the OpenMetrics text format.
pub fn encode(registry: &Registry) -> String {
    let mut text = String::with_capacity(8 * 1024);
    // Writing into a String does not fail, and none of our metrics has an encoder that does.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}

/// Whether the scraper prefers OpenMetrics at least as much as the other format.
fn wants_open_metrics(accept: &str) -> bool {
    let (mut open_metrics, mut plain) = (0.0_f32, 0.0_f32);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut weight, mut version) = (1.0, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "q" | "Q" => weight = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match (media.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0" | "0.0.1")) => open_metrics = open_metrics.max(weight),
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => plain = plain.max(weight),
            _ => {}
        }
    }
    open_metrics > 0.0 && open_metrics >= plain
}

/// Converts OpenMetrics text to format 0.0.4. There a counter's name includes `_total`; units and the end marker do not
/// exist. Samples are the same.
fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(of) = line.strip_prefix("# HELP ") {
            help = of.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|of| of.split_once(' ')) {
            let (name, kind) = match kind {
                "counter" => (Cow::from(format!("{name}_total")), kind),
                "info" => (Cow::from(format!("{name}_info")), "gauge"),
                "unknown" => (Cow::from(name), "untyped"),
                _ => (Cow::from(name), kind),
            };
            if let Some((_, help)) = help.take() {
                let _ = writeln!(text, "# HELP {name} {help}");
            }
            let _ = writeln!(text, "# TYPE {name} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;

    use super::*;

    #[test]
    fn a_scraper_gets_the_form_that_it_asks_for() {
        // Prometheus 2 and 3, and others.
        for asks in [
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.5,*/*;q=0.1",
            "application/openmetrics-text",
            "text/html, application/openmetrics-text; version=\"1.0.0\"",
        ] {
            assert!(wants_open_metrics(asks), "{asks}");
        }
        for asks in [
            "",
            "*/*",
            "text/plain;version=0.0.4",
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7",
            ";;,=;q,,",
        ] {
            assert!(!wants_open_metrics(asks), "{asks}");
        }
    }

    #[test]
    fn the_older_form_calls_counters_as_their_values() {
        let mut registry = Registry::default();
        let (counter, gauge, histogram) = (Counter::<u64>::default(), Gauge::<i64>::default(), Histogram::new([0.5]));
        registry.register("fanfare_hits", "Hits: \"all\"", counter.clone());
        registry.register("fanfare_size", "Size", gauge.clone());
        registry.register("fanfare_wait_seconds", "Wait", histogram.clone());
        counter.inc_by(3);
        gauge.set(-2);
        histogram.observe(0.25);
        let Exposition { content_type, text } = expose(&registry, None);
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(
            text,
            "# HELP fanfare_hits_total Hits: \"all\".\n# TYPE fanfare_hits_total counter\nfanfare_hits_total 3\n\
             # HELP fanfare_size Size.\n# TYPE fanfare_size gauge\nfanfare_size -2\n\
             # HELP fanfare_wait_seconds Wait.\n# TYPE fanfare_wait_seconds histogram\nfanfare_wait_seconds_sum 0.25\n\
             fanfare_wait_seconds_count 1\nfanfare_wait_seconds_bucket{le=\"0.5\"} 1\n\
             fanfare_wait_seconds_bucket{le=\"+Inf\"} 1\n"
        );
        let open_metrics = expose(&registry, Some("application/openmetrics-text"));
        assert!(open_metrics.text.contains("# TYPE fanfare_hits counter\n") && open_metrics.text.ends_with("# EOF\n"));
        assert_eq!(open_metrics.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    }
}
