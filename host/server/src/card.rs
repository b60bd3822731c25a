//! A version -> its model card: what it is for, what it learnt from, how good it is and for whom, where it came from. Filled
//! from the records; what nobody said is said to be unsaid.

use crate::document::{self, Block};
use crate::registry::ModelDetail;
use crate::{Error, Server};
use ports::Journal;
use serde::{Deserialize, Serialize};
use types::{AliasMove, Artifact, Digest, Field, Measure, ModelName, ModelVersion, RunHead, ServedStep, TenantId};

/// What is to be known of an imported version: its digest covers what answers, and not this.
pub const OF_ITS_FILE: &str = "its measures, verdict, purpose and lineage are the word of whoever made the file, and nothing here has \
                               computed or judged them";

/// Everything that is on the card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    pub model: ModelDetail,
    /// What it learnt from.
    pub data: Vec<CardTable>,
    /// Who asked for the run that made it, where that is known.
    pub by: Option<String>,
    /// The version of the project that had been deployed, if that is what ran.
    pub deployment: Option<u32>,
    /// Of the moves of its model's aliases, those that brought one to it or took one away.
    pub moves: Vec<AliasMove>,
}

/// A table that it learnt from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardTable {
    pub digest: Digest,
    /// `STEP.PORT`; like the rest none where the run that made it is not known here.
    pub output: Option<String>,
    pub rows: Option<u64>,
    pub columns: Vec<Field>,
}

impl Server {
    /// The card of a version: by number, by alias, or the latest.
    pub fn model_card(&self, tenant: &TenantId, model: &ModelName, which: Option<&str>) -> Result<ModelCard, Error> {
        let detail = self.model(tenant, model, which)?;
        let version = &detail.version;
        // The run of an imported version is another installation's.
        let records = match version.imported {
            None => self.store.run_records(tenant, version.run)?,
            Some(_) => Vec::new(),
        };
        let view = run::RunView::of(&records);
        let data = version.data.iter().map(|digest| card_table(*digest, &view)).collect();
        let (by, deployment) = view.head.map(|RunHead { by, deployment, .. }| (by, deployment)).unwrap_or_default();
        let is_of = |moved: &AliasMove| moved.to == Some(version.version) || moved.from == Some(version.version);
        let moves = self.store.alias_history(tenant, model)?.into_iter().filter(is_of).collect();
        Ok(ModelCard { data, by, deployment, moves, model: detail })
    }
}

fn card_table(digest: Digest, view: &run::RunView) -> CardTable {
    let outputs = view.steps.keys().filter_map(|step| view.commit(step));
    let mut tables =
        outputs.flat_map(|commit| commit.outputs.iter().map(move |(port, artifact)| (commit, port, artifact)));
    let found = tables.find_map(|(commit, port, artifact)| match artifact {
        Artifact::Table(table) if table.digest == digest => Some((format!("{}.{port}", commit.step), table)),
        _ => None,
    });
    let (output, table) = found.unzip();
    let columns = table.map(|table| table.schema.fields.clone()).unwrap_or_default();
    CardTable { digest, output, rows: table.map(|table| table.rows), columns }
}

/// The card as Markdown. `shown` says an instant for people.
pub fn card_markdown(card: &ModelCard, shown: &dyn Fn(i64) -> String) -> String {
    document::markdown(&title(card), &blocks(card, shown))
}

/// The card as an HTML page that stands alone.
pub fn card_html(card: &ModelCard, shown: &dyn Fn(i64) -> String) -> String {
    document::html(&title(card), &blocks(card, shown))
}

fn title(card: &ModelCard) -> String {
    let version = &card.model.version;
    format!("Model card: {}, version {}", version.model, version.version)
}

fn blocks(card: &ModelCard, shown: &dyn Fn(i64) -> String) -> Vec<Block> {
    let version = &card.model.version;
    let said = |text: &Option<String>, key: &str| {
        Block::Text(
            text.clone().unwrap_or_else(|| format!("Nobody said. The key {key} of the step that registers says it.")),
        )
    };
    let mut blocks = vec![heading("Model")];
    blocks.extend(version.imported.as_ref().map(|_| Block::Text(format!("Imported from a file: {OF_ITS_FILE}."))));
    blocks.extend([
        Block::Table { head: vec!["what", "value"], rows: about(card, shown) },
        heading("Intended use"),
        said(&version.purpose.intended_use, "intended_use"),
        heading("Limitations"),
        said(&version.purpose.limitations, "limitations"),
        heading("Data"),
        Block::Text("The tables that it learnt from, by digest.".to_owned()),
        Block::Table {
            head: vec!["table", "rows", "columns", "digest"],
            rows: card.data.iter().map(data_row).collect(),
        },
    ]);
    blocks.extend(measures(version));
    blocks.extend(verdict(version));
    blocks.push(heading("Columns"));
    let side = |side: &'static str, fields: &[Field]| {
        let row = |field: &Field| vec![side.to_owned(), field.name.clone(), field.data_type.to_string()];
        fields.iter().map(row).collect::<Vec<_>>()
    };
    let rows = [side("request", &version.request), side("answer", &version.signature.outputs)].concat();
    blocks.push(Block::Table { head: vec!["in", "column", "type"], rows });
    blocks.push(heading("Lineage"));
    blocks.push(Block::Text("What answers a request, in order; equal digests are equal bytes.".to_owned()));
    let rows = version.path.iter().chain([&version.predictor]).flat_map(step_rows).collect();
    blocks.push(Block::Table { head: vec!["step", "what", "digest"], rows });
    if !card.moves.is_empty() {
        blocks.push(heading("Aliases"));
        let rows = card.moves.iter().map(|moved| move_row(moved, shown)).collect();
        blocks.push(Block::Table { head: vec!["when (UTC)", "alias", "from", "to", "who", "why"], rows });
    }
    blocks
}

