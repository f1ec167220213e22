//! A run's summary, with the outputs it is made of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Digest, RunId};
use crate::message::rows::{self, Attributes};
use crate::run::Run;
use crate::summary::{Reader, Summary, Threads};

use super::Services;

/// Redacted outputs by key.
pub type Texts = BTreeMap<Digest, Arc<str>>;

/// Runs of which what was read is kept. Each that prints something else on 50,000 nodes takes some 50 MB.
const KEPT: usize = 4;

/// How often outputs are fetched for one summary: what was taken for lines of a log and is none is read once more. One that
/// was pruned is wanted each time and never comes.
const ROUNDS: usize = 3;
/// Outputs in memory at once; AWS hands out at most 32,000 characters of each.
const AT_ONCE: usize = 2_000;

/// What was read of the outputs of the runs that were summarised last, the latest at the end.
#[derive(Default)]
pub struct Readers(Mutex<Vec<(RunId, Arc<tokio::sync::Mutex<Reading>>)>>);

struct Reading {
    reader: Reader,
    /// Of the plan's targets, which do not change.
    attributes: Vec<Attributes>,
}

impl Readers {
    fn of(&self, run: RunId) -> Arc<tokio::sync::Mutex<Reading>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(id, _)| *id == run);
        let reader = known.map(|at| kept.remove(at).1).unwrap_or_else(|| {
            let reader = Reader::with_threads(Threads::of_this_machine());
            let reading = Reading { reader, attributes: Vec::new() };
            Arc::new(tokio::sync::Mutex::new(reading))
        });
        kept.push((run, reader.clone()));
        let spare = kept.len().saturating_sub(KEPT);
        kept.drain(..spare);
        reader
    }
}

/// Summarises the run as it stands. Only outputs that were not read before are fetched; those that were pruned are told as
/// such.
pub async fn summary_of(services: &Services, run: &Run) -> Summary {
    summed(services, run, None).await
}

/// The same, with every output that is kept.
pub async fn summary_with_texts(services: &Services, run: &Run) -> (Summary, Texts) {
    let texts = texts_of(services, run.id, rows::output_keys(run)).await;
    (summed(services, run, Some(texts.clone())).await, texts)
}

/// `texts`: the run's outputs, where they are at hand.
async fn summed(services: &Services, run: &Run, texts: Option<Texts>) -> Summary {
    let reading = services.readers.of(run.id);
    let mut reading = reading.lock().await;
    let Reading { reader, attributes } = &mut *reading;
    if attributes.is_empty() {
        *attributes = rows::attributes(&run.proposal.plan);
    }
    let input = rows::summary_input_with(run, Texts::new(), attributes);
    for _ in 0..ROUNDS {
        let wanted = reader.wants(&input.rows);
        let mut came = false;
        for some in wanted.chunks(AT_ONCE) {
            let parts = rows::parts_of(run, &some.iter().copied().collect());
            let texts = match &texts {
                Some(texts) => parts.iter().filter_map(|key| Some((*key, texts.get(key)?.clone()))).collect(),
                None => texts_of(services, run.id, parts).await,
            };
            came |= !texts.is_empty();
            reader.learn(&input.rows, &rows::joined(run, texts));
        }
        if !came {
            break;
        }
    }
    reader.summarise(&input)
}

/// Those of the outputs that are still kept.
pub async fn texts_of(services: &Services, run: RunId, keys: impl IntoIterator<Item = Digest>) -> Texts {
    let mut texts = Texts::new();
    for key in keys {
        match services.outputs.get(run, &key).await {
            Ok(Some(text)) => {
                texts.insert(key, text);
            }
            Ok(None) => {}
            Err(fault) => tracing::error!(%run, %fault, "an output cannot be read"),
        }
    }
    texts
}
