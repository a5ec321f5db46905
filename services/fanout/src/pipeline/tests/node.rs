//! A pipeline with one shard that writes down what it is sent.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fanfare_broker::memory::Memory;
use fanfare_broker::{Broker, BrokerError, Message, Position};
use fanfare_event::Id;
use fanfare_telemetry::metrics::{FanoutMetrics, Registry as MetricsRegistry, encode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::connection::WireForm;
use crate::groups::{Groups, ShardMessage};
use crate::pipeline::{
    DeadLetterWriter, EventPaths, Pipeline, RecentRecords, Replay, ReplayOptions, ResumeError, Schemas, Status, Window,
};
use crate::projection::{ConnectionEffect, Projection, open_cursor};
use crate::scene::{BOUNDS, Scene};
use crate::seal::Seal;
use crate::vocabulary::name::{GroupName, GroupTemplate};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the shard was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The title of an alert.
    Alert(String),
    /// Something else.
    Felt(ConnectionEffect),
}

pub(super) struct Node {
    pub(super) groups: Arc<Groups>,
    pub(super) status: Arc<Status>,
    pub(super) letters: DeadLetterWriter,
    pub(super) replay: Replay,
    metrics: MetricsRegistry,
    inbox: mpsc::Receiver<ShardMessage>,
    run: JoinHandle<Result<(), BrokerError>>,
}

pub(super) const WINDOW: Window = Window { age: Duration::from_secs(600), records: 1000 };

pub(super) fn seal() -> Seal {
    Seal::new(b"secret", &[])
}

pub(super) fn acme() -> GroupName {
    GroupTemplate::parse("org:{org}").expect("valid").name(&["acme"]).expect("valid")
}

impl Node {
    pub(super) fn start(log: &Memory, window: Window) -> Self {
        let scene = Scene::demo();
        let broker: Arc<dyn Broker> = Arc::new(log.clone());
        let (sender, inbox) = mpsc::channel(100);
        let groups = Arc::new(Groups::new(Projection::new(Position::start(0), &BOUNDS), vec![sender]));
        groups.interest().add(&Arc::from("/hubs/notifications"), &acme(), 0);
        let status = Arc::new(Status::new(Duration::from_secs(300)));
        let mut metrics = MetricsRegistry::default();
        let counts = Arc::new(FanoutMetrics::new(&mut metrics));
        let letters = DeadLetterWriter::new(Arc::clone(&broker), Arc::clone(&counts));
        let routes = Arc::clone(&scene.routes);
        // Nothing in memory: resumes read the broker, whose faults are what is tested.
        let recent = Arc::new(RecentRecords::new(0));
        let options = ReplayOptions { window, bounds: BOUNDS, reads_at_once: 4, start_is_fresh: Duration::ZERO };
        let logs = Arc::clone(&broker);
        let replay = Replay::new(logs, Arc::clone(&routes).into(), Arc::clone(&recent), options);
        let pipeline = Pipeline {
            broker,
            schemas: Schemas::default(),
            routes: routes.into(),
            groups: Arc::clone(&groups),
            seal: seal(),
            metrics: counts,
            status: Arc::clone(&status),
            letters: letters.clone(),
            window,
            event_bytes: BOUNDS.event_bytes.into(),
            paths: Arc::new(EventPaths::new(Arc::clone(&groups), Arc::clone(&recent), Schemas::default())),
            recent,
            presence: None,
            throttles: Mutex::default(),
            tells_risks: true,
        };
        Self { groups, status, letters, replay, metrics, inbox, run: tokio::spawn(pipeline.run()) }
    }

    /// The next that the shard is told; answers what waits for an answer.
    pub(super) async fn next(&mut self) -> (Told, String) {
        self.next_after(|_| {}).await
    }

    /// The same, with a look at what the node knows before it is answered.
    pub(super) async fn next_after(&mut self, look: impl FnOnce(&Groups)) -> (Told, String) {
        let next = tokio::time::timeout(PATIENCE, self.inbox.recv()).await;
        match next.expect("in time").expect("runs") {
            ShardMessage::Deliver(delivery) => {
                let frame = delivery.frame.wire(WireForm::Event);
                let text = String::from_utf8_lossy(frame).into_owned();
                (Told::Alert(field(&text, "title")), field(&text, "cursor"))
            }
            ShardMessage::Presence(notice) => panic!("no hub has presence: {notice:?}"),
            ShardMessage::Apply(effect, answer) => {
                look(&self.groups);
                let _ = answer.send(());
                (Told::Felt(ConnectionEffect::clone(&effect)), String::new())
            }
        }
    }

    pub(super) async fn expect_alert(&mut self, title: &str) -> String {
        let (told, cursor) = self.next().await;
        assert_eq!(told, Told::Alert(title.to_owned()));
        cursor
    }

    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) async fn until_ready(&self) {
        self.until("ready", |node| node.status.not_ready().is_none()).await;
    }

    pub(super) fn position(&self) -> Position {
        self.groups.read(|known| known.position().clone())
    }

    pub(super) fn metric(&self, name: &str) -> String {
        let text = encode(&self.metrics);
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }

    /// What a resume of a fresh connection gives: the titles of alerts, and whether it is complete.
    pub(super) async fn resume(&self, cursor: &str) -> Result<(Vec<String>, bool), ResumeError> {
        let after = open_cursor(&seal(), cursor).map_err(|_| ResumeError::Unavailable)?.position;
        let mut replaying = self.replay.open(&after, self.position(), vec![Id::parse("acme").expect("an org")]).await?;
        let (mut titles, complete) = (Vec::new(), replaying.is_complete());
        while let Some(batch) = replaying.next().await? {
            let title =
                |body: &fanfare_event::Record| body.get("title").and_then(|title| title.as_str().map(str::to_owned));
            titles.extend(batch.iter().filter_map(|replayed| title(&replayed.event.record)));
        }
        Ok((titles, complete))
    }

    /// How it ended by itself.
    pub(super) async fn ended(mut self) -> Result<(), BrokerError> {
        tokio::time::timeout(PATIENCE, &mut self.run).await.expect("in time").expect("no panic")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.run.abort();
    }
}

fn field(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("\"{name}\":\"")).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// An alert to all of acme.
pub(super) fn alert(scene: &mut Scene, title: &str) -> Message {
    scene.event("system.Alert", &format!(r#"{{"org":"acme","title":"{title}","message":"m"}}"#)).message
}
