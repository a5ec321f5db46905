//! The scenarios.

mod analytics;
mod broadcast;
mod connect_storm;
mod decode_route;
mod forwarded;
mod hostile;
mod idle_memory;
mod nodes;
mod pairs;
mod phase;
mod publish_latency;
mod read_all;
mod readback;
mod reconnect_storm;
mod resume_storm;
mod slow_reader;
mod tls;

use anyhow::Result;
use fanfare_attackers::Attack;

use crate::backplane::Kind;
use crate::report::Figure;
use crate::stage::Stage;
use hostile::{CROWD, Hostile, LONGEST_MESSAGE};

/// A scenario.
pub(crate) struct Scenario {
    /// Its name, and that of its files.
    pub(crate) name: &'static str,
    /// Its description, in one line.
    pub(crate) about: &'static str,
    run: fn(&Stage, &'static str) -> Result<Vec<Figure>>,
}

impl Scenario {
    /// Measures it.
    pub(crate) fn run(&self, stage: &Stage) -> Result<Vec<Figure>> {
        (self.run)(stage, self.name)
    }

    /// Whether a name on the command line matches this scenario: its name, or a prefix up to an underscore.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }
}

/// Every scenario, in the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "decode_route",
        about: "Decoding and routing one event, in a process of its own; instructions as valgrind counts them.",
        run: decode_route::run,
    },
    Scenario {
        name: "publish_latency_1",
        about: "From POST /events to the handler: one tab, one event at a time, to its user or (group_) to its org.",
        run: |stage, name| publish_latency::run(stage, name, 1),
    },
    Scenario {
        name: "publish_latency_100",
        about: "From POST /events to the handler: 100 tabs, one event at a time, to one user or (group_) to all.",
        run: |stage, name| publish_latency::run(stage, name, 100),
    },
    Scenario {
        name: "publish_latency_1k",
        about: "From POST /events to the handler: 1,000 tabs, one event at a time, to one user or (group_) to all.",
        run: |stage, name| publish_latency::run(stage, name, 1000),
    },
    Scenario {
        name: "broadcast_1k",
        about: "Each event to all 1,000 tabs, the next one when the last tab has it.",
        run: |stage, name| broadcast::run(stage, name, 1),
    },
    Scenario {
        name: "broadcast_1k_burst8",
        about: "Each event to all 1,000 tabs, eight published at once, the next eight when the last tab has them.",
        run: |stage, name| broadcast::run(stage, name, 8),
    },
    Scenario {
        name: "slow_reader_1k",
        about: "Events of 3 KB to 1,000 tabs of which one has stopped reading; the floor is the same without it.",
        run: slow_reader::run,
    },
    Scenario {
        name: "idle_memory",
        about: "5,000 tabs, each of another user, that are told nothing; then the same after 20 events to all of them.",
        run: idle_memory::run,
    },
    Scenario {
        name: "analytics_100",
        about: "The example `analytics` with 100 dashboards: opening them, and updates to all of them.",
        run: |stage, name| analytics::run(stage, name, 100),
    },
    Scenario {
        name: "analytics_10k",
        about: "The example `analytics` with 10,000 dashboards: opening and keeping them, and updates to all of them.",
        run: |stage, name| analytics::run(stage, name, 10_000),
    },
    Scenario {
        name: "connect_storm_5k",
        about: "5,000 tabs connect, 1,000 at a time; with tokens seen before, or all new. The floor accepts bare TCP.",
        run: connect_storm::run,
    },
    Scenario {
        name: "read_all_embedded",
        about: "10,000 events a second of 5,000 orgs without a tab, through POST /events: taken, stored and read.",
        run: read_all::embedded,
    },
    Scenario {
        name: "read_all_nats",
        about: "10,000 events a second of 5,000 orgs without a tab, over NATS. The floor only reads them.",
        run: |stage, name| read_all::remote(stage, name, Kind::Nats),
    },
    Scenario {
        name: "read_all_kafka",
        about: "10,000 events a second of 5,000 orgs without a tab, over Kafka. The floor only reads them.",
        run: |stage, name| read_all::remote(stage, name, Kind::Kafka),
    },
    Scenario {
        name: "readback_embedded",
        about: "A node starts on a million retained flags in the embedded log, until it is ready. The floor only reads them.",
        run: |stage, name| readback::run(stage, name, Kind::Embedded),
    },
    Scenario {
        name: "readback_nats",
        about: "A node starts on a million retained flags in NATS, until it is ready. The floor only reads them.",
        run: |stage, name| readback::run(stage, name, Kind::Nats),
    },
    Scenario {
        name: "readback_kafka",
        about: "A node starts on a million retained flags in Kafka, until it is ready. The floor only reads them.",
        run: |stage, name| readback::run(stage, name, Kind::Kafka),
    },
    Scenario {
        name: "reconnect_storm",
        about: "5,000 tabs are dropped and return at once. The floor accepts as many bare connections at once.",
        run: reconnect_storm::run,
    },
    Scenario {
        name: "nodes",
        about: "Three nodes on NATS behind nginx, 300 tabs, then restarted in turn. The floor: one such node, no proxy.",
        run: nodes::run,
    },
    Scenario {
        name: "forwarded",
        about: "50 event streams and 50 polls that come to another node than their own. The floor: they come to their own.",
        run: forwarded::run,
    },
    Scenario {
        name: "tls",
        about: "200 tabs over WebSockets within TLS. The floor: as many in the clear.",
        run: tls::run,
    },
    Scenario {
        name: "resume_storm",
        about: "5,000 tabs return at once with a cursor and are told 30 of 3,000 events. The floor accepts and sends as many.",
        run: resume_storm::run,
    },
    Scenario {
        name: "hostile_hub_pings",
        about: "One tab pings as the hub protocol does, without a pause, beside 50 others; the floor is the same without it.",
        run: |stage, name| hostile::run(stage, name, Hostile::Client(Attack::HubPings)),
    },
    Scenario {
        name: "hostile_pings",
        about: "One tab sends WebSocket pings without a pause, beside 50 others; the floor is the same without it.",
        run: |stage, name| hostile::run(stage, name, Hostile::Client(Attack::WebSocketPings)),
    },
    Scenario {
        name: "hostile_empty_fragments",
        about: "One tab sends a message of empty fragments without end; the floor is the same without it.",
        run: |stage, name| hostile::run(stage, name, Hostile::Client(Attack::EmptyFragments)),
    },
    Scenario {
        name: "hostile_unread_answers",
        about: "Four tabs are owed a replay, call with long arguments and read nothing; the floor is the same without them.",
        run: |stage, name| hostile::run(stage, name, Hostile::Client(Attack::UnreadAnswers { tabs: 4 })),
    },
    Scenario {
        name: "hostile_bursts",
        about: "4 events of 100 KB, 16 of 30 KB or 64 of 8 KB at once to ten tabs that read; the floor is the same without.",
        run: |stage, name| hostile::run(stage, name, Hostile::Bursts { tabs: 10 }),
    },
    Scenario {
        name: "hostile_crowd",
        about: "One token opens 1,000 connections on a node that takes as many; the floor is the same without it.",
        run: |stage, name| hostile::run(stage, name, Hostile::Client(Attack::Crowd { connections: CROWD })),
    },
    Scenario {
        name: "hostile_unread_pongs",
        about: "Four tabs send empty pings and read no pong; the floor is the same without them.",
        run: |stage, name| hostile::run(stage, name, Hostile::Client(Attack::UnreadPongs { tabs: 4 })),
    },
    Scenario {
        name: "hostile_small_fragments",
        about: "One tab sends messages of 1 MiB, a byte in each fragment; the floor is the same without it.",
        run: |stage, name| {
            hostile::run(stage, name, Hostile::Client(Attack::SmallFragments { message_bytes: LONGEST_MESSAGE }))
        },
    },
    Scenario {
        name: "hostile_resumes",
        about: "One tab resumes in a loop over 20,000 records of its org; the floor is the same without it.",
        run: |stage, name| hostile::run(stage, name, Hostile::Client(Attack::Resumes { records: 20_000 })),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_one_scenario_or_a_family() {
        let called = |name: &str| ALL.iter().filter(|scenario| scenario.is_called(name)).count();
        assert_eq!((called("publish_latency"), called("publish_latency_1"), called("broadcast_1k")), (3, 1, 2));
        assert_eq!((called("publish"), called("nothing"), called("broadcast_1k_burst8")), (3, 0, 1));
    }
}
