//! Hub methods: what clients may call.
//!
//! Every hub has [`Builtin`] methods; the configuration adds [`Declared`] ones, an embedder Rust code as a [`Handler`].

mod answer;
mod builtin;
pub mod declared;
mod handler;

pub use answer::Answer;
pub use builtin::Builtin;
pub use declared::Declared;
pub use handler::{Arguments, Caller, Gone, Handler, Request, Signature, Upload};

use std::collections::HashMap;
use std::sync::Arc;

/// What a call's name stands for on a hub.
#[derive(Clone)]
pub enum Method {
    /// One of Fanfare's own.
    Builtin(Builtin),
    /// One of the configuration.
    Declared(Arc<Declared>),
    /// Code of an embedder.
    Handler(Arc<dyn Handler>),
}

/// The methods of all hubs of a node.
#[derive(Clone, Default)]
pub struct Methods {
    handlers: HashMap<Arc<str>, Arc<dyn Handler>>,
    /// By hub, then by name in lower case.
    declared: HashMap<Arc<str>, HashMap<String, Arc<Declared>>>,
}

impl Methods {
    /// Puts code behind the hub at a path.
    pub fn register(&mut self, hub: Arc<str>, handler: Arc<dyn Handler>) {
        self.handlers.insert(hub, handler);
    }

    /// Offers the methods that the configuration declares for a hub.
    pub fn declare(&mut self, hub: Arc<str>, methods: &[Arc<Declared>]) {
        let by_name = methods.iter().map(|method| (method.name.to_ascii_lowercase(), Arc::clone(method)));
        self.declared.entry(hub).or_default().extend(by_name);
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
        let declared = self.declared.get(hub).filter(|methods| !methods.is_empty());
        if let Some(method) = declared.and_then(|methods| methods.get(&target.to_ascii_lowercase())) {
            return Some((Method::Declared(Arc::clone(method)), Signature::default()));
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
