//! Producers: each publishes numbered events, one after another, and repeats one until it is stored.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fanfare_e2e_tests::backplane::Direct;
use fanfare_e2e_tests::wait::{Deadline, until};
use fanfare_e2e_tests::{NewEvent, Random, Token};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::plan::{ORGS, USERS};

/// How long a producer waits for an answer before it tries another node.
const ANSWER: Duration = Duration::from_secs(3);
/// The pause between two events of a producer.
const PAUSE: Duration = Duration::from_millis(15);

/// A stored event, and its audience.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) title: String,
    pub(crate) org: &'static str,
    pub(crate) user: Option<&'static str>,
}

impl Sent {
    /// Whether a tab of this user receives it.
    pub(crate) fn is_for(&self, org: &str, user: &str) -> bool {
        self.org == org && self.user.is_none_or(|named| named == user)
    }
}

/// Running producers.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    stored: Arc<AtomicUsize>,
    sent: Arc<Mutex<Vec<Sent>>>,
    tasks: Vec<JoinHandle<()>>,
}

/// A producer's target.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// `POST /events` of any of these.
    Nodes(Vec<SocketAddr>),
    /// The broker directly.
    Broker(Direct),
}

impl Load {
    /// Starts one producer for each target.
    pub(crate) fn start(doors: Vec<Door>, seed: u64) -> Self {
        let (stop, stored) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut load = Self { stop, stored, sent: Arc::default(), tasks: Vec::new() };
        for (number, door) in doors.into_iter().enumerate() {
            let producer = Producer {
                number,
                door,
                token: Token::producer().sign(),
                random: Random::seeded(seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9)),
            };
            let (stop, stored, sent) = (Arc::clone(&load.stop), Arc::clone(&load.stored), Arc::clone(&load.sent));
            load.tasks.push(tokio::spawn(producer.run(stop, stored, sent)));
        }
        load
    }

    /// Waits until this many more are stored.
    pub(crate) async fn more(&self, count: usize) {
        let enough = self.stored.load(Ordering::Acquire) + count;
        until("some load", async || (self.stored.load(Ordering::Acquire) >= enough).then_some(())).await;
    }

    /// Lets every producer finish its current event; returns everything that was stored.
    pub(crate) async fn end(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.expect("a producer that ends");
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Producer {
    number: usize,
    door: Door,
    token: String,
    random: Random,
}

impl Producer {
    async fn run(mut self, stop: Arc<AtomicBool>, stored: Arc<AtomicUsize>, sent: Arc<Mutex<Vec<Sent>>>) {
        let mut count = 0;
        while !stop.load(Ordering::Acquire) {
            let org = ORGS[self.random.below(ORGS.len())];
            let user = self.random.chance(25).then(|| USERS[self.random.below(USERS.len())]);
            let next = Sent { title: format!("{}/{count}", self.number), org, user };
            self.publish(&next).await;
            sent.lock().unwrap_or_else(PoisonError::into_inner).push(next);
            stored.fetch_add(1, Ordering::AcqRel);
            count += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tries until the event is acknowledged, with the same id each time.
    async fn publish(&mut self, next: &Sent) {
        let deadline = Deadline::new("an event to be stored");
        while let Err(met) = self.try_publish(next).await {
            deadline.pause_after(&met).await;
        }
    }

    async fn try_publish(&mut self, next: &Sent) -> Result<(), String> {
        let Sent { title, org, user } = next;
        let id = title.replace('/', "-");
        let body = json!({ "org": org, "user": user, "title": title, "message": "m" });
        match &self.door {
            Door::Nodes(nodes) => {
                let node = *self.random.pick(nodes);
                let request = NewEvent::new("system.Alert", &id, &body).request(&self.token);
                match tokio::time::timeout(ANSWER, request.send(node)).await {
                    Ok(Ok(answer)) if answer.status == 202 => Ok(()),
                    Ok(Ok(answer)) => {
                        assert!(answer.status >= 500, "{} {}", answer.status, answer.text());
                        Err(format!("{node}: {} {}", answer.status, answer.text()))
                    }
                    Ok(Err(error)) => Err(format!("{node}: {error}")),
                    Err(_) => Err(format!("{node}: no answer within {ANSWER:?}")),
                }
            }
            Door::Broker(direct) => direct.alert(org, &id, &body).await,
        }
    }
}
