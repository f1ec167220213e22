//! Who signed a request: AWS Signature Version 4, checked in full and without the SDK's own signer.
//!
//! The signature covers method, path, query, the signed headers and the body's hash; the scope names day, region
//! and service. The clock is the organisation's. Texts of refusals are AWS's.

use axum::http::{HeaderMap, Method, Uri};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::domain::Millis;

use super::xml::unescape;

/// What the `Authorization` header claims, before the secret is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub access_key: String,
    pub day: String,
    pub region: String,
    pub service: String,
    pub signed_headers: Vec<String>,
    pub signature: String,
    /// `X-Amz-Date`.
    pub date_text: String,
    pub signed_at: Timestamp,
    pub token: Option<String>,
}

/// Why a request counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsigned {
    Missing,
    Incomplete(String),
    Expired(String),
    Mismatch,
}

/// One request as it came, body included.
pub struct Signed<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Reads the claim. Nothing in it is believed yet.
pub fn claim(headers: &HeaderMap) -> Result<Claim, Unsigned> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let authorization = text("authorization").ok_or(Unsigned::Missing)?;
    let rest = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or_else(|| Unsigned::Incomplete("Authorization header requires 'AWS4-HMAC-SHA256'.".to_owned()))?;
    let part = |name: &str| {
        rest.split(',').map(str::trim).find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).ok_or_else(|| {
            Unsigned::Incomplete(format!("Authorization header requires '{name}' parameter. Authorization={rest}"))
        })
    };
    let credential = part("Credential")?;
    let [access_key, day, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
        return Err(Unsigned::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        )));
    };
    let date_text = text("x-amz-date").ok_or_else(|| {
        Unsigned::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".to_owned(),
        )
    })?;
    let signed_at = parse_amz_date(date_text)
        .ok_or_else(|| Unsigned::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{date_text}'.")))?;
    let signed_headers: Vec<String> = part("SignedHeaders")?.split(';').map(str::to_owned).collect();
    if !signed_headers.iter().any(|h| h == "host") {
        return Err(Unsigned::Incomplete(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".into(),
        ));
    }
    Ok(Claim {
        access_key: access_key.to_owned(),
        day: day.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed_headers,
        signature: part("Signature")?.to_owned(),
        date_text: date_text.to_owned(),
        signed_at,
        token: text("x-amz-security-token").map(str::to_owned),
    })
}

/// Checks the claim against the secret and the clock.
pub fn verify(
    claim: &Claim,
    request: &Signed<'_>,
    secret: &str,
    now: Timestamp,
    expiry: Millis,
) -> Result<(), Unsigned> {
    if !claim.date_text.starts_with(&claim.day) {
        return Err(Unsigned::Expired(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'.",
            claim.day,
            claim.date_text.get(..8).unwrap_or_default(),
            claim.date_text
        )));
    }
    let (oldest, newest) = (now - expiry.signed(), now + expiry.signed());
    let span = span_text(expiry);
    if claim.signed_at < oldest {
        return Err(Unsigned::Expired(format!(
            "Signature expired: {} is now earlier than {} ({} - {span}.)",
            claim.date_text,
            amz_date(oldest),
            amz_date(now)
        )));
    }
    if claim.signed_at > newest {
        return Err(Unsigned::Expired(format!(
            "Signature not yet current: {} is still later than {} ({} + {span}.)",
            claim.date_text,
            amz_date(newest),
            amz_date(now)
        )));
    }
    let body_hash = match request.headers.get("x-amz-content-sha256").and_then(|v| v.to_str().ok()) {
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
        Some(claimed) if claimed != hex(&Sha256::digest(request.body)) => return Err(Unsigned::Mismatch),
        _ => hex(&Sha256::digest(request.body)),
    };
    let canonical = canonical_request(request, &claim.service, &claim.signed_headers, &body_hash);
    let expected = signature(secret, &claim.date_text, &claim.region, &claim.service, &canonical);
    if expected == claim.signature { Ok(()) } else { Err(Unsigned::Mismatch) }
}

