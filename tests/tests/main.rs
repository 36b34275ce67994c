//! Suites that need more than one crate, a module per behaviour.

mod trace_of_a_call;
