//! The follower by itself: what it asks and what it wants done, for answers that a test gives.

use bytes::Bytes;
use fanfare_broker::{Message, Stream};

use super::*;

const WINDOW: Window = Window { age: Duration::from_secs(600), records: 1_000 };

/// A follower and the position of its node.
struct Node {
    follower: Follower,
    known: Position,
}

fn at(incarnation: u64, offset: u64) -> Position {
    Position::from_parts(incarnation, [(0, offset)])
}

fn record(offset: u64) -> Record {
    let message = Message {
        stream: Stream::Events,
        org: None,
        topic: "a.B".into(),
        key: None,
        id: offset.to_string(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    Record { partition: 0, offset, time: 0, message }
}

fn batch(offsets: std::ops::RangeInclusive<u64>) -> Answer {
    let end = at(1, *offsets.end());
    Answer::Batch(offsets.map(record).collect(), end)
}

fn unavailable() -> BrokerError {
    BrokerError::Unavailable("away".into())
}

impl Node {
    fn new() -> Self {
        Self { follower: Follower::new(WINDOW), known: Position::start(0) }
    }

    /// One that follows its log, of which it has read three records.
    fn following() -> Self {
        let mut node = Self::new();
        for answer in [Answer::At(at(1, 3)), Answer::At(Position::start(1)), Answer::At(Position::start(1))] {
            node.answer(Ok(answer));
        }
        node.answer(Ok(Answer::Batch(Vec::new(), Position::start(1))));
        node.answer(Ok(Answer::At(Position::start(1))));
        node.answer(Ok(batch(1..=3)));
        assert_eq!(node.next().1, Ask::ReadLog);
        node
    }

    /// What is done until the next question, by name, and the question.
    fn next(&mut self) -> (Vec<String>, Ask) {
        let mut done = Vec::new();
        loop {
            let what = match self.follower.next(&self.known) {
                Step::Ask(ask) => return (done, ask),
                Step::Do(what) => what,
            };
            done.push(match what {
                Do::Take(record, mode) => {
                    self.known.advance(&record);
                    format!("take {} {mode:?}", record.offset)
                }
                Do::Pass(read) => {
                    self.known.merge(&read);
                    "pass".to_owned()
                }
                Do::Change(change) => {
                    if let Change::GoOnFrom(position) | Change::Renew { start: position, .. } = &change {
                        self.known = position.clone();
                    }
                    match change {
                        Change::GoOnFrom(_) => "go on".to_owned(),
                        Change::Renew { is_all, .. } => format!("renew, all of it: {is_all}"),
                        Change::EndRenewal | Change::Learnt => format!("{change:?}").to_lowercase(),
                    }
                }
                Do::Apply(ConnectionEffect::Renewed(_)) => "tabs go on in it".to_owned(),
                Do::Apply(effect) => format!("{effect:?}").to_lowercase(),
                Do::Begin(_) => "begin".to_owned(),
                Do::Told(_) => "told".to_owned(),
                Do::Ready(ready) => if ready { "ready" } else { "not ready" }.to_owned(),
                Do::Expect(places) => format!("expect {places}"),
                Do::Lost(places) => format!("lost {places}"),
                Do::Replaced => "replaced".to_owned(),
                Do::Wait(pause) => format!("wait {}", pause.as_millis()),
                Do::End(outcome) => format!("end {}", outcome.is_ok()),
            });
        }
    }

    /// Does what comes before a question, and answers it.
    fn answer(&mut self, given: Result<Answer, BrokerError>) {
        self.next();
        self.follower.answer(given, &self.known);
    }
}

#[test]
fn a_start_reads_the_window_of_a_log_behind_all_state_and_is_then_ready() {
    let mut node = Node::new();
    assert_eq!(node.next(), (vec![], Ask::Head));
    node.answer(Ok(Answer::At(at(1, 7))));
    assert_eq!(node.next(), (vec![], Ask::Window(WINDOW)), "before the state is read");
    node.answer(Ok(Answer::At(at(1, 4))));
    assert_eq!(node.next(), (vec![], Ask::OpenState));
    node.answer(Ok(Answer::At(Position::start(1))));
    assert_eq!(node.next(), (vec!["go on".to_owned()], Ask::ReadState));
    node.answer(Ok(Answer::Batch(vec![record(2)], at(1, 2))));
    assert_eq!(node.next(), (vec!["take 2 State".to_owned()], Ask::ReadState));
    node.answer(Ok(Answer::Batch(Vec::new(), at(1, 2))));
    let (done, ask) = node.next();
    assert_eq!((done, ask), (["expect 3", "go on"].map(str::to_owned).to_vec(), Ask::OpenLog(at(1, 4))));
    node.answer(Ok(Answer::At(at(1, 4))));
    assert_eq!(node.next(), (vec!["begin".to_owned()], Ask::ReadLog));
    node.answer(Ok(Answer::Batch(vec![record(5), record(6)], at(1, 6))));
    let (done, ask) = node.next();
    assert_eq!((done.join(", ").as_str(), ask), ("take 5 CatchingUp, take 6 CatchingUp, pass", Ask::ReadLog));
    // The end is a hole.
    node.answer(Ok(Answer::Batch(Vec::new(), at(1, 7))));
    assert_eq!(node.next().0.join(", "), "pass, told, learnt, ready");
    node.answer(Ok(Answer::Batch(vec![record(8)], at(1, 8))));
    assert_eq!(node.next().0.join(", "), "take 8 Live, pass");
}

#[test]
fn a_new_stream_is_delivered_from_its_window_and_its_state_is_read_after_that() {
    let mut node = Node::following();
    node.answer(Err(BrokerError::OtherIncarnation { reason: "recreated".into() }));
    assert_eq!(node.next(), (["replaced", "not ready", "wait 100"].map(str::to_owned).to_vec(), Ask::Head));
    node.answer(Ok(Answer::At(at(2, 6))));
    assert_eq!(node.next().1, Ask::Window(WINDOW));
    node.answer(Ok(Answer::At(at(2, 4))));
    assert_eq!(node.next().1, Ask::OpenLog(at(2, 4)));
    node.answer(Ok(Answer::At(at(2, 4))));
    let (done, ask) = node.next();
    assert_eq!(done.join(", "), "begin, renew, all of it: false, tabs go on in it, told");
    assert_eq!(ask, Ask::ReadLog);
    // A fault does not end the reading of it.
    node.answer(Err(unavailable()));
    node.answer(Ok(Answer::At(at(2, 4))));
    node.answer(Ok(Answer::Batch(vec![record(5), record(6)], at(2, 6))));
    assert_eq!(node.next(), (["take 5 Live", "take 6 Live", "pass"].map(str::to_owned).to_vec(), Ask::OpenState));
    node.answer(Ok(Answer::At(Position::start(2))));
    assert_eq!(node.next(), (vec!["gap".to_owned()], Ask::ReadState), "before any of it is read");
    node.answer(Ok(Answer::Batch(Vec::new(), Position::start(2))));
    assert_eq!(node.next(), (["gap", "endrenewal", "ready"].map(str::to_owned).to_vec(), Ask::ReadLog));
    assert!(node.follower.is_at_rest());
}

#[test]
fn records_that_are_lost_are_counted_and_the_state_is_read_again() {
    let mut node = Node::following();
    node.answer(Err(BrokerError::Trimmed { oldest: at(1, 8) }));
    let (done, ask) = node.next();
    assert_eq!((done.join(", ").as_str(), ask), ("lost 5, not ready, wait 100", Ask::OpenState));
    node.answer(Err(unavailable()));
    assert_eq!(node.next(), (vec!["wait 200".to_owned()], Ask::OpenState), "what was lost is not forgotten");
    node.answer(Ok(Answer::At(Position::start(1))));
    assert_eq!(node.next(), (vec!["gap".to_owned()], Ask::ReadState));
    node.answer(Ok(Answer::Batch(Vec::new(), Position::start(1))));
    let (done, ask) = node.next();
    assert_eq!((done.join(", ").as_str(), ask), ("go on, gap, endrenewal, told, ready", Ask::OpenLog(at(1, 8))));
}

/// A position of the old stream has no place before the oldest of the new one.
#[test]
fn a_new_stream_that_is_trimmed_as_it_is_opened_is_begun_again() {
    let mut node = Node::following();
    node.answer(Err(BrokerError::OtherIncarnation { reason: "recreated".into() }));
    for answer in [at(2, 6), at(2, 4)] {
        node.answer(Ok(Answer::At(answer)));
    }
    assert_eq!(node.next().1, Ask::OpenLog(at(2, 4)));
    node.answer(Err(BrokerError::Trimmed { oldest: at(2, 5) }));
    assert_eq!(node.next(), (vec!["wait 200".to_owned()], Ask::Head));
}

#[test]
fn a_fault_is_waited_for_ever_longer_and_nothing_is_skipped() {
    let mut node = Node::following();
    for pause in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
        node.answer(Err(unavailable()));
        assert_eq!(node.next(), (vec![format!("wait {pause}")], Ask::OpenLog(at(1, 3))));
    }
    node.answer(Ok(Answer::At(at(1, 3))));
    node.answer(Ok(batch(4..=4)));
    node.answer(Err(unavailable()));
    assert_eq!(node.next(), (vec!["wait 100".to_owned()], Ask::OpenLog(at(1, 4))));
}

#[test]
fn a_broker_that_refuses_ends_a_node_that_could_not_work_yet() {
    let refused = || BrokerError::Refused("wrong password".into());
    let mut node = Node::new();
    node.answer(Err(refused()));
    assert_eq!(node.next(), (vec!["end false".to_owned()], Ask::Nothing));
    let mut node = Node::following();
    node.answer(Err(refused()));
    assert_eq!(node.next().0, ["wait 100"]);
    node.answer(Err(BrokerError::Closed));
    assert_eq!(node.next(), (vec!["end true".to_owned()], Ask::Nothing));
}

#[test]
fn reading_back_that_fails_starts_again() {
    let mut node = Node::new();
    node.answer(Ok(Answer::At(at(1, 7))));
    node.answer(Ok(Answer::At(at(1, 4))));
    node.answer(Ok(Answer::At(Position::start(1))));
    node.answer(Err(unavailable()));
    assert_eq!(node.next(), (vec!["wait 100".to_owned()], Ask::Head));
    // What a running node takes for a new stream or a loss, one that has told nobody of anything reads back anew.
    node.answer(Err(BrokerError::OtherIncarnation { reason: "recreated".into() }));
    node.answer(Err(BrokerError::Trimmed { oldest: at(1, 9) }));
    assert_eq!(node.next(), (vec!["wait 400".to_owned()], Ask::Head));
}

#[test]
fn the_old_end_of_a_recreated_log_is_not_waited_for() {
    let mut node = Node::new();
    node.answer(Ok(Answer::At(at(1, 21))));
    assert_eq!(node.next().1, Ask::Window(WINDOW));
    node.answer(Ok(Answer::At(Position::start(2))));
    assert_eq!(node.next(), (vec!["wait 100".to_owned()], Ask::Head), "the end of the new one");

    let mut node = Node::following();
    node.answer(Err(BrokerError::OtherIncarnation { reason: "recreated".into() }));
    node.next();
    node.answer(Ok(Answer::At(at(2, 21))));
    node.answer(Ok(Answer::At(Position::start(3))));
    assert_eq!(node.next().1, Ask::Head, "the same while tabs are open");
}

#[test]
fn the_state_of_yet_another_log_is_not_taken_for_that_of_the_one_that_is_followed() {
    let mut node = Node::following();
    node.answer(Err(BrokerError::OtherIncarnation { reason: "recreated".into() }));
    node.next();
    node.answer(Ok(Answer::At(Position::start(2))));
    node.answer(Ok(Answer::At(Position::start(2))));
    node.answer(Ok(Answer::At(Position::start(2))));
    assert_eq!(node.next().1, Ask::OpenState, "once its window was told");
    node.answer(Ok(Answer::At(Position::start(3))));
    let (done, ask) = node.next();
    assert_eq!((done.join(", ").as_str(), ask), ("replaced, not ready, wait 200", Ask::Head));
}
