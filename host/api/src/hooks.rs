//! `POST /hooks/PROJECT/PIPELINE`: signed calls in, runs of deployed pipelines out.

use crate::error::off_thread;
use crate::inference::{Named, Public, Refused, encoded};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use server::{Fired, HOOK_BYTES_MAX, HookCall, HookRefused};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The same words wherever the signature is not right: whether there is such a pipeline is nobody's business.
const UNSIGNED: &str = "there is no pipeline here that takes calls with this signature; expected the headers `webhook-id`, \
                        `webhook-timestamp` and `webhook-signature` of Standard Webhooks";

/// From the end of a call's body to the answer that it is not signed: whatever was looked up for it meanwhile, or not.
const UNSIGNED_TIME: Duration = Duration::from_millis(50);

/// Whether a path is one of these, at the root or beneath a tenant.
pub(crate) fn is_hook(path: &str) -> bool {
    let beneath = path.strip_prefix("/tenants/").and_then(|rest| rest.split_once('/'));
    let rest = beneath.map_or(path.strip_prefix('/').unwrap_or_default(), |(_, rest)| rest);
    rest == "hooks" || rest.starts_with("hooks/")
}

/// What is said to whoever has not signed, whether or not there is what was called.
pub(crate) fn unsigned() -> Refused {
    Refused::Said(StatusCode::UNAUTHORIZED, UNSIGNED.to_owned())
}

pub(crate) async fn hook(
    State(public): State<Public>,
    Named((project, pipeline)): Named<(String, String)>,
    request: Request,
) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let call = HookCall { headers: once(&head.headers), body: Vec::new() };
    if !public.server.may_be_signed(&call) {
        return Err(unsigned());
    }
    let body = public.strangers.read_small(HOOK_BYTES_MAX, body).await?;
    let (call, answers) = (HookCall { body: body.as_ref().to_vec(), ..call }, Instant::now() + UNSIGNED_TIME);
    let fired = off_thread(move || Ok(public.server.hook(&public.tenant, &project, &pipeline, &call))).await?;
    if matches!(fired, Err(HookRefused::Unsigned)) {
        sleep_until(answers).await;
    }
    let fired = fired.map_err(|refused| match refused {
        HookRefused::Unsigned => unsigned(),
        HookRefused::NoEvent(why) => Refused::Said(StatusCode::BAD_REQUEST, why),
        HookRefused::Full => {
            let text =
                "enough runs that calls and other triggers started are under way; send it again later".to_owned();
            Refused::Said(StatusCode::TOO_MANY_REQUESTS, text)
        }
        HookRefused::Server(error) => Refused::Server(error),
    })?;
    let status = match fired {
        Fired::Begun(_) => StatusCode::ACCEPTED,
        Fired::Already(_) => StatusCode::OK,
    };
    Ok((status, encoded(&serde_json::json!({ "run": fired.run() }))?).into_response())
}

/// The headers that stand once and are text.
fn once(headers: &HeaderMap) -> BTreeMap<String, String> {
    let only = |name: &HeaderName| {
        let mut all = headers.get_all(name).iter();
        match (all.next(), all.next()) {
            (Some(value), None) => Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())),
            _ => None,
        }
    };
    headers.keys().filter_map(only).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_known_by_their_paths() {
        for path in ["/hooks/a/b", "/tenants/acme/hooks/a/b", "/hooks/", "/hooks", "/tenants/acme/hooks"] {
            assert!(is_hook(path), "{path}");
        }
        for path in ["", "/", "/predict/hooks", "/tenants/hooks/predict/a", "/v2/hooks/a", "/hooksx/a/b", "//hooks/a/b"]
        {
            assert!(!is_hook(path), "{path}");
        }
    }
}
