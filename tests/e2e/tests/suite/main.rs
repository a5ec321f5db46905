//! The platform from outside: real processes, real sockets.

mod crash;
mod dead_letter_commands;
mod dead_letters;
mod demo;
mod frames;
mod identity;
mod isolation;
mod leaks;
mod logout;
mod proxy;
mod publish;
mod resume;
mod retained;
mod schema_registry;
mod slow;
mod startup;
mod tokens;
