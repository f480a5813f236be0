//! One request, and what of its answer matters to a download.

use crate::error::FetchError;
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error};

/// The version of a file that a server has, as it names it itself; bytes of two versions are never put together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Version {
    /// Where it was asked for.
    pub url: String,
    /// The entity tag, if it is a strong one: a weak one does not promise the same bytes.
    pub etag: Option<String>,
    /// When it was changed last.
    pub last_modified: Option<String>,
}

impl Version {
    /// What to compare by in `If-Range`.
    pub fn validator(&self) -> Option<&str> {
        self.etag.as_deref().or(self.last_modified.as_deref())
    }

    /// Whether both name the version in the same way, and differently.
    fn differs(&self, other: &Version) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        differ(&self.etag, &other.etag) || differ(&self.last_modified, &other.last_modified)
    }
}

/// What the server sends.
pub enum Answer {
    /// The file, or its end.
    Body {
        /// Where in the file the body begins.
        start: u64,
        /// The size of the whole file; `None` if the server does not say.
        total: Option<u64>,
        /// Which version it is.
        version: Version,
        /// The bytes.
        body: Box<dyn Read>,
    },
    /// What we have is the whole file already.
    Complete,
    /// What we have does not belong to the server's file.
    Restart,
}

/// Why there is no answer.
pub enum Failure {
    /// It may work the next time.
    Again(String),
    /// It will not.
    Final(FetchError),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Failure {
        Failure::Final(error)
    }
}

const UNTRUSTED: &str =
    "\n  hint: where a proxy signs with a certificate of its own, name the file of its authority with SSL_CERT_FILE";

/// What makes requests. Proxies are taken from `HTTPS_PROXY` and its like, Mozilla's root certificates are built in, and
/// `SSL_CERT_FILE` names others.
pub fn agent(timeout: Duration) -> Result<Agent, FetchError> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        let pem = fs_err::read(&path)?;
        let certificates: Vec<_> = parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if certificates.is_empty() {
            let value = path.to_string_lossy().into_owned();
            let message = "the file holds no certificate in PEM".to_owned();
            return Err(FetchError::Setting { name: "SSL_CERT_FILE", value, message });
        }
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
    }
    let timeout = Some(timeout);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("gpt1-fetch/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls.build())
        .timeout_resolve(timeout)
        .timeout_connect(timeout)
        .timeout_recv_response(timeout)
        .timeout_per_read(timeout)
        .timeout_per_write(timeout)
        // Files are few and large: a connection that is kept can only turn out to be dead.
        .max_idle_connections(0)
        .build();
    Ok(config.new_agent())
}

/// Asks for a file from byte `have` on, of which the version `known` has been read so far.
pub fn ask(agent: &Agent, url: &str, have: u64, known: Option<&Version>) -> Result<Answer, Failure> {
    // Compressed on the way, sizes and positions would not be those of the file.
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "identity");
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
        if let Some(validator) = known.and_then(Version::validator) {
            request = request.header(header::IF_RANGE, validator);
        }
    }
    log::debug!("GET {} from byte {have} on", without_secrets(url));
    let response = request.call().map_err(|error| failure(url, error))?;
    let status = response.status();
    log::debug!("{}: {status}, {:?} bytes follow", without_secrets(url), response.body().content_length());
    let headers = response.headers();
    let version = version(url, headers);
    let range = text(headers, &header::CONTENT_RANGE).and_then(content_range);
    let length = response.body().content_length();
    match status {
        StatusCode::OK => {
            Ok(Answer::Body { start: 0, total: length, version, body: Box::new(response.into_body().into_reader()) })
        }
        StatusCode::PARTIAL_CONTENT if have > 0 => match range {
            Some((Some(start), total)) if start == have && !known.is_some_and(|known| known.differs(&version)) => {
                let total = total.or(length.map(|length| start + length));
                Ok(Answer::Body { start, total, version, body: Box::new(response.into_body().into_reader()) })
            }
            _ => Ok(Answer::Restart),
        },
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => match range {
            Some((None, Some(total))) if total == have => Ok(Answer::Complete),
            _ => Ok(Answer::Restart),
        },
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(Failure::Again(format!("the server answers {status}")))
        }
        status if status.is_server_error() => Err(Failure::Again(format!("the server answers {status}"))),
        status => {
            let hint = match status {
                StatusCode::NOT_FOUND | StatusCode::GONE => {
                    "\n  hint: the file has moved; name a server that has it with --mirror, or give its new address in a list of your own (--datasets)"
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                    "\n  hint: the server, or a proxy before it, does not give the file to everybody; name another with --mirror"
                }
                _ => "",
            };
            let message = format!("the server answers {status}, expected the file");
            Err(FetchError::Refused { url: url.to_owned(), message, hint }.into())
        }
    }
}

