//! A message and a secret -> its signature, and whether one that came is right: Standard Webhooks. Pure.
//!
//! What is signed is `ID.TIMESTAMP.BODY`. A message whose time is far from ours is refused, so that one that was overheard
//! is worth nothing later.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// How far a message's time may be from ours.
const APART_SECONDS_MAX: i64 = 300;
/// Signatures that are looked at: a sender that changes its secret sends two.
const SIGNATURES_MAX: usize = 8;
const PREFIX: &str = "whsec_";

/// A key, made of a secret.
pub(crate) struct Key(hmac::Key);

/// What is signed.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) id: &'a str,
    /// Seconds since 1970-01-01 UTC, as it is written.
    pub(crate) timestamp: &'a str,
    pub(crate) body: &'a [u8],
}

impl Key {
    /// Of `whsec_` and base64, or of the bytes as they are.
    pub(crate) fn of(secret: &[u8]) -> Self {
        let encoded = std::str::from_utf8(secret).ok().and_then(|text| text.strip_prefix(PREFIX));
        let decoded = encoded.and_then(|text| STANDARD.decode(text).ok());
        Self(hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(secret)))
    }

    /// The value of the header `webhook-signature`.
    pub(crate) fn sign(&self, message: Message<'_>) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, &message.bytes())))
    }

    /// Whether one of the signatures is right, and the message is of now. Takes as long for a wrong one as for a right one.
    pub(crate) fn signed(&self, message: Message<'_>, signatures: &str, now_us: i64) -> bool {
        let bytes = message.bytes();
        let is_right = |text: &str| {
            let signature = text.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            signature.is_some_and(|signature| hmac::verify(&self.0, &bytes, &signature).is_ok())
        };
        let right = signatures.split(' ').take(SIGNATURES_MAX).filter(|text| is_right(text)).count() > 0;
        right && is_of_now(message.timestamp, now_us)
    }
}

/// Whether a message's time is near ours.
pub(crate) fn is_of_now(timestamp: &str, now_us: i64) -> bool {
    let apart = |seconds| now_us.div_euclid(1_000_000).saturating_sub(seconds).saturating_abs();
    timestamp.parse().is_ok_and(|seconds: i64| apart(seconds) <= APART_SECONDS_MAX)
}

impl Message<'_> {
    fn bytes(&self) -> Vec<u8> {
        [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", self.body].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_614_265_330_000_000;
    /// The example of the specification.
    const SECRET: &[u8] = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn message<'a>(timestamp: &'a str, body: &'a [u8]) -> Message<'a> {
        Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp, body }
    }

    #[test]
    fn the_example_of_the_specification() {
        let key = Key::of(SECRET);
        let message = message("1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(key.sign(message), RIGHT);
        for signatures in [RIGHT.to_owned(), format!("v1a,xyz v1,AAAA {RIGHT}")] {
            assert!(key.signed(message, &signatures, NOW_US), "{signatures}");
        }
        for wrong in ["", "v1,", "v1,AAAA", &RIGHT[3..], &RIGHT.replace("v1", "v2"), &format!("{RIGHT}="), "v1,é"] {
            assert!(!key.signed(message, wrong, NOW_US), "{wrong}");
        }
    }

    #[test]
    fn another_body_id_time_or_secret_is_refused() {
        let key = Key::of(SECRET);
        let right = message("1614265330", br#"{"test": 2432232314}"#);
        assert!(!key.signed(Message { body: b"{}", ..right }, RIGHT, NOW_US));
        assert!(!key.signed(Message { id: "msg_2", ..right }, RIGHT, NOW_US));
        assert!(!Key::of(b"another").signed(right, RIGHT, NOW_US));
        for timestamp in ["1614265331", "", "now", "-1", "99999999999999999999", "9223372036854775807"] {
            assert!(!key.signed(Message { timestamp, ..right }, RIGHT, NOW_US), "{timestamp}");
        }
    }

    #[test]
    fn a_message_is_good_for_five_minutes_either_way() {
        let key = Key::of(b"raw bytes, as they are");
        let message = message("1614265330", b"");
        let signature = key.sign(message);
        for (apart_seconds, good) in
            [(-301, false), (-300, true), (300, true), (301, false), (i64::MAX / 1_000_000, false)]
        {
            let now_us = NOW_US.saturating_add(apart_seconds * 1_000_000);
            assert_eq!(key.signed(message, &signature, now_us), good, "{apart_seconds}");
        }
    }
}
