//! A tab: joins lists, drops, comes back to any node, and keeps by what it is told who is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::shard::Key;
use crate::simulation::wire::{frame, next_frame};

pub(super) const LISTS: [&str; 2] = ["1", "2"];

/// One tab.
pub(super) struct Tab {
    pub(super) number: usize,
    pub(super) user: String,
    pub(super) org: &'static str,
    /// Its node, and the connection there.
    pub(super) link: Option<(usize, Key)>,
    /// The lists that it is in.
    pub(super) lists: BTreeSet<&'static str>,
    incoming: Vec<u8>,
    calls: u32,
    /// Lists that it is leaving, by the call: what comes before its answer is of before.
    leaving: BTreeMap<String, String>,
    /// Who is there, of each list of which it was told.
    pub(super) told: BTreeMap<String, BTreeSet<String>>,
}

impl Tab {
    pub(super) fn new(number: usize, users: usize) -> Self {
        // Some users have several tabs, and one has a namesake in another org.
        let org = if number % 5 == 4 { "globex" } else { "acme" };
        let user = format!("u{}", number % users);
        Self {
            number,
            user,
            org,
            link: None,
            lists: BTreeSet::new(),
            incoming: Vec::new(),
            calls: 0,
            leaving: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// Whether it reads less than it is told.
    pub(super) fn is_slow(&self) -> bool {
        self.number % 3 == 2
    }

    /// It is reconnected, or no more.
    pub(super) fn begin(&mut self, link: Option<(usize, Key)>) {
        self.link = link;
        self.incoming.clear();
        self.lists.clear();
        self.leaving.clear();
        self.told.clear();
    }

    pub(super) fn handshake() -> Vec<u8> {
        text("{\"protocol\":\"json\",\"version\":1}")
    }

    pub(super) fn call(&mut self, method: &str, list: &str) -> Vec<u8> {
        self.calls += 1;
        if method == "Leave" {
            self.told.remove(list);
            self.leaving.insert(self.calls.to_string(), list.to_owned());
        }
        let id = self.calls;
        text(&format!("{{\"type\":1,\"invocationId\":\"{id}\",\"target\":\"{method}\",\"arguments\":[\"{list}\"]}}"))
    }

    /// Takes what the server has written.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.incoming.extend_from_slice(bytes);
        while let Some((opcode, payload)) = next_frame(&mut self.incoming) {
            if opcode != 1 {
                continue;
            }
            for text in payload.split(|byte| *byte == 0x1e).filter(|text| !text.is_empty()) {
                let message: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
                match message["type"].as_u64() {
                    Some(1) => self.notified(&message)?,
                    Some(3) => drop(self.leaving.remove(message["invocationId"].as_str().unwrap_or_default())),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn notified(&mut self, message: &Value) -> Result<(), String> {
        let word = |at: usize| message["arguments"][at].as_str().unwrap_or_default().to_owned();
        let (list, user) = (word(0), word(1));
        let org = if message["target"] == "there" { word(3) } else { word(2) };
        let before = format!("tab {} ({} of {}) told {:?}", self.number, self.user, self.org, self.told);
        let wrong = |what: &str| Err(format!("{before} {what}: {message}"));
        if org != self.org {
            return wrong("hears of another org");
        }
        if !self.lists.contains(&*list) || self.leaving.values().any(|leaving| *leaving == list) {
            // It has left; what was on its way is passed over.
            return Ok(());
        }
        match message["target"].as_str() {
            Some("there") => {
                if message["arguments"][2] == 1 {
                    self.told.remove(&list);
                }
                let users = message["arguments"][1].as_array().cloned().unwrap_or_default();
                let users = users.iter().filter_map(|user| user.as_str().map(str::to_owned));
                self.told.entry(list).or_default().extend(users);
            }
            _ if user == self.user => return wrong("hears of itself"),
            Some(target @ ("joined" | "left")) => {
                let Some(told) = self.told.get_mut(&list) else {
                    return wrong("hears of a change before who is there");
                };
                if target == "joined" && !told.insert(user.clone()) {
                    return wrong("hears twice that somebody came");
                }
                if target == "left" && !told.remove(&user) {
                    return wrong("hears that somebody left who was not there");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn text(message: &str) -> Vec<u8> {
    frame(0x81, format!("{message}\u{1e}").as_bytes())
}
