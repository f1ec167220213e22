//! A run's summary, with the outputs it is made of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Digest, RunId};
use crate::message::{rows, summary_input};
use crate::run::Run;
use crate::summary::{Reader, Summary};

use super::Services;

/// Redacted outputs by key.
pub type Texts = BTreeMap<Digest, Arc<str>>;

/// Runs of which what was read is kept. Each that prints something else on 50,000 nodes takes some 50 MB.
const KEPT: usize = 4;

/// What was read of the outputs of the runs that were summarised last, the latest at the end.
#[derive(Default)]
pub struct Readers(Mutex<Vec<(RunId, Arc<tokio::sync::Mutex<Reader>>)>>);

impl Readers {
    fn of(&self, run: RunId) -> Arc<tokio::sync::Mutex<Reader>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(id, _)| *id == run);
        let reader = known.map(|at| kept.remove(at).1).unwrap_or_default();
        kept.push((run, reader.clone()));
        let spare = kept.len().saturating_sub(KEPT);
        kept.drain(..spare);
        reader
    }
}

/// Summarises the run as it stands. Only outputs that were not read before are fetched; those that were pruned are told as
/// such.
pub async fn summary_of(services: &Services, run: &Run) -> Summary {
    let reader = services.readers.of(run.id);
    let mut reader = reader.lock().await;
    let mut input = summary_input(run, Texts::new());
    let wanted = rows::parts_of(run, &reader.wants(&input.rows));
    input.outputs = rows::joined(run, fetch(services, run, wanted).await);
    reader.summarise(&input)
}

/// The same, with every output that is kept.
pub async fn summary_with_texts(services: &Services, run: &Run) -> (Summary, Texts) {
    (summary_of(services, run).await, fetch(services, run, rows::output_keys(run)).await)
}

async fn fetch(services: &Services, run: &Run, keys: Vec<Digest>) -> Texts {
    let mut texts = Texts::new();
    for key in keys {
        match services.outputs.get(run.id, &key).await {
            Ok(Some(text)) => {
                texts.insert(key, text);
            }
            Ok(None) => {}
            Err(fault) => tracing::error!(run = %run.id, %fault, "an output cannot be read"),
        }
    }
    texts
}
