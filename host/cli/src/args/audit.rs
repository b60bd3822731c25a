//! What can be typed about the records.

use clap::Subcommand;
use types::Digest;

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Read every journal from its first byte, and every blob that a record points at
    ///
    /// Of the installation and all tenants. Checksums, the chain of hashes, that each record can be read, and that each blob is
    /// there with its digest. Who can write to the folder can cut a journal's end off, or write it anew from a point on, chain
    /// and all: that shows only against a hash that was kept elsewhere (`audit head`). Exit code 1 if something is wrong.
    Verify {
        /// A hash that `audit head` gave earlier: the journal must still have all that came before it
        #[arg(long, value_name = "HASH", value_parser = hash)]
        head: Vec<Digest>,
    },
    /// The hash at the end of each journal: keep it where whoever can write to the folder cannot
    Head,
}

fn hash(text: &str) -> Result<Digest, String> {
    Digest::parse(text).ok_or_else(|| "expected 64 hexadecimal digits".to_owned())
}
