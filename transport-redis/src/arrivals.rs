//! Waits for arrivals: one read names some hundred streams, and several stand side by side, each on a connection
//! of its own. A watch ends with the first that brings something; the others stay, and the next watch finds them
//! waiting. To block on a stream is work for the server, and so is to end that: whoever named a thousand anew for each
//! arrival would keep it busy, and the arrival waiting.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadfast_core::name::{EntryId, FunctionId};
use steadfast_core::transport::{Interest, TransportError, Wake};
use steadfast_core::wire::Keys;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::choice::KeyLayout;
use crate::error::Attempted;
use crate::read;
use crate::session::{Reading, Session};
use crate::transport::{RedisTransport, lock};
use crate::watching::{Woken, busy, timed_out};

/// So many streams share a read, about, where the layout lets them.
const STREAMS: usize = 400;

/// Which read a function belongs to: by its tag, so that it stays there while others come and go.
type Place = u8;

/// What a session waits for, also between its watches.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    standing: Mutex<BTreeMap<Place, Wait>>,
    /// Another has ended.
    ended: Notify,
    /// A watch is told of them now.
    is_watched: AtomicBool,
    /// Ends that watch, and none of them.
    pub(crate) stop: Notify,
}

/// A read that is under way, or has ended and was not told of yet.
#[derive(Debug)]
struct Wait {
    interest: Arc<Interest>,
    /// On the session's own connection (0), or on one beside it.
    slot: usize,
    reading: Arc<Reading>,
    woken: Option<Woken>,
}

impl Wait {
    fn is_wanted(&self, wanted: &BTreeMap<Place, Interest>, place: Place) -> bool {
        wanted.get(&place) == Some(&*self.interest)
    }
}

/// Marks a session as watched for as long as it lives.
struct Watched(Arc<Session>);

impl Watched {
    fn begin(session: &Arc<Session>, attempted: &Attempted<'_>) -> Result<Self, TransportError> {
        if !session.reading.begin() {
            return Err(busy(attempted));
        }
        session.waits.is_watched.store(true, Ordering::Release);
        Ok(Self(session.clone()))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.waits.is_watched.store(false, Ordering::Release);
        self.0.reading.end();
    }
}

impl Waits {
    /// Whether a watch waits for them now. It ends when it is told to stop.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Acquire)
    }

    /// What those that have ended brought, together; nothing where none has.
    fn take_ended(&self) -> Option<Woken> {
        let mut standing = lock(&self.standing);
        let mut told: Option<Woken> = None;
        standing.retain(|_, wait| {
            let Some(woken) = wait.woken.take() else {
                return true;
            };
            told = Some(match (told.take(), woken) {
                (Some(Err(error)), _) | (_, Err(error)) => Err(error),
                (Some(Ok(Wake::Arrivals(mut all))), Ok(Wake::Arrivals(more))) => {
                    all.extend(more);
                    Ok(Wake::Arrivals(all))
                }
                (Some(Ok(all @ Wake::Arrivals(_))), Ok(_)) => Ok(all),
                (_, woken) => woken,
            });
            false
        });
        told
    }

    /// Those that wait for something else than what is wanted at their place.
    fn unwanted(&self, wanted: &BTreeMap<Place, Interest>) -> Vec<(usize, Arc<Reading>)> {
        let standing = lock(&self.standing);
        let unwanted = standing.iter().filter(|(place, wait)| !wait.is_wanted(wanted, **place));
        unwanted.map(|(_, wait)| (wait.slot, wait.reading.clone())).collect()
    }

    /// Forgets them, and what they brought: whoever waits anew is told what is new there.
    fn forget_unwanted(&self, wanted: &BTreeMap<Place, Interest>) {
        lock(&self.standing).retain(|place, wait| {
            let is_wanted = wait.is_wanted(wanted, *place);
            debug_assert!(is_wanted || !wait.reading.is_busy(), "it has ended");
            is_wanted
        });
    }

    fn stands(&self, place: Place) -> bool {
        lock(&self.standing).contains_key(&place)
    }

    /// The first slot that no wait has.
    fn free_slot(&self) -> usize {
        let standing = lock(&self.standing);
        let is_free = |slot: &usize| standing.values().all(|wait| wait.slot != *slot);
        (0..=standing.len()).find(is_free).expect("one more slot than there are waits")
    }

    fn end(&self, place: Place, woken: Woken) {
        if let Some(wait) = lock(&self.standing).get_mut(&place) {
            wait.woken = Some(woken);
            wait.reading.end();
        }
        self.ended.notify_one();
    }
}

impl RedisTransport {
    /// Waits for arrivals at these functions.
    pub(crate) async fn watch_arrivals(
        &self,
        session: Arc<Session>,
        after: Vec<(FunctionId, EntryId)>,
        block: Duration,
        attempted: &Attempted<'_>,
    ) -> Woken {
        let _watched = Watched::begin(&session, attempted)?;
        let stop = session.waits.stop.notified();
        tokio::pin!(stop);
        stop.as_mut().enable();
        tokio::select! {
            biased;
            () = stop => Ok(Wake::Nothing),
            woken = self.wait_for(&session, after, block, attempted) => woken,
        }
    }

