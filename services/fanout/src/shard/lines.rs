//! Log lines of connections, limited so that no client floods a log.
//!
//! Each names the connection, its user, org and hub, and the ids of the request that opened it. None contains a
//! payload, an argument or a token. Beyond its rate a line is written at `debug` only, and the number of such lines is
//! logged.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tracing::Span;

use super::moments::Moments;
use super::replay::Kind;
use super::tab::Tab;
use super::{Core, Key};
use crate::connection::{CloseReason, Trail};
use crate::vocabulary::name::GroupName;

/// How many lines one client may cause at once, and how long it takes until it may cause another.
const OF_CLIENT: Rate = Rate { burst: 20, every: Duration::from_secs(3) };

/// The same of connections that come and go, for a shard.
const OF_SHARD: Rate = Rate { burst: 1000, every: Duration::from_millis(10) };

#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u32,
    every: Duration,
}

/// How many lines may be written.
#[derive(Debug)]
pub(super) struct Lines {
    left: u32,
    since: Instant,
    left_out: u32,
    rate: Rate,
}

impl Lines {
    pub(super) fn of_client(now: Instant) -> Self {
        Self { left: OF_CLIENT.burst, since: now, left_out: 0, rate: OF_CLIENT }
    }

    pub(super) fn of_shard(now: Instant) -> Self {
        Self { left: OF_SHARD.burst, since: now, left_out: 0, rate: OF_SHARD }
    }

    /// Whether one more may be written.
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        let earned = u32::try_from(passed.as_nanos() / self.rate.every.as_nanos()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(self.rate.burst);
            self.since += self.rate.every.saturating_mul(earned);
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.left_out = self.left_out.saturating_add(1);
            return false;
        };
        self.left = left;
        true
    }

    /// How many were not written since this was asked last.
    pub(super) fn take_left_out(&mut self) -> u32 {
        std::mem::take(&mut self.left_out)
    }
}

/// The fields of a connection that are known from its first moment on.
#[derive(Debug)]
pub(super) struct Life {
    /// When it was opened.
    pub(super) opened: Instant,
    /// The same in seconds since the epoch.
    pub(super) since: i64,
    /// The address it came from, where calls are counted by that.
    pub(super) address: Option<Box<IpAddr>>,
    /// Its ids in the logs of other systems.
    pub(super) trail: Trail,
    /// Whether it is known to be of a client that came back.
    pub(super) has_returned: bool,
    pub(super) moments: Moments,
    lines: Lines,
}

impl Life {
    pub(super) fn new(now: Instant, since: i64, address: Option<IpAddr>, trail: Trail) -> Self {
        Self {
            opened: now,
            since,
            address: address.map(Box::new),
            trail,
            has_returned: false,
            moments: Moments::default(),
            lines: Lines::of_client(now),
        }
    }
}

/// The fields of a line besides those of its connection.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    pub(super) method: Option<&'a str>,
    pub(super) group: Option<&'a GroupName>,
    pub(super) event: Option<&'a str>,
    pub(super) reason: Option<&'static str>,
}

/// The id of the trace of a span, or else of a tab.
fn trace_of(span: &Span, tab: &Tab) -> Option<String> {
    span.in_scope(fanfare_telemetry::trace_id).or_else(|| tab.life.trail.trace_id().map(str::to_owned))
}

/// Writes a line with all that is known of a tab.
macro_rules! write_line {
    ($level:ident, $tab:expr, $message:expr, $($field:ident = $value:expr),* $(,)?) => {{
        let tab = $tab;
        let claims = tab.identity.as_ref().map(|who| who.claims());
        tracing::$level!(
            connection = %tab.id,
            user = claims.map(|claims| claims.user.as_str()),
            org = claims.and_then(|claims| claims.org.as_ref()).map(|org| org.as_str()),
            hub = &*tab.hub.path,
            correlation_id = tab.life.trail.correlation.as_deref(),
            $($field = $value,)*
            "{}", $message
        )
    }};
}

