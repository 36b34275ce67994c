//! The timers: arming one and popping the next, among a thousand.

use std::hint::black_box;

use steadfast_core::command::Ticket;
use steadfast_core::time::Time;
use steadfast_core::timer::{Timer, Timers};

use crate::measure::Figure;

pub(crate) fn figures() -> Vec<Figure> {
    let mut timers = Timers::default();
    for number in 0..1_000 {
        timers.arm(Timer::Patience(Ticket(number)), Time::from_micros(number));
    }
    let mut next = 1_000;
    let arm_and_pop = Figure::of("timers: arm one and pop one, of 1,000", || {
        timers.arm(Timer::Patience(Ticket(next)), Time::from_micros(next));
        black_box(timers.pop_due(Time::from_micros(next)));
        next += 1;
    });
    vec![arm_and_pop]
}
