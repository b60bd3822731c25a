//! What a step may reach beyond its walls: granted by a pipeline, and the most that a tenant's policy allows. Neither
//! widens the other: a door opens when both say so.

use crate::{Device, DeviceGrant, nearest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path};

/// Doors that stand open. The default is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileGrant>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// Names of values that whoever runs the server set; `*` for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// The real time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clock: bool,
    /// Real randomness.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub randomness: bool,
    /// GPUs, in a policy alone: what a pipeline says of them is its steps' `device`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceGrant>,
}

/// A folder or file: relative to the project's folder, or absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileGrant {
    pub path: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub write: bool,
}

impl FileGrant {
    /// What of `path` lies below this grant; none if it does not. Both are taken as text: links are the door's business.
    pub fn below<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        if path.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        match self.path.as_str() {
            // The project's folder, whole.
            "." => path.is_relative().then_some(path),
            root => path.strip_prefix(root).ok(),
        }
    }
}

/// Requests that may be made: `GET,POST https://api.example.com/v1/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    pub allow: HttpPattern,
    /// Secrets that may travel with them; in a policy, `*` for any of the tenant's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Whether the name may resolve to a private or loopback address. A grant of an address, or of `localhost`, names it already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

impl HttpGrant {
    /// With what another of the same pattern says.
    fn join(&mut self, other: Self) {
        let news: Vec<_> = other.secrets.into_iter().filter(|name| !self.secrets.contains(name)).collect();
        self.secrets.extend(news);
        self.private |= other.private;
    }

    /// Whether every request that the other allows is allowed by this one, with the secrets that it carries.
    fn includes(&self, other: &Self) -> bool {
        let reach = !other.private || self.private || self.allow.names_address();
        reach && other.secrets.iter().all(|name| self.carries(name)) && self.allow.includes(&other.allow)
    }

    /// Whether the secret may travel with these requests.
    pub fn carries(&self, secret: &str) -> bool {
        self.secrets.iter().any(|named| named == "*" || named == secret)
    }
}

/// Methods, and where they may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpPattern {
    /// `*` for any.
    pub methods: Vec<String>,
    pub secure: bool,
    /// Lower case: a name, an address, `*.example.com` for names beneath one, `*` for any.
    pub host: String,
    /// None for any: of `*` alone, where no port is said. It is what a policy says that trusts its tenant.
    pub port: Option<u16>,
    /// Begins with `/`; covers itself and what lies beneath it.
    pub path: String,
}

/// Methods that a request may have.
pub const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

