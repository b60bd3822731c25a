//! The text of a URL -> where a request goes. Strict, since whoever checks an address and whoever uses it must read it
//! alike: what another reader might take differently is refused.

use types::Fault;
use ureq::http::Uri;

/// Where a request goes; the parts that a grant speaks of, and what is sent.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    pub(crate) secure: bool,
    /// Lower case.
    pub(crate) host: String,
    pub(crate) port: u16,
}

const URL_BYTES_MAX: usize = 8192;

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, Fault> {
        let shown: String = url.chars().filter(|c| !c.is_control()).take(200).collect();
        let wrong = |why: &str| Fault::invalid(format!("`url`: `{shown}` {why}"));
        if url.len() > URL_BYTES_MAX {
            return Err(wrong(&format!("is longer than {URL_BYTES_MAX} bytes")));
        }
        if url.contains(['#', '\\']) || !url.is_ascii() {
            return Err(wrong("holds `#`, `\\` or a character that is not ASCII"));
        }
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("is not absolute with the scheme https or http")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user or password"));
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || host.ends_with('.') || host.starts_with('.') {
            return Err(wrong("has no host name that can be compared"));
        }
        let ported = authority.as_str().len() > host.len();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if ported => return Err(wrong("has no port after its `:`")),
            None => {
                if secure {
                    443
                } else {
                    80
                }
            }
        };
        let path = uri.path().to_ascii_lowercase();
        let hidden = ["%2e", "%2f", "%5c", "%00", "%25", ";", "%3b"].iter().any(|code| path.contains(code));
        if hidden || path.contains("//") || path.split('/').any(|part| part == "." || part == "..") {
            return Err(wrong("has a path with `.`, `..`, `//`, `;`, or an encoded dot, slash or percent"));
        }
        Ok(Self { secure, host, port, uri })
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        let (scheme, usual) = if self.secure { ("https", 443) } else { ("http", 80) };
        match self.port == usual {
            true => format!("{scheme}://{}", self.host),
            false => format!("{scheme}://{}:{}", self.host, self.port),
        }
    }

    /// Where a `location` header leads from here.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, Fault> {
        // A fragment is for whoever shows the page.
        match location.split('#').next().unwrap_or_default() {
            absolute if absolute.contains("://") => Self::parse(absolute),
            other if other.starts_with("//") => {
                Self::parse(&format!("{}:{other}", if self.secure { "https" } else { "http" }))
            }
            path if path.starts_with('/') => Self::parse(&format!("{}{path}", self.origin())),
            relative => {
                let folder = self.uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
                Self::parse(&format!("{}{folder}/{relative}", self.origin()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_may_read_differently_is_refused() {
        for good in ["https://a.example/", "http://A.example:8080/x?q=..%2f", "https://a.example", "http://[::1]:9/x"] {
            assert!(Target::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/x",
            "a.example/x",
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://user:word@a.example/",
            "https://a.example@b.example/",
            "https://a.example:/",
            "https://a.example:99999/",
            "https://a.example./",
            "https://a.example/a/../b",
            "https://a.example/a/%2e%2E/b",
            "https://a.example/a%2fb",
            "https://a.example/a%252e",
            "https://a.example//b",
            "https://a.example/v1/..;/admin",
            "https://a.example\\@b.example/",
            "https://a.example/#f",
            "https://ä.example/",
            "https://a.example/\r\nx: y",
            "https://a.example /",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn redirects_are_read_as_strictly() {
        let from = Target::parse("https://a.example:8443/v1/x?q").unwrap();
        let to = |location: &str| from.redirected(location).map(|to| to.uri.to_string()).ok();
        assert_eq!(to("/v2").as_deref(), Some("https://a.example:8443/v2"));
        assert_eq!(to("y").as_deref(), Some("https://a.example:8443/v1/y"));
        assert_eq!(to("//b.example/z").as_deref(), Some("https://b.example/z"));
        assert_eq!(to("http://b.example/z").as_deref(), Some("http://b.example/z"));
        assert_eq!((to("../y"), to("javascript://x"), to("file:///etc")), (None, None, None));
    }
}
