//! What a tab takes, and what it makes of it.

use fanfare_broker::Position;
use serde_json::Value;

use super::{Link, Surroundings, Tab};
use crate::connection::Identity;
use crate::projection::open_cursor;
use crate::simulation::check::{Account, History, true_flags};
use crate::simulation::platform::platform;
use crate::simulation::producer::Producers;
use crate::simulation::replay::Resumed;

impl Tab {
    /// Takes what waits and answers.
    pub(super) fn read(&mut self, link: Link, around: &mut Surroundings<'_>) -> Result<(), String> {
        let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
        let Some(tab) = shard.tabs.get_mut(&link.key) else {
            return Err("a tab is gone from its shard".to_owned());
        };
        let bytes = tab.queue.drain();
        let (ended, replaying) = (tab.ended.clone(), tab.is_replaying());
        let (live_from, resumed, renewed) = (tab.hearing.live_from.clone(), tab.resumed.take(), tab.renewed.take());
        let (identity, gap_at) = (tab.identity.clone(), tab.gap_at.take());
        let cursor = shard.answer_cursor(link.key, view.rules);
        for frame in bytes.split(|byte| *byte == 0x1e).filter(|frame| !frame.is_empty()) {
            let message: Value = serde_json::from_slice(frame).map_err(|error| error.to_string())?;
            self.hear(&message, &identity, around.history)?;
        }
        // What a new stream holds from there on comes live, and nobody can tell it of the old one any more.
        let was_renewed = renewed.is_some();
        self.owed_from = renewed.or(self.owed_from.take());
        if let Some(gap_at) = gap_at.filter(|_| was_renewed) {
            self.verify_up_to(&gap_at, &identity, around)?;
        }
        if let Some(cursor) = cursor {
            let place = open_cursor(&platform().seal, &cursor).map_err(|error| error.to_string())?;
            if ended.is_none() && self.resume_from.is_none() {
                self.verify_up_to(&place, &identity, around)?;
            }
            self.last = Some(cursor);
        }
        if let Some(reason) = ended {
            self.drop_link(around.nodes);
            if !reason.allow_reconnect() {
                // The page shows the login: whoever comes next begins anew.
                (self.token, self.last, self.resume_from, self.owed_from) = (None, None, None, None);
                self.flags.clear();
            }
            return Ok(());
        }
        if let Some(resumed) = resumed {
            self.end_resume(resumed, around.producers, around.log.incarnation());
            return Ok(());
        }
        let Some(live_from) = live_from else { return Ok(()) };
        self.owed_from.get_or_insert(live_from);
        if replaying {
            return Ok(());
        }
        if let Some(cursor) = self.resume_from.clone()
            && !self.at_connect
        {
            let cursor = open_cursor(&platform().seal, &cursor).map_err(|error| error.to_string())?;
            let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
            // As clients should: first into their groups, then back to what was missed in them.
            self.lists.retain(|list| shard.join_list(link.key, list, view));
            shard.resume(link.key, &cursor, None, view);
        } else if self.last.is_none() {
            let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
            shard.ask_cursor(link.key, view.groups);
        }
        Ok(())
    }

    /// Nothing that it has a right to lies before a place and has not come.
    fn verify_up_to(&self, place: &Position, who: &Identity, around: &Surroundings<'_>) -> Result<(), String> {
        let Some(owed_from) = &self.owed_from else { return Ok(()) };
        let account = Account { identity: who, owed_from, until: Some(place), got: &self.got };
        let missing = around.history.missing(&account, around.log);
        let user = &who.claims().user;
        if missing.is_empty() { Ok(()) } else { Err(format!("{user} is at {place:?} and has not got {missing:#?}")) }
    }

    fn end_resume(&mut self, resumed: Resumed, producers: &Producers, incarnation: u64) {
        // A call that failed is made again.
        let Some(complete) = resumed.complete else { return };
        if !complete {
            let from = resumed.live_from;
            match &mut self.owed_from {
                Some(owed_from) if owed_from.incarnation() == from.incarnation() => owed_from.merge(&from),
                // It was answered before the tab was let go on in the stream that is now.
                Some(owed_from) if owed_from.incarnation() == incarnation => {}
                owed_from => *owed_from = Some(from),
            }
            self.refetch(producers);
        }
        // The answer comes behind what was replayed.
        self.last = self.last.take().or_else(|| self.resume_from.clone());
        self.resume_from = None;
    }

    /// Not everything can be told again: the page asks the producer what is true.
    fn refetch(&mut self, producers: &Producers) {
        let flags = true_flags(producers, self.org);
        self.flags = flags.into_iter().map(|(flag, on)| (flag, (on, 0))).collect();
    }

    fn hear(&mut self, message: &Value, who: &Identity, history: &History) -> Result<(), String> {
        let argument = &message["arguments"][0];
        let Some(id) = argument["id"].as_str() else { return Ok(()) };
        if let Some(wrong) = history.misplaced(id, who) {
            return Err(wrong);
        }
        let times = self.got.entry(id.to_owned()).or_default();
        *times += 1;
        self.again += usize::from(*times > 1);
        if message["target"] == "featureFlag" {
            let flag = argument["flag"].as_str().unwrap_or_default();
            let at = argument["at"].as_str().and_then(|at| fanfare_event::Timestamp::parse_rfc3339(at).ok());
            let at = at.map_or(0, |at| at.0);
            let enabled = argument["enabled"] == true;
            let known = self.flags.get(flag);
            let old = self.resume_from.is_some() && known.is_some_and(|(_, known)| at < *known);
            if !old {
                self.flags.insert(flag.to_owned(), (enabled, at));
            }
        }
        self.last = argument["cursor"].as_str().map(str::to_owned).or(self.last.take());
        Ok(())
    }
}
