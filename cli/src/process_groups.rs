//! The process groups of the programs that run now.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Every group that is alive; the binary kills them all before it exits at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessGroups(Arc<Mutex<BTreeSet<i32>>>);

/// One group. It is forgotten when this is dropped.
#[derive(Debug)]
pub(crate) struct ProcessGroup {
    leader: i32,
    groups: ProcessGroups,
}

impl ProcessGroups {
    /// Takes note of the group that this process leads.
    pub(crate) fn enter(&self, leader: u32) -> ProcessGroup {
        let leader = i32::try_from(leader).expect("a process id fits pid_t");
        self.lock().insert(leader);
        ProcessGroup { leader, groups: self.clone() }
    }

    /// Kills every group there is.
    pub(crate) fn kill_all(&self) {
        for leader in self.lock().iter() {
            kill(*leader);
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessGroup {
    /// Kills every process of the group. One that is gone is what was wanted.
    pub(crate) fn kill(&self) {
        kill(self.leader);
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.groups.lock().remove(&self.leader);
    }
}

fn kill(leader: i32) {
    debug_assert!(leader > 1, "0 and 1 would name this group or everybody");
    let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
}
