//! `[broker]` with a server outside the process.

use super::faults::told;
use super::*;

/// The least of a node on such a broker.
fn shared(url: &str, more: &str) -> String {
    let secret = "data = \"data\"\nsecret = \"0123456789abcdef0123456789abcdef\"";
    let broker = format!("url = \"{url}\"\n{more}");
    LEAST.replace("data = \"data\"", secret).replace("url = \"embedded:log\"", &broker)
}

fn expect(text: &str, expected: &str) {
    let told = told(text);
    assert!(told.iter().any(|fault| fault.contains(expected)), "{text}\nexpected {expected}\ntold {told:#?}");
}

/// A URL, what stands below it, and the fault expected of them in any build.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    ("nts://a:4222", "", "8:7: there is no broker `nts` (did you mean `nats`?)"),
    ("amqp://a:5672", "", "8:7: there is no broker `amqp` (known: embedded, nats, kafka)"),
    ("embedded:log", "[broker.nats]\nreplicas = 3", "9:9: [broker.nats] says nothing about the broker \"embedded:log\" (remove it, or let `url` begin with nats://)"),
    ("embedded:log", "prefix = \"a.b\"", "9:10: `prefix` of [broker] is \"a.b\" (1 to 32 letters, digits, `-` and `_`; the default is fanfare)"),
    ("embedded:log", "retention_hours = 1\nwindow_minutes = 61", "10:1: the replay window of 61 minutes is longer than the 1 hours that events are kept"),
    ("embedded:log", "natts = {}", "[broker] has no key `natts` (did you mean `nats`?)"),
];

#[test]
fn each_fault_is_reported() {
    for (url, more, expected) in CASES {
        expect(&shared(url, more), expected);
    }
}

#[cfg(not(feature = "kafka"))]
#[test]
fn a_build_without_a_broker_reports_that() {
    expect(
        &shared("kafka://a:9092", ""),
        "8:7: this build has no client of Kafka (build fanfare-fanout with its feature `kafka`, which `cargo build \
         --release` and `make run BROKER=kafka` do)",
    );
}

#[cfg(feature = "nats")]
mod nats {
    use super::*;

    #[rustfmt::skip]
    const CASES: &[(&str, &str, &str)] = &[
        ("nats:a:4222", "", "8:7: \"nats:a:4222\" lists no servers (for instance nats://localhost:4222)"),
        ("nats://a", "", "8:7: the server \"a\" has no port (for instance a:4222)"),
        ("nats://a:4222,b", "", "8:7: the server \"b\" has no port (for instance b:4222)"),
        ("nats://a:4222,", "", "8:7: \"\" is no server (host and port, for instance nats://localhost:4222)"),
        ("nats://u:p@a:4222", "", "8:7: the URL must not contain credentials (put secrets into separate files)"),
        ("nats://a:4222", "retention_hours = 1\nwindow_minutes = 61", "the replay window of 61 minutes is longer than the 1 hours that events are kept"),
        ("nats://a:4222", "[broker.kafka]", "[broker.kafka] says nothing about the broker \"nats://a:4222\""),
        ("nats://a:4222", "nats = 7", "`nats` of [broker] must be a table, not an integer"),
        ("nats://a:4222", "[broker.nats]\nreplica = 3", "10:1: [broker.nats] has no key `replica` (did you mean `replicas`?)"),
        ("nats://a:4222", "[broker.nats]\nreplicas = 7", "`replicas` of [broker.nats] is 7 (it must be 1 to 5; the default is 1)"),
        ("nats://a:4222", "[broker.nats]\npassword = \"p\"", "10:1: `password`: secrets do not stand in this file (write it into a file and name the file with `password_file`)"),
        ("nats://a:4222", "[broker.nats]\ncredentials_file = \"Cargo.toml\"\ntoken_file = \"Cargo.toml\"", "11:1: `credentials_file` and `token_file` exclude each other (a node is one of them to the server)"),
        ("nats://a:4222", "[broker.nats]\nuser = \"u\"", "10:1: there is a `user` but no `password_file`"),
        ("nats://a:4222", "[broker.nats]\npassword_file = \"Cargo.toml\"", "10:1: there is a `password_file` but no `user`"),
        ("nats://a:4222", "[broker.nats]\ntoken_file = \"nowhere\"", "10:14: `token_file` cannot be read: "),
        ("nats://a:4222", "[broker.nats]\ntoken_file = \"Cargo.toml\"", "10:14: `token_file` holds no token: "),
        ("nats://a:4222", "[broker.nats]\ncredentials_file = \"nowhere\"", "10:20: `credentials_file` cannot be read: "),
        ("nats://a:4222", "[broker.nats]\nmonitor = [\"nats-0:8222\"]", "10:12: `monitor` is not an http or https URL without a login (the monitoring port of a server"),
        ("nats://a:4222", "[broker.nats]\nmonitor = [\"http://me:secret@a:8222\"]", "10:12: `monitor` is not an http or https URL without a login"),
        ("nats://a:4222", "[broker.nats]\ncert_file = \"Cargo.toml\"", "10:1: there is a `cert_file` but no `key_file`"),
        ("nats://a:4222", "[broker.nats]\ntls = false\nca_file = \"Cargo.toml\"", "10:1: there are certificates, but `tls` is false"),
    ];

