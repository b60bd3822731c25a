//! The registry: versions of models, and the aliases under which they answer. Every move of an alias is a record that says who
//! moved it, when, why, from where and to where.

use crate::{Error, Server, locked};
use ports::Journal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use types::{AliasMove, Fault, Golden, Id, ModelName, ModelVersion, Record, TenantId};

/// What people write into a record: the reason of a move, the value of a tag.
const TEXT_BYTES_MAX: usize = 1 << 10;
/// Tags of a version.
const TAGS_MAX: usize = 100;

/// A model of the registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelList {
    pub model: ModelName,
    pub versions: Vec<u32>,
    pub aliases: BTreeMap<String, u32>,
}

/// A version with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelDetail {
    #[serde(flatten)]
    pub version: ModelVersion,
    /// Those that it has now.
    pub aliases: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// Other versions with its digest: they answer alike.
    pub equal: Vec<u32>,
    /// What it must answer as it did; none before it was loaded first.
    pub golden: Option<Golden>,
}

/// Which version had an alias at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub model: ModelName,
    pub alias: String,
    pub at_us: i64,
    /// The move that brought it there; none if no version had the alias yet.
    pub moved: Option<AliasMove>,
}

/// An alias is to go to a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// A number or another alias.
    pub version: String,
    pub alias: String,
    pub why: String,
    pub by: Option<String>,
}

/// An alias is to go back to the version that had it before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveBack {
    pub alias: String,
    pub why: Option<String>,
    pub by: Option<String>,
}

/// An alias is to be no version's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unalias {
    pub alias: String,
    pub why: String,
    pub by: Option<String>,
}

/// An alias that was moved to another version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promoted {
    #[serde(flatten)]
    pub moved: AliasMove,
    /// What callers of the version before will meet, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlike: Vec<String>,
}

/// Something is to be written on a version, or taken away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagChange {
    /// A number or an alias.
    pub version: String,
    pub key: String,
    /// None: it goes.
    pub value: Option<String>,
    pub by: Option<String>,
}

impl Server {
    /// All models, by name.
    pub fn models(&self, tenant: &TenantId) -> Result<Vec<ModelList>, Error> {
        self.known(tenant)?;
        let list = |model: store::ModelSummary| ModelList {
            model: model.model,
            versions: model.versions,
            aliases: model.aliases,
        };
        Ok(self.store.models(tenant)?.into_iter().map(list).collect())
    }

    /// A version: by number, by alias, or the latest.
    pub fn model(&self, tenant: &TenantId, model: &ModelName, which: Option<&str>) -> Result<ModelDetail, Error> {
        self.known(tenant)?;
        let versions = self.versions(tenant, model)?;
        let version = self.pick(tenant, &versions, which)?.clone();
        let is_equal = |other: &&ModelVersion| other.digest == version.digest && other.version != version.version;
        let equal = versions.iter().filter(is_equal).map(|other| other.version).collect();
        let summary = self.store.models(tenant)?.into_iter().find(|summary| summary.model == *model);
        let aliases = summary.map(|summary| summary.aliases).unwrap_or_default();
        let aliases =
            aliases.into_iter().filter(|(_, held)| *held == version.version).map(|(alias, _)| alias).collect();
        let tags = self.store.tags(tenant, model, version.version)?;
        let golden = self.store.golden(tenant, model, version.version)?;
        Ok(ModelDetail { version, aliases, tags, equal, golden })
    }

    /// All versions of a model, which has one at least.
    pub(crate) fn versions(&self, tenant: &TenantId, model: &ModelName) -> Result<Vec<ModelVersion>, Error> {
        let versions = self.store.versions(tenant, model)?;
        match versions.is_empty() {
            true => Err(Error::NotFound(format!("there is no model `{model}`"))),
            false => Ok(versions),
        }
    }