/// An address without what may be somebody's own: user and password before the host, the query behind the path.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn version(url: &str, headers: &HeaderMap) -> Version {
    let etag = text(headers, &header::ETAG).filter(|etag| etag.starts_with('"')).map(str::to_owned);
    let last_modified = text(headers, &header::LAST_MODIFIED).map(str::to_owned);
    Version { url: url.to_owned(), etag, last_modified }
}

/// Start and size of the whole in `bytes 10-99/100`, `bytes 10-99/*`, `bytes */100`.
fn content_range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.trim().split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.trim().parse().ok());
    Some((start, total.trim().parse().ok()))
}

/// What went wrong before there was an answer.
fn failure(url: &str, error: Error) -> Failure {
    let refused = |message: String, hint| FetchError::Refused { url: url.to_owned(), message, hint }.into();
    match error {
        // So a handshake fails in the middle of reading and writing.
        Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => refused(error.to_string(), UNTRUSTED),
        Error::Io(_) | Error::Timeout(_) | Error::ConnectionFailed | Error::Protocol(_) => {
            Failure::Again(reason(&error))
        }
        Error::HostNotFound => refused(
            "there is no such host".to_owned(),
            "\n  hint: is there a connection to the network? Behind a proxy set HTTPS_PROXY; --mirror names another server",
        ),
        Error::TooManyRedirects => refused("redirected more than 10 times".to_owned(), ""),
        Error::Tls(_) | Error::Rustls(_) | Error::Pem(_) => refused(error.to_string(), UNTRUSTED),
        error => refused(error.to_string(), ""),
    }
}

/// An error in words for people.
fn reason(error: &Error) -> String {
    match error {
        Error::Timeout(_) => "nothing has arrived for too long (--timeout)".to_owned(),
        Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// As `reason`, of an error while the body is read.
pub fn read_reason(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => reason(inner),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_addresses_hold_no_secrets() {
        for (url, logged) in [
            ("https://a.org/x/y.zip", "https://a.org/x/y.zip"),
            ("https://me:pass@a.org:8/x@y?token=1#z", "https://a.org:8/x@y"),
            ("http://a@b@c.org?token=1", "http://c.org"),
            ("file", "file"),
        ] {
            assert_eq!(without_secrets(url), logged);
        }
    }

    #[test]
    fn content_ranges() {
        for (text, range) in [
            ("bytes 10-99/100", Some((Some(10), Some(100)))),
            ("bytes 10-99/*", Some((Some(10), None))),
            ("bytes */100", Some((None, Some(100)))),
            ("bytes 99999999999999999999-/1", Some((None, Some(1)))),
            ("items 1-2/3", None),
            ("bytes", None),
        ] {
            assert_eq!(content_range(text), range, "{text}");
        }
    }

    #[test]
    fn weak_tags_promise_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, "W/\"1\"".parse().unwrap());
        headers.insert(header::LAST_MODIFIED, "Mon, 01 Jan 2024 00:00:00 GMT".parse().unwrap());
        assert_eq!(version("u", &headers).validator(), Some("Mon, 01 Jan 2024 00:00:00 GMT"));
        headers.insert(header::ETAG, "\"1\"".parse().unwrap());
        assert_eq!(version("u", &headers).validator(), Some("\"1\""));
    }
}
