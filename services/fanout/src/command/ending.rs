//! How a node ends: why, and how long its connections may stay.

use std::thread::JoinHandle;
use std::time::Duration;

use fanfare_broker::BrokerError;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::node::StartError;
use crate::socket::App;
use crate::socket::shard::Command;

/// How often a shard is asked whether it still answers, and the length of a turn.
const TURN: Duration = Duration::from_secs(1);

/// After how many turns without an answer it is named in the log.
const WORTH_TELLING: u32 = 5;

/// After how many it is given up. They are turns and not a time: a process that was stopped meanwhile had none.
const MOST_TURNS: u32 = 30;

/// How much of a drain the connections that are closed last need to leave.
const LEAVING: Duration = Duration::from_secs(3);

/// The longest pause between two connections that are closed: a hundred per second are no burden to other nodes.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Waits until the node is told to stop, or cannot go on.
///
/// # Errors
/// What ended by itself: the node would look healthy and serve only some clients, or none.
pub(super) async fn until_ended(
    told: impl Future<Output = ()>,
    pipeline: &mut tokio::task::JoinHandle<Result<(), BrokerError>>,
    shards: &[mpsc::Sender<Command>],
) -> Result<(), StartError> {
    tokio::select! {
        () = told => Ok(()),
        ended = pipeline => match ended {
            Ok(outcome) => outcome.map_err(StartError::from),
            Err(_) => Err(StartError::PipelineEnded),
        },
        shard = first_gone(shards) => Err(StartError::ShardEnded(shard)),
        shard = first_stuck(shards, TURN) => Err(StartError::ShardStuck(shard)),
    }
}

/// The first shard that does not answer: its tabs hear nothing, and the reader of the log waits for it.
async fn first_stuck(shards: &[mpsc::Sender<Command>], turn: Duration) -> usize {
    let stuck = |(index, shard): (usize, &mpsc::Sender<Command>)| {
        let shard = shard.clone();
        async move {
            until_stuck(index, &shard, turn).await;
            index
        }
    };
    let mut all: FuturesUnordered<_> = shards.iter().enumerate().map(stuck).collect();
    match all.next().await {
        Some(index) => index,
        None => std::future::pending().await,
    }
}

async fn until_stuck(index: usize, shard: &mpsc::Sender<Command>, turn: Duration) {
    loop {
        let (answer, answered) = oneshot::channel();
        let asked = async { shard.send(Command::Probe(answer)).await.is_ok() && answered.await.is_ok() };
        tokio::pin!(asked);
        let mut turns = 0;
        let is_there = loop {
            tokio::select! {
                is_there = &mut asked => break is_there,
                () = tokio::time::sleep(turn) => turns += 1,
            }
            if turns == WORTH_TELLING {
                tracing::warn!(
                    shard = index,
                    "a shard does not answer: its connections receive nothing, and the log is not read on"
                );
            }
            if turns >= MOST_TURNS {
                return;
            }
        };
        if !is_there {
            // It has ended, which is reported elsewhere.
            return std::future::pending().await;
        }
        tokio::time::sleep(turn).await;
    }
}

/// The first shard that takes no more commands, which it does until it is drained.
async fn first_gone(shards: &[mpsc::Sender<Command>]) -> usize {
    let gone = |(index, shard): (usize, &mpsc::Sender<Command>)| {
        let shard = shard.clone();
        async move {
            shard.closed().await;
            index
        }
    };
    let mut all: FuturesUnordered<_> = shards.iter().enumerate().map(gone).collect();
    match all.next().await {
        Some(index) => index,
        None => std::future::pending().await,
    }
}

/// Over how much of the drain a node closes so many connections.
///
/// Where there is no other node they can only come back to the next one that starts here: the sooner this one is gone,
/// the sooner they hear again.
pub(super) fn telling(drain: Duration, has_others: bool, connections: usize) -> Duration {
    if !has_others {
        return Duration::ZERO;
    }
    let longest = LONGEST_PAUSE.saturating_mul(u32::try_from(connections).unwrap_or(u32::MAX));
    drain.saturating_sub(LEAVING.min(drain / 2)).min(longest)
}

/// Closes every connection so that it reconnects elsewhere, one after another `over` a time, and waits until the shards
/// have none left.
pub(crate) async fn drained(app: &App, threads: Vec<JoinHandle<()>>, wait: Duration, over: Duration) {
    if !drain(&app.shards, threads, wait, over).await {
        tracing::warn!(connections = app.groups.connections(), "some connections did not end in time");
    }
}

