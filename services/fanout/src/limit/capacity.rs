//! How many connections a limit of open files allows.

use thiserror::Error;

/// The most connections of a node without `max_connections`.
pub const DEFAULT_CONNECTIONS: usize = 20_000;

/// Reserved for everything except clients: the log, the broker, authorizers, keys, and the listeners.
const OWN_FILES: usize = 128;

/// The most TCP connections of the operator's port.
const OPERATOR: usize = 64;

/// The most HTTP connections that wait, where files allow it.
const MOST_HTTP: usize = 4096;

/// The fewest with which a node is of use.
const FEWEST_HTTP: usize = 64;

/// How many TCP connections of each kind a node takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Tabs.
    pub connections: usize,
    /// TCP connections of the public port that wait for a request.
    pub http: usize,
    /// TCP connections of the public port in all, tabs among them.
    pub public: usize,
    /// TCP connections of the operator's port.
    pub operator: usize,
    /// Requests that are forwarded to other nodes at a time, each over a TCP connection of its own.
    pub forwarded: usize,
}

/// The limit of open files is too low for the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{asked} connections need {needed} open files, and this process may have {files}: raise the hard limit (`ulimit \
     -Hn`, LimitNOFILE= of systemd, the container's ulimits), or set max_connections to {possible} or less, or leave it \
     out"
)]
pub struct TooFewFiles {
    asked: usize,
    needed: usize,
    files: usize,
    possible: usize,
}

impl Capacity {
    /// The capacity with a limit of open files; `connections` and `http` are configured values, if any.
    ///
    /// # Errors
    /// [`TooFewFiles`] if it asks for more than there can be.
    pub fn of(files: usize, connections: Option<usize>, http: Option<usize>) -> Result<Self, TooFewFiles> {
        let for_clients = files.saturating_sub(OWN_FILES + OPERATOR);
        // A node with few files gives a quarter of them to requests.
        let http_wanted = http.unwrap_or((for_clients / 4).min(MOST_HTTP)).max(FEWEST_HTTP);
        // And an eighth to what it forwards to other nodes.
        let forwarded_wanted = for_clients / 8;
        let connections = match connections {
            None => for_clients.saturating_sub(http_wanted + forwarded_wanted).clamp(1, DEFAULT_CONNECTIONS),
            Some(asked) => asked,
        };
        let fewest_http = http.unwrap_or(FEWEST_HTTP);
        if connections + fewest_http > for_clients {
            return Err(TooFewFiles {
                asked: connections,
                needed: connections + fewest_http + OWN_FILES + OPERATOR,
                files,
                possible: for_clients.saturating_sub(fewest_http),
            });
        }
        // With many connections configured, forwarding still gets a part of what is left.
        let left = for_clients - connections;
        let kept = if http.is_some() { 0 } else { ((left - fewest_http) / 2).min(forwarded_wanted) };
        let http = http_wanted.min(left - kept);
        let public = connections + http;
        let forwarded = (for_clients - public).min(connections);
        Ok(Self { connections, http, public, operator: OPERATOR, forwarded })
    }

    /// Whether files are why there are fewer connections than a node has by default.
    #[must_use]
    pub fn is_low(&self, asked: Option<usize>) -> bool {
        asked.is_none() && self.connections < DEFAULT_CONNECTIONS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_what_the_files_leave() {
        for (files, connections, http) in [
            (1024, 520, 208),
            (4096, 2440, 976),
            (20_000, 13_236, 4096),
            (65_536, 20_000, 4096),
            (1 << 20, 20_000, 4096),
        ] {
            let capacity = Capacity::of(files, None, None).expect("enough");
            assert_eq!((capacity.connections, capacity.http), (connections, http), "{files}");
            assert!(capacity.public + capacity.operator + capacity.forwarded + OWN_FILES <= files);
            assert!(capacity.forwarded >= connections / 8, "{files}");
            assert_eq!(capacity.is_low(None), connections < DEFAULT_CONNECTIONS);
        }
    }

    #[test]
    fn what_is_set_and_possible_is_taken() {
        let capacity = Capacity::of(1024, Some(700), None).expect("enough");
        assert_eq!(
            (capacity.connections, capacity.http, capacity.forwarded),
            (700, 98, 34),
            "other nodes' tabs are served, too"
        );
        assert!(!capacity.is_low(Some(700)));
        let capacity = Capacity::of(200_000, Some(100_000), Some(10_000)).expect("enough");
        assert_eq!((capacity.connections, capacity.http), (100_000, 10_000));
    }

    #[test]
    fn what_is_set_and_impossible_is_refused_with_what_would_be_right() {
        let refused = Capacity::of(1024, Some(20_000), None).expect_err("too many");
        let text = refused.to_string();
        assert!(text.contains("20000 connections need 20256 open files") && text.contains("768 or less"), "{text}");
        assert!(Capacity::of(1024, Some(768), None).is_ok());
        assert!(Capacity::of(1024, Some(769), None).is_err());
        assert!(Capacity::of(100, None, None).is_err(), "too few for anything");
        assert!(Capacity::of(1024, Some(10), Some(900)).is_err());
    }
}
