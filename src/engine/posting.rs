//! Saying things, each once: intent, post, and where the answer is lost, find it by its key before saying it again.
//! One living card per run, edited as it changes; everything else in its thread.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{ChannelRef, ChatPlatform, Digest, MessageRef, Place};
use crate::message::{self, Button, Card, Limits, View};
use crate::ports::ChatError;
use crate::run::{AskAt, Effect, Input, PostKey, Run};

use super::runner::Handle;
use super::summing::{summary_of, summary_with_texts};
use super::{Services, earlier, homes};

/// The last word does not wait longer for a card above it: Discord lets old messages be edited a few times an hour.
const LAST_FORM_WITHIN: Duration = Duration::from_secs(60);
/// A message whose fate is unknown may appear late.
const FIND_TRIES: u32 = 3;

/// Posts what `key` names. `look_first`: an intent was written before a crash, so it may be there already.
pub async fn post(services: &Arc<Services>, handle: &Handle, key: &PostKey, look_first: bool) {
    let mut place = match place_before(services, handle, key).await {
        Ok(place) => place,
        Err(cause) => {
            // Written down as begun and failed: nobody is asked there.
            let _ = handle.input(Input::PostBegun { key: key.clone() }).await;
            return refused(handle, key, cause).await;
        }
    };
    if !look_first && handle.input(Input::PostBegun { key: key.clone() }).await.is_err() {
        return;
    }
    if matches!(key, PostKey::Closing | PostKey::Reviewed) {
        // The last form of the cards stands before the last word is said. Once that is in the journal the run is
        // settled and nobody looks at it after a crash, so an edit that was still to come would be lost.
        for living in living(handle).into_iter().filter(|key| !stands_elsewhere(key)) {
            bring_to_form(services, handle, &living, Some(LAST_FORM_WITHIN)).await;
        }
    }
    let mut directly = false;
    let mark = format!("{}:{key}", handle.id);
    let mut look = look_first;
    let mut pause = Duration::from_millis(500);
    loop {
        if look {
            match find(services, &place, &mark).await {
                Ok(Some(message)) => return done(services, handle, key, message).await,
                Ok(None) => {}
                // History may not be read: then it is posted, and once too often is better than never.
                Err(ChatError::Refused(cause)) => {
                    tracing::warn!(run = %handle.id, %key, cause, "it cannot be told whether a message was posted");
                }
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = longer(pause);
                    continue;
                }
            }
        }
        let may_be_moot = matches!(
            key,
            PostKey::AskAt(_) | PostKey::Notice(_) | PostKey::Alert(_) | PostKey::Review(_) | PostKey::Overdue(_)
        );
        if may_be_moot && !handle.read(|run| is_wanted(run, key)) {
            // It has been decided meanwhile: nobody has to be asked or told any more.
            return refused(handle, key, "it was decided before it could be said".into()).await;
        }
        // Held until the answer, so that what is remembered as shown is what was said.
        let living = handle.shown(key);
        let mut shown = match &living {
            Some(shown) => Some(shown.lock().await),
            None => None,
        };
        let card = card_of(services, handle, key).await;
        let posted = services.chat.post(&place, &card, &mark).await;
        if let (Some(shown), Ok(_)) = (&mut shown, &posted) {
            **shown = Some(card.clone());
        }
        drop(shown);
        match posted {
            Ok(message) => return done(services, handle, key, message).await,
            Err(ChatError::Refused(cause)) => {
                if !concerns_the_requester(key) || directly {
                    return refused(handle, key, cause).await;
                }
                // The channel is archived, or Muster was removed from it.
                let by = handle.read(|run| run.proposal.by.clone());
                match services.chat.direct(&by).await {
                    // A process before this one may have come so far.
                    Ok(direct) => (place, directly, look) = (direct, true, true),
                    Err(ChatError::Refused(_)) => return refused(handle, key, cause).await,
                    Err(_) => {
                        tokio::time::sleep(pause).await;
                        pause = longer(pause);
                    }
                }
            }
            Err(ChatError::NotSaid { cause, retry_after }) => {
                tracing::warn!(run = %handle.id, %key, cause, "a message could not be posted yet");
                tokio::time::sleep(retry_after.unwrap_or(pause)).await;
                pause = longer(pause);
                look = false;
            }
            Err(ChatError::Unknown(cause)) => {
                tracing::warn!(run = %handle.id, %key, cause, "a message may have been posted; looking for it");
                look = true;
            }
        }
    }
}

