use stepwell::http::{Request, fetch};
use stepwell::{Error, Result};

/// Granted by `grants = { http = ["GET https://api.example.com/v1/"] }`. An answer that says no is an answer.
pub fn rates() -> Result<Vec<u8>> {
    let (method, url) = ("GET".into(), "https://api.example.com/v1/rates".into());
    let answer = fetch(&Request { method, url, headers: vec![], body: vec![], timeout: 10_000 })?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(Error::Permanent(format!("the service answered {status}"))),
    }
}
