//! A tab that reconnects after every drop, as an application does, and records what it received.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::client::{Connect, Message};
use crate::wait::Deadline;
use crate::{HUB, Token, Transport, Wire};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// How a tab that has lost its connection gets what it missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// With `?cursor=` in the URL of the hub.
    WithCursor,
    /// By a call of `Resume` once it is connected.
    ByCall,
}

/// A tab's user and connection options.
#[derive(Debug, Clone, Copy)]
pub struct TabPlan {
    /// The org.
    pub org: &'static str,
    /// The user.
    pub user: &'static str,
    /// The transport.
    pub transport: Transport,
    /// How it gets what it missed.
    pub how: Return,
}

/// A connection that is silent for longer is given up; the node pings every two seconds.
const SILENCE: Duration = Duration::from_secs(12);
/// The longest time for one attempt to connect.
const ONE_TRY: Duration = Duration::from_secs(10);

/// What a tab has received so far.
#[derive(Debug, Default)]
pub struct Heard {
    /// The titles in order, without duplicates.
    pub titles: Vec<String>,
    /// The id of each notification.
    ids: HashMap<String, String>,
    /// The number of duplicates, with the same id.
    pub duplicated: usize,
    /// The number of reconnects.
    pub returns: usize,
    /// The number of connections that it gave up because they were silent.
    pub silent: usize,
    /// Its current step: the first question when something is missing is where a tab hangs.
    pub doing: &'static str,
}

impl Heard {
    /// Whether this title was received.
    pub fn has(&self, title: &str) -> bool {
        self.ids.contains_key(title)
    }

    /// Records a toast; returns its cursor.
    fn hear(&mut self, toast: &Value) -> String {
        let text = |key: &str| toast[key].as_str().expect("a text").to_owned();
        match self.ids.insert(text("title"), text("id")) {
            None => self.titles.push(text("title")),
            Some(before) => {
                assert_eq!(before, text("id"), "what comes again has the same id, so that a page can drop it");
                self.duplicated += 1;
            }
        }
        text("cursor")
    }
}

/// A tab and the task that runs it.
#[derive(Debug)]
pub struct Follower {
    /// The tab's options.
    pub plan: TabPlan,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Connects, and follows from the current position.
    pub async fn start(plan: TabPlan, to: SocketAddr) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let connect = Connect::new(HUB, Token::user(plan.user, plan.org).sign());
        let mut tab = Tab { plan, to, connect, cursor: String::new(), heard: Arc::clone(&heard) };
        let wire = tab.begin().await;
        Self { plan, heard, task: tokio::spawn(tab.follow(wire)) }
    }

    /// What it has received so far.
    ///
    /// # Panics
    /// If the tab has failed.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        assert!(!self.task.is_finished(), "a tab has failed: {:?}", self.plan);
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the tab without closing its connection.
    pub fn end(self) {
        self.task.abort();
    }
}

struct Tab {
    plan: TabPlan,
    to: SocketAddr,
    connect: Connect,
    cursor: String,
    heard: Arc<Mutex<Heard>>,
}

impl Tab {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_connect(&self, connect: &Connect) -> Option<Wire> {
        let connected = tokio::time::timeout(ONE_TRY, Wire::connect(connect, self.plan.transport, self.to)).await;
        let refused = match connected.ok()?.ok()? {
            Ok(wire) => return Some(wire),
            Err(refused) => refused,
        };
        // The proxy and a stopping node refuse for a while. This tab tries 50 times a second, so its user may exceed
        // the connects per minute: it waits as the answer asks. Any other client error fails the test.
        if refused.status == 429 {
            let seconds = refused.header("retry-after").and_then(|wait| wait.parse().ok());
            tokio::time::sleep(Duration::from_secs(seconds.expect("a 429 says how long to wait"))).await;
            return None;
        }
        let passing = refused.status >= 500 || refused.status == 404;
        assert!(passing, "{:?}: {} {}", self.plan, refused.status, refused.text());
        None
    }

    /// The first connection, and its position.
    async fn begin(&mut self) -> Wire {
        let deadline = Deadline::new("a tab to connect");
        loop {
            if let Some(mut wire) = self.try_connect(&self.connect).await
                && let Some(Ok(cursor)) = wire.try_invoke("Cursor", json!([])).await
            {
                cursor.as_str().expect("a text").clone_into(&mut self.cursor);
                return wire;
            }
            deadline.pause().await;
        }
    }

    async fn follow(mut self, mut wire: Wire) {
        loop {
            self.heard().doing = "listens";
            match tokio::time::timeout(SILENCE, wire.receive()).await {
                Ok(Message::Notification(_, toast)) => {
                    let cursor = self.heard().hear(&toast);
                    self.cursor = cursor;
                    continue;
                }
                Ok(Message::Ping) => continue,
                Ok(_) => {}
                Err(_) => self.heard().silent += 1,
            }
            drop(wire);
            wire = self.come_back().await;
            self.heard().returns += 1;
        }
    }

    /// Reconnects, with as many attempts as necessary.
    async fn come_back(&mut self) -> Wire {
        let deadline = Deadline::new("a node to come back to");
        loop {
            let connect = match self.plan.how {
                Return::WithCursor => self.connect.clone().query("cursor", &self.cursor),
                Return::ByCall => self.connect.clone(),
            };
            self.heard().doing = "connects";
            if let Some(mut wire) = self.try_connect(&connect).await
                && (self.plan.how == Return::WithCursor || self.resume(&mut wire).await.is_some())
            {
                return wire;
            }
            deadline.pause().await;
        }
    }

    /// Requests what was missed. Live notifications arrive between replayed ones, so their cursors cannot be used.
    async fn resume(&mut self, wire: &mut Wire) -> Option<()> {
        let deadline = Deadline::new("a resume");
        self.heard().doing = "resumes";
        let resumed = loop {
            match wire.try_invoke("Resume", json!([self.cursor])).await? {
                Ok(resumed) => break resumed,
                Err(error) => assert!(error.contains("Try again"), "{:?}: {error}", self.plan),
            }
            deadline.pause().await;
        };
        assert_eq!(resumed["complete"], true, "{:?}: {resumed}", self.plan);
        self.heard().doing = "asks for its cursor";
        let reached = wire.try_invoke("Cursor", json!([])).await?.expect("a cursor");
        for message in wire.kept() {
            if let Message::Notification(_, toast) = message {
                self.heard().hear(&toast);
            }
        }
        reached.as_str().expect("a text").clone_into(&mut self.cursor);
        Some(())
    }
}
