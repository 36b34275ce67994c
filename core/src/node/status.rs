//! A node's health, read off its parts.

use crate::breaker::BreakerState;
use crate::event::LinkState;
use crate::health::{ConsumerHealth, DeathRule, Health, LinkHealth, Verdict};
use crate::machine::Machine;
use crate::node::{ConnectionMetrics, Node};
use crate::op::ConsumerStatus;
use crate::time::Time;
use crate::transport::Link;

impl Node {
    /// How the node stands at `now`.
    pub fn health(&self, now: Time) -> Health {
        let links = self.link_health();
        let consumers = self.consumer_health();
        let breaker = self.caller.breaker.metrics();
        let command_is_up = self.links.session(Link::Command).is_some();
        let degraded = links.iter().any(|link| link.state != LinkState::Up)
            || consumers.iter().any(|consumer| consumer.status == ConsumerStatus::Error)
            || self.caller.breaker.state(now) != BreakerState::Closed;
        Health {
            node: self.desk.node.clone(),
            verdict: match (command_is_up, degraded) {
                (false, _) => Verdict::Unavailable,
                (true, true) => Verdict::Degraded,
                (true, false) => Verdict::Healthy,
            },
            uptime: now.since(Time::ZERO),
            run_id: self.links.run_id().cloned(),
            death_rule: if self.links.sees_sessions() {
                DeathRule::Sessions
            } else {
                DeathRule::Heartbeats
            },
            sessions: self.links.sessions(),
            link_totals: totals(&links),
            links,
            breaker,
            consumers,
            functions: self
                .worker
                .metrics()
                .iter()
                .map(|(function, metrics)| (function.clone(), metrics.report()))
                .collect(),
            requests: self.caller.len(),
            consumers_removed: self.worker.reconciler.removed,
            calls_taken_over: self.worker.reconciler.taken_over,
            ignored_inputs: self.desk.ignored_inputs,
            pending: self.pending(),
        }
    }

    fn link_health(&self) -> Vec<LinkHealth> {
        self.links
            .states(self.desk.config.connect_attempts_reported)
            .map(|(link, state, metrics, error)| LinkHealth {
                link,
                state,
                metrics,
                last_error: error.map(ToString::to_string),
            })
            .collect()
    }

    fn consumer_health(&self) -> Vec<ConsumerHealth> {
        self.worker
            .consumers()
            .map(|consumer| ConsumerHealth {
                consumer: consumer.id.clone(),
                function: consumer.function().clone(),
                epoch: consumer.epoch,
                status: consumer.phase.status(),
                running: consumer.running(),
                buffered: consumer.buffered(),
                error_count: consumer.error_count,
                last_error: consumer.last_error.as_ref().map(ToString::to_string),
            })
            .collect()
    }
}

/// All connections together.
fn totals(links: &[LinkHealth]) -> ConnectionMetrics {
    links.iter().fold(ConnectionMetrics::default(), |sum, link| ConnectionMetrics {
        attempted: sum.attempted + link.metrics.attempted,
        connected: sum.connected + link.metrics.connected,
        failed: sum.failed + link.metrics.failed,
        reconnected: sum.reconnected + link.metrics.reconnected,
        lost: sum.lost + link.metrics.lost,
        active: sum.active + link.metrics.active,
        requests: sum.requests + link.metrics.requests,
        last_connect: sum.last_connect.max(link.metrics.last_connect),
        last_failure: sum.last_failure.max(link.metrics.last_failure),
    })
}
