//! Tests of the embedded log beyond the contract of all brokers.

mod contract;
