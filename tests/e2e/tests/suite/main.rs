//! The platform from outside: real processes, real sockets.

mod crash;
mod frames;
mod isolation;
mod leaks;
mod publish;
mod startup;
mod token;
