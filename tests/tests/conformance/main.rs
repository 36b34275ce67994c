//! One suite over every transport: what a store promises does not depend on which one it is.
//!
//! A behaviour is a function of a [`World`], which knows the transport only by its trait. Each one runs
//! over every store of [`stores`]; after it the store must hold nothing that P7 forbids.

mod calls;
mod consumers;
mod hosts;
mod hosts_under_faults;
mod settling;
mod stores;
mod watches;
mod world;

use stores::{Cluster, Guarded, Mem, Prefixed, Redis};
use world::{World, judged};

/// Runs each behaviour over each store. The reference store runs on paused time.
macro_rules! over_every_store {
    ($($module:ident: $($behaviour:ident),+;)+) => {
        mod over_mem {
            $(mod $module {
                $(#[tokio::test(start_paused = true)]
                async fn $behaviour() {
                    crate::judged(crate::World::<crate::Mem>::new(), crate::$module::$behaviour).await;
                })+
            })+
        }
        mod over_redis {
            $(mod $module {
                $(#[tokio::test]
                async fn $behaviour() {
                    crate::judged(crate::World::<crate::Redis>::new(), crate::$module::$behaviour).await;
                })+
            })+
        }
        mod under_a_prefix {
            $(mod $module {
                $(#[tokio::test]
                async fn $behaviour() {
                    crate::judged(crate::World::<crate::Prefixed>::new(), crate::$module::$behaviour).await;
                })+
            })+
        }
        mod with_least_rights {
            $(mod $module {
                $(#[tokio::test]
                async fn $behaviour() {
                    crate::judged(crate::World::<crate::Guarded>::new(), crate::$module::$behaviour).await;
                })+
            })+
        }
        mod over_a_cluster {
            $(mod $module {
                $(#[tokio::test]
                async fn $behaviour() {
                    crate::judged(crate::World::<crate::Cluster>::new(), crate::$module::$behaviour).await;
                })+
            })+
        }
    };
}

over_every_store! {
    calls: a_call_is_admitted_once, a_key_joins_calls, a_full_function_refuses, a_call_is_decided_once,
        falsy_values_stand, names_with_colons_and_spaces_are_kept_apart, a_deadline_expires,
        a_call_that_nobody_served_leaves_nothing, an_older_callers_entry_is_served,
        what_is_no_call_is_a_dead_letter, an_outcome_is_streamed_where_the_call_asks;
    settling: a_failure_needs_its_lease, a_release_counts_nothing_and_a_retry_counts,
        a_deferral_ends_by_its_token, a_takeover_is_counted, a_dead_letter_is_requeued,
        a_cancel_decides_wherever_the_call_stands;
    consumers: epochs_grow_and_a_removed_one_stays_removed, a_heartbeat_lists_what_is_pending,
        definitions_are_described_and_discovered,
        the_last_consumer_takes_an_empty_stream_with_it, a_renewal_tells_what_is_lost;
    watches: deliveries_wake, arrivals_wake, replies_wake, an_abort_ends_a_watch,
        a_closed_session_is_disconnected, a_missing_stream_has_no_group;
    hosts: a_call_goes_there_and_back, many_calls_each_get_their_own, one_key_is_one_execution,
        a_cancel_reaches_every_awaiter, a_deadline_passes_where_nobody_serves,
        attempts_run_out_and_the_letter_is_requeued, a_token_completes_from_elsewhere,
        errors_have_types, a_caller_asks_for_a_result_stream, a_function_is_stopped_and_served_again,
        a_host_that_ends_leaves_no_reply_stream, what_an_older_consumer_answered_is_cleared_away;
    hosts_under_faults: saves_under_load_lose_nothing, calls_of_a_dead_host_run_elsewhere,
        a_lost_consumer_name_is_found_again;
}
