use stepwell::Result;
use stepwell::http::{Request, fetch, placeholder};

/// Granted by `grants = { http = [{ allow = "POST https://hooks.example.com/", secrets = ["HOOK_TOKEN"] }] }`.
pub fn announced(message: &str) -> Result<u16> {
    let token = placeholder("HOOK_TOKEN")?;
    let headers = vec![("authorization".into(), format!("Bearer {token}"))];
    let (method, url) = ("POST".into(), "https://hooks.example.com/models".into());
    Ok(fetch(&Request { method, url, headers, body: message.into(), timeout: 0 })?.status)
}
