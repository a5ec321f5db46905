//! Hub methods that the configuration declares, against real nodes.

mod arguments;
mod authorizer;
mod grants;
mod join;
mod publish;
mod rates;
mod rechecks;
mod responder;
mod scene;
mod several;