/// Where the channel takes nothing any more, the requester still learns what waits for a decision, and how it ended.
fn concerns_the_requester(key: &PostKey) -> bool {
    match key {
        PostKey::Ask | PostKey::Hold(_) | PostKey::Closing | PostKey::Reviewed => true,
        PostKey::Root
        | PostKey::AskAt(_)
        | PostKey::Alert(_)
        | PostKey::Review(_)
        | PostKey::Overdue(_)
        | PostKey::Notice(_)
        | PostKey::Results => false,
    }
}

/// Whether it is still owed, begun or not.
fn is_wanted(run: &Run, key: &PostKey) -> bool {
    run.owes(&Effect::Post(key.clone())) || run.owes(&Effect::SettlePost(key.clone()))
}

/// Tries to find a place besides the thread.
const PLACE_TRIES: u32 = 5;
/// The same, where nothing is run without it: some two minutes.
const ALERT_TRIES: u32 = 9;

/// The place, with some patience: what cannot be looked up now may be for good, such as a platform that is not connected.
///
/// # Errors
/// Why there is none.
async fn place_before(services: &Services, handle: &Handle, key: &PostKey) -> Result<Place, String> {
    let mut pause = Duration::from_millis(500);
    let most = match key {
        PostKey::Alert(_) => ALERT_TRIES,
        // Nobody waits for it, and it has to be said.
        PostKey::Review(_) | PostKey::Overdue(_) => u32::MAX,
        _ => PLACE_TRIES,
    };
    let mut tries = 0;
    loop {
        let fault = match place_of(services, handle, key).await {
            Ok(place) => return Ok(place),
            Err(ChatError::Refused(cause)) => return Err(cause),
            Err(fault) => fault.to_string(),
        };
        tries += 1;
        if tries >= most || !handle.read(|run| is_wanted(run, key)) {
            return Err(format!("the place cannot be looked up: {fault}"));
        }
        tracing::warn!(run = %handle.id, %key, fault, "nobody can be told there yet");
        tokio::time::sleep(pause).await;
        pause = longer(pause);
    }
}

async fn find(services: &Services, place: &Place, mark: &str) -> Result<Option<MessageRef>, ChatError> {
    for look in 0..FIND_TRIES {
        if let Some(message) = services.chat.find(place, mark).await? {
            return Ok(Some(message));
        }
        tokio::time::sleep(Duration::from_millis(300) * (look + 1)).await;
    }
    Ok(None)
}

async fn done(services: &Arc<Services>, handle: &Handle, key: &PostKey, message: MessageRef) {
    if *key == PostKey::Results {
        upload_outputs(services, handle).await;
    }
    let _ = handle.input(Input::Posted { key: key.clone(), message }).await;
}

async fn refused(handle: &Handle, key: &PostKey, cause: String) {
    let cause = match (key, handle.read(|run| elsewhere(run, key))) {
        (PostKey::Alert(_), Some(AskAt::Channel(channel))) => {
            format!("`{channel}`: {cause}; invite me there, or change `notify` under `[break_glass]`")
        }
        _ => cause,
    };
    tracing::error!(run = %handle.id, %key, cause, "a message was refused");
    let _ = handle.input(Input::PostFailed { key: key.clone(), cause }).await;
}

/// Long outputs as one file beside the results. The adapter finds a file that is there already by its key.
async fn upload_outputs(services: &Arc<Services>, handle: &Handle) {
    let run = handle.snapshot();
    let (summary, texts) = summary_with_texts(services, &run).await;
    let lookup = |key: &Digest| texts.get(key).cloned();
    // As the card was drawn, so that what it says stands in the file does.
    let view = View { before: earlier::before(services, &run).await, ..services.view(&run) };
    let Some(file) = message::output_file(&run, &summary, &lookup, &view) else { return };
    let place = thread_of(&run);
    let mark = format!("{}:file", run.id);
    let mut pause = Duration::from_secs(1);
    for _ in 0..6 {
        match services.chat.upload(&place, &file.name, &file.title, &file.content, &mark).await {
            Ok(()) => return,
            Err(ChatError::Refused(cause)) => {
                tracing::error!(run = %run.id, cause, "the outputs could not be uploaded");
                return;
            }
            Err(ChatError::NotSaid { retry_after, .. }) => tokio::time::sleep(retry_after.unwrap_or(pause)).await,
            Err(ChatError::Unknown(_)) => tokio::time::sleep(pause).await,
        }
        pause = longer(pause);
    }
    tracing::error!(run = %run.id, "the outputs could not be uploaded in six attempts");
}

