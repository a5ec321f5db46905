//! Metrics in the OTLP format; pure. Both formats come from one registry, so they agree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::metrics::families::{Family, Kind, Sample, families};

/// The period of a count, in nanoseconds since the epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Its start.
    pub(crate) from: u64,
    /// Its end.
    pub(crate) to: u64,
}

/// The request for a metrics text. Counts are cumulative since the start of the process.
pub(crate) fn request(text: &str, resource: &opentelemetry_sdk::Resource, span: Span) -> ExportMetricsServiceRequest {
    let metrics = families(text).into_iter().filter(|family| !family.samples.is_empty());
    let scope = ScopeMetrics {
        scope: Some(InstrumentationScope { name: "fanfare".to_owned(), ..InstrumentationScope::default() }),
        metrics: metrics.map(|family| metric(&family, span)).collect(),
        schema_url: String::new(),
    };
    let attributes = resource.iter().map(|(name, value)| attribute(name.as_str(), value.as_str())).collect();
    let resource = Resource { attributes, ..Resource::default() };
    let all = ResourceMetrics { resource: Some(resource), scope_metrics: vec![scope], schema_url: String::new() };
    ExportMetricsServiceRequest { resource_metrics: vec![all] }
}

fn attribute(key: &str, value: Cow<'_, str>) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.into_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn metric(family: &Family<'_>, span: Span) -> Metric {
    let cumulative = AggregationTemporality::Cumulative.into();
    let points = || family.samples.iter().map(|sample| point(sample, span)).collect();
    let data = match family.kind {
        Kind::Counter => {
            metric::Data::Sum(Sum { data_points: points(), aggregation_temporality: cumulative, is_monotonic: true })
        }
        Kind::Gauge => metric::Data::Gauge(Gauge { data_points: points() }),
        Kind::Histogram => {
            let data_points = histograms(&family.samples, span);
            metric::Data::Histogram(Histogram { data_points, aggregation_temporality: cumulative })
        }
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        // OTLP writes units in UCUM.
        unit: if family.name.ends_with("_seconds") {
            "s"
        } else if family.name.ends_with("_bytes") {
            "By"
        } else {
            ""
        }
        .to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn point(sample: &Sample<'_>, span: Span) -> NumberDataPoint {
    NumberDataPoint {
        attributes: sample.labels.iter().map(|(name, value)| attribute(name, value.clone())).collect(),
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        value: Some(number_data_point::Value::AsDouble(sample.value)),
        ..NumberDataPoint::default()
    }
}

/// One point for each label set. The text's buckets are cumulative; those of OTLP contain only their own counts, and
/// the last has no upper bound.
fn histograms(samples: &[Sample<'_>], span: Span) -> Vec<HistogramDataPoint> {
    let mut points: BTreeMap<Vec<(&str, &str)>, HistogramDataPoint> = BTreeMap::new();
    for sample in samples {
        let mut end = None;
        let labels = sample.labels.iter().filter_map(|(name, value)| {
            if *name == "le" {
                end = value.parse::<f64>().ok();
                return None;
            }
            Some((*name, &**value))
        });
        let labels: Vec<_> = labels.collect();
        let point = points.entry(labels.clone()).or_insert_with(|| HistogramDataPoint {
            attributes: labels.iter().map(|(name, value)| attribute(name, Cow::Borrowed(value))).collect(),
            start_time_unix_nano: span.from,
            time_unix_nano: span.to,
            ..HistogramDataPoint::default()
        });
        match (sample.ending, end) {
            ("_sum", _) => point.sum = Some(sample.value),
            ("_count", _) => point.count = count(sample.value),
            ("_bucket", Some(end)) => {
                let before: u64 = point.bucket_counts.iter().sum();
                point.bucket_counts.push(count(sample.value).saturating_sub(before));
                if end.is_finite() {
                    point.explicit_bounds.push(end);
                }
            }
            _ => {}
        }
    }
    points.into_values().collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count that was written as a number")]
fn count(value: f64) -> u64 {
    value.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::EncodeLabelSet;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family as Metrics;
    use prometheus_client::metrics::gauge::Gauge as Level;
    use prometheus_client::metrics::histogram::Histogram as Measured;
    use prometheus_client::registry::Registry;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
    struct Hub {
        hub: &'static str,
    }

    fn text(value: &KeyValue) -> (String, String) {
        let Some(any_value::Value::StringValue(text)) = value.value.clone().and_then(|value| value.value) else {
            panic!("no text");
        };
        (value.key.clone(), text)
    }

    #[test]
    fn each_metric_is_posted_as_what_it_is() {
        let mut registry = Registry::default();
        let (hits, lag) = (Metrics::<Hub, Counter>::default(), Level::<i64>::default());
        let wait = Measured::new([0.5, 1.0]);
        registry.register("hits", "Hits", hits.clone());
        registry.register("lag_seconds", "Lag", lag.clone());
        registry.register("wait_seconds", "Wait", wait.clone());
        hits.get_or_create(&Hub { hub: "/a" }).inc_by(3);
        lag.set(-2);
        [0.25, 0.75, 0.8, 7.0].into_iter().for_each(|value| wait.observe(value));
        let resource = opentelemetry_sdk::Resource::builder().with_service_name("fanout").build();
        let posted = request(&crate::metrics::encode(&registry), &resource, Span { from: 1, to: 2 });
        let all = &posted.resource_metrics[0];
        let of = all.resource.as_ref().expect("a resource").attributes.iter().map(text).collect::<Vec<_>>();
        assert!(of.contains(&("service.name".to_owned(), "fanout".to_owned())), "{of:?}");
        let [hits, lag, wait] = &all.scope_metrics[0].metrics[..] else { panic!("{all:?}") };
        let Some(metric::Data::Sum(sum)) = &hits.data else { panic!("{hits:?}") };
        assert!(sum.is_monotonic && hits.name == "hits" && hits.description == "Hits.");
        assert_eq!(text(&sum.data_points[0].attributes[0]), ("hub".to_owned(), "/a".to_owned()));
        assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsDouble(3.0)));
        let Some(metric::Data::Gauge(gauge)) = &lag.data else { panic!("{lag:?}") };
        assert_eq!((gauge.data_points[0].value, &*lag.unit), (Some(number_data_point::Value::AsDouble(-2.0)), "s"));
        let Some(metric::Data::Histogram(histogram)) = &wait.data else { panic!("{wait:?}") };
        let point = &histogram.data_points[0];
        assert_eq!((&*point.explicit_bounds, &*point.bucket_counts), (&[0.5, 1.0][..], &[1, 2, 1][..]));
        assert_eq!((point.count, point.sum), (4, Some(8.8)));
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 2));
    }
}
