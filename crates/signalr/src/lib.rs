//! signalr
