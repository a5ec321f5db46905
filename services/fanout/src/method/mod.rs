//! Hub methods: what clients may call.
//!
//! Every hub has [`Builtin`] methods; an embedder adds Rust code as a [`Handler`].

mod builtin;
mod handler;

pub use builtin::Builtin;
pub use handler::{Arguments, Caller, Gone, Handler, Request, Signature, Upload};

use std::collections::HashMap;
use std::sync::Arc;

/// What a call's name stands for on a hub.
#[derive(Clone)]
pub enum Method {
    /// One of Fanfare's own.
    Builtin(Builtin),
    /// Code of an embedder.
    Handler(Arc<dyn Handler>),
}

/// The methods of all hubs of a node.
#[derive(Clone, Default)]
pub struct Methods {
    handlers: HashMap<Arc<str>, Arc<dyn Handler>>,
}

impl Methods {
    /// Puts code behind the hub at a path.
    pub fn register(&mut self, hub: Arc<str>, handler: Arc<dyn Handler>) {
        self.handlers.insert(hub, handler);
    }

    /// Whether the hub's methods want to see the request that opened a connection.
    #[must_use]
    pub fn want_request(&self, hub: &str) -> bool {
        self.handlers.contains_key(hub)
    }

    /// What a name stands for and how it is called; names are matched without regard to case, as ASP.NET
    /// does and its own tests rely on.
    #[must_use]
    pub fn find(&self, hub: &str, target: &str) -> Option<(Method, Signature)> {
        if let Some(handler) = self.handlers.get(hub)
            && let Some(signature) = handler.signature(target)
        {
            return Some((Method::Handler(Arc::clone(handler)), signature));
        }
        let builtin = Builtin::find(target)?;
        Some((Method::Builtin(builtin), Signature::default()))
    }
}

impl std::fmt::Debug for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Methods").field("handlers", &self.handlers.len()).finish()
    }
}
