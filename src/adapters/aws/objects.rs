//! GetObject, and nothing else of S3: what agents uploaded into the bucket that an account names for outputs.
//!
//! A few lines over the SDK's HTTP connector and its signer, because the SDK for S3 would cost minutes of every build.
//! Nothing here is needed for a run to go on: what cannot be read from the bucket is read from SSM, cut.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use crate::domain::{AccountId, Bucket, Timestamp};
use crate::ports::{Operation, STREAM_MAX};
use crate::telemetry;

use super::policy::partition;
use super::sessions::Session;
use super::{Aws, Fault};

/// Between the first two looks for an object that is not there; each pause is twice the one before.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Reads objects. One for the process, with connections of its own.
pub(super) struct Objects {
    connector: Connector,
    /// In place of S3's own.
    endpoint: Option<String>,
    timeout: Duration,
}

/// Why an object could not be read.
#[derive(Debug)]
enum Absent {
    /// Not there, or not yet. S3 says that access is denied, too, for what is not there where listing is not allowed.
    NotThere(String),
    /// Nobody knows whether it is there: no answer, or S3 asks for patience.
    NoAnswer(String),
    /// It will not be there however often it is asked for. One sentence with the remedy last.
    Never(String),
    /// The session had expired.
    Expired,
}

impl Objects {
    pub(super) fn new(base: &SdkConfig, timeout: Duration) -> Self {
        let connector =
            Connector::builder().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).enable_tcp_nodelay(true).build();
        Objects { connector, endpoint: base.endpoint_url().map(|url| url.trim_end_matches('/').to_owned()), timeout }
    }

    /// At most [`STREAM_MAX`] of an object, and whether there is more of it.
    async fn get_object(
        &self,
        credentials: &Credentials,
        bucket: &Bucket,
        key: &str,
        at: Timestamp,
    ) -> Result<(String, bool), Absent> {
        let asked = signed(credentials, bucket, &self.url(bucket, key), at).map_err(Absent::NoAnswer)?;
        metrics::counter!(telemetry::AWS_CALLS, "operation" => "GetObject").increment(1);
        let answer = async {
            let response = self.connector.call(asked).await.map_err(|e| Absent::NoAnswer(e.to_string()))?;
            let (status, more) = (response.status().as_u16(), more_than_asked(&response));
            let (bytes, rest) = read(response.into_body()).await.map_err(Absent::NoAnswer)?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let code = text.split_once("<Code>").and_then(|(_, rest)| Some(rest.split_once("</Code>")?.0.to_owned()));
            let said = code.clone().unwrap_or_else(|| format!("HTTP {status}"));
            match (status, code.as_deref()) {
                (200 | 206, _) => Ok((text, more || rest)),
                (_, Some("ExpiredToken")) => Err(Absent::Expired),
                (_, Some("NoSuchBucket")) => {
                    Err(Absent::Never(format!("the bucket `{}` does not exist: correct `outputs`", bucket.name)))
                }
                (301 | 307, _) | (_, Some("PermanentRedirect" | "AuthorizationHeaderMalformed")) => {
                    Err(Absent::Never(format!(
                        "the bucket `{}` is not in {}: say its region, `outputs = {{ …, region = \"…\" }}`",
                        bucket.name, bucket.region
                    )))
                }
                (403 | 404, _) => Err(Absent::NotThere(said)),
                _ => Err(Absent::NoAnswer(said)),
            }
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Absent::NoAnswer(format!("no answer within {} s", self.timeout.as_secs()))),
        }
    }

    /// By path, which every bucket understands: a bucket with dots in its name has no certificate for itself. Bucket and key
    /// hold only characters that need no encoding; the configuration sees to it.
    fn url(&self, bucket: &Bucket, key: &str) -> String {
        let own = || {
            let suffix = if partition(&bucket.region) == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
            format!("https://s3.{}.{suffix}", bucket.region)
        };
        format!("{}/{}/{key}", self.endpoint.clone().unwrap_or_else(own), bucket.name)
    }
}