/// Where a message of the run goes: the root card where it was asked, the question also where else approvers are asked, what
/// is said of broken glass where that has to be told, the rest into the thread.
async fn place_of(services: &Services, handle: &Handle, key: &PostKey) -> Result<Place, ChatError> {
    if *key == PostKey::Root {
        return Ok(handle.read(|run| run.proposal.place.clone()));
    }
    match handle.read(|run| elsewhere(run, key)) {
        Some(AskAt::Channel(channel)) => {
            let place = place_in(&channel);
            match services.directory.channel(&place).await {
                // The request holds a script and the names of nodes.
                Ok(found) if found.shared => {
                    Err(ChatError::Refused("the channel is shared with another organisation".into()))
                }
                Ok(_) => Ok(place),
                Err(fault) => Err(ChatError::NotSaid { cause: fault.to_string(), retry_after: None }),
            }
        }
        Some(AskAt::Person(person)) => services.chat.direct(&person).await,
        None => Ok(handle.read(thread_of)),
    }
}

/// The place besides the thread that this key names.
fn elsewhere(run: &Run, key: &PostKey) -> Option<AskAt> {
    let nth = |number: &u32| (*number as usize).saturating_sub(1);
    match key {
        PostKey::AskAt(number) => run.proposal.asking.at.get(nth(number)).cloned(),
        PostKey::Alert(number) | PostKey::Review(number) | PostKey::Overdue(number) => {
            run.proposal.glass.as_ref()?.notify.get(nth(number)).cloned().map(AskAt::Channel)
        }
        PostKey::Root
        | PostKey::Ask
        | PostKey::Notice(_)
        | PostKey::Reviewed
        | PostKey::Hold(_)
        | PostKey::Results
        | PostKey::Closing => None,
    }
}

/// It may stand on another platform, which may be down.
fn stands_elsewhere(key: &PostKey) -> bool {
    matches!(key, PostKey::AskAt(_) | PostKey::Alert(_) | PostKey::Review(_))
}

pub fn place_in(channel: &ChannelRef) -> Place {
    let ChannelRef { platform, tenant, channel } = channel.clone();
    Place { platform, tenant, channel, thread: None }
}

/// The thread of a run: the one it was asked in, else the root card's.
pub fn thread_of(run: &Run) -> Place {
    let mut place = run.proposal.place.clone();
    if place.thread.is_none()
        && let Some(Some(root)) = run.posts.get(&PostKey::Root)
    {
        place.thread = Some(root.id.clone());
    }
    place
}

async fn card_of(services: &Arc<Services>, handle: &Handle, key: &PostKey) -> Card {
    let run = handle.snapshot();
    let elsewhere = elsewhere(&run, key);
    let view = match &elsewhere {
        Some(AskAt::Channel(channel)) => services.view_of(run.id, Some(&place_in(channel))),
        Some(AskAt::Person(person)) => services.view_of(run.id, Some(&Place::nowhere(person, &person.tenant))),
        None => services.view(&run),
    };
    let card = match key {
        PostKey::Root => root_card(services, &run).await,
        PostKey::Ask | PostKey::AskAt(_) => message::ask(&run, &view),
        PostKey::Alert(_) => {
            let link = link_of(services, &run).await;
            // While it runs its counts tell enough, and reading every output at each edit would be dear.
            let summary = if run.phase.is_over() { Some(summary_of(services, &run).await) } else { None };
            message::alert(&run, summary.as_ref(), link.as_deref(), &view)
        }
        PostKey::Review(_) => message::review(&run, link_of(services, &run).await.as_deref(), &view),
        PostKey::Overdue(_) => message::overdue(&run, link_of(services, &run).await.as_deref(), &view),
        PostKey::Reviewed => message::reviewed(&run, &view),
        PostKey::Notice(number) => message::notice(&run, *number, &view),
        PostKey::Hold(number) => {
            let summary = summary_of(services, &run).await;
            message::hold(&run, *number, &summary, &view)
        }
        PostKey::Results => {
            let (summary, texts) = summary_with_texts(services, &run).await;
            let view = View { before: earlier::before(services, &run).await, ..view };
            message::results(&run, &summary, &|key: &Digest| texts.get(key).cloned(), &view)
        }
        PostKey::Closing => {
            let summary = summary_of(services, &run).await;
            message::closing(&run, &summary, &view)
        }
    };
    let platform = match &elsewhere {
        Some(AskAt::Channel(channel)) => channel.platform,
        Some(AskAt::Person(person)) => person.platform,
        None => run.proposal.place.platform,
    };
    if *key == PostKey::Results { message::fit(card, &Limits::of(platform)).0 } else { fitted(card, platform) }
}

/// A card within the platform's limits; what is cut says so. Only the results have a file that holds the rest.
pub fn fitted(card: Card, platform: ChatPlatform) -> Card {
    message::fit(card, &Limits { file: false, ..Limits::of(platform) }).0
}

/// Where the run's own card is read.
async fn link_of(services: &Services, run: &Run) -> Option<String> {
    let root = run.posts.get(&PostKey::Root).cloned().flatten()?;
    homes::link(services, root).await
}

