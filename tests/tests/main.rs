//! Suites that need more than one crate, a module per behaviour.

mod a_cluster_is_told_at_connect;
mod a_cut_read_is_made_good;
mod a_fenced_consumer_has_a_successor;
mod a_silent_connection_is_replaced;
mod a_stop_ends_a_read;
mod bad_input_costs_nothing;
mod busy_functions_are_promoted;
mod clock_jumps_rob_nobody;
mod durability;
mod inputs_that_come_together;
mod least_rights_suffice;
mod nobody_is_robbed;
mod older_peers;
mod operators_view;
mod tls;
mod trace_of_a_call;
