//! Who computes next. A few answers are computed at once; a client that has had more time than others waits for them, also
//! in the middle of an answer.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::infer::server::Cancel;

/// How soon a waiting request notices that its client has gone.
const PATIENCE: Duration = Duration::from_millis(100);

/// How many at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Answers computed at the same instant.
    pub running: usize,
    /// Answers begun and not ended, each with its keys and values in memory.
    pub begun: usize,
    /// Of these, of one client.
    pub begun_by_one: usize,
    /// Requests of one client that wait to begin or to go on.
    pub waiting_of_one: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSlot {
    /// Too much of the client's waits already.
    TooMany,
    Cancelled,
}

pub struct Slots {
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    tickets: u64,
    waiting: Vec<Ticket>,
    shares: HashMap<String, Share>,
}

#[derive(Debug, Clone)]
struct Ticket {
    number: u64,
    client: String,
    /// In the middle of its answer.
    begun: bool,
}

/// What a client has of the machine. Gone when nothing of it waits or is begun.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    spent: Duration,
    begun: usize,
    waiting: usize,
}

/// A place among those that compute; given back on drop.
pub struct Slot<'a> {
    slots: &'a Slots,
    client: String,
    since: Instant,
    /// False between giving way and being called again.
    running: bool,
}

impl State {
    /// Who is called next: of those that may begin or go on, whose client has had the least time.
    fn next(&self, limits: Limits) -> Option<u64> {
        let begun: usize = self.shares.values().map(|share| share.begun).sum();
        let may = |ticket: &&Ticket| {
            ticket.begun || (begun < limits.begun && self.share(&ticket.client).begun < limits.begun_by_one)
        };
        let waiting = self.waiting.iter().filter(may);
        let first = waiting.min_by_key(|ticket| (self.share(&ticket.client).spent, ticket.number));
        first.map(|ticket| ticket.number)
    }

    fn share(&self, client: &str) -> Share {
        self.shares.get(client).copied().unwrap_or_default()
    }

    /// Whoever comes anew has had as much as the one with the least: time that was not asked for is not saved up.
    fn queue(&mut self, client: &str, begun: bool) -> u64 {
        let least = self.shares.values().map(|share| share.spent).min().unwrap_or_default();
        let share = self.shares.entry(client.to_owned()).or_insert(Share {
            spent: least,
            ..Share::default()
        });
        share.waiting += 1;
        self.tickets += 1;
        self.waiting.push(Ticket {
            number: self.tickets,
            client: client.to_owned(),
            begun,
        });
        self.tickets
    }

    fn unqueue(&mut self, number: u64) {
        if let Some(place) = self.waiting.iter().position(|ticket| ticket.number == number) {
            let ticket = self.waiting.remove(place);
            self.change(&ticket.client, |share| share.waiting -= 1);
        }
    }

    fn change(&mut self, client: &str, change: impl FnOnce(&mut Share)) {
        if let Some(share) = self.shares.get_mut(client) {
            change(share);
            if share.waiting == 0 && share.begun == 0 {
                self.shares.remove(client);
            }
        }
    }
}

