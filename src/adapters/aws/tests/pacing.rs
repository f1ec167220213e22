//! What the limits are asked and told: every request that leaves has been waited for or is charged.

use std::sync::Mutex;

use async_trait::async_trait;
use futures::FutureExt as _;

use super::*;
use crate::ports::{Operation, Pace, Quota, Service};

/// Lets everything pass and remembers what it was asked and told.
#[derive(Default)]
struct Remembered {
    turns: Mutex<Vec<Quota>>,
    charged: Mutex<Vec<Quota>>,
    throttled: Mutex<Vec<(Quota, Option<Duration>)>>,
}

#[async_trait]
impl Pace for Remembered {
    async fn turn(&self, quota: &Quota) {
        self.turns.lock().unwrap().push(quota.clone());
    }
    fn charge(&self, quota: &Quota) {
        self.charged.lock().unwrap().push(quota.clone());
    }
    fn throttled(&self, quota: &Quota, retry_after: Option<Duration>) {
        self.throttled.lock().unwrap().push((quota.clone(), retry_after));
    }
}

async fn paced(settings: Settings) -> (Aws, Arc<Remembered>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pace = Arc::new(Remembered::default());
    (Aws::connect_paced(settings, Arc::new(MovedClock::default()), pace.clone()).await, pace)
}

fn of(operation: Operation) -> Quota {
    Quota::of(&account(), &region(), operation)
}

#[tokio::test]
async fn a_throttle_is_told_at_once_and_what_the_sdk_repeats_is_charged() {
    let mut asked = 0;
    let server = with_sts(move |_| {
        asked += 1;
        if asked > 1 {
            return Reply::Json(200, json!({"CommandInvocations": []}));
        }
        let headers =
            vec![("content-type", "application/x-amz-json-1.1".to_owned()), ("x-amz-retry-after", "20".into())];
        Reply::Raw(400, headers, json!({"__type": "ThrottlingException", "message": "Rate exceeded"}).to_string())
    })
    .await;
    let (aws, pace) = paced(settings(&server.url)).await;
    aws.invocations(&account(), &region(), Service::RunCommand, &COMMAND.parse().unwrap()).await.unwrap();
    let quota = of(Operation::ListCommandInvocations);
    assert_eq!(*pace.throttled.lock().unwrap(), [(quota.clone(), Some(Duration::from_millis(20)))]);
    assert_eq!(*pace.charged.lock().unwrap(), [quota]);
    // The engine has waited for the one call itself.
    assert_eq!(*pace.turns.lock().unwrap(), [Quota::Sts]);
}

#[tokio::test]
async fn every_further_page_waits_for_its_turn() {
    let mut page = 0;
    let server = with_sts(move |_| {
        page += 1;
        let token = if page < 4 { json!(format!("page-{page}")) } else { json!(null) };
        Reply::Json(200, json!({"CommandInvocations": [], "NextToken": token}))
    })
    .await;
    let (aws, pace) = paced(settings(&server.url)).await;
    aws.invocations(&account(), &region(), Service::RunCommand, &COMMAND.parse().unwrap()).await.unwrap();
    let turns = pace.turns.lock().unwrap();
    assert_eq!(turns.iter().filter(|q| **q == of(Operation::ListCommandInvocations)).count(), 3);
    assert_eq!(server.of("ListCommandInvocations").len(), 4);
    assert_eq!(*pace.charged.lock().unwrap(), []);
}

#[tokio::test]
async fn when_sts_throttles_the_account_that_was_to_be_entered_is_not_to_blame() {
    let server = Scripted::start(|_| xml_error(400, "Throttling", "Rate exceeded")).await;
    let (aws, pace) = paced(settings(&server.url)).await;
    let answer = aws.invocations(&account(), &region(), Service::RunCommand, &COMMAND.parse().unwrap()).await;
    assert!(matches!(&answer, Err(CloudError::Transient(why)) if why.contains("STS throttles")), "{answer:?}");
    let throttled = pace.throttled.lock().unwrap();
    assert!(!throttled.is_empty() && throttled.iter().all(|(quota, _)| *quota == Quota::Sts), "{throttled:?}");
}

#[tokio::test]
async fn accounts_whose_roles_do_not_answer_hold_back_no_other() {
    let server = Scripted::start(|seen| match seen.operation.as_str() {
        "AssumeRole" if seen.field("RoleArn").is_some_and(|arn| !arn.contains(account().as_str())) => Reply::Hang,
        "AssumeRole" => credentials("session", FAR),
        _ => Reply::Json(200, json!({"CommandInvocations": []})),
    })
    .await;
    let mut settings = settings(&server.url);
    for n in 0..40 {
        let mut other = settings.accounts[0].clone();
        other.account.id = format!("{n:012}").parse().unwrap();
        settings.accounts.push(other);
    }
    let hanging: Vec<AccountId> = settings.accounts[1..].iter().map(|a| a.account.id.clone()).collect();
    let (aws, _) = paced(settings).await;
    let mut waiting = Box::pin(futures::future::join_all(hanging.iter().map(|account| aws.warm(account))));
    while server.of("AssumeRole").len() < hanging.len() {
        assert!((&mut waiting).now_or_never().is_none(), "nobody was let in");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    aws.invocations(&account(), &region(), Service::RunCommand, &COMMAND.parse().unwrap()).await.unwrap();
    assert!(waiting.now_or_never().is_none(), "the others still hang");
}

#[tokio::test]
async fn to_warm_an_account_is_to_enter_it_for_reading_and_nothing_else() {
    let server = with_sts(|_| Reply::Json(200, json!({"CommandInvocations": []}))).await;
    let (aws, _) = paced(settings(&server.url)).await;
    aws.warm(&account()).await;
    aws.warm(&account()).await;
    let entered: Vec<Option<String>> = server.seen().iter().map(|seen| seen.field("RoleSessionName")).collect();
    assert_eq!(entered, [Some("muster-read".to_owned())]);
    aws.invocations(&account(), &region(), Service::RunCommand, &COMMAND.parse().unwrap()).await.unwrap();
    assert_eq!(server.of("AssumeRole").len(), 1, "the run finds it warm");
}
