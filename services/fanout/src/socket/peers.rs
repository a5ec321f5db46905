//! Calls the other nodes over HTTP at their operator's ports, bounded in time and bytes.

use std::time::Duration;

use http::StatusCode;
use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::ClientConfig;

use crate::clock::unix_seconds;
use crate::nodes::{Alive, Nodes};
use crate::operator::{self, Role};
use crate::seal::Seal;
use crate::vocabulary::scheme_of;

/// How long another node may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// The other nodes.
#[derive(Debug)]
pub struct Peers {
    nodes: Nodes,
    client: Client,
}

/// The question.
pub(super) enum Question<'a> {
    /// A path with its query.
    Get(&'a str),
    /// The same for an answer that may take so long.
    Wait(&'a str, Duration),
    /// A path, and JSON for it.
    Post(&'a str, Vec<u8>),
}

/// The useful cause of an error: the outermost only says that there was a request.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    fanfare_failure::root_cause(error)
}

impl Peers {
    /// Those that this node knows of, asked as `tls` says where they speak it.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(nodes: Nodes, tls: ClientConfig) -> Result<Self, reqwest::Error> {
        let client = Client::builder().redirect(Policy::none()).timeout(DEADLINE).connect_timeout(DEADLINE).no_proxy();
        Ok(Self { nodes, client: client.tls_backend_preconfigured(tls).build()? })
    }

    /// All live nodes except this one.
    pub(super) fn others(&self) -> Vec<Alive> {
        let own = self.nodes.own();
        self.nodes.alive().into_iter().filter(|node| node.id != own).collect()
    }

    /// Asks one node; the status and the body of its answer, which has at most so many bytes.
    ///
    /// # Errors
    /// Why there is no answer, in words.
    pub(super) async fn ask(
        &self,
        seal: &Seal,
        node: &Alive,
        question: Question<'_>,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let address = node.address.as_deref().ok_or("its address is not known")?;
        let (path, json, deadline) = match question {
            Question::Get(path) => (path, None, DEADLINE),
            Question::Wait(path, deadline) => (path, None, deadline),
            Question::Post(path, json) => (path, Some(json), DEADLINE),
        };
        let (scheme, address) = scheme_of(address);
        let url = format!("{scheme}://{address}{path}");
        let request = match json {
            None => self.client.get(url),
            Some(json) => self.client.post(url).header(http::header::CONTENT_TYPE, "application/json").body(json),
        };
        let request = request.timeout(deadline).bearer_auth(operator::bearer(seal, Role::Node, unix_seconds()));
        // Without the URL: it may hold ids of users.
        let in_words = |error: reqwest::Error| cause(&error.without_url());
        let mut answer = request.send().await.map_err(in_words)?;
        let (status, mut body) = (answer.status(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(in_words)? {
            if body.len() + chunk.len() > most {
                return Err("its answer is too long".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}
