//! A key of another type belongs to one function: its neighbours beat, are surveyed, taken over and listed.

use steadfast_core::definition::Definition;
use steadfast_core::name::{Epoch, FunctionId};
use steadfast_core::op::{FunctionSurvey, Op, Pulse, PulseAnswer, Reply, Survey, Unread};
use steadfast_core::transport::ErrorKind;

use crate::support::{World, consumer, function, named, node, pulse, submission};

/// The keys of `greet:global` that a survey reads.
const SURVEYED: [&str; 6] = [
    "consumer:active:greet:global",
    "consumer:state:w",
    "function_calls:greet:global",
    "function_open:greet:global",
    "function_parked:greet:global",
    "function_due:greet:global",
];

fn neighbour() -> FunctionId {
    named("next", "global")
}

impl World {
    /// Two functions, served by `w` and `n` of one node; `n` holds a call. Answers the pulses of both.
    async fn two_functions(&mut self) -> Vec<Pulse> {
        let () = self.raw(&["FLUSHALL"]);
        let w = self.serve(function(), "w").await;
        let n = self.serve(neighbour(), "n").await;
        let submission =
            steadfast_core::op::Submission { function: neighbour(), ..submission("c1") };
        self.check(Op::Submit(submission), "accepted").await;
        let fetch = Op::Fetch { function: neighbour(), consumer: consumer("n"), count: 1 };
        self.ask(fetch).await;
        vec![pulse("w", w), Pulse { function: neighbour(), ..pulse("n", n) }]
    }

    async fn serve(&self, function: FunctionId, id: &str) -> Epoch {
        let register = Op::Register {
            definition: Definition::new(function),
            consumer: consumer(id),
            node: node("node"),
            sessions: vec![self.session],
        };
        match self.ask(register).await {
            Reply::Registered { epoch } => epoch,
            other => panic!("{other}"),
        }
    }

    async fn beat(&self, pulses: Vec<Pulse>) -> Vec<PulseAnswer> {
        let beat = Op::Beat { node: node("node"), sessions: vec![self.session], pulses };
        match self.ask(beat).await {
            Reply::Beaten(answers) => answers,
            other => panic!("{other}"),
        }
    }

    async fn survey(&self) -> Survey {
        match self.ask(Op::Survey { functions: vec![function(), neighbour()] }).await {
            Reply::Surveyed(survey) => survey,
            other => panic!("{other}"),
        }
    }

    async fn discover(&self) -> (Vec<Definition>, Vec<Unread>) {
        match self.ask(Op::Discover { scope: None }).await {
            Reply::Discovered { definitions, unread } => (definitions, unread),
            other => panic!("{other}"),
        }
    }

    /// The neighbour is seen whole, and its consumer, found dead, is taken over from.
    async fn check_takeover(&self, seen: &FunctionSurvey, when: &str) {
        assert_eq!(seen.function, neighbour(), "{when}");
        let [record] = &seen.consumers[..] else { panic!("{when}: {seen:?}") };
        let remove = Op::Remove {
            function: neighbour(),
            consumer: record.consumer.clone(),
            epoch: record.epoch,
            heartbeat: record.heartbeat,
            sessions: record.sessions.clone(),
        };
        assert_eq!(self.ask(remove).await, Reply::Removed { taken_over: 1 }, "{when}");
    }
}

fn is_alive_and_holds_one(answer: &PulseAnswer) -> bool {
    matches!(answer, PulseAnswer::Alive { pending } if pending.len() == 1)
}

fn check_unread(unread: &[Unread], when: &str) {
    let [Unread { function: of, error }] = unread else { panic!("{when}: {unread:?}") };
    assert_eq!((of, error.kind), (&function(), ErrorKind::WrongType), "{when}: {error}");
    assert!(error.detail.contains("greet:global"), "{when}: {error}");
}

#[tokio::test]
async fn a_function_that_cannot_be_read_hides_no_other() {
    let mut world = World::new().await;
    world.server.leaves("a key of another type, and a neighbour's call");
    for key in SURVEYED {
        world.two_functions().await;
        world.server.replace_by_a_list(key);
        let survey = world.survey().await;
        check_unread(&survey.unread, key);
        let [seen] = &survey.functions[..] else { panic!("{key}: {survey:?}") };
        world.check_takeover(seen, key).await;
    }
}

