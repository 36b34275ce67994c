//! Worlds in which Steadfast's machines run against the reference store: every message an event that
//! can be lost, doubled or late, every fault drawn from a seed, every promise judged from what happened.
//!
//! The discrete-event world ([`world::World`]) is generic over the machine and the store, so that an
//! exhibit with a historic mistake runs in it as the production node does. It has no clock, no threads
//! and no entropy but its seed: the same seed gives the same events, and their rolling hash proves it.
//!
//! ```
//! use steadfast_sim::{run, scenario};
//!
//! let report = run::judge(scenario::calm(), 7);
//! assert!(report.violations.is_empty());
//! ```

pub mod case;
pub mod checkers;
pub mod diagram;
pub mod digest;
pub mod explore;
pub mod faults;
pub mod history;
pub mod moment;
pub mod museum;
pub mod network_world;
pub mod policy;
pub mod probes;
pub mod queue;
pub mod regressions;
pub mod resp;
pub mod run;
pub mod scenario;
pub mod script;
pub mod shrink;
pub mod subject;
pub mod trace;
pub mod workload;
pub mod world;