/// The canonical request, as AWS's documentation defines it. S3 takes the path as it was sent, the others encode it again.
fn canonical_request(request: &Signed<'_>, service: &str, signed_headers: &[String], body_hash: &str) -> String {
    let path: String = match service {
        "s3" => request.uri.path().to_owned(),
        _ => request.uri.path().split('/').map(encode).collect::<Vec<_>>().join("/"),
    };
    let mut pairs: Vec<(String, String)> = request
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split_once('=').unwrap_or((p, "")))
        .map(|(name, value)| (encode(&unescape(name, false)), encode(&unescape(value, false))))
        .collect();
    pairs.sort();
    let query = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
    let mut headers = String::new();
    for name in signed_headers {
        let values: Vec<String> = request
            .headers
            .get_all(name.as_str())
            .iter()
            .map(|v| String::from_utf8_lossy(v.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        headers.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    let path = if path.is_empty() { "/" } else { &path };
    format!("{}\n{path}\n{query}\n{headers}\n{}\n{body_hash}", request.method, signed_headers.join(";"))
}

/// The signature over a canonical request.
fn signature(secret: &str, date_text: &str, region: &str, service: &str, canonical: &str) -> String {
    let day = date_text.get(..8).unwrap_or_default();
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date_text}\n{day}/{region}/{service}/aws4_request\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    hex(&hmac(&signing_key(secret, day, region, service), to_sign.as_bytes()))
}

fn signing_key(secret: &str, day: &str, region: &str, service: &str) -> Vec<u8> {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [day, region, service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    key
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so the error cannot happen; an empty mac would only fail the check.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `20261122T144719Z`.
#[must_use]
pub fn amz_date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// `5 min`, as AWS writes it; a shorter expiry, which AWS never has, in seconds.
fn span_text(expiry: Millis) -> String {
    if expiry.0.is_multiple_of(60_000) {
        format!("{} min", expiry.0 / 60_000)
    } else {
        format!("{} sec", expiry.secs_up())
    }
}

/// Signs as a client does. For tests and for tools that talk to the playground without the SDK.
#[derive(Debug, Clone)]
pub struct Signer {
    pub access_key: String,
    pub secret: String,
    pub token: Option<String>,
}

impl Signer {
    /// The headers to send with a `POST /` of this body: `host` and `content-type` as given, and what signing adds.
    #[must_use]
    pub fn headers(
        &self,
        host: &str,
        extra: &[(&'static str, String)],
        service: &str,
        region: &str,
        at: Timestamp,
        body: &[u8],
    ) -> Vec<(String, String)> {
        let (method, uri) = (Method::POST, Uri::from_static("/"));
        self.sign(&method, &uri, host, extra, [service, region], at, body)
    }

    /// The headers to send with a `GET` of an object of S3 by its path.
    #[must_use]
    pub fn object_headers(&self, host: &str, path: &Uri, region: &str, at: Timestamp) -> Vec<(String, String)> {
        let extra = [("x-amz-content-sha256", hex(&Sha256::digest(b"")))];
        self.sign(&Method::GET, path, host, &extra, ["s3", region], at, b"")
    }

    #[allow(clippy::too_many_arguments)]
    fn sign(
        &self,
        method: &Method,
        uri: &Uri,
        host: &str,
        extra: &[(&'static str, String)],
        [service, region]: [&str; 2],
        at: Timestamp,
        body: &[u8],
    ) -> Vec<(String, String)> {
        let date = amz_date(at);
        let mut headers: Vec<(String, String)> =
            vec![("host".into(), host.into()), ("x-amz-date".into(), date.clone())];
        headers.extend(extra.iter().map(|(n, v)| ((*n).to_owned(), v.clone())));
        headers.extend(self.token.iter().map(|t| ("x-amz-security-token".to_owned(), t.clone())));
        headers.sort();
        let names: Vec<String> = headers.iter().map(|(n, _)| n.clone()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            if let (Ok(n), Ok(v)) = (name.parse::<axum::http::HeaderName>(), value.parse()) {
                map.append(n, v);
            }
        }
        let request = Signed { method, uri, headers: &map, body };
        let canonical = canonical_request(&request, service, &names, &hex(&Sha256::digest(body)));
        let signature = signature(&self.secret, &date, region, service, &canonical);
        headers.push((
            "authorization".into(),
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
                self.access_key,
                date.get(..8).unwrap_or_default(),
                names.join(";")
            ),
        ));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = concat!("wJalrXUtnFEMI", "/K7MDENG+bPxRfiCY", "EXAMPLEKEY");

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (axum::http::HeaderName::from_static(n), v.parse().unwrap())).collect()
    }

    /// AWS's published test vectors: `get-vanilla`, and the ListUsers example of the IAM guide.
    #[test]
    fn the_published_vectors_are_accepted() {
        let vanilla = headers(&[
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
        ]);
        let users = headers(&[
            ("host", "iam.amazonaws.com"),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
        ]);
        let now = parse_amz_date("20150830T123600Z").unwrap();
        let check = |map: &HeaderMap, uri: &'static str, now, secret| {
            let uri = Uri::from_static(uri);
            let request = Signed { method: &Method::GET, uri: &uri, headers: map, body: b"" };
            verify(&claim(map).unwrap(), &request, secret, now, Millis::from_secs(300))
        };
        assert_eq!(check(&vanilla, "/", now, SECRET), Ok(()));
        assert_eq!(check(&users, "/?Action=ListUsers&Version=2010-05-08", now, SECRET), Ok(()));
        assert_eq!(check(&users, "/?Version=2010-05-08&Action=ListUsers", now, SECRET), Ok(()));
        assert_eq!(check(&users, "/?Action=ListRoles&Version=2010-05-08", now, SECRET), Err(Unsigned::Mismatch));
        assert_eq!(check(&vanilla, "/", now, "another"), Err(Unsigned::Mismatch));
        let late = now + jiff::SignedDuration::from_secs(301);
        assert_eq!(
            check(&vanilla, "/", late, SECRET),
            Err(Unsigned::Expired(
                "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)"
                    .to_owned()
            ))
        );
        let early = now - jiff::SignedDuration::from_secs(301);
        assert!(
            matches!(check(&vanilla, "/", early, SECRET), Err(Unsigned::Expired(t)) if t.starts_with("Signature not yet current"))
        );
    }

    #[test]
    fn a_body_that_was_changed_after_signing_is_refused() {
        let signer = Signer { access_key: "AKIDEXAMPLE".into(), secret: SECRET.into(), token: Some("t".into()) };
        let now = parse_amz_date("20261122T120000Z").unwrap();
        let pairs = signer.headers("127.0.0.1:1", &[("x-amz-target", "A.B".into())], "ssm", "eu-west-1", now, b"{}");
        let map: HeaderMap =
            pairs.iter().map(|(n, v)| (n.parse::<axum::http::HeaderName>().unwrap(), v.parse().unwrap())).collect();
        let claim = claim(&map).unwrap();
        let uri = Uri::from_static("/");
        let check = |body| {
            verify(&claim, &Signed { method: &Method::POST, uri: &uri, headers: &map, body }, SECRET, now, Millis(1000))
        };
        assert_eq!(check(b"{}"), Ok(()));
        assert_eq!(check(b"{} "), Err(Unsigned::Mismatch));
        assert_eq!(claim.token.as_deref(), Some("t"));
    }

    #[test]
    fn an_unsigned_host_is_refused() {
        let map = headers(&[
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/ssm/aws4_request, SignedHeaders=x-amz-date, Signature=00",
            ),
        ]);
        assert!(matches!(claim(&map), Err(Unsigned::Incomplete(_))));
        assert_eq!(claim(&HeaderMap::new()), Err(Unsigned::Missing));
    }
}
