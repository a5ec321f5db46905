//! Compares what was sent with what was received.

use std::collections::HashMap;
use std::fmt;

use fanfare_e2e_tests::follower::{Follower, Return};
use fanfare_e2e_tests::wait::PATIENCE;
use tokio::time::Instant;

use crate::load::Sent;
use crate::plan::Plan;

/// The result of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    seed: u64,
    broker: &'static str,
    sent: usize,
    received: usize,
    missed: usize,
    duplicated: usize,
    /// The number of reconnects.
    returns: usize,
    /// The number of connections that were given up because they were silent.
    silent: usize,
    /// Faults of order or audience.
    faults: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, broker, sent, received, missed, duplicated, returns, silent, faults } = self;
        write!(f, "seed {seed} {broker}: sent {sent}, received {received}, missed {missed}, ")?;
        write!(f, "duplicated {duplicated} (same id), {returns} reconnects, {silent} silent, ")?;
        f.write_str(if faults.is_empty() { "order kept" } else { "ORDER NOT KEPT" })
    }
}

impl Report {
    /// Waits until every tab has received everything for it, and compares.
    pub(crate) async fn of(plan: &Plan, broker: &'static str, sent: &[Sent], followers: &[Follower]) -> Self {
        wait_for_the_last(sent, followers).await;
        let mut report = Self { seed: plan.seed, broker, sent: sent.len(), ..Self::default() };
        let by_title: HashMap<&str, &Sent> = sent.iter().map(|sent| (sent.title.as_str(), sent)).collect();
        for follower in followers {
            report.add(follower, &by_title, sent);
        }
        report.compare_orders(followers, &by_title);
        report
    }

    /// Fails the test unless everything arrived, in order, and reached no other tab.
    pub(crate) fn expect_good(&self) {
        assert!(self.faults.is_empty(), "{self}\n{}", self.faults.join("\n"));
        assert_eq!(self.missed, 0, "{self}");
    }

    fn add(&mut self, follower: &Follower, by_title: &HashMap<&str, &Sent>, sent: &[Sent]) {
        let (plan, heard) = (follower.plan, follower.heard());
        self.received += heard.titles.len();
        self.duplicated += heard.duplicated;
        self.returns += heard.returns;
        self.silent += heard.silent;
        let due = sent.iter().filter(|sent| sent.is_for(plan.org, plan.user));
        let missed: Vec<&str> = due.map(|sent| sent.title.as_str()).filter(|title| !heard.has(title)).collect();
        if !missed.is_empty() {
            self.missed += missed.len();
            eprintln!("{plan:?}, which {}, missed {missed:?}", heard.doing);
        }
        for title in &heard.titles {
            if !by_title.get(title.as_str()).is_some_and(|sent| sent.is_for(plan.org, plan.user)) {
                self.faults.push(format!("{plan:?} heard {title}, which is not for it"));
            }
        }
        if plan.how == Return::ByCall {
            return;
        }
        let mut last: HashMap<&str, usize> = HashMap::new();
        for title in &heard.titles {
            let (producer, number) = title.split_once('/').expect("a numbered title");
            let number = number.parse().expect("a number");
            if let Some(before) = last.insert(producer, number).filter(|before| *before > number) {
                self.faults.push(format!("{plan:?} heard {title} after {producer}/{before}"));
            }
        }
    }

    /// All tabs of one org receive what is for the whole org in one order: that of the stream.
    fn compare_orders(&mut self, followers: &[Follower], by_title: &HashMap<&str, &Sent>) {
        let mut orders: HashMap<&str, Vec<String>> = HashMap::new();
        for follower in followers.iter().filter(|follower| follower.plan.how == Return::WithCursor) {
            let heard = follower.heard();
            let for_all = |title: &&String| by_title.get(title.as_str()).is_some_and(|sent| sent.user.is_none());
            let order: Vec<String> = heard.titles.iter().filter(for_all).cloned().collect();
            let first = orders.entry(follower.plan.org).or_insert_with(|| order.clone());
            if let Some(at) = (0..order.len().min(first.len())).find(|at| order[*at] != first[*at]) {
                let (one, other) = (&order[at], &first[at]);
                self.faults.push(format!("{:?} heard {one} where another tab heard {other}", follower.plan));
            }
        }
    }
}

/// Waits until nothing is missing, or nothing has arrived for as long as a test waits.
async fn wait_for_the_last(sent: &[Sent], followers: &[Follower]) {
    let missing = || -> usize {
        let missing = followers.iter().map(|follower| {
            let (plan, heard) = (follower.plan, follower.heard());
            sent.iter().filter(|sent| sent.is_for(plan.org, plan.user) && !heard.has(&sent.title)).count()
        });
        missing.sum()
    };
    let (mut least, mut since) = (usize::MAX, Instant::now());
    loop {
        let left = missing();
        if left == 0 {
            return;
        }
        if left < least {
            (least, since) = (left, Instant::now());
        }
        if since.elapsed() > PATIENCE / 2 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
