//! NATS JetStream as the broker.
