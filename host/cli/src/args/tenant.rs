//! What can be typed about tenants and their secrets.

use clap::Subcommand;
use std::path::PathBuf;
use types::TenantId;

#[derive(Subcommand)]
pub(crate) enum Secret {
    /// Set a secret to what comes on standard input, without one line end
    ///
    /// At a terminal it is asked for and not shown. It has 4 bytes at least: fewer could not be masked where a service echoes
    /// them, for they stand in answers by chance. A pipeline names the secrets that travel with a request:
    /// http = [{ allow = "POST https://..", secrets = ["NAME"] }].
    Set {
        /// 1 to 64 of `A-Z 0-9 _`, beginning with a letter
        name: String,
    },
    /// The names of the secrets; nothing shows their values
    List,
    /// Remove a secret, from the next attempt on
    Remove { name: String },
}

#[derive(Subcommand)]
pub(crate) enum Tenant {
    /// Make a tenant
    ///
    /// Its pipelines may grant files of their project, time and chance, unless a policy says otherwise.
    Create {
        /// 1 to 64 of `a-z 0-9 - _`, beginning with a letter
        name: TenantId,
        /// A policy: TOML with the tables `grants` and `limits` of a step, as the most that a step may have
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// All tenants
    List,
    /// A tenant: what it has, and what it has used of its quotas
    Show { name: TenantId },
    /// Print a tenant's policy as TOML, or change it, from the next attempt on
    Policy {
        name: TenantId,
        /// Set it to what this file says
        #[arg(long, value_name = "FILE", conflicts_with = "allow")]
        file: Option<PathBuf>,
        /// Add a line of `grants`, such as 'http = ["GET https://api.example.com/"]'; --file takes one away
        #[arg(long, value_name = "LINE")]
        allow: Vec<String>,
    },
    /// Bound what a tenant may use up; shows what is used, also without an option
    Quota {
        name: TenantId,
        /// Blobs, journal and native code, such as 10GiB; `none` for no bound, as with the others
        #[arg(long, value_name = "BYTES")]
        storage: Option<String>,
        /// Attempts at once, over all its runs; more wait
        #[arg(long, value_name = "NUMBER")]
        attempts: Option<String>,
        /// CPU time of its workers in a day (UTC), such as 2h; whole seconds
        #[arg(long, value_name = "TIME")]
        cpu: Option<String>,
        /// Time for which its attempts have a GPU in a day (UTC), such as 1h; whole seconds
        #[arg(long, value_name = "TIME")]
        device: Option<String>,
        /// Bodies of requests both ways in a day (UTC), such as 1GiB
        #[arg(long, value_name = "BYTES")]
        egress: Option<String>,
        /// Requests to its endpoints, all keys together, such as 100/s (also min, h, d)
        #[arg(long, value_name = "RATE")]
        requests: Option<String>,
    },
    /// Refuse a tenant's runs and requests; runs under way can be resumed later
    Suspend { name: TenantId },
    /// Let a suspended tenant go on
    Resume { name: TenantId },
    /// Remove a tenant with all that it has, and look whether anything is left
    Delete {
        name: TenantId,
        /// It is meant
        #[arg(long)]
        yes: bool,
    },
}
