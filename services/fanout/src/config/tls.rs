//! `[node.tls]`, `[node.operator_tls]` and `[node.peers]`: the certificates of the listeners, and which certificates a
//! node trusts in other nodes.

use std::path::PathBuf;

use rustls::pki_types::ServerName;

use super::paths::Paths;
use crate::document::section::Section;
use crate::document::{Spot, suggest};
use crate::tls::{Asking, AskingFiles, FileFault, ListenerFiles, Listening, Minimum, Validity};

/// The TLS of a listener.
#[derive(Debug, Clone)]
pub struct ListenerTls {
    /// The files that say it.
    pub files: ListenerFiles,
    /// What they said.
    pub listening: Listening,
    /// A number for all that they held.
    digest: Vec<u8>,
    /// Where they are named.
    spot: Spot,
}

/// How the other nodes are asked over TLS.
#[derive(Debug, Clone)]
pub struct PeersTls {
    /// The files that say it.
    pub files: AskingFiles,
    /// What they said.
    pub asking: Asking,
    /// A number for all that they held.
    digest: Vec<u8>,
    /// Where they are named.
    spot: Spot,
}

/// All of a node's TLS.
#[derive(Debug, Clone, Default)]
pub struct NodeTls {
    /// Of the hubs' listener.
    pub hubs: Option<ListenerTls>,
    /// Of the operator's.
    pub operator: Option<ListenerTls>,
    /// For calls to other nodes.
    pub peers: Option<PeersTls>,
}

/// A certificate that a listener or a calling node shows: how long it is valid, and where it is configured.
#[derive(Debug, Clone)]
pub struct Shown {
    /// `hubs`, `operator` or `peers`.
    pub by: &'static str,
    /// Its file.
    pub path: PathBuf,
    /// How long it is valid.
    pub validity: Validity,
    /// Where the configuration names it.
    pub spot: Spot,
}

const LISTENER: &[&str] = &["cert_file", "key_file", "minimum_version"];
pub(super) const OPERATOR: &[&str] = &["cert_file", "key_file", "minimum_version", "client_ca_file"];
pub(super) const PEERS: &[&str] = &["ca_file", "server_names", "cert_file", "key_file"];

impl NodeTls {
    /// Whether this says the same as another, files included.
    pub fn is_same(&self, other: &Self) -> bool {
        let listener = |tls: &Option<ListenerTls>| tls.as_ref().map(|tls| (tls.files.clone(), tls.digest.clone()));
        let peers = |tls: &Option<PeersTls>| tls.as_ref().map(|tls| (tls.files.clone(), tls.digest.clone()));
        listener(&self.hubs) == listener(&other.hubs)
            && listener(&self.operator) == listener(&other.operator)
            && peers(&self.peers) == peers(&other.peers)
    }

    /// A number for what the files hold now, which is another once that is.
    pub fn digest(&self) -> Vec<u8> {
        let listeners = [&self.hubs, &self.operator].into_iter().flatten().map(|tls| tls.files.digest());
        listeners.chain(self.peers.iter().map(|peers| peers.files.digest())).flatten().collect()
    }

    /// Reads the files once more.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn read_again(&self) -> Result<Self, FileFault> {
        let listener = |tls: &Option<ListenerTls>| {
            let again = |tls: &ListenerTls| {
                let (digest, listening) = (tls.files.digest(), tls.files.read()?);
                Ok(ListenerTls { listening, digest, ..tls.clone() })
            };
            tls.as_ref().map(again).transpose()
        };
        let again = |tls: &PeersTls| {
            let (digest, asking) = (tls.files.digest(), tls.files.read()?);
            Ok(PeersTls { asking, digest, ..tls.clone() })
        };
        let peers = self.peers.as_ref().map(again).transpose()?;
        Ok(Self { hubs: listener(&self.hubs)?, operator: listener(&self.operator)?, peers })
    }

    /// All certificates that this node shows.
    pub fn shown(&self) -> Vec<Shown> {
        let listeners = [("hubs", &self.hubs), ("operator", &self.operator)];
        let listeners = listeners.into_iter().filter_map(|(by, tls)| {
            let tls = tls.as_ref()?;
            let validity = tls.listening.identity.validity();
            Some(Shown { by, path: tls.files.certificate.clone(), validity, spot: tls.spot.clone() })
        });
        let peers = self.peers.iter().filter_map(|peers| {
            let (identity, (path, _)) = (peers.asking.identity.as_ref()?, peers.files.identity.as_ref()?);
            let (path, spot) = (path.clone(), peers.spot.clone());
            Some(Shown { by: "peers", path, validity: identity.validity(), spot })
        });
        listeners.chain(peers).collect()
    }
}

