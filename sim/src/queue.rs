//! The event queue: ordered by simulated time, then by the order of scheduling.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::moment::Moment;

/// Events to come. Two at the same moment come in the order in which they were scheduled.
#[derive(Clone, Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<(Moment, u64, u32)>>,
    /// The events themselves; the heap moves only small keys.
    slab: Vec<Option<E>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), slab: Vec::new(), free: Vec::new(), sequence: 0 }
    }
}

impl<E> Queue<E> {
    /// Schedules an event.
    pub fn push(&mut self, at: Moment, event: E) {
        let place = if let Some(place) = self.free.pop() {
            self.slab[place as usize] = Some(event);
            place
        } else {
            self.slab.push(Some(event));
            (self.slab.len() - 1) as u32
        };
        self.heap.push(Reverse((at, self.sequence, place)));
        self.sequence += 1;
    }

    /// When the next event is due.
    pub fn next_at(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<(Moment, E)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        let event = self.slab[place as usize].take();
        debug_assert!(event.is_some(), "an event is taken once");
        event.map(|event| (at, event))
    }

    /// How many events are to come.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is to come.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_scheduled() {
        let mut queue = Queue::default();
        for (millis, name) in [(5, "c"), (1, "a"), (5, "d"), (2, "b")] {
            queue.push(Moment::from_millis(millis), name);
        }
        let mut order = vec![queue.pop().unwrap().1];
        queue.push(Moment::from_millis(5), "e");
        order.extend(std::iter::from_fn(|| queue.pop()).map(|(_, name)| name));
        assert_eq!(order, ["a", "b", "c", "d", "e"]);
        assert!(queue.is_empty() && queue.next_at().is_none());
    }
}
