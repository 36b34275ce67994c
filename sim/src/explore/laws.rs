//! The laws that exploring rests upon, examined in reached states: a machine is a function of its state
//! and its input, copies are independent, and what has no meaning changes nothing.

use std::time::Duration;

use steadfast_core::attempt::AttemptEnd;
use steadfast_core::command::{Command, Ticket};
use steadfast_core::machine::{Done, EffectId, Input, Machine, Output};
use steadfast_core::name::{ConsumerId, Epoch, FunctionId, RunId, SessionId};
use steadfast_core::time::{StoreTime, Time};
use steadfast_core::transport::{Connected, ErrorKind, TransportError, Wake};

use super::print::Print;
use super::subject::ExploredStore;
use super::world::World;
use crate::subject::Subject;

/// More outputs than any input causes.
const OUTPUTS_MAX: usize = 10_000;

/// How much was examined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// States.
    pub states: u64,
    /// Steps that were taken twice, to the same state.
    pub repeats: u64,
    /// Inputs without meaning, that changed nothing.
    pub garbage: u64,
}

/// Examines one state; answers what is wrong.
pub(super) fn examine<M: Subject, S: ExploredStore>(
    world: &World<M, S>,
    tally: &mut Tally,
) -> Result<(), String> {
    tally.states += 1;
    let now = world.machine_time();
    // A timer that is due fires whatever comes: what has no meaning is told to the others.
    for (name, machine) in world.resting_machines() {
        for input in garbage(world.first_incarnation()) {
            let before = print(machine, now);
            let said = outputs(machine.clone(), now, &input);
            let after = {
                let mut machine = machine.clone();
                machine.handle(now, input.clone());
                print(&machine, now)
            };
            if before != after {
                return Err(format!("{name} was changed by what has no meaning: {input}"));
            }
            if let Some(output) = said?.into_iter().find(|it| !is_allowed(&input, it)) {
                return Err(format!("{name} answers what has no meaning, {input}, by: {output}"));
            }
            if print(machine, now) != before {
                return Err(format!("{name} was changed by what its copy was told: {input}"));
            }
            tally.garbage += 1;
        }
    }
    repeat(world, tally)
}

/// Takes each step as exploring does, with what it recalls, and twice more with everything worked out
/// anew: to the same state, with the same words.
fn repeat<M: Subject, S: ExploredStore>(
    world: &World<M, S>,
    tally: &mut Tally,
) -> Result<(), String> {
    let before = world.print();
    let recalling = world.clone().with_notes();
    let fresh = recalling.clone().fresh();
    for action in world.actions() {
        let step = |world: &World<M, S>| {
            let mut world = world.clone();
            world.step(action);
            let notes = world.take_notes();
            (world.print(), notes)
        };
        let first = step(&fresh);
        if step(&fresh) != first || step(&recalling).0 != first.0 {
            let what = world.describe(action);
            return Err(format!("the same step led to two different states: {what}"));
        }
        tally.repeats += 1;
    }
    if world.print() == before {
        Ok(())
    } else {
        Err("a state was changed by steps of its copies".to_owned())
    }
}

fn print<M: Machine>(machine: &M, now: Time) -> Print {
    Print::of(|hasher| machine.fingerprint(now, hasher))
}

fn outputs<M: Machine>(mut machine: M, now: Time, input: &Input) -> Result<Vec<Output>, String> {
    machine.handle(now, input.clone());
    let mut said = Vec::new();
    for _ in 0..OUTPUTS_MAX {
        match machine.poll() {
            Output::Wait { .. } => return Ok(said),
            output => said.push(output),
        }
    }
    Err(format!("a machine speaks without end when told: {input}"))
}

/// A connection that nobody asked for is closed; to nothing else there is an answer.
fn is_allowed(input: &Input, output: &Output) -> bool {
    let unasked = matches!(input, Input::Done { done: Done::Connected(Ok(_)), .. });
    let closes =
        matches!(output, Output::Effect { effect: steadfast_core::machine::Effect::Close(_), .. });
    unasked && closes
}

/// Inputs that mean nothing in any state.
fn garbage(first: Option<&(ConsumerId, Epoch)>) -> Vec<Input> {
    let nobody = ConsumerId::new("nobody").expect("a literal id is valid");
    let drain = Duration::ZERO;
    let mut inputs = vec![Input::Tick];
    for id in [EffectId(u64::MAX), EffectId(u64::MAX - 1)] {
        let dones = [
            Done::Connected(Ok(Connected {
                session: SessionId(u64::MAX),
                run_id: RunId::new("another-life").expect("a literal id is valid"),
                now: StoreTime::ZERO,
                sees_sessions: false,
            })),
            Done::Connected(Err(TransportError::unknown(ErrorKind::Disconnected, ""))),
            Done::Executed(Ok(Vec::new())),
            Done::Executed(Err(TransportError::unknown(ErrorKind::Disconnected, ""))),
            Done::Watched(Ok(Wake::Nothing)),
            Done::Watched(Err(TransportError::unknown(ErrorKind::Timeout, ""))),
            Done::Ran(AttemptEnd::Interrupted),
        ];
        inputs.extend(dones.map(|done| Input::Done { id, done }));
    }
    let commands = [
        Command::Stop { consumer: nobody, epoch: Epoch(1), drain },
        Command::Abandon { ticket: Ticket(u64::MAX) },
        Command::Retire {
            function: FunctionId::new("nothing", "nowhere").expect("a literal name is valid"),
            drain,
        },
    ];
    inputs.extend(commands.map(Input::Command));
    if let Some((consumer, epoch)) = first {
        let (consumer, epoch) = (consumer.clone(), Epoch(epoch.0 + 1));
        inputs.push(Input::Command(Command::Stop { consumer, epoch, drain }));
    }
    inputs
}
