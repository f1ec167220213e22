//! Slack's side of what people do: each deed is delivered until the engine has acknowledged it, and at times once more,
//! late, or after a later one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster::domain::{ChatPlatform, Place, Principal, Timestamp};
use muster::engine::Engine;
use muster::ports::{Actor, Delivery, Inbound, Inbox as _, Reply};
use tokio::sync::Notify;

use super::fortune::Fortune;
use super::society::{FAY, Society};
use super::time::Time;

/// Slack gives up, and the person sees a warning sign.
const TRIES: u32 = 8;

pub struct Office {
    time: Arc<Time>,
    fortune: Arc<Fortune>,
    society: Arc<Society>,
    bag: Mutex<Bag>,
    news: Notify,
}

#[derive(Default)]
struct Bag {
    /// By the time at which they are due.
    parcels: BTreeMap<(Timestamp, u64), Parcel>,
    /// Handed over, and not acknowledged yet.
    handed: BTreeMap<u64, Parcel>,
    number: u64,
}

#[derive(Clone)]
struct Parcel {
    delivery: Delivery,
    tries: u32,
    /// It was acknowledged before.
    again: bool,
}

impl Office {
    pub fn new(time: Arc<Time>, fortune: Arc<Fortune>, society: Arc<Society>) -> Self {
        Office { time, fortune, society, bag: Mutex::default(), news: Notify::new() }
    }

    /// Somebody does something.
    pub fn post(&self, by: &Principal, place: &Place, inbound: Inbound) -> String {
        let mut bag = self.bag.lock().unwrap();
        bag.number += 1;
        let key = format!("delivery-{}", bag.number);
        let reply = Reply {
            platform: ChatPlatform::Slack,
            place: place.clone(),
            person: by.clone(),
            // By it the whispers are told apart.
            url: Some(key.clone()),
            trigger: None,
        };
        self.society.did(&key, by, &inbound);
        let actor = Actor { principal: by.clone(), foreign: by.user == FAY };
        let delivery = Delivery { key: key.clone(), actor, place: place.clone(), inbound, reply };
        let takes = if self.fortune.strikes("delivery late", 12) {
            self.fortune.millis(500..60_000)
        } else {
            self.fortune.millis(5..200)
        };
        let due = (self.time.truth() + takes, bag.number);
        bag.parcels.insert(due, Parcel { delivery, tries: 0, again: false });
        self.news.notify_one();
        key
    }

    /// Nothing is to be delivered any more.
    pub fn is_empty(&self) -> bool {
        let bag = self.bag.lock().unwrap();
        bag.parcels.is_empty() && bag.handed.is_empty()
    }

    /// The process has ended: whatever it did not acknowledge comes again.
    pub fn hang_up(&self) {
        let mut bag = self.bag.lock().unwrap();
        for (_, parcel) in std::mem::take(&mut bag.handed) {
            self.put_back(&mut bag, parcel);
        }
    }

    fn put_back(&self, bag: &mut Bag, parcel: Parcel) {
        if parcel.tries < TRIES {
            bag.number += 1;
            let due = (self.time.truth() + self.fortune.millis(1_000..60_000), bag.number);
            bag.parcels.insert(due, parcel);
            self.news.notify_one();
        }
    }

    /// Delivers what is due, for as long as the engine lives.
    pub async fn deliver(self: &Arc<Self>, engine: &Engine) {
        loop {
            let next = self.bag.lock().unwrap().parcels.first_key_value().map(|((due, _), _)| *due);
            let now = self.time.truth();
            match next {
                Some(due) if due <= now => {
                    let (number, mut parcel) = {
                        let mut bag = self.bag.lock().unwrap();
                        let ((_, number), parcel) = bag.parcels.pop_first().unwrap();
                        bag.handed.insert(number, parcel.clone());
                        (number, parcel)
                    };
                    parcel.tries += 1;
                    tokio::spawn({
                        let (office, engine) = (self.clone(), engine.clone());
                        async move { office.hand_over(&engine, number, parcel).await }
                    });
                }
                due => {
                    let wait = due
                        .map_or(Duration::from_secs(3600), |due| Duration::try_from(due.duration_since(now)).unwrap());
                    tokio::select! {
                        biased;
                        () = self.news.notified() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    async fn hand_over(&self, engine: &Engine, number: u64, parcel: Parcel) {
        let answer = engine.accept(parcel.delivery.clone()).await;
        let mut bag = self.bag.lock().unwrap();
        bag.handed.remove(&number);
        match answer {
            Ok(_) => {
                self.society.accepted(&parcel.delivery.key);
                if !parcel.again && self.fortune.strikes("delivered twice", 8) {
                    self.put_back(&mut bag, Parcel { again: true, ..parcel });
                }
            }
            Err(_) => self.put_back(&mut bag, parcel),
        }
    }
}
