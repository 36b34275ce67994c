//! The exhibits, one after the other.

use steadfast_core::breaker::Breaker;
use steadfast_core::node::Node;

use super::bent::Bent;
use super::breakers::{
    COUNTS_TWICE, Circuit, FLOODS, Guard, HEEDS_OVERHANGS, LEAKS_PERMITS, Naive, play,
    shrink as shrink_play,
};
use super::flawed::{Faithful, Flaw, Flawed};
use super::loops::{
    ClosesShared, ErrorEndsLoop, NoGroupEndsLoop, RemovesHealthy, ServesLate, SkipsAtStop,
    StillRegistered, StopOfAnother,
};
use super::reads::{
    FailureIsDone, FalsyIsNull, ImpatientRead, NeverRenews, RenewsRunning, TwoReaders,
};
use super::registry::{
    BeatResurrects, ChecksThenActs, DropsPending, FenceResets, LockWithoutTtl, NamesLeft,
};
use super::scripts::{
    AckBeforeWork, DelayPastLease, FirstReaderDeletes, LeaseByIdle, LetterEachTime, RecoveryReAdds,
    Resurrects, UnfencedFailure,
};
use super::streams::{GroupAtEnd, GroupDeleted, TrimsUndelivered, WaitsFromNow};
use super::{Exhibit, Place, Scene, scenes};
use crate::checkers::Promise;
use crate::run::judge_as;
use crate::shrink::shrink_as;
use crate::subject::Subject;

/// A world in which machine and store are these, and a control in which one mistake is not made.
fn machine<M: Subject, C: Subject, F: Flaw>(scene: Scene) -> Place {
    Place::World {
        scene,
        exhibit: judge_as::<M, Flawed<F>>,
        control: judge_as::<C, Flawed<F>>,
        shrink: shrink_as::<M, Flawed<F>>,
    }
}

/// A machine with one slip, over the reference store.
fn slip<M: Subject>(scene: Scene) -> Place {
    machine::<M, Node, Faithful>(scene)
}

/// Production nodes over a store with one flaw.
fn flaw<F: Flaw>(scene: Scene) -> Place {
    flaw_under::<Node, F>(scene)
}

/// These machines over a store with one flaw.
fn flaw_under<M: Subject, F: Flaw>(scene: Scene) -> Place {
    Place::World {
        scene,
        exhibit: judge_as::<M, Flawed<F>>,
        control: judge_as::<M, Flawed<Faithful>>,
        shrink: shrink_as::<M, Flawed<F>>,
    }
}

/// A breaker, and the production one under the same schedule.
fn breaker<C: Circuit>(guard: Guard) -> Place {
    Place::Breaker { guard, exhibit: play::<C>, control: play::<Breaker>, shrink: shrink_play::<C> }
}

/// Every exhibit.
pub fn exhibits() -> Vec<Exhibit> {
    [consumers(), calls(), registry(), streams(), breakers()].concat()
}

fn consumers() -> Vec<Exhibit> {
    vec![
        Exhibit {
            name: "stop-of-another",
            mistake: "a stop for incarnation N is obeyed by N+1",
            breaks: Promise::StopNames,
            place: slip::<Bent<StopOfAnother>>(scenes::stops),
        },
        Exhibit {
            name: "error-ends-loop",
            mistake: "the status `error` ends the loop",
            breaks: Promise::Liveness,
            place: slip::<Bent<ErrorEndsLoop>>(scenes::kills),
        },
        Exhibit {
            name: "nogroup-ends-loop",
            mistake: "NOGROUP ends the loop",
            breaks: Promise::SaveStallsNothing,
            place: machine::<Bent<NoGroupEndsLoop>, Node, GroupDeleted>(scenes::quiet),
        },
        Exhibit {
            name: "still-registered",
            mistake: "a consumer that has stopped is still registered",
            breaks: Promise::NothingLeaks,
            place: slip::<Bent<StillRegistered>>(scenes::quiet),
        },
        Exhibit {
            name: "closes-shared-connection",
            mistake: "closing one function closes the connection that all share",
            breaks: Promise::SaveStallsNothing,
            place: slip::<Bent<ClosesShared>>(scenes::two_functions),
        },
        Exhibit {
            name: "skipped-at-stop",
            mistake: "what was fetched and not begun is skipped at a stop, without release",
            breaks: Promise::SaveStallsNothing,
            place: slip::<Bent<SkipsAtStop>>(scenes::saves),
        },
        Exhibit {
            name: "lost-wake-up",
            mistake: "a wake-up between the check and the wait is lost",
            breaks: Promise::SaveStallsNothing,
            place: flaw::<WaitsFromNow>(scenes::shared_wait),
        },
        Exhibit {
            name: "impatient-read",
            mistake: "a blocked read has a client timeout shorter than its block time, and its end passes for an empty read",
            breaks: Promise::SaveStallsNothing,
            place: slip::<Bent<ImpatientRead>>(scenes::quiet),
        },
        Exhibit {
            name: "two-readers",
            mistake: "a reconnect leaves two readers",
            breaks: Promise::SaveStallsNothing,
            place: slip::<Bent<TwoReaders>>(scenes::kills_and_calm),
        },
        Exhibit {
            name: "lease-not-renewed",
            mistake: "the lease is not renewed while a long handler runs",
            breaks: Promise::DeadNoticed,
            place: machine::<Bent<NeverRenews>, Node, LeaseByIdle>(scenes::long_handlers),
        },
        Exhibit {
            name: "prefetched-ages",
            mistake: "prefetched entries age: their leases are not renewed until they are begun",
            breaks: Promise::DeadNoticed,
            place: machine::<Bent<RenewsRunning>, Node, LeaseByIdle>(scenes::prefetched),
        },
    ]
}