/// Reads them from `[node]`.
pub(super) fn read(node: &Section<'_>, paths: &Paths) -> NodeTls {
    let titled = |key: &str| node.section(key).map(|section| section.titled(format!("[node.{key}]")));
    NodeTls {
        hubs: titled("tls").and_then(|section| listener(&section.allow(LISTENER), paths)),
        operator: titled("operator_tls").and_then(|section| listener(&section.allow(OPERATOR), paths)),
        peers: titled("peers").and_then(|section| peers(&section.allow(PEERS), paths)),
    }
}

fn listener(section: &Section<'_>, paths: &Paths) -> Option<ListenerTls> {
    let minimum = minimum(section);
    let path = |key: &str| section.string(key).map(|file| paths.resolve(file.value));
    let named = [section.required("cert_file"), section.required("key_file")];
    let [Some(certificate), Some(key)] = named.map(|file| file.map(|file| paths.resolve(file.value))) else {
        return None;
    };
    let files = ListenerFiles { certificate, key, client_ca: path("client_ca_file"), minimum: minimum? };
    let (digest, read) = (files.digest(), files.read());
    let listening = read.map_err(|fault| tell(section, &fault)).ok()?;
    Some(ListenerTls { files, listening, digest, spot: section.document().spot(section.place("cert_file")) })
}

fn minimum(section: &Section<'_>) -> Option<Minimum> {
    let Some(text) = section.string("minimum_version") else { return Some(Minimum::default()) };
    match text.value {
        "1.2" => Some(Minimum::Tls12),
        "1.3" => Some(Minimum::Tls13),
        other => {
            let help = suggest::help(other, ["1.2", "1.3"]);
            section.document().fault(text.at, format!("there is no `minimum_version` {other:?}"), help);
            None
        }
    }
}

fn peers(section: &Section<'_>, paths: &Paths) -> Option<PeersTls> {
    let ca = section.required("ca_file").map(|file| paths.resolve(file.value));
    let names = names(section)?;
    let path = |key: &str| section.string(key).map(|file| paths.resolve(file.value));
    let identity = match (path("cert_file"), path("key_file")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => {
            section.fault("cert_file", "there is a `cert_file` but no `key_file`", None);
            return None;
        }
        (None, Some(_)) => {
            section.fault("key_file", "there is a `key_file` but no `cert_file`", None);
            return None;
        }
    };
    let place = if identity.is_some() { "cert_file" } else { "ca_file" };
    let files = AskingFiles { ca: Some(ca?), names, identity };
    let (digest, read) = (files.digest(), files.read());
    let asking = read.map_err(|fault| tell(section, &fault)).ok()?;
    Some(PeersTls { files, asking, digest, spot: section.document().spot(section.place(place)) })
}

fn names(section: &Section<'_>) -> Option<Vec<ServerName<'static>>> {
    let names = section.strings("server_names").unwrap_or_default().into_iter().map(|text| {
        let name = ServerName::try_from(text.value.to_owned());
        if name.is_err() {
            let message = format!("no name of a server: {:?}", text.value);
            let help = "a name in the certificates of nodes, for instance fanfare.internal";
            section.document().fault(text.at, message, Some(help.to_owned()));
        }
        name.ok()
    });
    names.collect()
}

fn tell(section: &Section<'_>, fault: &FileFault) {
    section.fault(fault.key, fault.to_string(), None);
}

/// Nodes that show certificates ask each other, so each must know whom to trust.
pub(super) fn check_peers(root: &Section<'_>, tls: &NodeTls, may_be_several: bool) {
    let Some(node) = root.section("node") else { return };
    let said = ["tls", "operator_tls"].into_iter().find(|key| node.value(key).is_some());
    if let Some(key) = said.filter(|_| may_be_several && node.value("peers").is_none()) {
        let help = "add [node.peers] with ca_file, the authority that signed the certificates of all nodes";
        let message = format!("[node.{key}]: the nodes ask each other over TLS, and nothing says whom they trust");
        node.fault(key, message, Some(help.to_owned()));
    }
    let asks = tls.operator.as_ref().is_some_and(|tls| tls.files.client_ca.is_some());
    if asks && tls.peers.as_ref().is_some_and(|peers| peers.files.identity.is_none()) {
        let help = "add cert_file and key_file of a certificate that client_ca_file vouches for";
        let message = "the operator's ports ask for client certificates, and the nodes have none to show each other";
        node.fault("peers", message, Some(help.to_owned()));
    }
}