#[tokio::test]
async fn a_heartbeat_that_is_refused_fails_no_other() {
    let mut world = World::new().await;
    world.server.leaves("a key of another type, and a neighbour's call");
    for key in ["consumer:state:w", "function_calls:greet:global"] {
        let pulses = world.two_functions().await;
        world.server.replace_by_a_list(key);
        let answers = world.beat(pulses).await;
        let PulseAnswer::Refused(error) = &answers[0] else { panic!("{key}: {answers:?}") };
        assert_eq!(error.kind, ErrorKind::WrongType, "{key}: {error}");
        assert!(is_alive_and_holds_one(&answers[1]), "{key}: {answers:?}");
    }
}

/// The consumer lives whatever its stream is: nobody is to take it for dead.
#[tokio::test]
async fn a_stream_of_another_type_stops_no_sign_of_life() {
    let mut world = World::new().await;
    world.server.leaves("a key of another type, and a neighbour's call");
    let pulses = world.two_functions().await;
    let seen = |world: &mut World| -> u64 {
        world.raw::<String>(&["HGET", "consumer:state:w", "heartbeatMicros"]).parse().unwrap()
    };
    let before = seen(&mut world);
    world.server.replace_by_a_list("function_calls:greet:global");
    world.beat(pulses).await;
    assert!(seen(&mut world) > before);
}

#[tokio::test]
async fn an_index_of_another_type_fails_nobody() {
    let mut world = World::new().await;
    world.server.leaves("a key of another type, and a neighbour's call");
    let indexes = [
        "consumer:active:greet:global",
        "consumers:all",
        "registry:functions",
        "workers:greet",
        "worker:node:greet",
    ];
    for key in indexes {
        let pulses = world.two_functions().await;
        world.server.replace_by_a_list(key);
        let answers = world.beat(pulses).await;
        assert!(matches!(answers[0], PulseAnswer::Alive { .. }), "{key}: {answers:?}");
        assert!(is_alive_and_holds_one(&answers[1]), "{key}: {answers:?}");
        world.serve(function(), "another").await;
    }
}

#[tokio::test]
async fn a_definition_that_cannot_be_read_hides_no_other() {
    let mut world = World::new().await;
    world.server.leaves("a key of another type, and a neighbour's call");
    world.two_functions().await;
    world.server.replace_by_a_list("function:greet:global");
    let (definitions, unread) = world.discover().await;
    assert_eq!(definitions, [Definition::new(neighbour())]);
    check_unread(&unread, "discover");
}

/// An older peer's consumer tells no epoch, no server life and no connections.
#[tokio::test]
async fn an_older_peers_consumer_hides_nobody() {
    let mut world = World::new().await;
    world.server.leaves("an older peer's state, and a neighbour's call");
    world.two_functions().await;
    let _: u64 = world.raw(&[
        "HSET",
        "consumer:state:older",
        "id",
        "older",
        "functionName",
        "next",
        "scope",
        "global",
        "status",
        "active",
        "startTime",
        "1",
        "lastHeartbeat",
        "1",
        "processId",
        "1",
        "workerId",
        "o",
        "errorCount",
        "0",
        "lastError",
        "",
    ]);
    let _: u64 = world.raw(&["SADD", "consumer:active:next:global", "older"]);
    let survey = world.survey().await;
    assert_eq!(survey.unread, []);
    world.check_takeover(&survey.functions[1], "an older peer's consumer").await;
}

/// A state of ours that somebody wrote into and that cannot be read.
#[tokio::test]
async fn a_state_that_makes_no_sense_hides_no_other_function() {
    let mut world = World::new().await;
    world.server.leaves("a neighbour's call");
    world.two_functions().await;
    let _: u64 = world.raw(&["HSET", "consumer:state:w", "lastHeartbeat", "yesterday"]);
    let survey = world.survey().await;
    let [Unread { function: of, error }] = &survey.unread[..] else { panic!("{survey:?}") };
    assert_eq!((of, error.kind), (&function(), ErrorKind::Protocol));
    world.check_takeover(&survey.functions[0], "a state that makes no sense").await;
}