impl Core {
    /// Writes what came of a call, or of something else that concerns one connection and may be many lines.
    pub(super) fn say(&mut self, key: Key, span: &Span, message: &'static str, line: &Line<'_>) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let may_write = tab.life.lines.take(now);
        if !may_write && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let tab = &*tab;
        let (trace_id, group) = (trace_of(span, tab), line.group.map(tracing::field::display));
        let method = line.method;
        if may_write {
            write_line!(
                info,
                tab,
                message,
                trace_id = trace_id,
                method = method,
                group = group,
                event_id = line.event,
                reason = line.reason,
            );
        } else {
            write_line!(
                debug,
                tab,
                message,
                trace_id = trace_id,
                method = method,
                group = group,
                event_id = line.event,
                reason = line.reason,
            );
        }
    }

    /// A connection has been admitted.
    pub(super) fn say_connected(&mut self, key: Key) {
        let now = self.now();
        let may_write = self.lines.take(now);
        let Some(tab) = self.connections.get(key) else { return };
        let (transport, protocol) =
            (tab.transport.name(), tab.connection.protocol().map(|it| format!("{it:?}").to_ascii_lowercase()));
        let groups = tab.subscriptions.groups().count();
        let trace_id = tab.life.trail.trace_id();
        if may_write {
            write_line!(
                info,
                tab,
                "connected",
                trace_id = trace_id,
                transport = transport,
                protocol = protocol,
                groups = groups,
            );
        } else {
            write_line!(
                debug,
                tab,
                "connected",
                trace_id = trace_id,
                transport = transport,
                protocol = protocol,
                groups = groups,
            );
        }
    }

    /// A connection is gone.
    pub(super) fn say_closed(&mut self, key: Key, reason: &CloseReason) {
        let now = self.now();
        let may_write = self.lines.take(now);
        let Some(tab) = self.connections.get_mut(key) else { return };
        let left_out = Some(tab.life.lines.take_left_out()).filter(|count| *count > 0);
        let tab = &*tab;
        let open = u64::try_from(now.saturating_duration_since(tab.life.opened).as_millis()).unwrap_or(u64::MAX);
        let (trace_id, transport, fault) = (tab.life.trail.trace_id(), tab.transport.name(), reason.fault());
        let reason = reason.label();
        if may_write {
            write_line!(
                info,
                tab,
                "closed",
                trace_id = trace_id,
                transport = transport,
                reason = reason,
                fault = tracing::field::debug(fault),
                duration_ms = open,
                lines_left_out = left_out,
            );
        } else {
            write_line!(
                debug,
                tab,
                "closed",
                trace_id = trace_id,
                transport = transport,
                reason = reason,
                fault = tracing::field::debug(fault),
                duration_ms = open,
                lines_left_out = left_out,
            );
        }
    }

    /// Logs how many lines of connections that came and went were left out.
    pub(super) fn say_left_out(&mut self) {
        let left_out = self.lines.take_left_out();
        if left_out > 0 {
            tracing::warn!(shard = self.index, left_out, "further connections opened or closed without a log line");
        }
    }

    /// The span of a call: a child of the one that the call names, or else of the connection's own.
    pub(super) fn call_span(&self, key: Key, method: &str, named: Option<&str>) -> Span {
        let Some(tab) = self.connections.get(key) else { return Span::none() };
        let span = tracing::info_span!("call", method, hub = &*tab.hub.path, connection = %tab.id);
        if let Some(parent) = named.or(tab.life.trail.traceparent.as_deref()) {
            fanfare_telemetry::follow(&span, parent);
        }
        span
    }
}

/// The span of a replay: within that of the call that asks for it, or else of its connection.
pub(super) fn replay_span(tab: &Tab, kind: &Kind) -> Span {
    let why = match kind {
        Kind::Call(_) => "call",
        Kind::AtConnect => "connect",
        Kind::Behind(_) => "behind",
        Kind::Rejoin(_) => "rejoin",
        Kind::Pause | Kind::Cut => return Span::none(),
    };
    let span = tracing::info_span!(
        parent: tab.calls.running().filter(|_| matches!(kind, Kind::Call(_))).and_then(|running| running.span.id()),
        "resume",
        why,
        hub = &*tab.hub.path,
        connection = %tab.id,
        sent = tracing::field::Empty,
        complete = tracing::field::Empty
    );
    if let (false, Some(parent)) = (matches!(kind, Kind::Call(_)), &tab.life.trail.traceparent) {
        fanfare_telemetry::follow(&span, parent);
    }
    span
}

/// A notification was handed to a connection; written within the span of its push.
pub(super) fn say_pushed(tab: &Tab, group: &GroupName) {
    write_line!(debug, tab, "pushed", group = tracing::field::display(group));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_floods_causes_a_few_lines_and_the_rest_is_counted() {
        let start = Instant::now();
        let mut lines = Lines::of_client(start);
        let written = (0..1000).filter(|_| lines.take(start)).count();
        assert_eq!(written, usize::try_from(OF_CLIENT.burst).expect("small"));
        assert_eq!(lines.take_left_out(), 1000 - OF_CLIENT.burst);
        assert!(!lines.take(start + Duration::from_secs(2)) && lines.take(start + Duration::from_secs(3)));
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| lines.take(later)).count(), usize::try_from(OF_CLIENT.burst).expect("small"));
    }
}
