//! What a tab sends: calls, and what clients send that mean no good.

use fanfare_e2e_tests::Random;

use super::{Link, Manner, Order, Surroundings, Tab};
use crate::simulation::platform::platform;
use crate::simulation::wire::frame;
use crate::vocabulary::name::GroupName;

/// A call that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Cursor,
    Join(&'static str),
    Leave(&'static str),
    Watch(&'static str),
    Unwatch(&'static str),
    Resume,
}

impl Call {
    /// The group into which it asks to come.
    pub(super) fn asks(&self) -> Option<GroupName> {
        match self {
            Self::Join(list) => Some(platform().list(list)),
            Self::Watch(org) => Some(platform().org(org)),
            Self::Leave(_) | Self::Unwatch(_) | Self::Cursor | Self::Resume => None,
        }
    }
}

/// How much of what it has sent may wait for its node before a flood pauses.
const FLOOD: usize = 4 << 10;

impl Tab {
    /// Sends a message of the hub protocol.
    pub(super) fn send(&mut self, text: &str) {
        let message = format!("{text}\u{1e}");
        if self.manner != Manner::Fragments {
            return self.outgoing.extend(frame(0x81, message.as_bytes()));
        }
        let bytes = message.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let opcode = if at == 0 { 1 } else { 0 };
            let end = if at + 1 == bytes.len() { 0x80 } else { 0 };
            self.outgoing.extend(frame(opcode | end, &[*byte]));
        }
    }

    pub(super) fn pong(&mut self) {
        self.outgoing.extend(frame(0x8a, b""));
    }

    /// Calls a hub method.
    pub(super) fn call(&mut self, call: Call) {
        self.called += 1;
        let (target, arguments) = match &call {
            Call::Cursor => ("Cursor", String::new()),
            Call::Join(list) => ("JoinList", format!("\"{list}\"")),
            Call::Leave(list) => ("LeaveList", format!("\"{list}\"")),
            Call::Watch(org) => ("WatchOrg", format!("\"{org}\"")),
            Call::Unwatch(org) => ("UnwatchOrg", format!("\"{org}\"")),
            Call::Resume => ("Resume", format!("\"{}\"", self.resume_cursor().unwrap_or_default())),
        };
        match call {
            Call::Watch(org) => self.watching.asked(org),
            Call::Resume => {
                self.watching.resume_called(&self.resume_cursor().unwrap_or_default(), self.order, self.now)
            }
            _ => {}
        }
        // It may hear of a group before the call is answered.
        self.asked.extend(call.asks());
        let id = self.called;
        self.send(&format!(
            "{{\"type\":1,\"invocationId\":\"{id}\",\"target\":\"{target}\",\"arguments\":[{arguments}]}}"
        ));
        self.has_resumed |= call == Call::Resume;
        self.trace(format_args!("calls {call:?}"));
        self.calls.push_back(call);
    }

    /// The cursor that a resume names: the one of before, or the newest that any handler saw.
    fn resume_cursor(&self) -> Option<String> {
        let newest = || self.last.clone();
        if self.order == Order::Late { newest() } else { self.resume_from.clone().or_else(newest) }
    }

    /// What a page does once it is connected.
    pub(super) fn say(&mut self, now: i64) {
        if !self.is_open {
            return;
        }
        if self.has_said {
            // A resume that failed is called again, once what was called meanwhile is answered.
            let resumes = !matches!(self.order, Order::AtConnect | Order::Never);
            if resumes && self.resume_from.is_some() && self.calls.is_empty() {
                self.call(Call::Resume);
            }
            return;
        }
        if self.resume_from.is_none() {
            self.has_said = true;
            return self.call(Call::Cursor);
        }
        match self.order {
            Order::Late | Order::LateWithOld if now < self.opened_at + 3_000 => return,
            Order::AtConnect => self.join_all(),
            Order::Never => {}
            Order::JoinThenResume => {
                self.join_all();
                self.call(Call::Resume);
            }
            Order::ResumeThenJoin | Order::Late | Order::LateWithOld => {
                self.call(Call::Resume);
                self.join_all();
            }
            Order::Twice => {
                self.call(Call::Resume);
                self.call(Call::Resume);
                self.join_all();
            }
        }
        self.has_said = true;
    }

    fn join_all(&mut self) {
        for list in std::mem::take(&mut self.lists) {
            self.call(Call::Join(list));
        }
        for org in self.watching.orgs() {
            self.call(Call::Watch(org));
        }
    }

    /// What a client does that means no good.
    pub(super) fn misbehave(&mut self, random: &mut Random) {
        match self.manner {
            Manner::Floods if self.outgoing.len() < FLOOD => {
                for _ in 0..100 {
                    let some = *random.pick(&[(0x89, &b""[..]), (0x81, b"{\"type\":6}\x1e"), (0x81, b"")]);
                    self.outgoing.extend(frame(some.0, some.1));
                }
            }
            Manner::Resumes if self.is_open && self.calls.len() < 3 => self.call(Call::Resume),
            Manner::Deaf if self.is_open && self.outgoing.len() < FLOOD => self.call(Call::Cursor),
            _ => {}
        }
    }

    /// Hands its node what it has sent.
    pub(super) fn write(&mut self, link: Link, around: &mut Surroundings<'_>) {
        self.say(around.now);
        if !self.outgoing.is_empty() {
            let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
            shard.receive(link.key, &mut self.outgoing, view);
        }
    }
}
