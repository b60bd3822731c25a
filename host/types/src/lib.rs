//! Ids, states, limits, faults: the vocabulary every other crate speaks.
//!
//! Plain data that validates where it is parsed. What reaches disk or a socket is `Serialize` here and says so; nothing
//! in this crate opens a file, reads a clock or knows a plugin.

mod artifact;
mod beside;
mod bounds;
mod candidate;
mod cause;
mod column;
mod contract;
mod course;
mod deployment;
mod descriptor;
mod device;
mod digest;
mod fault;
mod grants;
mod id;
mod key;
mod limits;
mod measure;
mod nearest;
mod prediction;
mod problem;
mod quantity;
mod rate;
mod record;
mod rollout;
mod schema;
mod tenant;

pub use artifact::{Artifact, OutputRef, SavedFile, TableRef};
pub use beside::{beside, listed};
pub use bounds::{
    COLUMNS_MAX, CURSOR_BYTES_MAX, FILES_MAX, FINDINGS_MAX, MEASURES_MAX, NAME_BYTES_MAX, SENTENCE_CHARS_MAX, sentence,
};
pub use candidate::{Budget, Candidate, Series};
pub use cause::{Cause, Taken};
pub use column::{DataType, Field, Schema};
pub use contract::{CONTRACT, INTERFACES, Interface, Reach, newly_asked, of_contract, reaching};
pub use course::{Condition, Pool, Retry};
pub use deployment::{BackfillAsked, Deployment, Passed, ScheduleState, Settings, Why};
pub use descriptor::{Descriptor, Output, Port, Role, RowRelation};
pub use device::{Device, DeviceChoice, DeviceGrant, Devices, device_denied};
pub use digest::Digest;
pub use fault::{Fault, FaultKind};
pub use grants::{FileGrant, Grants, HttpGrant, HttpPattern, METHODS, policy_command, secret_name};
pub use id::{
    EndpointName, Id, IdError, KeyName, ModelName, PipelineName, PluginName, PortName, ProjectName, RunId, StepName,
    TenantId,
};
pub use key::{ApiKey, Scope};
pub use limits::{AboutLimit, LimitKind, Limits, LimitsPatch, Share, disk_bytes, recorded_bytes};
pub use measure::{
    Against, Bound, Finding, Interval, Leniency, Measure, Outcome, Requirement, Severity, Verdict, VerdictLine,
};
pub use nearest::nearest;
pub use prediction::PredictionId;
pub use problem::{Place, Problem, Spot};
pub use quantity::{Quantity, QuantityError, parse_bytes, parse_duration};
pub use rate::Rate;
pub use record::{
    AliasMove, Attempt, Chosen, Golden, Imported, Item, ModelVersion, Purpose, Receipt, Record, RunHead, RunState,
    ServedStep, Signature, StepCommit,
};
pub use rollout::{Analysis, CanaryStep, Phase, Rollout, RolloutMove};
pub use schema::{SCHEMA_BYTES_MAX, read_schema};
pub use tenant::{InstallationRecord, Policy, Quota, QuotaKind, Removed};
