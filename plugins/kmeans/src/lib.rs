//! Rows -> the centres of their clusters (trainer), and a model with rows -> the cluster of each (predictor).
//!
//! Centres begin as k-means++ draws them and move to the means of their rows until they stay (Lloyd); of several starts the one
//! with the least inertia is kept. The host holds the rows and computes distances as products of matrices. The model's files
//! are `model.json` (columns) and `weights.safetensors`.

mod lloyd;
mod model;
mod rows;

use crate::lloyd::Search;
use crate::model::Model;
use crate::rows::Rows;
use serde::Deserialize;
use stepwell::{
    DataType, Descriptor, Error, Field, Inputs, Moments, Plugin, Predictor, Result, SavedFiles, Table, Trained,
    Trainer, Training, finite, training,
};

const PARAMETERS: &str = r#"{
    "type": "object",
    "additionalProperties": false,
    "required": ["clusters"],
    "properties": {
        "clusters": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "How many."},
        "starts": {"type": "integer", "minimum": 1, "default": 10, "description": "How often to begin anew; the best is kept."},
        "max_iterations": {"type": "integer", "minimum": 1, "default": 300, "description": "Of a start."},
        "tolerance": {"type": "number", "minimum": 0, "default": 1e-4, "description": "A start ends when the squared distances that the centres moved add up to no more than this times the mean of the columns' variances."},
        "checkpoint_every": {"type": "integer", "minimum": 1, "default": 20, "description": "Iterations of a start after which what was reached outlives an interruption; so does every start's end."}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    clusters: usize,
    #[serde(default = "starts")]
    starts: u64,
    #[serde(default = "max_iterations")]
    max_iterations: u64,
    #[serde(default = "tolerance")]
    tolerance: f64,
    #[serde(default = "checkpoint_every")]
    checkpoint_every: u64,
}

fn starts() -> u64 {
    10
}

fn max_iterations() -> u64 {
    300
}

fn tolerance() -> f64 {
    1e-4
}

fn checkpoint_every() -> u64 {
    20
}

impl Params {
    /// Holds without the schema too.
    fn checked(self) -> Result<Self> {
        let least = [
            ("clusters", self.clusters as u64),
            ("starts", self.starts),
            ("max_iterations", self.max_iterations),
            ("checkpoint_every", self.checkpoint_every),
        ];
        if let Some((name, got)) = least.iter().find(|(_, got)| *got == 0) {
            return Err(Error::invalid(*name, format!("expected 1 or more, got {got}")));
        }
        if self.clusters > 10_000 {
            return Err(Error::invalid("clusters", format!("expected at most 10000, got {}", self.clusters)));
        }
        match self.tolerance >= 0.0 {
            true => Ok(self),
            false => Err(Error::invalid("tolerance", format!("expected 0 or more, got {}", self.tolerance))),
        }
    }
}

struct Kmeans(Model);

impl Trainer for Kmeans {
    fn train(training: &Training) -> Result<Trained> {
        let params = stepwell::params::<Params>()?.checked()?;
        unlabelled(training.label.as_deref())?;
        let (features, weight) = (&training.features, training.weight.as_deref());
        if params.clusters as u64 > training.train.rows() {
            // Rounding can make as many distinct ones of fewer.
            let (rows, wanted) = (training.train.rows(), params.clusters);
            let reason = format!("expected at most as many as there are distinct rows, {rows} or fewer, got {wanted}");
            return Err(Error::invalid("clusters", reason));
        }
        let moments = Moments::of(&training.train, features, weight)?;
        let width = features.len();
        let variances = (0..width).map(|column| moments.product(column, column) / moments.weight);
        let variance = variances.sum::<f64>();
        finite::check("the sum of the columns' variances", variance)?;
        let tolerance = params.tolerance * variance / width as f64;
        let rows = Rows::new(&training.train, features, weight, &moments.means)?;
        let initial = match training.initial_files() {
            Some(files) => Some(initial(Model::load(&files)?, features, params.clusters, &moments.means)?),
            None => None,
        };
        let search =
            Search { rows: &rows, params: &params, features: width, tolerance, initial, seed: stepwell::seed() };
        let found = search.run()?;
        let mut measures =
            vec![("inertia".to_string(), found.inertia), ("iterations".to_string(), found.iterations as f64)];
        let centred = found.centres.iter().zip(moments.means.iter().cycle());
        let model = Model { features: features.clone(), centres: centred.map(|(value, mean)| value + mean).collect() };
        if let Some(table) = &training.validation {
            let (_, distances) = model.nearest(table)?;
            measures.push(("validation_inertia".into(), distances.iter().map(|distance| distance * distance).sum()));
        }
        finite::check_measures(&measures)?;
        Ok(Trained { files: model.save()?, inputs: training.reads()?, outputs: outputs(), measures })
    }
}

fn unlabelled(label: Option<&str>) -> Result<()> {
    match label {
        None => Ok(()),
        Some(label) => Err(Error::invalid(
            "label",
            format!("expected none, got `{label}`; name a column in `ignore` to leave it out"),
        )),
    }
}

/// The centres of the model to start from, which must be one of the same columns, around the means.
fn initial(old: Model, features: &[String], clusters: usize, means: &[f64]) -> Result<Vec<f64>> {
    if old.features != features || old.centres.len() != clusters * features.len() {
        let (got, count) = (&old.features, old.centres.len() / old.features.len());
        let reason = format!("expected {clusters} clusters of the features {features:?}, got {count} of {got:?}");
        return Err(Error::invalid("initial", reason));
    }
    Ok(old.centres.iter().zip(means.iter().cycle()).map(|(value, mean)| value - mean).collect())
}

impl Predictor for Kmeans {
    fn load(files: &SavedFiles) -> Result<Self> {
        Model::load(files).map(Self)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        let (clusters, distances) = self.0.nearest(rows)?;
        Table::builder().column("cluster", clusters).column("distance", distances).finish()
    }
}

fn outputs() -> Vec<Field> {
    vec![Field::new("cluster", DataType::Int64), Field::new("distance", DataType::Float64)]
}

impl Plugin for Kmeans {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        if !inputs.is_empty() {
            stepwell::params::<Params>()?.checked()?;
        }
        unlabelled(inputs.columns("label").first().map(|label| label.name.as_str()))?;
        let read = inputs.columns("features");
        training::numeric(read)?;
        let mut descriptor = stepwell::descriptor!().parameters(PARAMETERS).input("train", read).input("initial", []);
        if inputs.is_empty() || inputs.port("validation").is_some() {
            descriptor = descriptor.input("validation", read);
        }
        Ok(descriptor.output_same_rows("predictions", outputs(), "train"))
    }
}

stepwell::export!(Kmeans: Trainer + Predictor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_out_of_range_is_refused() {
        let check = |json: &str| stepwell::parse::<Params>(json).and_then(Params::checked);
        assert!(check(r#"{"clusters": 3, "tolerance": 0}"#).is_ok());
        for wrong in ["{}", r#"{"clusters": 0}"#, r#"{"clusters": 2, "starts": 0}"#, r#"{"clusters": 2, "k": 1}"#] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_model_to_start_from_has_the_same_columns() {
        let model = || Model { features: vec!["a".into()], centres: vec![3.0, 5.0] };
        assert_eq!(initial(model(), &["a".into()], 2, &[1.0]), Ok(vec![2.0, 4.0]));
        assert!(initial(model(), &["a".into()], 3, &[1.0]).is_err());
        assert!(initial(model(), &["b".into()], 2, &[1.0]).is_err());
        assert_eq!(unlabelled(None), Ok(()));
        assert!(unlabelled(Some("y")).is_err());
    }
}
