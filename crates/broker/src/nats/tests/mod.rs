//! Against real servers: the contract, restarts, refusals, and what only NATS can do.

mod contract;
