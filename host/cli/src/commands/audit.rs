//! `audit`: whether anybody changed what is on record.

use super::{print_json, told};
use crate::args::{Args, Audit};
use crate::outcome::{Failure, OURS};
use crate::{open, show};
use api::{AuditRequest, Client};
use server::{Audited, Folder, audit_folder};

pub(crate) async fn audit(args: &Args, command: &Audit) -> Result<u8, Failure> {
    match command {
        Audit::Head => {
            let found = look(args, AuditRequest { heads: Vec::new(), with_blobs: false }).await?;
            told(args, &found.journals, &show::heads(&found))
        }
        Audit::Verify { head } => {
            let found = look(args, AuditRequest { heads: head.clone(), with_blobs: true }).await?;
            if args.json {
                print_json(&found)?;
            } else {
                anstream::print!("{}", show::audited(&found));
            }
            Ok(if found.is_sound() { 0 } else { OURS })
        }
    }
}

/// Has the folder's owner look, if there is one; else looks itself. Nothing of what the folder says is believed for that, and
/// nothing in it is mended.
async fn look(args: &Args, asked: AuditRequest) -> Result<Audited, Failure> {
    let data = open::data(args)?;
    if Folder::has_socket(&data)
        && let Ok(mut client) = Client::there(&Folder::socket(&data)).await
    {
        let body = serde_json::to_vec(&asked).map_err(Failure::ours)?;
        return Ok(client.send("POST", "/v1/audit", body).await?);
    }
    let AuditRequest { heads, with_blobs } = asked;
    let _folder: Folder = open::locked(&data)?;
    Ok(audit_folder(&data, &heads, with_blobs))
}
