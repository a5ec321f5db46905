use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::testing::encoded;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

fn row(seq: i64, key: &str) -> Row {
    Row { seq, ordering_key: key.into(), event: Ok(encoded(None, 0)) }
}

fn lanes(rows: &[(i64, &str)]) -> Lanes {
    let mut lanes = Lanes::new(BACKOFF);
    lanes.admit(rows.iter().map(|(seq, key)| row(*seq, key)).collect());
    lanes
}

fn seq(row: Option<Arc<Row>>) -> Option<i64> {
    row.map(|row| row.seq)
}

#[test]
fn one_row_per_key_is_in_flight_and_the_oldest_goes_first() {
    let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b")]);
    let first = lanes.next().unwrap();
    assert_eq!(first.seq, 1);
    assert_eq!(seq(lanes.next()), Some(3));
    assert_eq!(seq(lanes.next()), None, "2 waits for 1");
    lanes.done(&first);
    assert_eq!(seq(lanes.next()), Some(2));
}

#[test]
fn a_row_that_commits_late_goes_before_its_followers() {
    let mut lanes = lanes(&[(5, "a"), (6, "a")]);
    lanes.admit(vec![row(4, "a")]);
    assert_eq!(seq(lanes.next()), Some(4));
    assert_eq!(seq(lanes.next()), None);
}

#[test]
fn rows_that_are_held_are_not_taken_up_again() {
    let mut lanes = lanes(&[(1, "a")]);
    let first = lanes.next().unwrap();
    lanes.admit(vec![row(1, "a")]);
    lanes.done(&first);
    assert_eq!(seq(lanes.next()), None);
    assert_eq!(lanes.held, 0);
}

#[test]
fn a_failed_row_blocks_its_key_alone_and_until_its_pause_is_over() {
    let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b")]);
    let first = lanes.next().unwrap();
    let pause = lanes.retry(&first, Duration::ZERO, 1.0);
    assert_eq!(pause, Duration::from_millis(100));
    assert_eq!(seq(lanes.next()), Some(3));
    assert_eq!(lanes.next_unblock(), Some(pause));
    assert_eq!(lanes.excluded(), ["a"]);
    lanes.unblock(pause - Duration::from_millis(1));
    assert_eq!(seq(lanes.next()), None);
    lanes.unblock(pause);
    assert!(lanes.take_wants_rows(), "2 was dropped and has to be loaded again");
    assert_eq!(seq(lanes.next()), Some(1));
}

#[test]
fn an_outage_is_probed_with_another_row_each_time() {
    let mut lanes = lanes(&[(1, "a"), (2, "a"), (3, "b"), (4, "c")]);
    let probes: Vec<_> = (0..4)
        .map(|_| {
            let row = lanes.next_probe().unwrap();
            lanes.put_back(&row);
            row.seq
        })
        .collect();
    assert_eq!(probes, [1, 3, 4, 1]);
    assert_eq!(seq(lanes.next()), Some(1), "after it the oldest goes first");
}

#[test]
fn pauses_of_a_key_grow_and_a_success_resets_them() {
    let mut lanes = lanes(&[(1, "a")]);
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let row = lanes.next().unwrap();
        pauses.push(lanes.retry(&row, now, 1.0).as_millis());
        now += Duration::from_secs(10);
        lanes.unblock(now);
    }
    assert_eq!(pauses, [100, 200, 400]);
    let first = lanes.next().unwrap();
    lanes.admit(vec![row(2, "a")]);
    lanes.done(&first);
    let second = lanes.next().unwrap();
    assert_eq!(lanes.retry(&second, now, 1.0), Duration::from_millis(100));
}

