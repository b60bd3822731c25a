//! What can go wrong on disk, with the path, what was expected and what stood there. At the ports it becomes a fault: ours,
//! unless a guest chose the size of a record or what lies where a worker says it left a file.

use std::path::{Path, PathBuf};
use types::{Digest, Fault, Quantity, QuotaKind};

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("`{}` is damaged at byte {offset}: {what}", path.display())]
    Damaged { path: PathBuf, offset: u64, what: String },
    #[error("`{}` has format {got}, expected {expected}", path.display())]
    Format { path: PathBuf, expected: u32, got: u32 },
    #[error("`{}` stands where only tenants do: {why}", path.display())]
    Foreign { path: PathBuf, why: String },
    #[error("journal `{}` takes no more records until the store is opened again: {why}", path.display())]
    Poisoned { path: PathBuf, why: String },
    #[error("record does not survive being written and read: {0}")]
    Unwritable(String),
    #[error("records of {got} bytes in one batch, expected at most {most}")]
    TooLarge { got: usize, most: usize },
    #[error("{what} exists already; what happened is not overwritten")]
    Conflict { what: String },
    #[error("index `{}` cannot be read: {why}", path.display())]
    Index { path: PathBuf, why: String },
    #[error("index `{}` is open in another process", path.display())]
    Busy { path: PathBuf },
    #[error("`{}` is {got}, expected a regular file", path.display())]
    NotAFile { path: PathBuf, got: &'static str },
    #[error("`{}` has {got} bytes, expected at most {most}", path.display())]
    TooLong { path: PathBuf, got: u64, most: u64 },
    #[error("`{}` has digest {got}, expected {expected}", path.display())]
    Digest { path: PathBuf, expected: Digest, got: Digest },
    #[error("tenant `{tenant}` has no blob {digest}")]
    NoBlob { tenant: types::TenantId, digest: Digest },
    #[error("there is no tenant `{tenant}`")]
    NoTenant { tenant: types::TenantId },
    #[error("there is a tenant `{tenant}` already")]
    Taken { tenant: types::TenantId },
    #[error("tenant `default` is always there and cannot be deleted")]
    Default,
    #[error("the tenant's quota `storage` is used up")]
    Storage { used: u64, more: u64, limit: u64 },
}

impl Error {
    /// Whether it is about a tenant that is not there.
    pub fn is_no_tenant(&self) -> bool {
        matches!(self, Self::NoTenant { .. })
    }

    /// The fault of whoever left a file for us, as far as it can be theirs.
    pub(crate) fn of_leaver(self) -> Fault {
        use std::io::ErrorKind;
        let theirs = match &self {
            Self::NotAFile { .. } | Self::Digest { .. } => true,
            Self::Io { what: "open", source, .. } => {
                matches!(source.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
            }
            _ => false,
        };
        if theirs { Fault::guest(self.to_string()) } else { self.into() }
    }

    /// For `map_err`: an operation on a path that the system refused.
    pub(crate) fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::Damaged { .. } => Some("restore the file from a copy; nothing after the damage was touched"),
            Error::Poisoned { .. } => {
                Some("mend the disk, then start the server again: it resumes from what is on disk")
            }
            Error::Index { .. } => Some("start the server again: the index is rebuilt from the journal"),
            _ => None,
        };
        match error {
            Error::Digest { .. } => return Fault::damaged(error),
            // Nothing of ours comes near: a guest gave what was to be recorded.
            Error::TooLarge { .. } => return Fault::guest(error.to_string()),
            Error::NoTenant { .. } | Error::Default | Error::Taken { .. } => return Fault::invalid(error.to_string()),
            Error::Storage { used, more, limit } => {
                let used = format!("{} and {} more", Quantity::Bytes(used).about(), Quantity::Bytes(more).about());
                return Fault::quota(QuotaKind::Storage, used, Quantity::Bytes(limit));
            }
            _ => {}
        }
        let fault = Fault::host(error);
        match hint {
            Some(hint) => fault.hinted(hint),
            None => fault,
        }
    }
}
