//! What a tab takes, and what it makes of it.

use std::sync::Arc;

use fanfare_broker::Position;
use serde_json::Value;

use super::calls::Call;
use super::{Link, Manner, Order, Surroundings, Tab};
use crate::projection::open_cursor;
use crate::simulation::check::{Account, Heard, History, true_flags};
use crate::simulation::platform::platform;
use crate::simulation::tests::traced_tab;
use crate::simulation::wire::next_frame;
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;

impl Tab {
    /// Takes what waits, up to so many bytes, and answers.
    pub(super) fn read(&mut self, link: Link, most: usize, around: &mut Surroundings<'_>) -> Result<(), String> {
        let Some(identity) = self.identity() else { return Ok(()) };
        let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
        let (bytes, is_over) = shard.read(link.key, most, view);
        let (resumed, live_from) = (shard.take_resumed(link.key), shard.live_from(link.key));
        self.renewed = shard.take_renewed(link.key).or(self.renewed.take());
        self.incoming.extend(bytes);
        let mut closed = None;
        while let Some((opcode, payload)) = next_frame(&mut self.incoming) {
            match opcode {
                1 => self.take(&payload, &identity, around, &mut closed)?,
                9 if self.pongs => self.pong(),
                _ => {}
            }
        }
        if let Some((complete, from)) = resumed {
            self.resumed(complete, from, around);
        }
        self.owed_from = self.owed_from.take().map(|from| self.owed_since(from));
        self.watching.renew(self.renewed.as_ref());
        self.look_who_watches(around);
        // Whoever never resumes is owed what comes from where it is live.
        if self.order == Order::Never && self.resume_from.is_some() {
            self.owed_from = self.owed_from.take().or(live_from);
        }
        if is_over || closed.is_some() {
            let may_return = closed.unwrap_or(true);
            self.drop_link(around);
            if !may_return {
                // The page shows the login: whoever comes next starts again.
                (self.token, self.last, self.resume_from, self.owed_from) = (None, None, None, None);
                self.watching.begin_anew();
                self.flags.clear();
                self.lists.clear();
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        payload: &[u8],
        who: &Identity,
        around: &Surroundings<'_>,
        closed: &mut Option<bool>,
    ) -> Result<(), String> {
        for text in payload.split(|byte| *byte == 0x1e).filter(|text| !text.is_empty()) {
            let message: Value = serde_json::from_slice(text).map_err(|error| {
                format!("tab {} ({:?}) reads {}: {error}", self.number, self.manner, String::from_utf8_lossy(text))
            })?;
            match message["type"].as_u64() {
                None => (self.is_open, self.opened_at) = (true, around.now),
                Some(1) => self.hear(&message, who, around.history)?,
                Some(3) => self.answered(&message, who, around)?,
                Some(7) => *closed = Some(message["allowReconnect"] == true),
                _ => {}
            }
        }
        Ok(())
    }

    fn answered(&mut self, message: &Value, who: &Identity, around: &Surroundings<'_>) -> Result<(), String> {
        self.trace(format_args!("answered {:?}: {message}", self.calls.front()));
        let Some(call) = self.calls.pop_front() else {
            return Err(format!("tab {} ({:?}) has an answer to nothing: {message}", self.number, self.manner));
        };
        match call {
            Call::Cursor => {
                let Some(cursor) = message["result"].as_str() else { return Err(format!("no cursor: {message}")) };
                let position = position(cursor)?;
                if self.resume_from.is_none() {
                    self.verify_up_to(&position, who, around)?;
                }
                self.owed_from = self.owed_from.take().or_else(|| Some(self.owed_since(position)));
                self.last = Some(cursor.to_owned());
            }
            Call::Join(list) => {
                if message["error"].is_null() {
                    self.lists.insert(list);
                }
            }
            // A second join that is refused takes nobody out: the role may be lost, and what was sent before its loss is still
            // on its way.
            Call::Watch(org) if !message["error"].is_null() && self.watching.is_in(org) => {}
            Call::Watch(org) if !message["error"].is_null() => {
                self.watching.left(org);
                self.is_out_of(&platform().org(org));
            }
            Call::Watch(org) => self.watch_answered(org, around),
            Call::Unwatch(org) => {
                self.watching.left(org);
                self.is_out_of(&platform().org(org));
            }
            Call::Leave(list) => {
                self.lists.remove(list);
                self.is_out_of(&platform().list(list));
            }
            Call::Resume => self.resume_answered(message, around)?,
        }
        Ok(())
    }

    /// It is in a group no more, unless it has asked for it again.
    fn is_out_of(&mut self, group: &GroupName) {
        if !self.calls.iter().any(|call| call.asks().as_ref() == Some(group)) {
            self.asked.remove(group);
        }
    }

    fn resume_answered(&mut self, message: &Value, around: &Surroundings<'_>) -> Result<(), String> {
        // A call that failed is made again, and told again what it was told before it failed.
        if !message["error"].is_null() {
            self.told_counts.clear();
            self.watching.resume_failed();
            return Ok(());
        }
        let result = &message["result"];
        let Some(cursor) = result["cursor"].as_str() else { return Err(format!("no cursor: {message}")) };
        if result["more"] == true {
            self.resume_from = Some(cursor.to_owned());
            self.last = Some(cursor.to_owned());
            self.call(Call::Resume);
            return Ok(());
        }
        self.resumed(result["complete"] == true, position(cursor)?, around);
        self.last = Some(cursor.to_owned());
        Ok(())
    }

    /// Shows what happens to one tab, named by an environment variable, for whoever looks into a seed.
    pub(super) fn trace(&self, what: std::fmt::Arguments<'_>) {
        if traced_tab() == Some(self.number) {
            eprintln!("tab {}: {what}", self.number);
        }
    }

    /// A resume has ended; what comes behind `from` is heard live.
    fn resumed(&mut self, complete: bool, from: Position, around: &Surroundings<'_>) {
        self.trace(format_args!(
            "has resumed, complete {complete}, {from:?}, and true is {:?}",
            true_flags(around.producers, self.org)
        ));
        if !complete || self.owed_from.is_none() {
            self.owed_from = Some(self.owed_since(from));
            // Not everything can be told again: the page asks the producer what is true.
            let flags = true_flags(around.producers, self.org);
            self.flags = flags.into_iter().collect();
        }
        self.resume_from = None;
        self.watching.resumed(complete);
    }

    /// From where on everything is owed to it that is at a place: what a new log holds comes live from where it was renewed,
    /// and nobody can tell it of the old one any more. An answer from before may be read after that.
    fn owed_since(&self, from: Position) -> Position {
        owed_since(from, self.renewed.as_ref())
    }

    /// Nothing that it has a right to lies before a place and has not come.
    fn verify_up_to(&self, place: &Position, who: &Identity, around: &Surroundings<'_>) -> Result<(), String> {
        let Some(owed_from) = &self.owed_from else { return Ok(()) };
        let account = Account { identity: who, hub: self.hub(), owed_from, until: Some(place), got: &self.got };
        let missing = around.history.missing(&account, around.log);
        let missing =
            if missing.is_empty() { self.missing_of_watched(Some(place), around.history, around.log) } else { missing };
        let user = &who.claims().user;
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("tab {} ({user}, {:?}) is at {place:?} and has not got {missing:#?}", self.number, self.order))
    }

    /// What a tab hears of a partition comes in its order, unless the page asks for what came before while it hears.
    fn verify_order(&mut self, heard: &Heard<'_>, history: &History) -> Result<(), String> {
        let Some((incarnation, place)) = history.place_in_order(heard).filter(|_| !self.has_resumed) else {
            return Ok(());
        };
        match self.heard_last.insert((incarnation, place.partition), place.offset) {
            Some(last) if last > place.offset => {
                Err(format!("tab {} ({:?}) hears {place:?} behind {last}", self.number, self.order))
            }
            _ => Ok(()),
        }
    }

    fn hear(&mut self, message: &Value, who: &Identity, history: &History) -> Result<(), String> {
        let argument = &message["arguments"][0];
        let Some(id) = argument["id"].as_str() else { return Ok(()) };
        let hub = Arc::clone(self.hub());
        let heard = Heard { id, who, hub: &hub };
        if let Some(wrong) = history.misplaced(&heard, &self.asked) {
            return Err(wrong);
        }
        self.trace(format_args!("hears {} {argument}", message["target"]));
        // What a throttle has held comes behind what was told meanwhile; its own order is held against `count`.
        if message["target"] != "counted" {
            self.verify_order(&heard, history)?;
        }
        let times = self.got.entry(id.to_owned()).or_default();
        *times += 1;
        self.again += usize::from(*times > 1);
        let is_own = history.other_org(&heard).is_none();
        if is_own && message["target"] == "featureFlag" {
            let flag = argument["flag"].as_str().unwrap_or_default();
            self.flags.insert(flag.to_owned(), argument["enabled"] == true);
        }
        if is_own && message["target"] == "counted" {
            self.count(argument)?;
        }
        // The obvious client: the newest cursor that any handler saw.
        self.last = argument["cursor"].as_str().map(str::to_owned).or(self.last.take());
        Ok(())
    }

    /// The count of a list, which only grows: no connection is told an older one behind a newer one.
    fn count(&mut self, argument: &Value) -> Result<(), String> {
        let list = argument["list"].as_str().unwrap_or_default();
        let count = argument["count"].as_i64().unwrap_or_default();
        let told = self.told_counts.insert(list.to_owned(), count);
        // Those who ask again with an older cursor are told again.
        let asks_once = self.manner == Manner::Honest && self.order != Order::Twice;
        if let Some(told) = told.filter(|told| asks_once && *told > count) {
            let (number, order) = (self.number, self.order);
            return Err(format!("tab {number} ({order:?}) is told {count} of {list} after {told}"));
        }
        self.counts.insert(list.to_owned(), count);
        Ok(())
    }
}

/// The same for a connection that goes on in a new log from `renewed`.
pub(super) fn owed_since(from: Position, renewed: Option<&Position>) -> Position {
    renewed.filter(|renewed| renewed.incarnation() != from.incarnation()).cloned().unwrap_or(from)
}

pub(super) fn position(cursor: &str) -> Result<Position, String> {
    open_cursor(&platform().seal, cursor).map(|cursor| cursor.position).map_err(|error| error.to_string())
}