    #[test]
    fn each_fault_is_reported() {
        for (url, more, expected) in CASES {
            expect(&shared(url, more), expected);
        }
        let told = told(&shared("nats://user:hunter2@a:4222", ""));
        assert!(!told.iter().any(|fault| fault.contains("hunter2")), "{told:?}");
    }

    #[test]
    fn several_nodes_need_a_secret() {
        let expected =
            "2:2: several nodes need the same node.secret, and this broker may have several nodes (set `secret_file`";
        expect(&LEAST.replace("embedded:log", "nats://a:4222"), expected);
    }

    #[test]
    fn every_key_is_accepted() {
        let config = sound(&shared("nats://a:4222, [::1]:4223", "prefix = \"shop\""));
        let BrokerKind::Nats(nats) = config.broker.kind else { panic!("NATS") };
        assert_eq!(
            (nats.servers, nats.login, nats.tls, nats.create),
            (vec!["a:4222".to_owned(), "[::1]:4223".to_owned()], NatsLogin::None, false, true)
        );
        assert_eq!(config.broker.prefix, "shop");

        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "hunter2\n").unwrap();
        let more = "[broker.nats]\nuser = \"fanfare\"\npassword_file = \"password\"\nca_file = \"password\"\n\
                    cert_file = \"password\"\nkey_file = \"password\"\nreplicas = 3\ncreate = false";
        let config =
            parse_in(folder.path(), &shared("nats://a:4222", more)).unwrap_or_else(|faults| panic!("{}", faults[0]));
        assert!(!format!("{config:?}").contains("hunter2"), "secrets are not shown");
        let BrokerKind::Nats(nats) = config.broker.kind else { panic!("NATS") };
        let NatsLogin::Password { user, password } = nats.login else { panic!("a password") };
        assert_eq!((&*user, password.as_bytes()), ("fanfare", &b"hunter2"[..]));
        assert!(nats.tls && nats.certificate.is_some() && !nats.create && nats.replicas == 3);
    }
}

#[cfg(feature = "kafka")]
mod kafka {
    use super::*;

    #[rustfmt::skip]
    const CASES: &[(&str, &str, &str)] = &[
        ("kafka://a:9092,b", "", "8:7: the server \"b\" has no port (for instance b:9092)"),
        ("kafka://a:9092", "[broker.nats]", "[broker.nats] says nothing about the broker \"kafka://a:9092\""),
        ("kafka://a:9092", "[broker.kafka]\nevents = \"a/b\"", "10:10: `events` of [broker.kafka] is \"a/b\" (1 to 100 letters"),
        ("kafka://a:9092", "[broker.kafka]\nevents = \"state\"", "`events` and `state` must differ (topics of states are compacted"),
        ("kafka://a:9092", "[broker.kafka]\npartitions = 5000", "`partitions` of [broker.kafka] is 5000 (it must be 1 to 4096; the default is 6)"),
        ("kafka://a:9092", "[broker.kafka]\nproperties = { \"sasl.password\" = \"p\" }", "10:16: `sasl.password`: secrets do not stand in this file (write NAME=VALUE into a file and name the file with `properties_file`)"),
        ("kafka://a:9092", "[broker.kafka]\nproperties = { \"acks\" = \"1\" }", "10:16: `acks` is set by the node itself"),
        ("kafka://a:9092", "[broker.kafka]\nproperties = { \"client.id\" = [] }", "`client.id` must be a string, an integer or a boolean"),
        ("kafka://a:9092", "[broker.kafka]\nproperties_file = \"nowhere\"", "10:19: `properties_file` cannot be read: "),
        ("kafka://a:9092", "[broker.kafka]\nproperties_file = \"Cargo.toml\"", "Cargo.toml:1: not a line of the form NAME=VALUE"),
    ];

    #[test]
    fn each_fault_is_reported() {
        for (url, more, expected) in CASES {
            expect(&shared(url, more), expected);
        }
        let expected = "2:2: several nodes need the same node.secret, and this broker may have several nodes";
        expect(&LEAST.replace("embedded:log", "kafka://a:9092"), expected);
    }

    #[test]
    fn properties_of_table_and_file_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = "# the login\nsasl.username = fanfare\nsasl.password=hun=ter2\n\nclient.id=file\n";
        std::fs::write(folder.path().join("kafka.properties"), file).unwrap();
        let more = "[broker.kafka]\nproperties_file = \"kafka.properties\"\nreplication = 3\n\
                    properties = { \"client.id\" = \"table\", \"socket.keepalive.enable\" = true, \"linger.ms\" = 2 }";
        let config = parse_in(folder.path(), &shared("kafka://a:9092,b:9092", more))
            .unwrap_or_else(|faults| panic!("{}", faults[0]));
        assert!(!format!("{config:?}").contains("ter2"), "secrets are not shown");
        let BrokerKind::Kafka(kafka) = config.broker.kind else { panic!("Kafka") };
        assert_eq!(
            (&*kafka.events, &*kafka.state, kafka.partitions, kafka.replication),
            ("events", "state", 6, Some(3))
        );
        let told: Vec<_> = kafka.properties.iter().map(|(name, value)| (&**name, value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 5] = [
            ("client.id", b"table"),
            ("linger.ms", b"2"),
            ("sasl.password", b"hun=ter2"),
            ("sasl.username", b"fanfare"),
            ("socket.keepalive.enable", b"true"),
        ];
        assert_eq!(told, expected, "the table counts where both say something");
    }
}