    /// Dropped on the way, it leaves behind what the next one takes up.
    async fn wait_for(
        &self,
        session: &Arc<Session>,
        after: Vec<(FunctionId, EntryId)>,
        block: Duration,
        attempted: &Attempted<'_>,
    ) -> Woken {
        // What the last watch told of begins before: somebody waits for it.
        tokio::task::yield_now().await;
        let wanted = self.side_by_side_at(after);
        self.end_unwanted(session, &wanted).await;
        match session.waits.take_ended() {
            // Their time was over.
            None | Some(Ok(Wake::Nothing)) => {}
            Some(woken) => return woken,
        }
        for (place, interest) in wanted {
            if !session.waits.stands(place) {
                self.begin_wait(session, place, interest, block, attempted).await?;
            }
        }
        // A read that was begun by a watch for longer goes on beyond this one.
        let most = block + self.config().block_margin / 4;
        let ended = async {
            loop {
                if let Some(woken) = session.waits.take_ended() {
                    return woken;
                }
                session.waits.ended.notified().await;
            }
        };
        timeout(most, ended).await.unwrap_or(Ok(Wake::Nothing))
    }

    /// What each read is to wait for. In the cluster layout one read cannot name streams of two tags.
    fn side_by_side_at(&self, after: Vec<(FunctionId, EntryId)>) -> BTreeMap<Place, Interest> {
        let reads = match self.config().layout {
            KeyLayout::Plain => after.len().div_ceil(STREAMS),
            KeyLayout::Cluster => usize::MAX,
        };
        // There are no more than there are tags.
        let reads = Place::try_from(reads).unwrap_or(Place::MAX).max(1);
        let mut parts = BTreeMap::<Place, Vec<_>>::new();
        for (function, after) in after {
            let place = Keys::tag_number(&function) % reads;
            parts.entry(place).or_default().push((function, after));
        }
        parts.into_iter().map(|(place, after)| (place, Interest::Arrivals { after })).collect()
    }

    /// Ends every wait that is not wanted as it stands, and returns once they have ended.
    async fn end_unwanted(&self, session: &Arc<Session>, wanted: &BTreeMap<Place, Interest>) {
        for (slot, reading) in session.waits.unwanted(wanted) {
            let over = match slot.checked_sub(1) {
                None => Some(session.clone()),
                Some(place) => lock(&session.beside).get(place).cloned(),
            };
            // One that was replaced has ended with its connection.
            if let Some(over) = over {
                self.unblock(&over, &reading).await;
            }
            reading.over().await;
        }
        session.waits.forget_unwanted(wanted);
    }

    /// Ends whatever the session waits for between its watches: its connection is wanted for something else.
    pub(crate) async fn end_waits(&self, session: &Arc<Session>) {
        self.end_unwanted(session, &BTreeMap::new()).await;
    }

    async fn at_slot(
        &self,
        session: &Arc<Session>,
        slot: usize,
        attempted: &Attempted<'_>,
    ) -> Result<Arc<Session>, TransportError> {
        match slot.checked_sub(1) {
            None => Ok(session.clone()),
            Some(place) => self.beside(session, place, attempted).await,
        }
    }

    async fn begin_wait(
        &self,
        session: &Arc<Session>,
        place: Place,
        interest: Interest,
        block: Duration,
        attempted: &Attempted<'_>,
    ) -> Result<(), TransportError> {
        let slot = session.waits.free_slot();
        let over = self.at_slot(session, slot, attempted).await?;
        let (interest, reading) = (Arc::new(interest), Arc::new(Reading::new()));
        let is_first = reading.begin();
        debug_assert!(is_first, "a reading is of one wait");
        let wait = Wait { interest: interest.clone(), slot, reading: reading.clone(), woken: None };
        let before = lock(&session.waits.standing).insert(place, wait);
        debug_assert!(before.is_none(), "one wait stands at a place");
        // The plain layout has one shard, whatever the place.
        let shard = self.layout().keys.shards().nth(usize::from(place)).unwrap_or_default();
        let (waits, layout) = (session.waits.clone(), self.layout().clone());
        let (connection, over) = (over.connection.clone(), Arc::downgrade(&over));
        let (most, attempted) = (block + self.config().block_margin, attempted.to_string());
        tokio::spawn(async move {
            let wait = read::wait(&connection, &reading, &layout, shard, &interest, block);
            let woken = timeout(most, wait).await.unwrap_or_else(|_elapsed| {
                // The server may serve it still; nobody would read the answer as this one's.
                if let Some(over) = over.upgrade() {
                    over.close();
                }
                Err(timed_out(&attempted))
            });
            waits.end(place, woken);
        });
        Ok(())
    }
}