impl Slots {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits for a place.
    pub fn wait(&self, client: &str, cancel: &Cancel) -> Result<Slot<'_>, NoSlot> {
        let mut state = self.lock();
        if state.share(client).waiting >= self.limits.waiting_of_one {
            return Err(NoSlot::TooMany);
        }
        let number = state.queue(client, false);
        if !self.called(state, number, cancel) {
            return Err(NoSlot::Cancelled);
        }
        Ok(Slot {
            slots: self,
            client: client.to_owned(),
            since: Instant::now(),
            running: true,
        })
    }

    /// Waits until the ticket is called, or withdraws it.
    fn called(&self, mut state: MutexGuard<State>, number: u64, cancel: &Cancel) -> bool {
        loop {
            if cancel.is_raised() {
                state.unqueue(number);
                self.changed.notify_all();
                return false;
            }
            if state.running < self.limits.running && state.next(self.limits) == Some(number) {
                state.running += 1;
                if let Some(ticket) = state.waiting.iter().find(|ticket| ticket.number == number).cloned() {
                    // Counted as begun before it stops waiting, so that its share stays.
                    if !ticket.begun {
                        state.change(&ticket.client, |share| share.begun += 1);
                    }
                    state.unqueue(number);
                }
                self.changed.notify_all();
                return true;
            }
            state = self
                .changed
                .wait_timeout(state, PATIENCE)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Lets those go first who have had less. False when the request was cancelled meanwhile.
    pub fn give_way(&mut self, cancel: &Cancel) -> bool {
        let mut state = self.slots.lock();
        let spent = self.since.elapsed();
        self.since = Instant::now();
        state.change(&self.client, |share| share.spent += spent);
        if state.waiting.is_empty() {
            return true;
        }
        state.running -= 1;
        self.running = false;
        let number = state.queue(&self.client, true);
        self.slots.changed.notify_all();
        self.running = self.slots.called(state, number, cancel);
        self.since = Instant::now();
        self.running
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        if self.running {
            state.running -= 1;
        }
        state.change(&self.client, |share| share.begun -= 1);
        self.slots.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LIMITS: Limits = Limits {
        running: 1,
        begun: 3,
        begun_by_one: 2,
        waiting_of_one: 3,
    };

    fn spend(slots: &Slots, client: &str, millis: u64) {
        slots
            .lock()
            .change(client, |share| share.spent += Duration::from_millis(millis));
    }

    #[test]
    fn who_has_had_less_comes_first_and_nobody_begins_too_much() {
        let mut state = State::default();
        let a = state.queue("a", false);
        let b = state.queue("b", false);
        assert_eq!(state.next(LIMITS), Some(a), "of equals, who came first");
        state.change("a", |share| share.spent += Duration::from_secs(1));
        assert_eq!(state.next(LIMITS), Some(b));
        state.change("b", |share| share.spent += Duration::from_secs(2));
        assert_eq!(state.next(LIMITS), Some(a));
        // With two answers begun, only one in the middle goes on.
        state.change("a", |share| share.begun = 2);
        assert_eq!(state.next(LIMITS), Some(b));
        let going_on = state.queue("a", true);
        assert_eq!(state.next(LIMITS), Some(going_on));
        // Who comes anew does not get ahead of all by having been away.
        state.queue("c", false);
        assert_eq!(state.share("c").spent, Duration::from_secs(1));
    }

    #[test]
    fn a_place_comes_back_and_a_share_is_forgotten() {
        let slots = Slots::new(LIMITS);
        let cancel = Cancel::default();
        let mut slot = slots.wait("a", &cancel).expect("free");
        assert!(slot.give_way(&cancel), "nobody waits");
        drop(slot);
        let state = slots.lock();
        assert_eq!((state.running, state.waiting.len(), state.shares.len()), (0, 0, 0));
    }

    #[test]
    fn one_client_does_not_fill_the_queue() {
        let slots = Slots::new(LIMITS);
        let cancel = Cancel::default();
        for _ in 0..3 {
            slots.lock().queue("greedy", false);
        }
        assert_eq!(slots.wait("greedy", &cancel).err(), Some(NoSlot::TooMany));
        assert!(slots.lock().share("modest").waiting < LIMITS.waiting_of_one);
    }

    #[test]
    fn one_that_answers_for_long_lets_another_pass() {
        let slots = Slots::new(LIMITS);
        let cancel = Cancel::default();
        let passed = AtomicUsize::new(0);
        let mut long = slots.wait("greedy", &cancel).expect("free");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let slot = slots.wait("modest", &cancel).expect("called");
                    passed.fetch_add(1, Ordering::SeqCst);
                    drop(slot);
                });
            }
            // The greedy one's own second request does not pass the others.
            scope.spawn(|| {
                let slot = slots.wait("greedy", &cancel).expect("called");
                assert_eq!(passed.load(Ordering::SeqCst), 2);
                drop(slot);
            });
            while slots.lock().waiting.len() < 3 {
                std::thread::yield_now();
            }
            spend(&slots, "greedy", 60_000);
            while passed.load(Ordering::SeqCst) < 2 {
                assert!(long.give_way(&cancel));
            }
            drop(long);
        });
        assert!(slots.lock().shares.is_empty());
    }
}
