//! The transport against a real server, one module per behaviour. Each test starts a redis-server of its
//! own.

mod support;

mod arrivals_stand_side_by_side;
mod behind_a_proxy;
mod calls_go_before_reads;
mod connect_and_classify;
mod decide_once;
mod differential;
mod entries_are_named_once;
mod epochs_live_by_heartbeats;
mod falsy_results;
mod fencing;
mod fsync_is_confirmed;
mod full_store_drains;
mod half_done;
mod lone_calls;
mod many_open_calls;
mod names_with_colons_and_spaces;
mod neighbours;
mod noscript_recovers;
mod numbers_are_not_reused;
mod older_peers;
mod result_stream;
mod retry_and_park;
mod secrets_never_shown;
mod submit_once;
mod sweep;
mod takeover;
mod users_and_databases;
mod watch_and_unblock;
mod worker_indexes;