fn calls() -> Vec<Exhibit> {
    vec![
        Exhibit {
            name: "failure-acknowledged",
            mistake: "failed work is acknowledged as if it were done",
            breaks: Promise::DecidedOnce,
            place: slip::<Bent<FailureIsDone>>(scenes::retries),
        },
        Exhibit {
            name: "acknowledged-first",
            mistake: "an entry is acknowledged before the work",
            breaks: Promise::DeadNoticed,
            place: flaw::<AckBeforeWork>(scenes::crash),
        },
        Exhibit {
            name: "recovery-re-adds",
            mistake: "recovery adds pending calls again, as new ones",
            breaks: Promise::BoundedConcurrency,
            place: flaw::<RecoveryReAdds>(scenes::crash),
        },
        Exhibit {
            name: "first-reader-deletes",
            mistake: "a result is deleted by its first reader",
            breaks: Promise::NoLostCall,
            place: flaw::<FirstReaderDeletes>(scenes::quiet),
        },
        Exhibit {
            name: "falsy-is-null",
            mistake: "a falsy result is turned into null",
            breaks: Promise::DecidedOnce,
            place: slip::<Bent<FalsyIsNull>>(scenes::quiet),
        },
        Exhibit {
            name: "robbed-failure-decides",
            mistake: "the late failure of a robbed attempt decides the call",
            breaks: Promise::DecidedOnce,
            place: flaw::<UnfencedFailure>(scenes::pauses_and_errors),
        },
        Exhibit {
            name: "two-dead-letters",
            mistake: "a repeated decision writes the dead letter twice",
            breaks: Promise::NothingLeaks,
            place: flaw::<LetterEachTime>(scenes::lost_answers),
        },
        Exhibit {
            name: "delay-past-lease",
            mistake: "a retry's delay is longer than the lease, and the call is there twice",
            breaks: Promise::BoundedConcurrency,
            place: flaw::<DelayPastLease>(scenes::slow_retries),
        },
        Exhibit {
            name: "decided-call-resurrected",
            mistake: "a write by who is not the owner makes a decided call open again",
            breaks: Promise::DecidedOnce,
            place: flaw::<Resurrects>(scenes::pauses_and_retries),
        },
    ]
}

fn registry() -> Vec<Exhibit> {
    vec![
        Exhibit {
            name: "beat-resurrects",
            mistake: "a heartbeat resurrects a consumer that was removed",
            breaks: Promise::DeadNoticed,
            place: flaw::<BeatResurrects>(scenes::pauses),
        },
        Exhibit {
            name: "checks-then-acts",
            mistake: "a stale sweep checks, then acts",
            breaks: Promise::DeadNoticed,
            place: flaw::<ChecksThenActs>(scenes::late_beats),
        },
        Exhibit {
            name: "removes-healthy",
            mistake: "start-up removes the healthy workers of other processes",
            breaks: Promise::DeadNoticed,
            place: slip::<Bent<RemovesHealthy>>(scenes::two_workers),
        },
        Exhibit {
            name: "names-left",
            mistake: "the names of consumers that have gone are left in the group",
            breaks: Promise::NothingLeaks,
            place: flaw::<NamesLeft>(scenes::saves),
        },
        Exhibit {
            name: "drops-pending",
            mistake: "DELCONSUMER while entries are pending drops them",
            breaks: Promise::DeadNoticed,
            place: flaw::<DropsPending>(scenes::crash),
        },
        Exhibit {
            name: "fence-resets",
            mistake: "the fence starts over when the server does",
            breaks: Promise::EpochsAdvance,
            place: flaw::<FenceResets>(scenes::restarts),
        },
        Exhibit {
            name: "lock-without-ttl",
            mistake: "the reclaim lock has no time to live, and its holder dies",
            breaks: Promise::DeadNoticed,
            place: flaw::<LockWithoutTtl>(scenes::crashes),
        },
    ]
}

fn streams() -> Vec<Exhibit> {
    vec![
        Exhibit {
            name: "group-at-end",
            mistake: "the group is created at `$`, and what was called before is never delivered",
            breaks: Promise::SaveStallsNothing,
            place: flaw_under::<Bent<ServesLate>, GroupAtEnd>(scenes::quiet),
        },
        Exhibit {
            name: "trims-undelivered",
            mistake: "MAXLEN trims entries that nobody has seen",
            breaks: Promise::Liveness,
            place: flaw::<TrimsUndelivered>(scenes::pile),
        },
    ]
}

fn breakers() -> Vec<Exhibit> {
    let exhibit = |name, mistake, place| {
        let breaks = Promise::BreakerLegal;
        Exhibit { name, mistake, breaks, place }
    };
    vec![
        exhibit(
            "nested-counts-twice",
            "a breaker within a breaker counts one operation twice",
            breaker::<Naive<COUNTS_TWICE>>(Guard::Store),
        ),
        exhibit(
            "leaked-permit",
            "a cancelled trial leaks its half-open permit",
            breaker::<Naive<LEAKS_PERMITS>>(Guard::Store),
        ),
        exhibit(
            "half-open-flood",
            "a half-open breaker lets everybody through",
            breaker::<Naive<FLOODS>>(Guard::Store),
        ),
        exhibit(
            "overhanging-result",
            "the overhanging result of an earlier circuit closes or opens a newer one",
            breaker::<Naive<HEEDS_OVERHANGS>>(Guard::Store),
        ),
        exhibit(
            "waits-within",
            "the function's result is awaited inside the breaker",
            breaker::<Breaker>(Guard::Result),
        ),
    ]
}
