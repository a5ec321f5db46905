//! Presence on nodes that come, stand still and die: the product's rosters, directory and shards over the nodes' stream in
//! memory, with tabs that keep by what they are told who is there.

mod node;
mod tab;
mod tests;
mod world;
