//! What can be typed about endpoints.

use clap::Subcommand;
use types::EndpointName;

#[derive(Subcommand)]
pub(crate) enum Endpoint {
    /// All endpoints: which version answers, and how far a canary is
    List,
    /// An endpoint: who answers how much, what was counted, its canary's moves
    ///
    /// Counts are those of the running `stepwell serve`, since a weight was last set.
    Show { name: EndpointName },
    /// Hold a canary where it is
    Pause {
        name: EndpointName,
        /// For the record
        #[arg(long)]
        why: Option<String>,
    },
    /// Let a canary go on; one that was aborted, or promoted and rolled back, begins anew
    Resume {
        name: EndpointName,
        #[arg(long)]
        why: Option<String>,
    },
    /// Have the candidate take over now, whatever steps are left
    Promote {
        name: EndpointName,
        #[arg(long)]
        why: Option<String>,
    },
    /// Give the candidate nothing any more
    Abort {
        name: EndpointName,
        #[arg(long)]
        why: Option<String>,
    },
}