async fn root_card(services: &Services, run: &Run) -> Card {
    let view = services.view(run);
    let card = if run.phase.is_over() {
        let summary = summary_of(services, run).await;
        message::root(run, Some(&summary), &view)
    } else {
        message::root(run, None, &view)
    };
    fitted(card, run.proposal.place.platform)
}

/// The cards that are edited while the run goes on.
fn living(handle: &Handle) -> Vec<PostKey> {
    let holds = handle.read(|run| run.holds.iter().map(|hold| PostKey::Hold(hold.number)).collect::<Vec<_>>());
    let places = handle.read(|run| run.proposal.asking.at.len());
    let asks = (1..).take(places).map(PostKey::AskAt);
    let told = handle.read(|run| run.proposal.glass.as_ref().map_or(0, |glass| glass.notify.len()));
    let told = (1..).take(told).flat_map(|n| [PostKey::Alert(n), PostKey::Review(n)]);
    [PostKey::Root, PostKey::Ask].into_iter().chain(asks).chain(told).chain(holds).collect()
}

/// Edits the living cards whenever what they say has changed, until the run is over and their last form is shown. The
/// first change is shown at once; what follows is shown together, at the platform's pace.
pub async fn keep_shown(services: Arc<Services>, handle: Handle) {
    loop {
        let over = tokio::select! {
            () = handle.changed.notified() => false,
            () = handle.over.notified() => true,
        };
        let mut edited = false;
        let (elsewhere, here): (Vec<PostKey>, Vec<PostKey>) = living(&handle).into_iter().partition(stands_elsewhere);
        for key in here {
            edited |= bring_to_form(&services, &handle, &key, None).await;
        }
        for key in elsewhere {
            // They may stand on another platform, which may be down: each by itself, and nothing waits for them but the end.
            if over {
                bring_to_form(&services, &handle, &key, Some(LAST_FORM_WITHIN)).await;
            } else if handle.shown(&key).is_some_and(|shown| shown.try_lock().is_ok()) {
                let (services, handle) = (services.clone(), handle.clone());
                tokio::spawn(async move { while bring_to_form(&services, &handle, &key, None).await {} });
            }
        }
        if over {
            return;
        }
        if edited {
            tokio::select! {
                () = tokio::time::sleep(services.settings.edit_every) => {}
                // The last form does not wait; the loop takes the same word once more.
                () = handle.over.notified() => handle.over.notify_one(),
            }
        }
    }
}

/// Brings one living card to the form that the run has now, and returns whether that took an edit. The only place that
/// edits them.
///
/// One edit of a card at a time, and each try draws the card anew under the lock: whatever is shown last is the last
/// form, however many ask for it at once. Where it would take longer than `patience`, it is left as it is.
async fn bring_to_form(services: &Arc<Services>, handle: &Handle, key: &PostKey, patience: Option<Duration>) -> bool {
    let Some(shown) = handle.shown(key) else { return false };
    let mut shown = shown.lock().await;
    let mut pause = services.settings.edit_every;
    let mut edited = false;
    let began = tokio::time::Instant::now();
    loop {
        let Some(message) = handle.read(|run| run.posts.get(key).cloned().flatten()) else { return edited };
        let card = card_of(services, handle, key).await;
        if shown.as_ref().is_some_and(|shown| says_the_same(shown, &card)) {
            return edited;
        }
        edited = true;
        let wait = match services.chat.edit(&message, &card).await {
            Ok(()) => {
                *shown = Some(card);
                return edited;
            }
            Err(ChatError::Refused(cause)) => {
                tracing::warn!(run = %handle.id, %key, cause, "a card cannot be edited any more");
                *shown = Some(card);
                return edited;
            }
            Err(ChatError::NotSaid { retry_after, .. }) => {
                retry_after.unwrap_or(pause).max(services.settings.edit_every)
            }
            // It may show either form now. An edit says the same again without harm.
            Err(ChatError::Unknown(_)) => {
                *shown = None;
                pause
            }
        };
        if patience.is_some_and(|most| began.elapsed() + wait > most) {
            return edited;
        }
        tokio::time::sleep(wait).await;
        pause = longer(pause);
    }
}

/// Equal but for the revision that buttons carry, which nobody sees: it grows with every event.
fn says_the_same(one: &Card, other: &Card) -> bool {
    let buttons = |card: &Card| -> Vec<Button> {
        card.buttons.iter().map(|button| Button { revision: 0, ..button.clone() }).collect()
    };
    (one.tone, &one.title, &one.blocks) == (other.tone, &other.title, &other.blocks) && buttons(one) == buttons(other)
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(Duration::from_secs(30))
}
