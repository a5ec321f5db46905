//! Hub methods: what clients may call.
//!
//! Every hub has [`Builtin`] methods; the configuration adds [`Declared`] ones, an embedder Rust code (see [`handler`]).

mod answer;
mod builtin;
pub mod declared;
#[cfg(feature = "embed")]
pub mod handler;
#[cfg(not(feature = "embed"))]
#[path = "no_handler.rs"]
pub mod handler;

pub use answer::Answer;
pub use builtin::Builtin;
pub use declared::Declared;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use http::request::Parts;

use handler::{Handlers, HubCode, Request};

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signature {
    /// Whether it answers with a stream.
    pub streams: bool,
    /// How many streams the client uploads to it.
    pub uploads: usize,
}

/// The method that a name means on a hub.
#[derive(Clone)]
pub enum Method {
    /// One of Fanfare's own.
    Builtin(Builtin),
    /// One of the configuration.
    Declared(Arc<Declared>),
    /// Code of an embedder.
    Handler(HubCode),
}

/// The methods of all hubs of a node.
#[derive(Clone, Default)]
pub struct Methods {
    handlers: Handlers,
    /// Shared by all clones: the configuration may declare others while the node runs.
    declared: Arc<RwLock<ByHub>>,
}

/// The declared methods, by hub, then by name in lower case.
type ByHub = HashMap<Arc<str>, HashMap<String, Arc<Declared>>>;

impl Methods {
    /// Puts code behind the hub at a path.
    #[cfg(feature = "embed")]
    pub fn register(&mut self, hub: Arc<str>, code: HubCode) {
        self.handlers.register(hub, code);
    }

    /// Offers the methods that the configuration declares for its hubs, and none that it declared before.
    pub fn declare<'h>(&self, hubs: impl Iterator<Item = (&'h Arc<str>, &'h [Arc<Declared>])>) {
        let by_name = |method: &Arc<Declared>| (method.name.to_ascii_lowercase(), Arc::clone(method));
        let by_hub = hubs.map(|(hub, methods)| (Arc::clone(hub), methods.iter().map(by_name).collect())).collect();
        *self.declared.write().unwrap_or_else(PoisonError::into_inner) = by_hub;
    }

    /// What is kept of the request that opens a connection, where the hub's methods want to see it.
    #[must_use]
    pub fn request(&self, hub: &str, parts: &Parts) -> Option<Arc<Request>> {
        self.handlers.request(hub, parts)
    }

    /// The method of a name and how it is called; names match without regard to case, as in ASP.NET, whose own tests
    /// rely on that.
    #[must_use]
    pub fn find(&self, hub: &str, target: &str) -> Option<(Method, Signature)> {
        if let Some((code, signature)) = self.handlers.find(hub, target) {
            return Some((Method::Handler(code), signature));
        }
        let declared = self.declared.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(method) = declared.get(hub).and_then(|methods| methods.get(&target.to_ascii_lowercase())) {
            return Some((Method::Declared(Arc::clone(method)), Signature::default()));
        }
        let builtin = Builtin::find(target)?;
        Some((Method::Builtin(builtin), Signature::default()))
    }
}

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Methods")
    }
}
