//! From a transport to a host that is connected.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use steadfast_core::config::Config;
use steadfast_core::entropy::Entropy;
use steadfast_core::name::NodeId;
use steadfast_core::node::Node;
use steadfast_core::transport::Transport;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::attempt::{Board, Runner};
use crate::caller::Caller;
use crate::driver::{Driver, Parts, Window};
use crate::error::BuildError;
use crate::host::Host;
use crate::inbox::{Message, inbox};
use crate::placement::IoPlacement;

/// Events that a slow reader of [`Host::events`] may be behind before it misses some.
const EVENTS_MAX: usize = 1_024;

/// Sets up a [`Host`].
#[must_use = "build it"]
pub struct HostBuilder {
    transport: Arc<dyn Transport>,
    node: Option<NodeId>,
    config: Config,
    seed: Option<u64>,
    io: IoPlacement,
    patience: Duration,
}

impl HostBuilder {
    pub(crate) fn new(transport: impl Transport) -> Self {
        Self {
            transport: Arc::new(transport),
            node: None,
            config: Config::default(),
            seed: None,
            io: IoPlacement::default(),
            patience: Duration::from_secs(10),
        }
    }

    /// The node's id; no other process may have it at the same time (default: a unique one).
    pub fn node_id(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// The node's settings and the bounds of its queues.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The seed of all ids and jitters, for tests (default: from the operating system). The same seed
    /// draws the same call ids again, so two processes on one store must not share one.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where connections are driven.
    pub fn io(mut self, io: IoPlacement) -> Self {
        self.io = io;
        self
    }

    /// How long [`HostBuilder::build`] waits for the store (default 10 s); it does not wait where the
    /// store refuses it for good, as for a wrong password. A host that stands waits for its store for
    /// ever.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts the host, and waits until it is connected. Handlers will run on the runtime that this is
    /// called on.
    pub async fn build(self) -> Result<Host, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let seed = self.seed.unwrap_or_else(seed_of_the_system);
        let node = self.node.unwrap_or_else(|| unique_node(seed));
        let store = self.transport.describe();
        let (outlet, receiver) = inbox(self.config.submit_queue_max);
        let caller = Caller::new(outlet, &node, seed);
        let board = Arc::new(Board::default());
        let window = Arc::new(Window::new(EVENTS_MAX));
        let (alive, host) = oneshot::channel();
        let driver = Driver::new(Parts {
            node: Node::new(node.clone(), self.config, seed),
            transport: self.transport,
            inbox: receiver,
            host,
            window: window.clone(),
            runner: Runner::new(runtime.clone(), board.clone(), caller.clone()),
        });
        start(self.io, &runtime, &node, driver.run())?;
        let host = Host::new(node, caller, board, window, alive);
        let (reply, up) = oneshot::channel();
        let connected =
            async { host.outlet().send(Message::WhenUp(reply)).await.is_ok() && up.await.is_ok() };
        let connected = async {
            tokio::select! {
                connected = connected => Ok(connected),
                refusal = host.window().refusal() => Err(refusal),
            }
        };
        match timeout(self.patience, connected).await {
            Ok(Err(error)) => Err(BuildError::Refused { store, error }),
            Ok(Ok(true)) => Ok(host),
            Ok(Ok(false)) | Err(_) => Err(BuildError::NotConnected {
                store,
                patience: self.patience,
                last_error: host.window().connect_error(),
            }),
        }
    }
}

impl fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuilder")
            .field("transport", &self.transport.describe())
            .field("node", &self.node)
            .field("io", &self.io)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

fn start(
    io: IoPlacement,
    runtime: &Handle,
    node: &NodeId,
    driver: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BuildError> {
    match io {
        IoPlacement::Ambient => drop(runtime.spawn(driver)),
        IoPlacement::OwnThread => {
            let own = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(BuildError::Thread)?;
            std::thread::Builder::new()
                .name(format!("steadfast {node}"))
                .spawn(move || own.block_on(driver))
                .map_err(BuildError::Thread)?;
        }
    }
    Ok(())
}

/// Entropy of the operating system, by way of what seeds the standard library's maps.
fn seed_of_the_system() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    if let Ok(now) = std::time::SystemTime::UNIX_EPOCH.elapsed() {
        hasher.write_u128(now.as_nanos());
    }
    hasher.finish()
}

fn unique_node(seed: u64) -> NodeId {
    NodeId::new(Entropy::new(seed).stream("host-node-id").hex_id())
        .expect("32 hexadecimal digits are an id")
}
