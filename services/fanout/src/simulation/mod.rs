//! A seeded simulation of broker, nodes, tabs and faults in virtual time.
//!
//! A node is the real code: decoding, routing, the projection, groups, and the core of a shard with all its rules. What
//! waits in a node - the reader's loop, a shard's inbox, a socket - is replaced by small steps that chance interleaves,
//! so that the pipeline may run between any two steps of a connect, a shard may lag behind, and a node may die between
//! any two. Tabs speak the hub protocol in WebSocket frames; some of them mean no good.
//!
//! | file | what it is |
//! |---|---|
//! | `log` | a log in the shape of each broker: partitions, clocks, holes, compaction, retention, outages |
//! | `producer` | what happens on the platform; relays that publish at least once |
//! | `node`, `shard`, `replay` | what drives a node's two halves |
//! | `tab` | the client: cursors, drops, returns, slow reading, logins |
//! | `world` | one run: chance, faults, rest |
//! | `judge`, `check`, `witness` | what must hold, by a history that knows everything |
//! | `rule` | rules that a run breaks on purpose, to see that it is noticed |
//!
//! A seed is all there is to a run. `FANFARE_SIMULATION_SEED` replays one, `FANFARE_SIMULATION_SEEDS` says how many
//! are tried.

mod check;
mod judge;
mod log;
mod node;
mod platform;
mod producer;
mod replay;
mod rule;
mod shard;
mod tab;
mod tests;
mod witness;
mod world;
