//! W3C trace context: a request's `traceparent` is taken up, or one is begun; the answer says under which trace and step of
//! ours it was.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::fmt;

const HEADER: &str = "traceparent";

/// Where a request stands in whatever its caller does.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    trace: [u8; 16],
    /// Ours: the parent of whatever we would call.
    step: [u8; 8],
    flags: u8,
}

/// Hands a request on with our step of its trace in place of its caller's, and the answer back with it.
pub(crate) async fn traced(mut request: Request, next: Next) -> Response {
    let Ok(trace) = HeaderValue::from_str(&Trace::of(request.headers()).to_string()) else {
        return next.run(request).await;
    };
    request.headers_mut().insert(HEADER, trace.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(HEADER, trace);
    response
}

impl Trace {
    /// The caller's, with a step of ours; one of our own if the caller sent none that can be read.
    fn of(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(HEADER).iter();
        let only = match (sent.next(), sent.next()) {
            (Some(text), None) => text.to_str().ok(),
            _ => None,
        };
        // Without randomness traces are told apart no more; the request is answered all the same.
        let mut random = [1; 24];
        let _ = getrandom::fill(&mut random);
        let (mut own, mut step) = ([0; 16], [0; 8]);
        own.copy_from_slice(&random[..16]);
        step.copy_from_slice(&random[16..]);
        let (trace, flags) = only.and_then(read).unwrap_or((own, 0));
        Self { trace, step, flags }
    }
}

/// The trace and its flags, of any version that begins as the first one does.
fn read(text: &str) -> Option<([u8; 16], u8)> {
    let fields: Vec<&str> = text.split('-').collect();
    let (version, trace, parent, flags) = match fields.as_slice() {
        [version, trace, parent, flags] => (version, trace, parent, flags),
        [version, trace, parent, flags, ..] if *version != "00" => (version, trace, parent, flags),
        _ => return None,
    };
    let [version] = hex::<1>(version)?;
    let (trace, parent, [flags]) = (hex::<16>(trace)?, hex::<8>(parent)?, hex::<1>(flags)?);
    // Of a later version only the flag that the first one has is understood.
    let flags = if version == 0 { flags } else { flags & 1 };
    (version != 0xff && trace != [0; 16] && parent != [0; 8]).then_some((trace, flags))
}

/// Exactly so many bytes, in lowercase.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for Trace {
    /// As the header has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.step.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(sent: &[&str]) -> Trace {
        let mut headers = HeaderMap::new();
        for text in sent {
            headers.append(HEADER, HeaderValue::from_str(text).unwrap());
        }
        Trace::of(&headers)
    }

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_callers_trace_goes_on_with_a_step_of_ours() {
        let told = trace(&[SENT]).to_string();
        assert!(told.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && told.ends_with("-01"), "{told}");
        assert!(!told.contains("b7ad6b7169203331") && told.len() == SENT.len(), "{told}");
        let later = trace(&["cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more"]).to_string();
        assert!(later.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && later.ends_with("-01"), "{later}");
    }

    #[test]
    fn what_is_no_trace_begins_another() {
        let zeros = "0".repeat(32);
        for sent in [
            &[][..],
            &[SENT, SENT],
            &[""],
            &["00"],
            &["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            &["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"],
            &["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"],
            &["00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01"],
            &["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"],
            &[&format!("00-{zeros}-b7ad6b7169203331-01")],
        ] {
            let told = trace(sent).to_string();
            assert!(read(&told).is_some() && !told.contains("0af765"), "{sent:?}: {told}");
            assert_ne!(trace(sent).trace, trace(sent).trace, "{sent:?}");
        }
    }
}