    /// Of a model's versions the one that is meant: by number, by alias, or the latest.
    pub(crate) fn pick<'v>(
        &self,
        tenant: &TenantId,
        versions: &'v [ModelVersion],
        which: Option<&str>,
    ) -> Result<&'v ModelVersion, Error> {
        let latest = versions.last().ok_or_else(|| Error::NotFound("there is no such model".to_owned()))?;
        let number = match which {
            None => Some(latest.version),
            Some(text) => match text.parse() {
                Ok(number) => Some(number),
                Err(_) => self.store.alias(tenant, &latest.model, text)?,
            },
        };
        let found = versions.iter().find(|version| Some(version.version) == number);
        found.ok_or_else(|| {
            let numbers: Vec<_> = versions.iter().map(|version| version.version.to_string()).collect();
            let which = which.unwrap_or_default();
            Error::NotFound(format!("model `{}` has no version `{which}`; it has {}", latest.model, numbers.join(", ")))
        })
    }

    /// Every move of a model's aliases, or of one of them, in the order in which they happened.
    pub fn model_history(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        alias: Option<&str>,
    ) -> Result<Vec<AliasMove>, Error> {
        self.known(tenant)?;
        self.versions(tenant, model)?;
        let moves = self.store.alias_history(tenant, model)?;
        Ok(moves.into_iter().filter(|moved| alias.is_none_or(|alias| moved.alias == alias)).collect())
    }

    /// Which version had an alias at a time.
    pub fn model_at(&self, tenant: &TenantId, model: &ModelName, alias: &str, at_us: i64) -> Result<Held, Error> {
        let moves = self.model_history(tenant, model, None)?;
        let moved = models::held(&moves, alias, at_us).cloned();
        Ok(Held { model: model.clone(), alias: alias.to_owned(), at_us, moved })
    }

    /// Moves an alias to a version: what is asked of it from the next request on.
    pub fn promote(&self, tenant: &TenantId, model: &ModelName, asked: &Promotion) -> Result<Promoted, Error> {
        let _hold = self.active(tenant)?;
        expect_alias(&asked.alias)?;
        expect_text("reason", &asked.why)?;
        let versions = self.versions(tenant, model)?;
        let to = self.pick(tenant, &versions, Some(&asked.version))?.version;
        self.load_before(tenant, model, &asked.alias, to)?;
        // Runs that register look an alias up and move it likewise.
        let _alone = self.dispatcher.alone();
        let from = self.store.alias(tenant, model, &asked.alias)?;
        if from == Some(to) {
            let message = format!("`{}` of model `{model}` is version {to} already", asked.alias);
            return Err(Error::Conflict(message));
        }
        let moved = self.new_move(model, &asked.alias, from, to, &asked.by);
        self.move_alias(tenant, AliasMove { why: asked.why.clone(), ..moved })
    }

    /// Takes an alias away from the version that has it. One that an endpoint answers with stays.
    pub fn unalias(&self, tenant: &TenantId, model: &ModelName, asked: &Unalias) -> Result<AliasMove, Error> {
        let _hold = self.active(tenant)?;
        expect_alias(&asked.alias)?;
        expect_text("reason", &asked.why)?;
        self.versions(tenant, model)?;
        // No deployment brings an endpoint for it meanwhile.
        let _no_deploy = locked(&self.deploying);
        if let Some(endpoint) = self.answering_with(tenant, model, &asked.alias)? {
            let message = format!(
                "endpoint `{endpoint}` answers with `{}` of model `{model}`; promote another version, or deploy the project \
                 without the endpoint",
                asked.alias
            );
            return Err(Error::Conflict(message));
        }
        let _alone = self.dispatcher.alone();
        let from = self.store.alias(tenant, model, &asked.alias)?;
        let none = || Error::NotFound(format!("no version of model `{model}` is `{}`", cut(&asked.alias)));
        let moved = self.new_move(model, &asked.alias, Some(from.ok_or_else(none)?), None, &asked.by);
        let moved = AliasMove { why: asked.why.clone(), ..moved };
        self.store.append(tenant, &[Record::AliasMoved(moved.clone())])?;
        Ok(moved)
    }

    /// Moves an alias back to the version that had it before; again, further back.
    pub fn roll_back(&self, tenant: &TenantId, model: &ModelName, asked: &MoveBack) -> Result<Promoted, Error> {
        let _hold = self.active(tenant)?;
        expect_alias(&asked.alias)?;
        self.versions(tenant, model)?;
        let why = asked.why.clone().unwrap_or_else(|| "rolled back".to_owned());
        expect_text("reason", &why)?;
        let (_, wanted) = self.held_before(tenant, model, &asked.alias)?;
        // Before the lock, which is all tenants': a version takes its time to load.
        self.load_before(tenant, model, &asked.alias, wanted)?;
        let _alone = self.dispatcher.alone();
        let (from, to) = self.held_before(tenant, model, &asked.alias)?;
        if to != wanted {
            let message = format!("`{}` of model `{model}` was moved meanwhile; roll it back again", asked.alias);
            return Err(Error::Conflict(message));
        }
        let moved = self.new_move(model, &asked.alias, from, to, &asked.by);
        self.move_alias(tenant, AliasMove { why, rollback: true, ..moved })
    }

    /// The version under an alias, and the one that had it before.
    fn held_before(&self, tenant: &TenantId, model: &ModelName, alias: &str) -> Result<(Option<u32>, u32), Error> {
        let moves = self.store.alias_history(tenant, model)?;
        let from = self.store.alias(tenant, model, alias)?;
        let to = models::before(&moves, alias).ok_or_else(|| {
            Error::Conflict(match from {
                Some(from) => format!("no version of model `{model}` was `{alias}` before version {from}"),
                None => format!("no version of model `{model}` was ever `{alias}`"),
            })
        })?;
        Ok((from, to))
    }

    pub(crate) fn new_move(
        &self,
        model: &ModelName,
        alias: &str,
        from: Option<u32>,
        to: impl Into<Option<u32>>,
        by: &Option<String>,
    ) -> AliasMove {
        let (model, alias, to, by) = (model.clone(), alias.to_owned(), to.into(), who(by));
        AliasMove { model, alias, from, to, why: String::new(), moved_us: self.now_us(), by, rollback: false }
    }

    fn move_alias(&self, tenant: &TenantId, moved: AliasMove) -> Result<Promoted, Error> {
        self.store.append(tenant, &[Record::AliasMoved(moved.clone())])?;
        let version = |number: Option<u32>| match number {
            Some(number) => self.store.version(tenant, &moved.model, number),
            None => Ok(None),
        };
        let versions = version(moved.from)?.zip(version(moved.to)?);
        Ok(Promoted { unlike: versions.map(|(old, new)| models::unlike(&old, &new)).unwrap_or_default(), moved })
    }

    /// Writes something on a version, or takes it away; gives what stands on it then.
    pub fn tag(
        &self,
        tenant: &TenantId,
        model: &ModelName,
        asked: &TagChange,
    ) -> Result<BTreeMap<String, String>, Error> {
        let _hold = self.active(tenant)?;
        // As strict as a name, which is part of a path.
        ModelName::parse(&asked.key).map_err(|_| {
            let expected = "expected 1 to 64 of `a-z 0-9 - _`, beginning with a letter";
            Fault::invalid(format!("`{}` is no key of a tag: {expected}", cut(&asked.key)))
        })?;
        asked.value.iter().try_for_each(|value| expect_bytes("value", value))?;
        let versions = self.versions(tenant, model)?;
        let version = self.pick(tenant, &versions, Some(&asked.version))?.version;
        let mut tags = self.store.tags(tenant, model, version)?;
        match &asked.value {
            Some(value) => drop(tags.insert(asked.key.clone(), value.clone())),
            None if tags.remove(&asked.key).is_some() => {}
            None => {
                let message = format!("version {version} of model `{model}` has no tag `{}`", asked.key);
                return Err(Error::NotFound(message));
            }
        }
        if tags.len() > TAGS_MAX {
            return Err(Fault::invalid(format!("a version has {TAGS_MAX} tags at most")).into());
        }
        let (model, key, value, by) = (model.clone(), asked.key.clone(), asked.value.clone(), who(&asked.by));
        let record = Record::VersionTagged { model, version, key, value, by, at_us: self.now_us() };
        self.store.append(tenant, &[record])?;
        Ok(tags)
    }
}

/// Who asks, as long as a record has it.
pub(crate) fn who(by: &Option<String>) -> Option<String> {
    by.as_ref().map(|by| by.chars().take(run::BY_CHARS_MAX).collect())
}

/// The rule of all names: an alias is part of a path.
fn expect_alias(alias: &str) -> Result<(), Fault> {
    ModelName::parse(alias).map(drop).map_err(|_| {
        let expected = "expected 1 to 64 of `a-z 0-9 - _`, beginning with a letter";
        Fault::invalid(format!("`{}` is no alias: {expected}", cut(alias)))
    })
}

pub(crate) fn expect_text(what: &str, text: &str) -> Result<(), Fault> {
    match text.trim().is_empty() {
        true => Err(Fault::invalid(format!("the {what} is empty; the record is read by those who come after"))),
        false => expect_bytes(what, text),
    }
}

fn expect_bytes(what: &str, text: &str) -> Result<(), Fault> {
    match text.len() {
        0..=TEXT_BYTES_MAX => Ok(()),
        bytes => Err(Fault::invalid(format!("the {what} has {bytes} bytes, expected at most {TEXT_BYTES_MAX}"))),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}
