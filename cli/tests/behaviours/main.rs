//! The binary `steadfast` as its users meet it: a module per behaviour.

mod advice;
mod bad_files;
mod binary;
mod call_exit_codes;
mod choices;
mod help_teaches;
mod killed_workers;
mod large_input_bounded;
mod malformed_lines;
mod missing_permission;
mod passwords_are_not_shown;
mod program_isolation;
mod redis_server;
mod reload_under_load;
mod run_example;
mod serve;
mod shows_a_store;
mod signals;
mod store_restarts;
mod too_few_replicas;
