//! The content of `/metrics`.

use std::time::Duration;

use fanfare_telemetry::metrics::{FanoutMetrics, ProducerMetrics, Registry, encode, names, registry};

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start:?} in\n{text}"))
}

#[test]
fn a_fanout_shows_what_it_counted() {
    let mut registry = Registry::default();
    let metrics = FanoutMetrics::new(&mut registry);
    metrics.connection_opened("/hubs/notifications", "websocket");
    metrics.connection_opened("/hubs/notifications", "websocket");
    metrics.connection_closed("/hubs/notifications", "websocket", "client", Duration::from_secs(7));
    metrics.event_dead_lettered("license.FlagToggled", "undecodable");
    metrics.delivered(1000, 204_000);
    metrics.pushed(Duration::from_millis(3));
    metrics.resumed("complete", 7);
    metrics.set_reader_lag(Duration::from_millis(1500));
    metrics.set_broker_connected(true);
    metrics.set_ready(true);
    metrics.publish_answered(202);

    let text = encode(&registry);
    let hub = "{hub=\"/hubs/notifications\",transport=\"websocket\"}";
    assert_eq!(line(&text, "fanfare_connections{"), format!("fanfare_connections{hub} 1"));
    assert_eq!(line(&text, "fanfare_connects_total{"), format!("fanfare_connects_total{hub} 2"));
    assert_eq!(line(&text, "fanfare_closes_total"), "fanfare_closes_total{reason=\"client\"} 1");
    assert_eq!(
        line(&text, "fanfare_events_dead_lettered_total"),
        "fanfare_events_dead_lettered_total{type=\"license.FlagToggled\",reason=\"undecodable\"} 1"
    );
    assert_eq!(line(&text, "fanfare_deliveries_total"), "fanfare_deliveries_total 1000");
    assert_eq!(line(&text, "fanfare_delivery_bytes_total"), "fanfare_delivery_bytes_total 204000");
    assert_eq!(
        line(&text, "fanfare_publish_to_push_seconds_bucket{le=\"0.005\"}"),
        "fanfare_publish_to_push_seconds_bucket{le=\"0.005\"} 1"
    );
    assert_eq!(
        line(&text, "fanfare_publish_to_push_seconds_bucket{le=\"0.0025\"}"),
        "fanfare_publish_to_push_seconds_bucket{le=\"0.0025\"} 0"
    );
    assert_eq!(line(&text, "fanfare_replayed_notifications_total"), "fanfare_replayed_notifications_total 7");
    assert_eq!(line(&text, "fanfare_reader_lag_seconds "), "fanfare_reader_lag_seconds 1.5");
    assert_eq!(line(&text, "fanfare_broker_connected "), "fanfare_broker_connected 1");
    assert_eq!(line(&text, "fanfare_ready "), "fanfare_ready 1");
    assert_eq!(line(&text, "fanfare_publish_requests_total"), "fanfare_publish_requests_total{status=\"202\"} 1");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_producer_shows_what_it_counted() {
    let mut registry = Registry::default();
    let metrics = ProducerMetrics::new(&mut registry);
    metrics.set_outbox_pending(3);
    metrics.set_outbox_oldest(std::time::Duration::from_millis(61_900));
    metrics.outbox_published(2);
    metrics.outbox_parked();
    metrics.outbox_retried();
    metrics.request_answered("/orgs/{org}/flags/{flag}", 202);
    let text = encode(&registry);
    assert_eq!(line(&text, "fanfare_outbox_pending "), "fanfare_outbox_pending 3");
    assert_eq!(line(&text, "fanfare_outbox_oldest_seconds "), "fanfare_outbox_oldest_seconds 61");
    assert_eq!(line(&text, "fanfare_outbox_published_total"), "fanfare_outbox_published_total 2");
    assert_eq!(
        line(&text, "fanfare_requests_total"),
        "fanfare_requests_total{route=\"/orgs/{org}/flags/{flag}\",status=\"202\"} 1"
    );
}

#[test]
fn a_sender_cannot_make_time_series_without_end() {
    let mut registry = Registry::default();
    let metrics = FanoutMetrics::new(&mut registry);
    for n in 0..10_000 {
        metrics.event_read(&format!("flood.Event{n}"));
    }
    let text = encode(&registry);
    let series = text.lines().filter(|line| line.starts_with("fanfare_events_read_total")).count();
    assert_eq!(series, 501);
    assert_eq!(
        line(&text, "fanfare_events_read_total{type=\"other\"}"),
        "fanfare_events_read_total{type=\"other\"} 9500"
    );
}

#[test]
fn the_lag_is_reported_by_partition_and_beyond_the_limit_together() {
    let mut registry = Registry::default();
    let metrics = FanoutMetrics::new(&mut registry);
    metrics.set_partitions((0..300).map(|partition| (partition, 10, 12)));
    let text = encode(&registry);
    assert_eq!(line(&text, "fanfare_reader_head{partition=\"7\"}"), "fanfare_reader_head{partition=\"7\"} 12");
    let lag = "fanfare_reader_lag_records{partition=\"other\"}";
    assert_eq!(line(&text, lag), format!("{lag} 88"));
}

/// A metric with labels is exposed once it has a value, so each gets one.
fn touch_everything(fanout: &FanoutMetrics, producer: &ProducerMetrics) {
    fanout.connection_opened("/hubs/notifications", "websocket");
    fanout.connection_closed("/hubs/notifications", "websocket", "client", Duration::from_secs(7));
    fanout.reconnected("cursor");
    fanout.connect_refused("token");
    fanout.http_refused("body_slow");
    fanout.token_refused("expired");
    fanout.token_values_dropped("invalid", 1);
    fanout.invocation("completed");
    fanout.authorizer_answered("allowed");
    fanout.rechecked("allowed");
    fanout.event_read("a.B");
    fanout.event_decoded("a.B");
    fanout.event_dead_lettered("a.B", "undecodable");
    fanout.notification_routed("flags");
    fanout.resumed("complete", 0);
    fanout.publish_answered(202);
    fanout.set_partitions([(0, 3, 5)].into_iter());
    fanout.routes_reloaded("replaced", "abc");
    fanout.set_certificate_expires("hubs", 1_800_000_000);
    fanout.certificates_reloaded("replaced");
    fanout.broker_login_changed("replaced");
    fanout.config_reloaded("applied", true);
    fanout.throttled(1, 1);
    fanout.token_refreshed("taken");
    fanout.request_forwarded("answered");
    fanout.set_presence_members(1, 1);
    fanout.set_memory_limit(1 << 30);
    fanout.set_memory_pressure(1);
    fanout.presence_told("joined", 1);
    fanout.presence_record("read");
    fanout.set_broker_risk("replicas", true);
    producer.request_answered("/login", 200);
}

#[test]
fn every_name_is_registered_and_has_our_prefix() {
    let mut registry = registry(&[("nats", true), ("kafka", false), ("jemalloc", true)]);
    touch_everything(&FanoutMetrics::new(&mut registry), &ProducerMetrics::new(&mut registry));
    let text = encode(&registry);
    let mut registered: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    registered.sort_unstable();
    // Process metrics have the names that all programs use.
    let of_process: Vec<_> = registered.extract_if(.., |name| name.starts_with("process_")).collect();
    assert_eq!(
        of_process,
        [
            "process_cpu_seconds",
            "process_max_fds",
            "process_open_fds",
            "process_resident_memory_bytes",
            "process_start_time_seconds",
            "process_threads",
            "process_virtual_memory_bytes"
        ]
    );
    let build = line(&text, "fanfare_build_info");
    assert!(build.contains("features=\"nats,jemalloc\"") && build.ends_with(" 1"), "{build}");
    let mut named = names::ALL.to_vec();
    named.sort_unstable();
    assert_eq!(registered, named);
    assert!(named.iter().all(|name| name.starts_with("fanfare_")), "{named:?}");
}
