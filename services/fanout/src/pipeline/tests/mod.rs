//! The pipeline on a broker of several partitions whose faults tests choose.

mod broker;
mod letters;
mod node;
mod outages;
mod replays;
mod resumes;
