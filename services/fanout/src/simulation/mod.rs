//! A seeded simulation of broker, nodes, tabs and faults in virtual time.
//!
//! A node is the real code: the follower of the log and the intake of its records, decoding, routing, the projection,
//! groups, and the core of a shard with all its rules. What waits in a node - the reader's driver, a shard's inbox, a
//! socket - is replaced by small steps that chance interleaves, so that the pipeline may run between any two steps of a
//! connect, a shard may lag behind, and a node may die between any two. Tabs speak the hub protocol in WebSocket frames;
//! some of them mean no good.
//!
//! | file | what it is |
//! |---|---|
//! | `log` | the log in memory that passes the brokers' contract, and what chance does to it |
//! | `producer` | what happens on the platform; relays that publish at least once |
//! | `node`, `shard`, `replay` | what drives a node's two halves |
//! | `tab` | the client: cursors, drops, returns, slow reading, logins |
//! | `world` | one run: chance, faults, rest |
//! | `judge`, `judged`, `check`, `witness` | what must hold, by a history that knows everything |
//! | `presence` | who is there, on nodes that come, stand still and die |
//! | `wire` | WebSocket frames, as a client writes and reads them |
//!
//! A test named `without::` breaks a rule where the product keeps it (`crate::rule`), and a run must notice.
//!
//! A seed is all there is to a run. `FANFARE_SIMULATION_SEED` replays one, `FANFARE_SIMULATION_SEEDS` says how many
//! are tried.

mod check;
mod judge;
mod judged;
mod log;
mod node;
mod platform;
mod presence;
mod producer;
mod replay;
mod shard;
mod tab;
mod tests;
mod wire;
mod witness;
mod world;
