//! Labelled rows -> a logistic regression (trainer), and a model with rows -> predictions (predictor).
//!
//! The label is boolean, int64 or text, with two classes, or with any number: then each has a score, and probabilities are
//! their softmax. Features are numbers without nulls. The optimum is that of scikit-learn's `LogisticRegression(C = 1 / l2)`,
//! with its elastic net where there is `l1`. The model's files are `model.json` (columns, classes) and `weights.safetensors`.

mod descent;
mod lbfgs;
mod model;
mod params;
mod rows;

use crate::model::Model;
use crate::params::{Objective, PARAMETERS, Params};
use crate::rows::{Rows, Score};
use stepwell::{
    Classes, Descriptor, Error, Field, Inputs, Plugin, Predictor, Result, SavedFiles, Table, Trained, Trainer,
    Training, finite, training,
};

struct Logistic(Model);

impl Trainer for Logistic {
    fn train(training: &Training) -> Result<Trained> {
        let params = stepwell::params::<Params>()?.checked()?;
        let label = training.required_label()?;
        let classes = params.accept(label, Classes::learn(&training.train, label, params.positive.as_ref())?)?;
        let features = training.features.clone();
        let start = match training.initial_files() {
            Some(files) => initial(Model::load(&files)?, &features, &classes)?,
            None => vec![Score { coefficients: vec![0.0; features.len()], intercept: 0.0 }; classes.scores()],
        };
        let rows = Rows::new(training, label, &classes, &params)?;
        let solution = descent::solve(&rows, &start, &params)?;
        let mut measures = vec![
            ("iterations".to_string(), solution.iterations as f64),
            ("final_loss".to_string(), solution.loss),
            ("gradient_norm".to_string(), solution.gradient_norm),
        ];
        let model = Model { features, label: label.into(), classes, scores: solution.scores };
        if let Some(table) = &training.validation {
            measures.push(("validation_loss".into(), model.loss(table)?));
        }
        finite::check_measures(&measures)?;
        Ok(Trained { files: model.save()?, inputs: training.reads()?, outputs: model.classes.outputs(), measures })
    }
}

/// The scores of the model to start from, which must be one of the same columns and classes.
fn initial(old: Model, features: &[String], classes: &Classes) -> Result<Vec<Score>> {
    if old.features != features {
        let reason = format!("expected a model of the features {features:?}, got {:?}", old.features);
        return Err(Error::invalid("initial", reason));
    }
    if old.classes != *classes {
        let shown = |classes: &Classes| classes.all().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let reason = format!("expected the classes {}, got {}", shown(classes), shown(&old.classes));
        return Err(Error::invalid("initial", reason));
    }
    Ok(old.scores)
}

impl Predictor for Logistic {
    fn load(files: &SavedFiles) -> Result<Self> {
        Model::load(files).map(Self)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        self.0.classes.answer(&self.0.scores(rows)?)
    }
}

impl Plugin for Logistic {
    /// The label and the features are not parameters: the host may wire them as the ports `label` (one column) and
    /// `features`. Without them, or with classes that only the rows tell, the columns of the predictions are known after
    /// training.
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let params = match inputs.is_empty() {
            true => Params::default(),
            false => stepwell::params::<Params>()?.checked()?,
        };
        training::numeric(inputs.columns("features"))?;
        let label = inputs.columns("label").first();
        let read: Vec<Field> = inputs.columns("features").iter().chain(label).cloned().collect();
        let given = match label {
            Some(label) if params.objective == Objective::Binary => Classes::outputs_of_two(label.data_type),
            _ => Vec::new(),
        };
        let mut descriptor = stepwell::descriptor!()
            .parameters(PARAMETERS)
            .input("train", read.clone())
            .input("label", inputs.columns("label"))
            .input("initial", []);
        if inputs.is_empty() || inputs.port("validation").is_some() {
            descriptor = descriptor.input("validation", read);
        }
        Ok(descriptor.output_same_rows("predictions", given, "train"))
    }
}

stepwell::export!(Logistic: Trainer + Predictor);
