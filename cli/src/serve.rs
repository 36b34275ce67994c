//! `steadfast serve`: the functions of a file, at a Redis server, until a signal ends it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use steadfast::{Event, LinkState};
use steadfast_core::health::DeathRule;
use steadfast_core::transport::Link;
use tokio::signal::unix::Signal;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::timeout;

use crate::advice::on_build_error;
use crate::args::ServeArguments;
use crate::console::Console;
use crate::exit::Exit;
use crate::functions_file::{self, Functions};
use crate::hosting::{Hosting, NotServed};
use crate::process_groups::ProcessGroups;
use crate::reload::reload;
use crate::roster::Roster;
use crate::signals::{self, Asked};
use crate::store::{CONNECT_PATIENCE, Store};

/// How long the end of a host is waited for that could serve nothing.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Serves until a signal ends it.
pub(crate) async fn serve(arguments: &ServeArguments) -> anyhow::Result<Exit> {
    let groups = ProcessGroups::default();
    let asked = signals::listen(groups.clone()).context("cannot listen for signals")?;
    let hang_ups = signals::hang_ups().context("cannot listen for SIGHUP")?;
    let console = Arc::new(Console::plain());
    let functions = match functions_file::read(&arguments.functions) {
        Ok(functions) => functions,
        Err(bad) => {
            console.show(&bad.to_string());
            return Ok(Exit::Usage);
        }
    };
    let store = match Store::named(&arguments.redis) {
        Ok(store) => store,
        Err(error) => {
            console.say(&error.to_string());
            return Ok(Exit::Usage);
        }
    };
    let host = match store.host(CONNECT_PATIENCE).await {
        Ok(host) => host,
        Err(error) => {
            console.say(&on_build_error(&error, &store));
            return Ok(Exit::Unavailable);
        }
    };
    if let Some(too_few) = store.too_few_replicas() {
        console.say(&too_few.to_string());
    }
    let serving = Serving {
        arguments,
        place: store.place(),
        hosting: Hosting::new(host, groups.clone()),
        roster: Roster::default(),
        console,
    };
    let served = serving.until_asked(functions, asked, hang_ups).await;
    groups.kill_all();
    served
}

/// A process that serves.
struct Serving<'a> {
    arguments: &'a ServeArguments,
    /// Where the store is.
    place: String,
    hosting: Hosting,
    roster: Roster,
    console: Arc<Console>,
}

impl Serving<'_> {
    async fn until_asked(
        &self,
        functions: Functions,
        mut asked: Asked,
        mut hang_ups: Signal,
    ) -> anyhow::Result<Exit> {
        let events = self.hosting.events();
        let telling = tokio::spawn(tell(events, self.console.clone(), self.arguments.verbose));
        let name = tokio::select! {
            name = signals::name(&mut asked) => name,
            served = self.serve_all(functions) => match served {
                Ok(()) => self.until_signal(&mut asked, &mut hang_ups).await,
                Err(NotServed::Denied(why)) => {
                    self.console.say(&why);
                    // Nothing was served, so nothing is to be given back.
                    let _ = timeout(END_PATIENCE, self.hosting.shut_down(Duration::ZERO)).await;
                    return Ok(Exit::Unavailable);
                }
                Err(failed) => return Err(failed.into()),
            }
        };
        let drain = self.arguments.drain;
        self.console.say(&format!("{name}: what runs has {drain:?} to end"));
        self.hosting.shut_down(drain).await;
        // It ends with the node's last event.
        let _ = telling.await;
        self.console.say("ended");
        Ok(Exit::Success)
    }

    async fn serve_all(&self, functions: Functions) -> Result<(), NotServed> {
        self.hosting.serve_all(functions.values(), &self.console).await?;
        let served = match functions.len() {
            1 => "1 function is".to_owned(),
            several => format!("{several} functions are"),
        };
        for spec in functions.into_values() {
            self.roster.put(spec);
        }
        let judged = match self.hosting.death_rule().await {
            Some(DeathRule::Sessions) => "by their sessions",
            _ => {
                "by heartbeats alone, after 30 s (the server does not show this connection among its clients)"
            }
        };
        self.console.say(&format!(
            "ready: {served} active at {}; dead workers are noticed {judged}",
            self.place
        ));
        Ok(())
    }

    async fn until_signal(&self, asked: &mut Asked, hang_ups: &mut Signal) -> &'static str {
        tokio::select! {
            name = self.reload_until_signal(asked, hang_ups) => name,
            never = self.hosting.say_refusals(&self.console) => match never {},
        }
    }

    async fn reload_until_signal(&self, asked: &mut Asked, hang_ups: &mut Signal) -> &'static str {
        loop {
            tokio::select! {
                biased;
                name = signals::name(asked) => return name,
                Some(()) = hang_ups.recv() => tokio::select! {
                    // A save waits for the store, which may be away.
                    name = signals::name(asked) => return name,
                    () = self.reload() => {}
                },
            }
        }
    }

    async fn reload(&self) {
        let path = &self.arguments.functions;
        reload(path, &self.hosting, &self.roster, &self.console).await;
    }
}

/// Says what the node tells, until it has ended.
async fn tell(mut events: broadcast::Receiver<Event>, console: Arc<Console>, verbose: bool) {
    let mut is_away = false;
    loop {
        match events.recv().await {
            Ok(Event::ShutDown) | Err(RecvError::Closed) => return,
            Err(RecvError::Lagged(missed)) if verbose => {
                console.say(&format!("{missed} changes were too fast to be told"));
            }
            Ok(Event::Link { link: Link::Command, state: LinkState::Down }) if !is_away => {
                is_away = true;
                console.say("the store cannot be reached; it is tried on, and what runs goes on");
            }
            Ok(Event::Link { link: Link::Command, state: LinkState::Up }) if is_away => {
                is_away = false;
                console.say("the store is back");
            }
            Ok(Event::StoreRestarted { .. }) => console.say("the store was restarted"),
            // One for each attempt: these are for metrics.
            Ok(Event::Settled { .. }) => {}
            Ok(event) if verbose => console.say(&event.to_string()),
            Ok(_) | Err(RecvError::Lagged(_)) => {}
        }
    }
}