fn signed(credentials: &Credentials, bucket: &Bucket, url: &str, at: Timestamp) -> Result<HttpRequest, String> {
    let mut settings = SigningSettings::default();
    // S3 signs the path as it is, and the body's hash as a header.
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity: Identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(bucket.region.as_str())
        .name("s3")
        .time(SystemTime::from(at))
        .settings(settings)
        .build()
        .map_err(|e| e.to_string())?
        .into();
    let range = format!("bytes=0-{}", STREAM_MAX - 1);
    let headers = [("range", range.as_str())].into_iter();
    let signable = SignableRequest::new("GET", url, headers, SignableBody::Bytes(&[])).map_err(|e| e.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|e| e.to_string())?.into_parts();
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_method("GET").map_err(|e| e.to_string())?;
    request.set_uri(url).map_err(|e| e.to_string())?;
    request.headers_mut().insert("range", range);
    for (name, value) in instructions.headers() {
        request.headers_mut().insert(name.to_owned(), value.to_owned());
    }
    Ok(request)
}

/// `Content-Range: bytes 0-1048575/5000000` tells of more than was asked for.
fn more_than_asked(response: &HttpResponse) -> bool {
    let whole = response.headers().get("content-range").and_then(|text| text.rsplit('/').next()?.parse::<usize>().ok());
    whole.is_some_and(|bytes| bytes > STREAM_MAX)
}

/// At most [`STREAM_MAX`] of a body, whatever the server says, and whether there is more.
async fn read(body: SdkBody) -> Result<(Vec<u8>, bool), String> {
    let (mut stream, mut bytes) = (ByteStream::new(body), Vec::new());
    while let Some(part) = stream.next().await {
        bytes.extend_from_slice(&part.map_err(|e| e.to_string())?);
        if bytes.len() > STREAM_MAX {
            bytes.truncate(STREAM_MAX);
            return Ok((bytes, true));
        }
    }
    Ok((bytes, false))
}

impl Aws {
    /// The streams by their keys, in order, each with whether there is more of it; `None` where one of them cannot be had.
    ///
    /// Uploads come late, so what is not there is looked for again; but where nothing comes at all, other outputs of the
    /// account are not waited for, for a while.
    pub(super) async fn streams(&self, account: &AccountId, keys: &[String]) -> Option<Vec<(String, bool)>> {
        let bucket = self.sessions.account(account).ok()?.outputs?;
        let session = self.sessions.reading(account).ok()?;
        let waits = !self.kept.has_no_objects(account, self.now());
        let mut streams = Vec::with_capacity(keys.len());
        for key in keys {
            match self.object(&session, &bucket, key, waits).await {
                Ok(stream) => streams.push(stream),
                Err(absent) => {
                    if waits {
                        let why = match absent {
                            Absent::NotThere(said) => format!(
                                "{said}: let the nodes' instance profile put objects there, and Muster's role get them"
                            ),
                            Absent::NoAnswer(said) => format!("S3 did not give it: {said}"),
                            Absent::Never(why) => why,
                            Absent::Expired => "S3 calls one session after the other expired".to_owned(),
                        };
                        let (account_id, bucket) = (account.as_str(), &bucket.name);
                        tracing::warn!(account = account_id, bucket, key, why, "an output is not read from its bucket");
                        self.kept.keep_no_objects(account, self.now());
                    }
                    return None;
                }
            }
        }
        self.kept.keep_objects(account, self.now());
        Some(streams)
    }

    async fn object(
        &self,
        session: &Session,
        bucket: &Bucket,
        key: &str,
        waits: bool,
    ) -> Result<(String, bool), Absent> {
        let patience = if waits { self.sessions.settings.timeouts.upload } else { Duration::ZERO };
        let began = tokio::time::Instant::now();
        let mut pause = LOOK_AGAIN;
        let mut renewed = false;
        loop {
            session.turn(&bucket.region, Operation::GetObject).await;
            let held = session.credentials().await.map_err(|fault: Fault| Absent::NoAnswer(fault.to_string()))?;
            let (credentials, generation) = held;
            let absent = match self.sessions.objects.get_object(&credentials, bucket, key, self.now()).await {
                Ok(found) => return Ok(found),
                Err(Absent::Expired) if !renewed => {
                    renewed = true;
                    session.forget(generation).await;
                    continue;
                }
                Err(absent @ (Absent::Never(_) | Absent::Expired)) => return Err(absent),
                Err(absent) => absent,
            };
            let left = patience.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(absent);
            }
            tokio::time::sleep(pause.min(left)).await;
            pause *= 2;
        }
    }
}
