//! The binary `steadfast` as its users meet it: a module per behaviour.

mod bad_files;
mod binary;
mod large_input_bounded;
mod malformed_lines;
mod program_isolation;
mod reload_under_load;
mod run_example;
mod signals;
