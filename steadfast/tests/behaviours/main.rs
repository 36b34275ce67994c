//! The host's behaviours, one module each, over the reference store.

mod abandon_leaves_the_call;
mod call_roundtrip;
mod cancel_reaches_the_handler;
mod defer_and_complete_by_token;
mod dropped_host_leaves_nothing;
mod faults_under_load;
mod idempotency_joins;
mod no_consumer;
mod own_thread_io;
mod panics_are_failed_attempts;
mod progress_is_shown;
mod retries_then_dead_letter;
mod save_under_load;
mod serve_waits_for_the_store;
mod shutdown_drains;
mod store_goes_away_and_returns;
mod timeout_interrupts;
mod typed_errors;
mod world;
