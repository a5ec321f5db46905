//! Everybody receives exactly what is addressed to them, in order.

mod oracle;
mod world;

use fanfare_e2e_tests::wait::PATIENCE;
use fanfare_e2e_tests::{Node, Random, Tab, Token};

use oracle::{Heard, Oracle};
use world::{Event, Person, World};

const WORLDS: usize = 2;
const PHASES: usize = 6;
const EVENTS_PER_PHASE: usize = 50;
const PEOPLE_AT_FIRST: usize = 36;
const PEOPLE_PER_PHASE: usize = 6;

/// A tab, what it should have received since it connected, and what it did receive.
struct Listener {
    person: Person,
    tab: Tab,
    /// Its first notifications, in any order.
    told: Vec<Heard>,
    expected: Vec<Heard>,
    heard: Vec<Heard>,
    /// Its cursor after the barrier of each phase, and how much it had received by then.
    cursors: Vec<(String, usize)>,
}

impl Listener {
    async fn connect(node: &Node, person: Person, oracle: &Oracle) -> Self {
        let mut tab = person.connect().connect(node.address()).await;
        // It has asked for its cursor here, and gets the retained values of this moment.
        tab.cursor().await;
        let told = oracle.told_at_connect(&person);
        Self { person, tab, told, expected: Vec::new(), heard: Vec::new(), cursors: Vec::new() }
    }

    /// Receives everything up to the barrier with this id.
    async fn hear_up_to(&mut self, barrier: &str) {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.tab.expect("probe")).await;
            let argument = next.unwrap_or_else(|_| panic!("{:?} never hears of {barrier}", self.person));
            let text = |key: &str| argument[key].as_str().expect("a text").to_owned();
            self.heard.push((text("route"), text("event")));
            if text("event") == barrier {
                self.cursors.push((text("cursor"), self.heard.len()));
                return;
            }
        }
    }

    /// The retained values at connect, and everything after them.
    fn check(&self, seed: &Random) {
        let told = self.told.len().min(self.heard.len());
        let (mut first, rest) = (self.heard[..told].to_vec(), &self.heard[told..]);
        first.sort();
        assert_eq!(first, self.told, "told at connect to {:?} ({seed:?})", self.person);
        let same = rest.iter().zip(&self.expected).take_while(|(heard, expected)| heard == expected).count();
        assert!(
            rest == self.expected,
            "{:?}\nheard    {:?} as number {same}\nexpected {:?}\n({seed:?})",
            self.person,
            rest.get(same),
            self.expected.get(same),
        );
    }
}

struct Play {
    random: Random,
    seed: Random,
    node: Node,
    token: String,
    oracle: Oracle,
    listeners: Vec<Listener>,
    published: usize,
    people: usize,
}

impl Play {
    async fn begin(mut random: Random) -> Self {
        let seed = random.clone();
        let world = World::random(&mut random);
        let node = Node::start_with(world.settings()).await;
        let oracle = Oracle::new(&world.routes);
        let token = Token::producer().sign();
        Self { random, seed, node, token, oracle, listeners: Vec::new(), published: 0, people: 0 }
    }

    async fn come(&mut self, count: usize) {
        for _ in 0..count {
            self.people += 1;
            let person = Person::random(&mut self.random, self.people);
            self.listeners.push(Listener::connect(&self.node, person, &self.oracle).await);
        }
    }

    fn leave(&mut self, count: usize) {
        for _ in 0..count {
            let gone = self.random.below(self.listeners.len());
            self.listeners.swap_remove(gone).check(&self.seed);
        }
    }

    async fn publish(&mut self, event: &Event) -> String {
        self.published += 1;
        let id = format!("event-{}", self.published);
        for listener in &mut self.listeners {
            listener.expected.extend(self.oracle.hears(&listener.person, event, &id));
        }
        self.oracle.happened(event, &id);
        self.node.post(&self.token, &event.published(&id)).await.expect(202);
        id
    }

    /// Waits until all have caught up, so that later connections come after all earlier events.
    async fn barrier(&mut self) {
        let barrier = self.publish(&Event::Barrier).await;
        for listener in &mut self.listeners {
            listener.hear_up_to(&barrier).await;
            listener.check(&self.seed);
        }
    }

    async fn phase(&mut self) {
        let people: Vec<Person> = self.listeners.iter().map(|listener| listener.person.clone()).collect();
        for _ in 0..EVENTS_PER_PHASE {
            let event = Event::random(&mut self.random, &people);
            self.publish(&event).await;
        }
        self.barrier().await;
    }

    /// All users whose roles are still those of the token reconnect with an old cursor, and receive exactly what they
    /// received since then.
    async fn resume(&mut self) {
        let mut returned = Vec::new();
        for listener in &self.listeners {
            if self.oracle.roles_changed(&listener.person) {
                continue;
            }
            let (cursor, heard) = self.random.pick(&listener.cursors).clone();
            let missed = listener.heard[heard..].to_vec();
            let connect = listener.person.connect().query("cursor", &cursor);
            let tab = connect.connect(self.node.address()).await;
            // Replayed values are not sent again as retained ones.
            let mut told = self.oracle.told_at_connect(&listener.person);
            told.retain(|flag| !missed.contains(flag));
            let person = listener.person.clone();
            returned.push((
                Listener { person, tab, told: Vec::new(), expected: missed, heard: vec![], cursors: vec![] },
                told,
            ));
        }
        assert!(!returned.is_empty(), "nobody is left ({:?})", self.seed);
        let barrier = self.publish(&Event::Barrier).await;
        for (mut listener, told) in returned {
            listener.hear_up_to(&barrier).await;
            let (replayed, end) = (listener.expected.len(), ("barrier".to_owned(), barrier.clone()));
            let mut after = listener.heard.split_off(replayed.min(listener.heard.len()));
            assert_eq!(after.pop(), Some(end), "the barrier comes last ({:?})", self.seed);
            after.sort();
            assert_eq!(after, told, "told after the replay to {:?} ({:?})", listener.person, self.seed);
            listener.check(&self.seed);
        }
    }
}

#[tokio::test]
async fn everybody_receives_what_is_addressed_to_them_and_nothing_else() {
    let mut random = Random::new("isolation");
    for _ in 0..WORLDS {
        let play = perform(random.clone()).await;
        random = play.random;
    }
}

async fn perform(random: Random) -> Play {
    let mut play = Play::begin(random).await;
    play.come(PEOPLE_AT_FIRST).await;
    for _ in 0..PHASES {
        play.phase().await;
        play.leave(PEOPLE_PER_PHASE / 2);
        play.come(PEOPLE_PER_PHASE).await;
    }
    play.barrier().await;
    play.resume().await;
    let heard: usize = play.listeners.iter().map(|listener| listener.heard.len()).sum();
    assert!(heard > 500, "hardly anything was heard: {heard} ({:?})", play.seed);
    let dropped = play.node.metric("fanfare_isolation_drops", "").await;
    eprintln!("{} events, {} people, {heard} notifications heard, {dropped} held back", play.published, play.people);
    play
}
