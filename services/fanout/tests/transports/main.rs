//! The transports to the byte: statuses, reason phrases, headers and framing, as the strictest clients read them.

mod cors;
mod event_stream;
mod faults;
mod long_polling;
mod negotiate;
mod storm;
mod web_socket;
mod wire;