#[test]
fn a_busy_key_leaves_room_for_others() {
    let mut lanes = Lanes::new(BACKOFF);
    lanes.admit((0..1000).map(|seq| row(seq, "busy")).collect());
    assert_eq!(lanes.held, MAX_PER_LANE);
    assert_eq!(lanes.excluded(), ["busy"]);
    assert!(lanes.want_rows());
    lanes.admit(vec![row(1000, "calm")]);
    let busy = lanes.next().unwrap();
    assert_eq!(seq(lanes.next()), Some(1000));
    lanes.done(&busy);
    assert_eq!(lanes.excluded(), ["busy"], "one free place is not worth a read");
    assert!(!lanes.take_wants_rows());
    while let Some(row) = lanes.next() {
        lanes.done(&row);
    }
    assert!(lanes.take_wants_rows());
    assert!(lanes.excluded().is_empty());
}

#[test]
fn memory_is_bounded() {
    let mut lanes = Lanes::new(BACKOFF);
    lanes.admit((0..1000).map(|seq| row(seq, &format!("key {seq}"))).collect());
    assert_eq!(lanes.held, MAX_HELD);
    assert!(!lanes.want_rows());
}

/// What may happen next to the rows of a table of 60 rows.
#[derive(Debug, Clone)]
enum Step {
    Load,
    Start,
    Finish { which: usize, outcome: u8 },
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Load),
        Just(Step::Start),
        (0..16_usize, 0..4_u8).prop_map(|(which, outcome)| Step::Finish { which, outcome }),
        Just(Step::Wait),
    ]
}

/// A table, its relay's memory, and what the receiver has received.
struct Model {
    table: BTreeSet<i64>,
    lanes: Lanes,
    in_flight: Vec<Arc<Row>>,
    received: Vec<i64>,
    now: Duration,
}

impl Model {
    fn key(seq: i64) -> String {
        format!("key {}", seq * seq % 5)
    }

    fn load(&mut self) {
        let excluded: Vec<String> = self.lanes.excluded().into_iter().map(str::to_owned).collect();
        let rows = self.table.iter().filter(|seq| !excluded.contains(&Self::key(**seq)));
        self.lanes.admit(rows.map(|seq| row(*seq, &Self::key(*seq))).collect());
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Load => self.load(),
            Step::Start => self.in_flight.extend(self.lanes.next()),
            Step::Finish { .. } if self.in_flight.is_empty() => {}
            Step::Finish { which, outcome } => {
                let row = self.in_flight.swap_remove(which % self.in_flight.len());
                match outcome {
                    0 => self.lanes.put_back(&row),
                    1 => drop(self.lanes.retry(&row, self.now, 0.5)),
                    _ => {
                        self.received.push(row.seq);
                        self.table.remove(&row.seq);
                        self.lanes.done(&row);
                    }
                }
            }
            Step::Wait => {
                self.now += Duration::from_millis(300);
                self.lanes.unblock(self.now);
            }
        }
        let mut keys: Vec<_> = self.in_flight.iter().map(|row| &row.ordering_key).collect();
        keys.sort();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "two rows of one key in flight");
        assert_eq!(self.lanes.in_flight(), self.in_flight.len());
        assert_eq!(self.lanes.held, self.lanes.lanes.values().map(|lane| lane.rows.len()).sum::<usize>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_every_row_arrives_once_and_in_the_order_of_its_key(
        steps in proptest::collection::vec(step(), 0..400)
    ) {
        let mut model = Model {
            table: (0..60).collect(),
            lanes: Lanes::new(BACKOFF),
            in_flight: Vec::new(),
            received: Vec::new(),
            now: Duration::ZERO,
        };
        for step in &steps {
            model.apply(step);
        }
        // From here on nothing fails: everything left must arrive.
        for _ in 0..200 {
            for step in [Step::Wait, Step::Load, Step::Start, Step::Finish { which: 0, outcome: 2 }] {
                model.apply(&step);
            }
        }
        prop_assert_eq!(model.received.len(), 60);
        for key in 0..5 {
            let key = format!("key {key}");
            let of_key: Vec<_> = model.received.iter().filter(|seq| Model::key(**seq) == key).collect();
            prop_assert!(of_key.is_sorted(), "{}: {:?}", key, of_key);
        }
    }
}