/// Whether all shards ended in time.
async fn drain(shards: &[mpsc::Sender<Command>], threads: Vec<JoinHandle<()>>, wait: Duration, over: Duration) -> bool {
    // All at a time: one that is stuck and takes nothing must not keep the others from hearing of it. A shard that is
    // gone has nothing to drain.
    let told = join_all(shards.iter().map(|shard| shard.send(Command::Drain { over })));
    let ended = tokio::task::spawn_blocking(move || {
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a shard ended with a panic");
            }
        }
    });
    tokio::time::timeout(wait, async { tokio::join!(told, ended) }).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Longer than anything here takes that does not wait for ever.
    const SOON: Duration = Duration::from_secs(30);

    const DRAIN: Command = Command::Drain { over: Duration::ZERO };

    #[test]
    fn closes_are_spread_over_the_drain_but_for_what_the_last_needs_to_leave() {
        let over = |drain, connections| telling(Duration::from_secs(drain), true, connections).as_millis();
        assert_eq!([0, 1, 5, 25].map(|drain| over(drain, 20_000)), [0, 500, 2500, 22_000]);
        assert_eq!([0, 3, 100].map(|few| over(25, few)), [0, 30, 1000]);
        assert_eq!(telling(Duration::from_secs(25), false, 20_000), Duration::ZERO, "nobody else would take them");
    }

    async fn ended(
        mut pipeline: tokio::task::JoinHandle<Result<(), BrokerError>>,
        shards: &[mpsc::Sender<Command>],
    ) -> Result<(), StartError> {
        tokio::time::timeout(SOON, until_ended(pending(), &mut pipeline, shards)).await.expect("is noticed")
    }

    #[tokio::test]
    async fn a_reader_that_panics_ends_the_node_with_an_error() {
        let (shard, _commands) = mpsc::channel(1);
        let pipeline = tokio::spawn(async { panic!("this panic is part of the test") });
        let outcome = ended(pipeline, &[shard]).await;
        assert!(matches!(outcome, Err(StartError::PipelineEnded)), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_shard_that_panics_ends_the_node_with_an_error() {
        let (well, _commands) = mpsc::channel(1);
        let (panicking, mut commands) = mpsc::channel::<Command>(1);
        let thread = std::thread::spawn(move || {
            commands.blocking_recv();
            panic!("this panic is part of the test");
        });
        let (shards, pipeline) = ([well, panicking.clone()], tokio::spawn(pending()));
        // It panics at this, or at the question whether it answers.
        let (outcome, _) = tokio::join!(ended(pipeline, &shards), panicking.send(DRAIN));
        assert!(matches!(outcome, Err(StartError::ShardEnded(1))), "{outcome:?}");
        assert!(thread.join().is_err());
    }

    #[tokio::test]
    async fn a_shard_that_does_not_answer_is_named() {
        let ((slow, mut commands), (stuck, _unread)) = (mpsc::channel(1), mpsc::channel(1));
        let turn = Duration::from_millis(10);
        let answering = async {
            while let Some(command) = commands.recv().await {
                tokio::time::sleep(turn * 3).await;
                let Command::Probe(answer) = command else { panic!("{command:?}") };
                let _ = answer.send(());
            }
        };
        let shards = [slow, stuck];
        tokio::select! {
            index = tokio::time::timeout(SOON, first_stuck(&shards, turn)) => assert_eq!(index.expect("is noticed"), 1),
            () = answering => unreachable!("its sender is here"),
        }
    }

    #[tokio::test]
    async fn a_shard_that_is_stuck_holds_up_neither_the_others_nor_the_end() {
        let ((stuck, _full), (well, mut commands)) = (mpsc::channel(1), mpsc::channel(1));
        stuck.try_send(DRAIN).expect("room for one");
        let (release, released) = std::sync::mpsc::channel::<()>();
        let threads = vec![
            std::thread::spawn(move || assert!(released.recv().is_err())),
            std::thread::spawn(move || assert!(matches!(commands.blocking_recv(), Some(Command::Drain { .. })))),
        ];
        let shards = [stuck, well];
        let draining = drain(&shards, threads, Duration::from_millis(200), Duration::ZERO);
        assert!(!tokio::time::timeout(SOON, draining).await.expect("ends"), "the stuck one is told of");
        drop(release);
    }

    #[tokio::test]
    async fn shards_that_end_end_the_wait() {
        let (shard, mut commands) = mpsc::channel(1);
        let threads = vec![std::thread::spawn(move || drop(commands.blocking_recv()))];
        assert!(drain(&[shard], threads, SOON, Duration::ZERO).await);
    }
}
