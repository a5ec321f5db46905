//! Checks at the start that the topics exist and have the required settings.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::client::{self, Context};
use super::cluster::{Cluster, Partitions, ask};
use super::durability::{self, Disk};
use super::options::Options;
use crate::error::BrokerError;
use crate::message::Stream;

/// Settings of a topic, by name.
type Settings = Vec<(&'static str, String)>;

/// What the cluster tells of a `flush.ms` that nobody has set.
const NEVER: &str = "9223372036854775807";

/// The servers that are asked how often they look at it; of more, these are as good.
const MOST_SERVERS: usize = 16;

/// How long a topic that was just created may be without a leader.
const PATIENCE: Duration = Duration::from_secs(10);

/// The requirements of a topic.
#[derive(Debug, Clone)]
struct Wanted {
    name: String,
    /// Whether only the newest record of each key is kept.
    compacted: bool,
    /// How long records must be kept, if they are not compacted.
    window: Duration,
    /// The largest batch of records that the topic must take.
    batch: u64,
    /// The settings with which it is created.
    settings: Settings,
    /// The number of partitions it must have, where that matters.
    partitions: Option<i32>,
}

impl Wanted {
    fn all(cluster: &Cluster) -> Result<Vec<Self>, BrokerError> {
        let options = &cluster.options;
        let batch = client::largest_batch(&cluster.config(), options);
        let batch = batch.map_err(|error| BrokerError::Refused(error.to_string()))?;
        let mut all: Vec<Self> = cluster
            .names
            .topics
            .iter()
            .map(|topic| match topic.stream {
                Stream::Events => Self::events(&topic.name, options),
                Stream::State => Self::compacted(&topic.name, options),
            })
            .collect();
        if !options.publish_only {
            all.push(Self::compacted(&cluster.names.letters, options));
            all.push(Self::nodes(&cluster.names.nodes, options));
        }
        all.iter_mut().for_each(|wanted| wanted.batch = batch);
        Ok(all)
    }

    fn events(name: &str, options: &Options) -> Self {
        let bytes = options.retention_bytes / u64::from(options.partitions.max(1));
        let mut settings = common(options);
        settings.extend([
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", options.retention.as_millis().to_string()),
            ("retention.bytes", bytes.to_string()),
            // Kafka deletes only whole segments.
            ("segment.bytes", (bytes / 4).clamp(16 << 20, 1 << 30).to_string()),
        ]);
        Self { name: name.to_owned(), compacted: false, window: options.window, batch: 0, settings, partitions: None }
    }

    fn compacted(name: &str, options: &Options) -> Self {
        let mut settings = common(options);
        settings.extend([
            ("cleanup.policy", "compact".to_owned()),
            // Kafka compacts only whole segments, and a starting node reads what is not compacted: by default that
            // would be a gigabyte or a week.
            ("segment.bytes", (64 << 20).to_string()),
            ("segment.ms", Duration::from_secs(24 * 3600).as_millis().to_string()),
            ("min.cleanable.dirty.ratio", "0.2".to_owned()),
        ]);
        Self { name: name.to_owned(), compacted: true, window: Duration::ZERO, batch: 0, settings, partitions: None }
    }

    /// All nodes' records are in one order. Leases are renewed every few seconds, so old segments must be compacted
    /// soon.
    fn nodes(name: &str, options: &Options) -> Self {
        let mut settings = common(options);
        settings.extend([
            ("cleanup.policy", "compact".to_owned()),
            ("segment.bytes", (16 << 20).to_string()),
            ("segment.ms", Duration::from_secs(600).as_millis().to_string()),
            ("min.cleanable.dirty.ratio", "0.2".to_owned()),
            ("delete.retention.ms", Duration::from_secs(3600).as_millis().to_string()),
        ]);
        Self { settings, partitions: Some(1), ..Self::compacted(name, options) }
    }

    /// What is wrong with the settings of an existing topic, and what would be right.
    fn fault(&self, found: &ConfigResource) -> Option<String> {
        let value = |name| found.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or("(not told)");
        let wrong = |name: &str, is: &str, right: &str| {
            Some(format!("the topic {} has {name}={is}; it must be {right}", self.name))
        };
        let policy = value("cleanup.policy");
        match (self.compacted, policy) {
            (true, "compact") | (false, "delete") => {}
            (true, _) => return wrong("cleanup.policy", policy, "compact, as each key's newest record must be kept"),
            (false, _) => {
                return wrong("cleanup.policy", policy, "delete, as events with one key are different events");
            }
        }
        let stamped = value("message.timestamp.type");
        if stamped != "LogAppendTime" {
            return wrong("message.timestamp.type", stamped, "LogAppendTime, as the replay window counts that time");
        }
        let largest = value("max.message.bytes");
        if largest.parse::<u64>().is_ok_and(|largest| largest < self.batch) {
            let right = format!("at least {}, the batch.size with which records are sent", self.batch);
            return wrong("max.message.bytes", largest, &right);
        }
        if self.compacted {
            return None;
        }
        let kept = value("retention.ms");
        let window = i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX);
        match kept.parse::<i64>() {
            Ok(kept) if kept < 0 || kept >= window => None,
            _ => wrong("retention.ms", kept, &format!("at least the replay window, {window}")),
        }
    }

    /// The number of partitions with which it is created.
    fn partitions_of_new(&self, options: &Options) -> i32 {
        self.partitions.unwrap_or_else(|| i32::try_from(options.partitions).unwrap_or(1).max(1))
    }

    /// The arguments for `kafka-topics`.
    fn described(&self) -> String {
        let settings = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        settings.collect::<Vec<_>>().join(" ")
    }
}