impl HttpPattern {
    /// Reads `METHOD[,METHOD] SCHEME://HOST[:PORT][/PATH]` of a manifest: what no request can match is refused. The error is a
    /// lowercase fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self::read(text)?;
        pattern.is_matchable().map_err(|why| wrong(text, why))?;
        Ok(pattern)
    }

    /// Reads what was written down once, also of an earlier version that refused less.
    fn read(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| wrong(text, why);
        let (methods, url) = text.split_once(' ').ok_or_else(|| wrong("is not a method and an address"))?;
        let methods: Vec<String> = methods.split(',').map(str::to_owned).collect();
        if let Some(bad) = methods.iter().find(|method| *method != "*" && !METHODS.contains(&method.as_str())) {
            return Err(wrong(&match nearest(&bad.to_ascii_uppercase(), METHODS) {
                Some(near) => format!("has the method `{bad}` (did you mean `{near}`?)"),
                None => format!("has the method `{bad}`, which is none of {}", METHODS.join(", ")),
            }));
        }
        let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong("does not begin with https:// or http:// after the method")),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong("has no port after its `:`"))?)),
            None if authority == "*" => (authority, None),
            None => (authority, Some(if secure { 443 } else { 80 })),
        };
        let host = host.to_ascii_lowercase();
        let name = host.strip_prefix("*.").unwrap_or(&host);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if host != "*" && (name.is_empty() || !name.chars().all(plain)) {
            return Err(wrong("has no host name or address"));
        }
        if path.contains(['?', '#', '%', '\\']) || path.split('/').any(|part| part == "." || part == "..") {
            return Err(wrong("has a path with `?`, `#`, `%`, `.` or `..`"));
        }
        Ok(Self { methods, secure, host, port, path: path.to_owned() })
    }

    /// Whether there are requests that it covers: the edge sends none that two readers may read differently. The error says what
    /// stands against it.
    fn is_matchable(&self) -> Result<(), &'static str> {
        let name = self.host.strip_prefix("*.").unwrap_or(&self.host);
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if name.contains(['[', ']', ':']) && address.is_none_or(|it| it.parse::<std::net::Ipv6Addr>().is_err()) {
            return Err("has an address that is none; one of IPv6 stands in brackets");
        }
        if name.split('.').any(str::is_empty) {
            return Err("has a host with a dot too many, which no request may have");
        }
        if self.port == Some(0) {
            return Err("has the port 0, at which nobody listens");
        }
        let plain = |c: char| c.is_ascii_graphic() && c != ';';
        if self.path.contains("//") || !self.path.chars().all(plain) {
            return Err("has a path with `//`, `;`, a space or what is not ASCII, which no request may have");
        }
        Ok(())
    }

    /// Whether a request to `host` (lower case) at `port` under `path` is covered.
    pub fn covers(&self, method: &str, secure: bool, host: &str, port: u16, path: &str) -> bool {
        self.reaches(method, secure, host, Some(port), path)
    }

    /// Whether it covers every request that the other does.
    fn includes(&self, other: &Self) -> bool {
        let Self { methods, secure, host, port, path } = other;
        methods.iter().all(|method| self.reaches(method, *secure, host, *port, path))
    }

    fn reaches(&self, method: &str, secure: bool, host: &str, port: Option<u16>, path: &str) -> bool {
        let method = self.methods.iter().any(|granted| granted == "*" || granted == method);
        let host = match self.host.strip_prefix('*') {
            Some(suffix) => host.ends_with(suffix) && host.len() > suffix.len(),
            None => host == self.host,
        };
        let below = path.strip_prefix(self.path.as_str());
        let path = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'));
        method && host && path && self.secure == secure && (self.port.is_none() || self.port == port)
    }

    /// Whether the pattern names one address, or this machine.
    pub fn names_address(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        address.parse::<std::net::IpAddr>().is_ok() || self.host == "localhost"
    }
}

fn wrong(text: &str, why: &str) -> String {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    format!("`{shown}` {why}, expected such as \"GET https://api.example.com/v1/\"")
}

impl fmt::Display for HttpPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure { ("https", 443) } else { ("http", 80) };
        write!(f, "{} {scheme}://{}", self.methods.join(","), self.host)?;
        // Without a port `*` would mean any.
        if let Some(port) = self.port.filter(|port| *port != usual || self.host == "*") {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

impl TryFrom<String> for HttpPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text)
    }
}

impl From<HttpPattern> for String {
    fn from(pattern: HttpPattern) -> Self {
        pattern.to_string()
    }
}

impl Grants {
    /// What a tenant may grant before anybody says more: its projects' own folders, time and chance. Nothing that leaves
    /// the machine or reads what is elsewhere on it.
    pub fn of_project() -> Self {
        let files = vec![FileGrant { path: ".".to_owned(), write: true }];
        Self { files, clock: true, randomness: true, ..Self::default() }
    }

    /// Everything.
    pub fn everything() -> Self {
        let file = |path: &str| FileGrant { path: path.to_owned(), write: true };
        let any = |secure: bool| HttpGrant {
            allow: HttpPattern {
                methods: vec!["*".to_owned()],
                secure,
                host: "*".to_owned(),
                port: None,
                path: "/".to_owned(),
            },
            secrets: vec!["*".to_owned()],
            private: true,
        };
        Self {
            files: vec![file("."), file("/")],
            http: vec![any(true), any(false)],
            environment: vec!["*".to_owned()],
            clock: true,
            randomness: true,
            devices: vec![DeviceGrant::ANY],
        }
    }

    /// What of these grants lies beyond a policy: no door that only they name opens.
    pub fn beyond(&self, policy: &Self) -> Self {
        let file = |grant: &&FileGrant| {
            let covers = |allowed: &FileGrant| {
                (allowed.write || !grant.write) && allowed.below(Path::new(&grant.path)).is_some()
            };
            !policy.files.iter().any(covers)
        };
        let http = |grant: &&HttpGrant| !policy.http.iter().any(|allowed| allowed.includes(grant));
        Self {
            files: self.files.iter().filter(file).cloned().collect(),
            http: self.http.iter().filter(http).cloned().collect(),
            environment: self.environment.iter().filter(|name| !policy.names_variable(name)).cloned().collect(),
            clock: self.clock && !policy.clock,
            randomness: self.randomness && !policy.randomness,
            devices: self.devices.iter().filter(|grant| !policy.includes_device(**grant)).copied().collect(),
        }
    }

