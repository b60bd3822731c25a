//! What can be typed about applications: the keys that let them in, and what they were told.

use super::milliseconds;
use clap::Subcommand;
use types::{EndpointName, KeyName, Rate, Scope};

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Make a key and print it, this once
    ///
    /// Applications send it as `Authorization: Bearer KEY`. From a tenant's first key on nobody asks its endpoints without one.
    Create {
        /// What the key is called; never given to another
        name: KeyName,
        /// What it may do: predict, label, metrics, manage
        #[arg(long, value_name = "SCOPE", value_delimiter = ',', default_value = "predict", value_parser = Scope::parse)]
        scope: Vec<Scope>,
        /// Only this endpoint; may stand several times
        #[arg(long, value_name = "NAME")]
        endpoint: Vec<EndpointName>,
        /// How long it is good for, such as 90d [default: until it is revoked]
        #[arg(long, value_name = "TIME", value_parser = milliseconds)]
        expires: Option<u64>,
        /// How often it may ask, such as 100/s (also min, h, d); the whole may come at once
        #[arg(long, value_name = "RATE", value_parser = Rate::parse)]
        rate: Option<Rate>,
    },
    /// The keys there are and were; nothing shows what they are
    List,
    /// Let a key's holder in no more, from the next request on
    Revoke { name: KeyName },
}

#[derive(Subcommand)]
pub(crate) enum Predictions {
    /// What is kept of each endpoint: files, labels, and what was not logged
    List,
    /// Print the rows of an endpoint's log, the oldest first, a JSON object a line
    ///
    /// A row has what the prediction is called and cost (`_id`, `_at`, `_model`, `_version`, `_latency_us`, `_trace`), the
    /// columns of request and answer, and with a label `_label`, `_label_at` and `_label_received`. Times are microseconds.
    Export {
        endpoint: EndpointName,
        /// Those alone whose label has come
        #[arg(long)]
        labelled: bool,
    },
}