fn common(options: &Options) -> Settings {
    vec![
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("max.message.bytes", client::largest_record(options).to_string()),
    ]
}

/// Checks all topics, and creates the missing ones if that is allowed.
pub(super) async fn check(cluster: &Arc<Cluster>) -> Result<(), BrokerError> {
    let wanted = Wanted::all(cluster)?;
    let names: Vec<String> = wanted.iter().map(|wanted| wanted.name.clone()).collect();
    let missing = ask(cluster, move |cluster| missing(cluster, &names)).await?;
    let admin: AdminClient<Context> = cluster
        .config()
        .create_with_context(cluster.context())
        .map_err(|error| BrokerError::Unavailable(format!("no client for topics: {error}")))?;
    let asked = AdminOptions::new().request_timeout(Some(cluster.timeout())).operation_timeout(Some(cluster.timeout()));
    let (absent, mut present): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|wanted| missing.contains(&wanted.name));
    let mut made = Vec::new();
    if !absent.is_empty() {
        let others = create(cluster, &admin, &asked, &absent).await?;
        let (by_others, by_us): (Vec<_>, Vec<_>) = absent.into_iter().partition(|wanted| others.contains(&wanted.name));
        present.extend(by_others);
        made = by_us;
    }
    counts(cluster, &present).await?;
    #[cfg(test)]
    let (present, made) = if cluster.options.is_mock { (Vec::new(), Vec::new()) } else { (present, made) };
    let checked = match settings(cluster, &admin, &asked, &present).await {
        Ok(()) => risks(cluster, &admin, &asked, &[present, made].concat()).await,
        Err(fault) => Err(fault),
    };
    // Dropping the client may block.
    drop(tokio::task::spawn_blocking(move || drop(admin)));
    checked
}

