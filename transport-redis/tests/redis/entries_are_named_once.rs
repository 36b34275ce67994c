//! A stream that was removed and made again within a millisecond gives no entry's id twice.

use std::collections::BTreeSet;

use crate::support::{World, cancel, submit};

#[tokio::test]
async fn a_stream_made_again_at_once_gives_new_ids() {
    let mut world = World::new().await;
    let mut seen = BTreeSet::new();
    for number in 0..100 {
        let id = format!("c{number}");
        world.check(submit(&id), "accepted").await;
        let entries: Vec<(String, Vec<String>)> =
            world.raw(&["XRANGE", "function_calls:greet:global", "-", "+"]);
        let [(entry, _)] = &entries[..] else { panic!("{entries:?}") };
        assert!(seen.insert(entry.clone()), "{entry} was given twice");
        world.check(cancel(&id), "done").await;
        let streams: u32 = world.raw(&["EXISTS", "function_calls:greet:global"]);
        assert_eq!(streams, 0, "nobody was ever registered: the stream goes with its last call");
    }
}