    /// These grants and the others. What is granted twice stands there once, with all that either says.
    pub fn and(mut self, more: Self) -> Self {
        let Self { files, http, environment, clock, randomness, devices } = more;
        for grant in files {
            match self.files.iter_mut().find(|known| known.path == grant.path) {
                Some(known) => known.write |= grant.write,
                None => self.files.push(grant),
            }
        }
        for grant in http {
            match self.http.iter_mut().find(|known| known.allow == grant.allow) {
                Some(known) => known.join(grant),
                None => self.http.push(grant),
            }
        }
        let news: Vec<_> = environment.into_iter().filter(|name| !self.environment.contains(name)).collect();
        self.environment.extend(news);
        let news: Vec<_> = devices.into_iter().filter(|grant| !self.includes_device(*grant)).collect();
        self.devices.extend(news);
        self.clock |= clock;
        self.randomness |= randomness;
        self
    }

    fn includes_device(&self, grant: DeviceGrant) -> bool {
        self.devices.iter().any(|own| own.includes(grant))
    }

    /// Whether a step may compute there. The processors are everybody's.
    pub fn admits(&self, device: Device) -> bool {
        device == Device::Cpu || self.devices.iter().any(|grant| grant.admits(device))
    }

    /// Whether the variable may be read.
    pub fn names_variable(&self, name: &str) -> bool {
        self.environment.iter().any(|granted| granted == "*" || granted == name)
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The command that adds a line of `grants` to a tenant's policy, for whoever runs the installation to paste.
pub fn policy_command(line: &str) -> String {
    format!("stepwell tenant policy NAME --allow '{}'", line.replace('\'', r"'\''"))
}

/// Whether a text names a secret, which may become a part of a header or of an environment. The error is a lowercase fragment.
pub fn secret_name(name: &str) -> Result<(), String> {
    let follows = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_uppercase());
    if begins && name.len() <= 64 && name.bytes().all(follows) {
        return Ok(());
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    Err(format!("`{shown}` is no name of a secret: expected 1 to 64 of `A-Z 0-9 _`, beginning with a letter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (text, printed) in [
            ("GET https://api.example.com/v1/", "GET https://api.example.com/v1/"),
            ("GET,POST https://API.example.com", "GET,POST https://api.example.com/"),
            ("* http://*/", "* http://*/"),
            ("* http://*:80/", "* http://*:80/"),
            ("GET https://*.example.com:443/a", "GET https://*.example.com/a"),
            ("PUT http://[::1]:9000/a", "PUT http://[::1]:9000/a"),
        ] {
            let pattern = HttpPattern::parse(text).unwrap();
            assert_eq!(pattern.to_string(), printed);
            assert_eq!(HttpPattern::parse(printed), Ok(pattern), "{text}");
        }
        for bad in [
            "",
            "https://a.example/",
            "get https://a.example/",
            "GET ftp://a.example/",
            "GET https://",
            "GET https:///x",
            "GET https://user@a.example/",
            "GET https://a.example:x/",
            "GET https://a.example/a/../b",
            "GET https://a.example/%2e%2e/",
            "GET https://a.example/?q",
            "GET https://*./",
        ] {
            assert!(HttpPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_no_request_matches_is_no_grant_but_one_that_was_written_down_is_read() {
        for (never, because) in [
            ("GET https://a.example./", "a dot too many"),
            ("GET https://.example/", "a dot too many"),
            ("GET https://a..example/", "a dot too many"),
            ("GET https://[::1/", "an address that is none"),
            ("GET https://::1/", "an address that is none"),
            ("GET https://[a.example]/", "an address that is none"),
            ("GET https://a.example:0/", "the port 0"),
            ("GET https://*:0/", "the port 0"),
            ("GET https://a.example//x", "a path with `//`"),
            ("GET https://a.example/v1//", "a path with `//`"),
            ("GET https://a.example/a;b", "a path with `//`, `;`"),
            ("GET https://a.example/a b", "a space"),
            ("GET https://a.example/ä", "not ASCII"),
        ] {
            let told = HttpPattern::parse(never).unwrap_err();
            assert!(told.contains(because) && told.contains(never), "{never}: {told}");
            let stored = serde_json::to_string(never).unwrap();
            assert_eq!(serde_json::from_str::<HttpPattern>(&stored).unwrap().to_string(), never);
        }
    }

    #[test]
    fn a_pattern_covers_what_lies_beneath_it() {
        let covers = |pattern: &str, method: &str, secure, host: &str, port, path: &str| {
            HttpPattern::parse(pattern).unwrap().covers(method, secure, host, port, path)
        };
        let of = "GET https://api.example.com/v1";
        for (method, secure, host, port, path, expected) in [
            ("GET", true, "api.example.com", 443, "/v1", true),
            ("GET", true, "api.example.com", 443, "/v1/x", true),
            ("GET", true, "api.example.com", 443, "/v10", false),
            ("GET", true, "api.example.com", 443, "/", false),
            ("POST", true, "api.example.com", 443, "/v1", false),
            ("GET", false, "api.example.com", 443, "/v1", false),
            ("GET", true, "api.example.com", 8443, "/v1", false),
            ("GET", true, "evil-api.example.com", 443, "/v1", false),
            ("GET", true, "api.example.com.evil.example", 443, "/v1", false),
        ] {
            assert_eq!(
                covers(of, method, secure, host, port, path),
                expected,
                "{method} {secure} {host} {port} {path}"
            );
        }
        assert!(covers("GET https://*.example.com/", "GET", true, "a.b.example.com", 443, "/"));
        assert!(!covers("GET https://*.example.com/", "GET", true, "example.com", 443, "/"));
        assert!(!covers("GET https://*.example.com/", "GET", true, ".example.com", 443, "/"));
        for (any, secure, port, expected) in [
            ("* https://*/", true, 9, true),
            ("* https://*/", false, 9, false),
            ("* http://*:9/", false, 9, true),
            ("* http://*:9/", false, 18555, false),
            ("* http://*:80/", false, 80, true),
            ("* http://*:80/", false, 81, false),
        ] {
            assert_eq!(covers(any, "PUT", secure, "x", port, "/a"), expected, "{any} {port}");
        }
    }

    #[test]
    fn a_policy_covers_what_is_no_wider() {
        let http =
            |text: &str, private| HttpGrant { allow: HttpPattern::parse(text).unwrap(), secrets: vec![], private };
        let of = |http| Grants { http: vec![http], ..Grants::default() };
        for (granted, policy, covered) in [
            (http("GET https://a.example/v1/", false), http("GET,POST https://a.example/", false), true),
            (http("GET,PUT https://a.example/", false), http("GET https://a.example/", false), false),
            (http("* https://a.example/", false), http("GET https://a.example/", false), false),
            (http("GET https://a.b.example/", false), http("GET https://*.b.example/", false), true),
            (http("GET https://*.b.example/", false), http("GET https://*.b.example/", false), true),
            (http("GET https://*.example/", false), http("GET https://*.b.example/", false), false),
            (http("GET https://*/", false), http("GET https://*.b.example/", false), false),
            (http("GET https://a.example/", true), http("GET https://a.example/", false), false),
            (http("GET http://10.0.0.1/", true), http("GET http://10.0.0.1/", false), true),
            (http("GET http://a.example:9/", true), http("* http://*/", true), true),
            (http("GET http://a.example/", true), http("* https://*/", true), false),
            (http("GET http://a.example:9/", true), http("* http://*:9/", true), true),
            (http("GET http://a.example:10/", true), http("* http://*:9/", true), false),
            (http("GET http://*:9/", true), http("* http://*/", true), true),
            (http("GET http://*:9/", true), http("* http://*:9/", true), true),
            (http("GET http://*/", true), http("* http://*:9/", true), false),
        ] {
            let (granted, policy) = (of(granted), of(policy));
            assert_eq!(granted.beyond(&policy).is_empty(), covered, "{granted:?} {policy:?}");
        }
        let carrying = |names: &[&str]| HttpGrant {
            secrets: names.iter().map(|name| (*name).to_owned()).collect(),
            ..http("POST https://a.example/", false)
        };
        for (granted, policy, covered) in [
            (&["A"][..], &["A", "B"][..], true),
            (&["A", "C"], &["A", "B"], false),
            (&["A"], &["*"], true),
            (&["A"], &[], false),
            (&[], &[], true),
        ] {
            let beyond = of(carrying(granted)).beyond(&of(carrying(policy)));
            assert_eq!(beyond.is_empty(), covered, "{granted:?} {policy:?}");
        }
        let file =
            |path: &str, write| Grants { files: vec![FileGrant { path: path.to_owned(), write }], ..Grants::default() };
        for (granted, covered) in [(file("data", true), true), (file(".", true), true), (file("/srv", false), false)] {
            assert_eq!(granted.beyond(&Grants::of_project()).is_empty(), covered, "{granted:?}");
        }
        assert!(!file("data", true).beyond(&file("data", false)).is_empty());
        let everything = Grants::everything();
        assert!(everything.beyond(&everything).is_empty());
        assert_eq!(everything.beyond(&Grants::default()), everything);
    }

    #[test]
    fn what_is_granted_twice_stands_there_once() {
        let http = |allow: &str, secrets: &[&str], private| {
            let secrets = secrets.iter().map(|name| (*name).to_owned()).collect();
            vec![HttpGrant { allow: HttpPattern::parse(allow).unwrap(), secrets, private }]
        };
        let file = |write| vec![FileGrant { path: "out".to_owned(), write }];
        let of =
            |files, http, name: &str| Grants { files, http, environment: vec![name.to_owned()], ..Grants::default() };
        let one = of(file(false), http("GET https://a.example/", &["A"], false), "REGION");
        let more = of(file(true), http("GET https://a.example", &["A", "B"], true), "REGION");
        let both = of(file(true), http("GET https://a.example/", &["A", "B"], true), "REGION");
        assert_eq!(one.clone().and(more), both);
        let other = of(Vec::new(), http("GET https://b.example/", &[], false), "ZONE");
        let sum = one.and(other);
        assert_eq!((sum.http.len(), sum.environment.len()), (2, 2));
    }

    #[test]
    fn a_gpu_is_nobodys_who_was_not_given_it() {
        let of = |texts: &[&str]| {
            let devices = texts.iter().map(|text| DeviceGrant::parse(text).unwrap()).collect();
            Grants { devices, ..Grants::default() }
        };
        for (policy, device, admitted) in [
            (Grants::default(), Device::Cpu, true),
            (Grants::of_project(), Device::Cuda(0), false),
            (of(&["cuda:1"]), Device::Cuda(0), false),
            (of(&["cuda:1", "cuda:0"]), Device::Cuda(0), true),
            (Grants::everything(), Device::Cuda(9), true),
        ] {
            assert_eq!(policy.admits(device), admitted, "{policy:?} {device}");
        }
        assert_eq!(of(&["cuda:0"]).and(of(&["cuda:0", "cuda:1"])), of(&["cuda:0", "cuda:1"]));
        assert_eq!(of(&["cuda"]).and(of(&["cuda:0"])), of(&["cuda"]));
        assert_eq!(of(&["cuda:0", "cuda:1"]).beyond(&of(&["cuda:1"])), of(&["cuda:0"]));
    }

    #[test]
    fn a_line_is_quoted_for_a_shell() {
        let command = policy_command(r#"files = ["it's"]"#);
        assert_eq!(command, r#"stepwell tenant policy NAME --allow 'files = ["it'\''s"]'"#);
    }

    #[test]
    fn a_folder_covers_what_lies_beneath_it() {
        let below = |root: &str, path: &str| {
            let grant = FileGrant { path: root.to_owned(), write: false };
            grant.below(Path::new(path)).map(|rest| rest.display().to_string())
        };
        assert_eq!(below("data", "data/a.csv").as_deref(), Some("a.csv"));
        assert_eq!(below(".", "data/a.csv").as_deref(), Some("data/a.csv"));
        assert_eq!(below("/", "/etc/passwd").as_deref(), Some("etc/passwd"));
        assert_eq!(below("data/", "data").as_deref(), Some(""));
        for (root, path) in
            [("data", "database"), ("data", "data/../x"), (".", "/etc"), ("/srv", "srv"), (".", "a/../..")]
        {
            assert_eq!(below(root, path), None, "{root} {path}");
        }
    }
}
