//! Requests of several connections that wait for one another, and go on from the last to the first (`reorder`).
//! Shell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Who waits for others that do not come goes on.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// By the id of the rule.
#[derive(Default)]
pub struct Turns(Arc<Mutex<BTreeMap<String, Waiting>>>);

#[derive(Default)]
struct Waiting {
    next: u64,
    places: Vec<(u64, oneshot::Sender<Turn>)>,
}

/// Whoever has it goes on; the one that came before it has the next turn when this one is given up.
#[derive(Default)]
pub struct Turn(Vec<oneshot::Sender<Turn>>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(before) = self.0.pop() {
            // One whose connection is gone gives it up at once.
            drop(before.send(Turn(std::mem::take(&mut self.0))));
        }
    }
}

impl Turns {
    /// How many requests wait for others.
    pub fn waiting(&self, rule: &str) -> usize {
        self.0.lock().get(rule).map_or(0, |waiting| waiting.places.len())
    }

    /// Waits until `count` requests are here and those that came later are answered.
    pub async fn wait(&self, env: &Env, rule: &str, count: usize) -> Turn {
        let (place, coming) = {
            let mut all = self.0.lock();
            let waiting = all.entry(rule.to_owned()).or_default();
            waiting.places.retain(|(_, sender)| !sender.is_closed());
            if waiting.places.len() + 1 >= count {
                let before = std::mem::take(&mut waiting.places);
                all.remove(rule);
                return Turn(before.into_iter().map(|(_, sender)| sender).collect());
            }
            let (sender, coming) = oneshot::channel();
            let place = waiting.next;
            waiting.next += 1;
            waiting.places.push((place, sender));
            (place, coming)
        };
        tokio::pin!(coming);
        let over = env.clock.monotonic().after(WAIT_MAX);
        tokio::select! {
            turn = &mut coming => return turn.unwrap_or_default(),
            () = env.clock.sleep_until(over) => {}
        }
        // Nobody came; who is taken out of the places has its turn by itself.
        let was_waiting = self.0.lock().get_mut(rule).is_some_and(|waiting| {
            let before = waiting.places.len();
            waiting.places.retain(|(known, _)| *known != place);
            waiting.places.len() < before
        });
        match was_waiting {
            true => Turn::default(),
            false => coming.await.unwrap_or_default(),
        }
    }
}
