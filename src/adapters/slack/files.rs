//! Files in threads, by Slack's three calls: ask for an address, send the bytes, complete.
//!
//! Slack shares a file some time after it said ok, names no message in its answer, and was seen to say ok and never
//! share; so it is looked for before and after. Source: docs.slack.dev, Working with files.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use slack_morphism::prelude::SlackResponseUrl;
use tokio::time::sleep;

use crate::domain::Place;
use crate::ports::ChatError;

use super::Inner;
use super::api::{As, CallError};
use super::limits::Lane;
use super::send::{Nothing, PATIENCE};

/// When it is looked whether a file has arrived in its thread; Slack shares it some time after it said ok.
const SHARE_LOOKS: [u64; 7] = [100, 200, 400, 800, 1_500, 3_000, 4_000];

#[derive(Deserialize)]
struct Upload {
    upload_url: String,
    file_id: String,
}

#[derive(Deserialize)]
struct FileAnswer {
    file: FileState,
}

#[derive(Deserialize)]
struct FileState {
    #[serde(default)]
    shares: Shares,
}

#[derive(Default, Deserialize)]
struct Shares {
    #[serde(default)]
    public: HashMap<String, Value>,
    #[serde(default)]
    private: HashMap<String, Value>,
}

impl Inner {
    /// Puts a file into a thread unless one of this name stands there.
    pub(super) async fn upload_once(
        &self,
        place: &Place,
        name: &str,
        title: &str,
        content: &str,
    ) -> Result<(), ChatError> {
        match self.look_for(place, |said| said.files.iter().any(|f| f.name.as_deref() == Some(name))).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            Err(ChatError::Refused(cause)) => {
                // Better a file that may stand there twice after a crash than none.
                tracing::warn!(%cause, "cannot look whether a file stands in its thread; it is uploaded");
            }
            // Nothing was uploaded yet.
            Err(ChatError::Unknown(cause)) => return Err(ChatError::NotSaid { cause, retry_after: None }),
            Err(error) => return Err(error),
        }
        // Until the last call the file is nobody's: a failure leaves nothing behind in the thread.
        let before = |method: &'static str| {
            move |error: CallError| match error.into_chat(method) {
                ChatError::Unknown(cause) => ChatError::NotSaid { cause, retry_after: None },
                other => other,
            }
        };
        const GET: &str = "files.getUploadURLExternal";
        let length = content.len().to_string();
        let params = [("filename", Some(name)), ("length", Some(length.as_str()))];
        let ask = || self.api.get::<Upload>(GET, &params);
        let upload = self.api.paced(Lane::Other(GET), PATIENCE, ask).await.map_err(before(GET))?;
        let https = upload.upload_url.starts_with("https://");
        let url =
            upload.upload_url.parse().ok().map(SlackResponseUrl).filter(|_| https || self.base.0.scheme() == "http");
        let Some(url) = url else {
            return Err(ChatError::Refused(
                "Slack gave an upload address that is not encrypted; check `[slack] api_url`".into(),
            ));
        };
        self.api.put_file(&url, content.as_bytes()).await.map_err(before("file upload"))?;

        const COMPLETE: &str = "files.completeUploadExternal";
        let mut request = json!({
            "files": [{ "id": upload.file_id, "title": super::text::clean(title, false) }],
            "channel_id": place.channel,
        });
        if let Some(thread) = &place.thread {
            request["thread_ts"] = json!(thread);
        }
        let ask = || self.api.post::<_, Nothing>(As::Bot, COMPLETE, &request);
        self.api.paced(Lane::Other(COMPLETE), PATIENCE, ask).await.map_err(|e| e.into_chat(COMPLETE))?;
        if self.is_shared_in(&upload.file_id, &place.channel).await? {
            Ok(())
        } else {
            metrics::counter!("muster_slack_files_not_shared_total").increment(1);
            Err(ChatError::Unknown("Slack took the file and has not shown it in the thread".into()))
        }
    }

    /// Waits until a file stands where it belongs. `Ok(false)`: it has not come.
    async fn is_shared_in(&self, file: &str, channel: &str) -> Result<bool, ChatError> {
        const METHOD: &str = "files.info";
        for wait in SHARE_LOOKS {
            sleep(Duration::from_millis(wait)).await;
            let params = [("file", Some(file))];
            let ask = || self.api.get::<FileAnswer>(METHOD, &params);
            match self.api.paced(Lane::Other(METHOD), PATIENCE, ask).await {
                Ok(answer) => {
                    let shares = answer.file.shares;
                    if shares.public.contains_key(channel) || shares.private.contains_key(channel) {
                        return Ok(true);
                    }
                }
                // Without the scope `files:read` Slack's ok has to be believed.
                Err(CallError::Code { code, .. }) if code == "missing_scope" || code == "unknown_method" => {
                    return Ok(true);
                }
                Err(_) => {}
            }
        }
        Ok(false)
    }
}
