//! S3, as far as whole outputs need it: agents put objects, GetObject by path reads them.
//!
//! An object can be read a moment after its upload. Where the caller may not list the bucket, S3 says of an object that
//! is not there that access is denied.

use std::collections::{BTreeMap, HashMap};

use axum::http::Method;

use crate::domain::Timestamp;

use super::iam::{Access, check};
use super::organisation::{Caller, World, lock};
use super::refusal::{Object, Refusal, Reply};
use super::sigv4::Signed;

/// What agents have put, by bucket and key.
#[derive(Debug, Default)]
pub(super) struct Objects(HashMap<(String, String), (Timestamp, Vec<u8>)>);

impl Objects {
    /// Visible from `at` on. Into a bucket that is not there nothing can be put.
    pub fn put(&mut self, bucket: &str, key: String, bytes: Vec<u8>, at: Timestamp) {
        self.0.insert((bucket.to_owned(), key), (at, bytes));
    }
    fn get(&self, bucket: &str, key: &str, now: Timestamp) -> Option<&[u8]> {
        let (at, bytes) = self.0.get(&(bucket.to_owned(), key.to_owned()))?;
        (*at <= now).then_some(bytes)
    }
}

pub(super) fn answer(world: &World, caller: &Caller, request: &Signed<'_>) -> (String, Result<Reply, Refusal>) {
    if *request.method != Method::GET {
        let refusal =
            Refusal::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
        return ("s3:unknown".into(), Err(refusal));
    }
    ("s3:GetObject".into(), get_object(world, caller, request))
}

fn get_object(world: &World, caller: &Caller, request: &Signed<'_>) -> Result<Reply, Refusal> {
    let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok());
    if header("x-amz-content-sha256").is_none() {
        let message = "Missing required header for this request: x-amz-content-sha256";
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    let (bucket, key) = request.uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
    if !world.settings.buckets.contains(bucket) {
        return Err(Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist"));
    }
    let may = |action: &str, resource: &str| {
        let access = Access { action, resource, context: &BTreeMap::new() };
        check(&caller.rights, caller.session_policy.as_deref(), &access).is_ok()
    };
    let denied = || Refusal::new(403, "AccessDenied", "Access Denied");
    if !may("s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}")) {
        return Err(denied());
    }
    let objects = lock(&world.objects);
    let Some(bytes) = objects.get(bucket, key, world.now()) else {
        let lists = may("s3:ListBucket", &format!("arn:aws:s3:::{bucket}"));
        return Err(if lists { Refusal::new(404, "NoSuchKey", "The specified key does not exist.") } else { denied() });
    };
    // `bytes=0-99`, the only form that is asked for here.
    let last = header("range").and_then(|r| r.strip_prefix("bytes=0-")?.parse::<usize>().ok());
    let part = last.map(|last| &bytes[..bytes.len().min(last + 1)]);
    let range = part.map(|part| format!("bytes 0-{}/{}", part.len().saturating_sub(1), bytes.len()));
    Ok(Reply::Object(Object { bytes: part.unwrap_or(bytes).to_vec(), range }))
}
