//! The script of a seed: what befalls its world and what callers do there, as data.
//!
//! Drawn before the world starts. A shrinker takes lines out of it and runs the rest: nothing else
//! of the seed is shifted by that.

use serde::{Deserialize, Serialize};
use steadfast_core::entropy::Entropy;

use crate::faults::{Mask, Plan, SlotId, Stage};
use crate::moment::Moment;
use crate::scenario::Scenario;
use crate::workload::{self, Intent};

/// When faults and calls begin: by then everybody is connected and registered.
pub const STAGE_FROM: Moment = Moment::from_secs(1);

/// What befalls a world, and what callers do there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The kinds of faults that the seed injects.
    pub mask: Mask,
    /// The faults, in order of time.
    pub plan: Plan,
    /// The calls, in order of time.
    pub intents: Vec<Intent>,
}

impl Script {
    /// Draws the script of a seed.
    pub fn draw(scenario: &Scenario, seed: u64) -> Self {
        let entropy = Entropy::new(seed);
        let mask = Mask::of(&scenario.faults);
        let mask = if scenario.swarm { mask.swarm(entropy) } else { mask };
        let workers: Vec<SlotId> = (0..scenario.workers).map(SlotId).collect();
        let callers: Vec<SlotId> =
            (0..scenario.callers).map(|index| SlotId(scenario.workers + index)).collect();
        let stage = Stage {
            workers: &workers,
            callers: &callers,
            functions: scenario.functions.len() as u16,
            from: STAGE_FROM,
            until: STAGE_FROM + scenario.length,
        };
        let plan = Plan::draw(entropy, mask, &scenario.intensity, stage);
        let intents = workload::draw(entropy, &scenario.habits, &scenario.functions, stage);
        Self { mask, plan, intents }
    }
}