fn missing(cluster: &Cluster, names: &[String]) -> Result<Vec<String>, BrokerError> {
    let mut missing = Vec::new();
    for name in names {
        if matches!(cluster.partitions_of(name)?, Partitions::Missing) {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

/// Whether the existing topics have the required number of partitions.
async fn counts(cluster: &Arc<Cluster>, present: &[Wanted]) -> Result<(), BrokerError> {
    let wanted: Vec<(String, i32)> =
        present.iter().filter_map(|wanted| Some((wanted.name.clone(), wanted.partitions?))).collect();
    let count = move |cluster: &Cluster| {
        wanted.iter().try_for_each(|(name, right)| match cluster.partitions_of(name)? {
            Partitions::Ready(count) if count != *right => Err(BrokerError::Refused(format!(
                "the topic {name} has {count} partitions; it must have {right}, as nodes' records are in one order"
            ))),
            _ => Ok(()),
        })
    };
    ask(cluster, count).await
}

/// Creates topics; returns the names of those that somebody else created meanwhile, or that this server did not know
/// yet.
async fn create(
    cluster: &Arc<Cluster>,
    admin: &AdminClient<Context>,
    asked: &AdminOptions,
    absent: &[Wanted],
) -> Result<Vec<String>, BrokerError> {
    let options = &cluster.options;
    let refused = |wanted: &Wanted, why: &str| {
        let settings = wanted.described();
        let partitions = wanted.partitions_of_new(options);
        BrokerError::Refused(format!(
            "the topic {} does not exist and {why}; create it with {partitions} partitions and {settings}",
            wanted.name
        ))
    };
    if let (false, Some(first)) = (options.create, absent.first()) {
        return Err(refused(first, "this node may not create topics (create = false)"));
    }
    // Less than one means the cluster's default.
    let replication = options.replication.map_or(-1, i32::from);
    let new: Vec<NewTopic<'_>> = absent
        .iter()
        .map(|wanted| {
            let partitions = wanted.partitions_of_new(options);
            let new = NewTopic::new(&wanted.name, partitions, TopicReplication::Fixed(replication));
            wanted.settings.iter().fold(new, |new, (name, value)| new.set(name, value))
        })
        .collect();
    let made = admin.create_topics(&new, asked).await;
    let made = made.map_err(|error| client::broker_error("making topics", &error, &cluster.connections))?;
    let mut others = Vec::new();
    for (wanted, made) in absent.iter().zip(made) {
        match made {
            Ok(_) => {
                tracing::info!(topic = wanted.name, partitions = wanted.partitions_of_new(options), "created a topic");
            }
            Err((_, Code::TopicAlreadyExists)) => others.push(wanted.name.clone()),
            Err((_, code)) if client::missing_right(code).is_some() => {
                return Err(refused(wanted, "this user has no right to create it"));
            }
            Err((_, Code::RequestTimedOut | Code::OperationTimedOut | Code::NotController)) => {
                return Err(BrokerError::Unavailable(format!("the topic {} is being created", wanted.name)));
            }
            Err((_, code)) => return Err(refused(wanted, &format!("the cluster refuses to create it: {code}"))),
        }
    }
    let names: Vec<String> = absent.iter().map(|wanted| wanted.name.clone()).collect();
    ask(cluster, move |cluster| names.iter().try_for_each(|name| wait_for(cluster, name))).await?;
    Ok(others)
}

fn wait_for(cluster: &Cluster, name: &str) -> Result<(), BrokerError> {
    let begun = Instant::now();
    while !matches!(cluster.partitions_of(name)?, Partitions::Ready(_)) {
        if begun.elapsed() > PATIENCE {
            return Err(BrokerError::Unavailable(format!("the topic {name} was created but has no leaders yet")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Looks for settings with which topics lose acknowledged records. Settings that the cluster does not return are
/// skipped: the check before has found out whether a topic can be used at all.
async fn risks(
    cluster: &Arc<Cluster>,
    admin: &AdminClient<Context>,
    asked: &AdminOptions,
    topics: &[Wanted],
) -> Result<(), BrokerError> {
    if topics.is_empty() {
        return Ok(());
    }
    let named: Vec<ResourceSpecifier<'_>> = topics.iter().map(|w| ResourceSpecifier::Topic(&w.name)).collect();
    let found = admin.describe_configs(&named, asked).await.unwrap_or_default();
    let names: Vec<String> = topics.iter().map(|wanted| wanted.name.clone()).collect();
    let replicas = ask(cluster, move |cluster| {
        Ok(names.iter().map(|name| cluster.replicas_of(name).ok().flatten()).collect::<Vec<_>>())
    });
    let replicas = replicas.await?;
    let value = |n: usize, name| found.get(n)?.as_ref().ok()?.get(name)?.value.as_deref();
    let flushes = |n: usize| value(n, "flush.ms").is_some_and(|ms| ms != NEVER);
    // Asked only where it matters, since it needs a right to the cluster.
    let looked_at = if (0..topics.len()).any(flushes) { flush_interval(cluster, admin, asked).await? } else { None };
    let disk = |n: usize| Disk::of(value(n, "flush.messages"), value(n, "flush.ms"), looked_at.as_deref());
    // Of the log: letters and what nodes say are written anew.
    let of_log = topics.iter().enumerate().filter(|(_, wanted)| cluster.names.find(&wanted.name).is_some());
    let latest = of_log.map(|(n, _)| disk(n)).max();
    let mut all = Vec::new();
    for (n, wanted) in topics.iter().enumerate() {
        let kept = durability::TopicSettings {
            replicas: replicas[n],
            in_sync: value(n, "min.insync.replicas"),
            unclean: value(n, "unclean.leader.election.enable"),
            disk: found.get(n).is_some_and(Result::is_ok).then(|| disk(n)),
        };
        all.extend(durability::risks(&wanted.name, kept, cluster.options.replication));
    }
    if let (true, Some(first)) = (cluster.options.strict, all.first()) {
        return Err(BrokerError::Refused(format!("{} (strict = true)", first.reason)));
    }
    cluster.set_promises(all, latest);
    Ok(())
}

/// How often servers look whether `flush.ms` has passed: the longest of them, as text; none if one does not tell.
async fn flush_interval(
    cluster: &Arc<Cluster>,
    admin: &AdminClient<Context>,
    asked: &AdminOptions,
) -> Result<Option<String>, BrokerError> {
    let mut longest = 0;
    for server in ask(cluster, Cluster::servers).await?.into_iter().take(MOST_SERVERS) {
        // One question may be about one server only.
        let answer = admin.describe_configs(&[ResourceSpecifier::Broker(server)], asked).await.unwrap_or_default();
        let told = answer.first().and_then(|found| found.as_ref().ok());
        let interval =
            told.and_then(|found| found.get("log.flush.scheduler.interval.ms")?.value.as_deref()?.parse().ok());
        match interval {
            Some(interval) => longest = u64::max(longest, interval),
            None => return Ok(None),
        }
    }
    Ok(Some(longest.to_string()))
}

async fn settings(
    cluster: &Arc<Cluster>,
    admin: &AdminClient<Context>,
    asked: &AdminOptions,
    present: &[Wanted],
) -> Result<(), BrokerError> {
    const WHAT: &str = "asking for the settings of topics";
    if present.is_empty() {
        return Ok(());
    }
    let topics: Vec<ResourceSpecifier<'_>> = present.iter().map(|w| ResourceSpecifier::Topic(&w.name)).collect();
    let found = match admin.describe_configs(&topics, asked).await {
        Ok(found) => found,
        Err(error) if error.rdkafka_error_code() == Some(Code::UnsupportedFeature) => {
            tracing::warn!("this cluster does not return the settings of topics, so they are not checked");
            return Ok(());
        }
        Err(error) => return Err(client::broker_error(WHAT, &error, &cluster.connections)),
    };
    for (wanted, found) in present.iter().zip(found) {
        let fault = match found {
            Ok(found) => {
                let named = OwnedResourceSpecifier::Topic(wanted.name.clone());
                if found.specifier != named {
                    return Err(BrokerError::Unavailable(format!("{WHAT}: {named:?} was not answered")));
                }
                wanted.fault(&found)
            }
            Err(code) if client::missing_right(code).is_some() => Some(format!(
                "the settings of the topic {} cannot be checked: this user needs the right DescribeConfigs on it",
                wanted.name
            )),
            Err(code) => return Err(client::code_error(WHAT, code, &cluster.connections)),
        };
        if let Some(fault) = fault {
            return Err(BrokerError::Refused(fault));
        }
    }
    Ok(())
}
