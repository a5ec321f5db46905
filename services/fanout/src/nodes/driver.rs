//! Reads and writes the nodes' stream for the directory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_broker::{Broker, BrokerError, NodeReader, PublishError};
use tokio_util::sync::CancellationToken;

use super::directory::News;
use super::{Directory, Nodes};

/// How long one write may take. A lease that is written later than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause before the stream is opened again, and how often it is looked whether the reader has fallen silent.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps a node's lease, and reads the other nodes' records.
pub struct Driver {
    nodes: Nodes,
    broker: Arc<dyn Broker>,
}

impl Driver {
    /// Keeps this node's lease in this broker.
    #[must_use]
    pub fn new(nodes: Nodes, broker: Arc<dyn Broker>) -> Self {
        Self { nodes, broker }
    }

    /// Runs until `stop`, then ends the lease and withdraws the node's records. `heard` gets everything that is read,
    /// in order, and again from the start if a reader had to start again.
    pub async fn run(self, stop: CancellationToken, mut heard: impl FnMut(News) + Send) {
        let leave = async {
            stop.cancelled().await;
            self.nodes.directory().leave();
            self.nodes.changed.notify_one();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.write() => {}
            () = self.read(&mut heard) => {}
            () = leave => {}
        }
    }

    async fn write(&self) {
        let mut trouble = None;
        loop {
            let (write, turn) = {
                let mut directory = self.nodes.directory();
                if directory.has_left() {
                    return;
                }
                (directory.next_write(Instant::now()), directory.next_turn())
            };
            let Some(record) = write else {
                let turn = turn.map_or_else(|| Instant::now() + PAUSE, |at| at.max(Instant::now()));
                tokio::select! {
                    () = self.nodes.changed.notified() => {}
                    () = tokio::time::sleep_until(turn.into()) => {}
                }
                continue;
            };
            let written = tokio::time::timeout(PATIENCE, self.broker.tell_nodes(record)).await;
            let fault = match written {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error),
                Err(_) => Some(PublishError::Unknown("the broker gives no answer".to_owned())),
            };
            self.nodes.directory().wrote(fault.is_none(), Instant::now());
            let fault = fault.map(|error| error.to_string());
            if let Some(error) = fault.as_ref().filter(|_| fault != trouble) {
                tracing::warn!(error, "the node's lease cannot be renewed; other nodes may consider this node gone");
            } else if fault.is_none() && trouble.is_some() {
                tracing::info!("the node's lease is renewed again");
            }
            trouble = fault;
        }
    }

    async fn read(&self, heard: &mut (impl FnMut(News) + Send)) {
        let mut trouble = None;
        loop {
            match self.broker.read_nodes().await {
                Ok(reader) => {
                    trouble = None;
                    let Some(is_other) = self.follow(reader, heard).await else { return };
                    self.change(|directory, _| directory.start_over(is_other), heard);
                }
                Err(BrokerError::Closed) => return,
                Err(error) => {
                    let fault = Some(error.to_string());
                    if fault != trouble {
                        tracing::warn!(%error, "the nodes' stream cannot be read");
                    }
                    trouble = fault;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads until the stream has to be opened again: then whether it may be another one. None if the broker is closed.
    async fn follow(&self, mut reader: Box<dyn NodeReader>, heard: &mut (impl FnMut(News) + Send)) -> Option<bool> {
        loop {
            let read = tokio::select! {
                read = reader.next() => read,
                () = tokio::time::sleep(PAUSE) => {
                    if self.nodes.directory().is_deaf(Instant::now()) {
                        tracing::warn!("the reader of the nodes' stream stands still and is opened again");
                        return Some(false);
                    }
                    continue;
                }
            };
            match read {
                Ok(records) if records.is_empty() => self.change(|directory, news| directory.caught_up(news), heard),
                Ok(records) => {
                    let now = Instant::now();
                    let read = |directory: &mut Directory, news: &mut Vec<News>| {
                        records.into_iter().for_each(|record| directory.read(record, now, news));
                    };
                    self.change(read, heard);
                }
                Err(BrokerError::Unavailable(reason)) => {
                    tracing::debug!(reason, "the nodes' stream cannot be read");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(BrokerError::Closed) => return None,
                Err(error) => {
                    tracing::warn!(%error, "reading the nodes' stream failed; it is read again from its start");
                    return Some(true);
                }
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Directory, &mut Vec<News>), heard: &mut (impl FnMut(News) + Send)) {
        let mut news = Vec::new();
        let own = {
            let mut directory = self.nodes.directory();
            let before = directory.own().clone();
            change(&mut directory, &mut news);
            if *directory.own() != before {
                tracing::warn!(was = %before, node = %directory.own(), "other nodes considered this node gone; it goes on under a new id");
            }
            directory.own().clone()
        };
        // There may be something to write: a lease to end, or everything again.
        self.nodes.changed.notify_one();
        for news in news {
            match &news {
                News::Came(node) if *node != own => tracing::info!(%node, "a node has joined"),
                News::Gone(node) if *node != own => tracing::info!(%node, "a node is gone"),
                _ => {}
            }
            heard(news);
        }
    }
}
