//! The platform from outside: real processes, real sockets.

mod bodies;
mod cloud_events;
mod crash;
mod dead_letter_commands;
mod dead_letters;
mod demo;
mod frames;
mod hostile;
mod http;
mod identity;
mod isolation;
mod leaks;
mod limits;
mod logout;
mod proxy;
mod publish;
mod publishers;
mod relay_program;
mod resume;
mod retained;
mod schema_registry;
mod slow;
mod standing;
mod startup;
mod tokens;
mod web_socket;
