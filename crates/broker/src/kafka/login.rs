//! Another login for a cluster that is in use: tried first, with clients of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::{Cluster, Partitions, ask};
use super::options::Options;
use super::{Checked, Kafka, check, client, scan};
use crate::properties::is_of_login;

impl Kafka {
    /// Logs in with these properties from now on; of them only those count that are about logins and encryption. They are
    /// tried first, with all that a start checks. What was sent before is still answered, and readers go on from where
    /// they are.
    ///
    /// # Errors
    /// Why the login is of no use; the one before stays.
    pub async fn log_in(&self, properties: &BTreeMap<String, String>) -> Result<(), String> {
        let now = &self.cluster.options;
        let kept = now.properties.iter().filter(|(name, _)| !is_of_login(name));
        let new = properties.iter().filter(|(name, _)| is_of_login(name));
        let properties = kept.chain(new).map(|(name, value)| (name.clone(), value.clone())).collect();
        let options = Options { properties, ..now.clone() };
        let config = client::config(&options).map_err(|error| error.to_string())?;
        let candidate = Arc::new(Cluster::new(options).map_err(|error| error.to_string())?);
        let tried = self.try_it(&candidate).await;
        // A client that ends waits for its threads.
        client::end(candidate);
        tried?;
        self.cluster.use_login(config).map_err(|error| error.to_string())?;
        self.producer.log_in();
        *self.checked.lock().await = Checked::Yes;
        Ok(())
    }

    async fn try_it(&self, candidate: &Arc<Cluster>) -> Result<(), String> {
        check::check(candidate).await.map_err(|error| error.to_string())?;
        if candidate.options.publish_only {
            return Ok(());
        }
        // That topics are shown gives no right to read them.
        let readable = ask(candidate, |cluster| {
            let names = cluster.names.topics.iter().map(|topic| &topic.name).chain([&cluster.names.nodes]);
            for topic in names {
                if let Partitions::Ready(_) = cluster.partitions_of(topic)? {
                    let end = cluster.ends_of(topic)?;
                    scan::scan(cluster, topic, &BTreeMap::from([(0, end)]), |_| false)?;
                }
            }
            Ok(())
        });
        readable.await.map_err(|error| error.to_string())
    }
}
