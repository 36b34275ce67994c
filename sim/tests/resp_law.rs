//! A law: what the Redis adapter sends is decoded by the front into the same operations, and what the
//! front answers is decoded by the adapter into the same results.

mod law;

use proptest::prelude::*;

use law::ops::{pair, several_submissions, watch};
use law::wire::{Wire, check, check_watch};

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_operation_and_every_answer_survive_the_wire(pairs in proptest::collection::vec(pair(), 1..6)) {
        check(&pairs);
    }

    #[test]
    fn a_batch_for_one_function_survives_the_wire(pairs in several_submissions()) {
        check(&pairs);
    }

    #[test]
    fn every_blocking_read_survives_the_wire((interest, wake) in watch()) {
        check_watch(&interest, &wake);
    }
}

#[test]
fn a_script_that_the_server_forgot_is_loaded_and_called_again() {
    let wire = Wire::new();
    wire.forget_scripts();
    wire.check(&[law::ops::plain_submission()]);
}