fn heading(text: &str) -> Block {
    Block::Heading(text.to_owned())
}

fn about(card: &ModelCard, shown: &dyn Fn(i64) -> String) -> Vec<Vec<String>> {
    let version = &card.model.version;
    let mut rows = vec![("digest", version.digest.to_string()), ("registered (UTC)", shown(version.registered_us))];
    let made = format!("run {} of {}/{}", version.run, version.project, version.pipeline);
    match &version.imported {
        None => rows.push(("made by", made)),
        Some(imported) => {
            let by = imported.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            let from = format!("{made} of another installation, where it was {} {}", imported.model, imported.version);
            rows.push(("made by", from));
            rows.push(("imported (UTC)", format!("{}{by}", shown(imported.at_us))));
        }
    }
    rows.extend(card.by.iter().map(|by| ("run asked for by", by.clone())));
    rows.extend(card.deployment.map(|version| ("deployed version", version.to_string())));
    let parameters = |step: &ServedStep| format!("{} with {}", step.plugin, step.parameters);
    rows.push(("predictor", parameters(&version.predictor)));
    rows.push(("seed", version.predictor.seed.to_string()));
    let aliases = &card.model.aliases;
    rows.extend((!aliases.is_empty()).then(|| ("aliases", aliases.join(", "))));
    rows.extend(card.model.tags.iter().map(|(key, value)| match value.is_empty() {
        true => ("tag", key.clone()),
        false => ("tag", format!("{key} = {value}")),
    }));
    rows.into_iter().map(|(what, value)| vec![what.to_owned(), value]).collect()
}

fn data_row(table: &CardTable) -> Vec<String> {
    vec![
        table.output.clone().unwrap_or_else(|| "not known here".to_owned()),
        table.rows.map(|rows| rows.to_string()).unwrap_or_default(),
        table.columns.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", "),
        table.digest.short(),
    ]
}

/// What a gate and an examination said, here or, of an imported version, as its file has it.
fn verdict(version: &ModelVersion) -> Vec<Block> {
    let [gate, examination] = match version.imported {
        None => ["The gate", "An examination"],
        Some(_) => ["Its file says: the gate", "Its file says: an examination"],
    };
    let gate = match &version.verdict {
        Some(verdict) => format!("{gate} {}.", verdict.sentence),
        None => "No gate judged it.".to_owned(),
    };
    let examined = version.examined.as_ref().map(|examined| format!("{examination} {}.", examined.sentence));
    let said = [gate].into_iter().chain(examined).map(Block::Text);
    [heading("Verdict")].into_iter().chain(said).collect()
}

/// Of all rows first, then by slice: where it is worse than elsewhere is what a reader looks for.
fn measures(version: &ModelVersion) -> Vec<Block> {
    let (all, sliced): (Vec<_>, Vec<_>) = version.measures.iter().partition(|measure| measure.slice.is_none());
    let mut blocks = vec![heading("Measures")];
    if version.imported.is_some() && !version.measures.is_empty() {
        blocks.push(Block::Text("As its file says; nothing of this was measured here.".to_owned()));
    }
    if all.is_empty() && sliced.is_empty() {
        blocks.push(Block::Text("Nothing was measured.".to_owned()));
    }
    let head = || vec!["measure", "of", "value", "interval", "baseline", "difference"];
    for (name, found) in [(None, all), (Some("By slice"), sliced)].into_iter().filter(|(_, found)| !found.is_empty()) {
        blocks.extend(name.map(heading));
        blocks.push(Block::Table { head: head(), rows: found.into_iter().map(measure_row).collect() });
    }
    blocks
}

fn measure_row(measure: &Measure) -> Vec<String> {
    let interval = |found: Option<types::Interval>| {
        found.map(|found| format!("{:.4} to {:.4}", found.low, found.high)).unwrap_or_default()
    };
    vec![
        measure.name.clone(),
        measure.slice.clone().unwrap_or_else(|| "all rows".to_owned()),
        format!("{:.4}", measure.value),
        interval(measure.interval),
        measure.baseline_value.map(|value| format!("{value:.4}")).unwrap_or_default(),
        interval(measure.difference_interval),
    ]
}

fn step_rows(step: &ServedStep) -> Vec<Vec<String>> {
    let component = vec![step.step.to_string(), format!("plugin {}", step.plugin), step.component.to_string()];
    let file = |file: &types::SavedFile| {
        let what = format!("file {}, {} bytes", file.name, file.bytes);
        vec![step.step.to_string(), what, file.digest.to_string()]
    };
    [component].into_iter().chain(step.state.iter().map(file)).collect()
}

fn move_row(moved: &AliasMove, shown: &dyn Fn(i64) -> String) -> Vec<String> {
    let version = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let by = moved.by.clone().unwrap_or_default();
    vec![shown(moved.moved_us), moved.alias.clone(), version(moved.from), version(moved.to), by, moved.why.clone()]
}
