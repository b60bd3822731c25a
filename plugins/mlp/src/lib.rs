//! Labelled rows -> a network of dense layers (trainer), and a model with rows -> predictions (predictor).
//!
//! A label of numbers is predicted as numbers, one of classes by their probabilities. Features are numbers, and categories,
//! each with an embedding that is learnt with the layers. The rows stay in the host, which computes; the guest says what. The
//! model's files are `model.json` (columns, vocabularies, layers, classes) and `weights.safetensors`.

mod columns;
mod model;
mod network;
mod params;
mod rows;
mod train;

use crate::model::{Header, Model};
use crate::network::Architecture;
use crate::params::{NUMBERS_MAX, Objective, PARAMETERS, Params};
use crate::rows::{Meaning, Rows};
use stepwell::{
    Classes, DataType, Descriptor, Error, Field, Inputs, Plugin, Predictor, Result, SavedFiles, Table, Tensor, Trained,
    Trainer, Training, field, finite,
};

struct Mlp(Model);

impl Trainer for Mlp {
    fn train(training: &Training) -> Result<Trained> {
        let params = stepwell::params::<Params>()?.checked()?;
        let label = training.required_label()?;
        if params.early_stopping.is_some() && training.validation.is_none() {
            return Err(Error::invalid("early_stopping", "expected a table on the port `validation`, got none"));
        }
        let initial = training.initial_files().map(|files| Model::load(&files)).transpose()?;
        let header = header(training, label, &params, initial.as_ref())?;
        let (architecture, meaning) = (&header.architecture, &header.meaning);
        let seed = stepwell::seed();
        let start = match initial {
            Some(model) => tensors(&model)?,
            None => architecture.begin(seed)?,
        };
        let rows = |table: &Table| Rows::new(training, table, &architecture.inputs, label, meaning);
        let judged = training.validation.as_ref().map(rows).transpose()?;
        let rows = rows(&training.train)?;
        let fitted = train::Training { architecture, meaning, params: &params, rows, judged, seed }.run(start)?;
        finite::check_measures(&fitted.measures)?;
        let outputs = model::outputs(meaning);
        let files = Model { header, values: fitted.values }.save()?;
        Ok(Trained { files, inputs: training.reads()?, outputs, measures: fitted.measures })
    }
}

/// What is to be learnt; from a model to start from, if there is one, its columns, classes and scale.
fn header(training: &Training, label: &str, params: &Params, initial: Option<&Model>) -> Result<Header> {
    let fields = training.train.schema();
    let meaning = match (initial, is_numbers(params.objective, field::require(&fields, label)?.data_type)) {
        (Some(model), numbers) if matches!(model.header.meaning, Meaning::Number { .. }) == numbers => {
            model.header.meaning.clone()
        }
        (_, true) => Meaning::of_numbers(training, label)?,
        (_, false) => Meaning::Classes(classes(&training.train, label, params)?),
    };
    let inputs = match initial {
        Some(model) => model.header.architecture.inputs.clone(),
        None => columns::learn(&training.train, &training.features, &params.categorical, &params.embedding)?,
    };
    let (hidden, activation, outputs) = (params.hidden.clone(), params.activation, meaning.scores());
    let architecture = Architecture { inputs, hidden, activation, outputs };
    if architecture.numbers() > NUMBERS_MAX {
        let got = architecture.numbers();
        return Err(Error::invalid("hidden", format!("expected at most {NUMBERS_MAX} numbers to learn, got {got}")));
    }
    let header = Header { architecture, label: label.into(), meaning };
    match initial {
        None => Ok(header),
        Some(model) => same(&header, &model.header, &training.features).map(|()| header),
    }
}

/// That a model to start from is one of the same columns, layers and answers.
fn same(header: &Header, old: &Header, features: &[String]) -> Result<()> {
    let names: Vec<&String> = old.architecture.inputs.iter().map(|input| &input.name).collect();
    if names != features.iter().collect::<Vec<_>>() {
        return Err(Error::invalid("initial", format!("expected a model of the features {features:?}, got {names:?}")));
    }
    if header != old {
        let layers = |header: &Header| (header.architecture.hidden.clone(), header.architecture.activation);
        let reason = format!("expected layers and a label of {:?} and `{}`", layers(header), header.label);
        return Err(Error::invalid("initial", format!("{reason}, got {:?} and `{}`", layers(old), old.label)));
    }
    Ok(())
}

fn classes(table: &Table, label: &str, params: &Params) -> Result<Classes> {
    let classes = Classes::learn(table, label, params.positive.as_ref())?;
    match classes.all().len() {
        count if count > 2 && params.objective == Objective::Binary => {
            let hint = "for more set `objective = \"multiclass\"`";
            Err(Error::invalid(label, format!("expected exactly two classes, got {count}; {hint}")))
        }
        _ => Ok(classes),
    }
}

/// Whether a label of this type is predicted as numbers.
fn is_numbers(objective: Objective, label: DataType) -> bool {
    match objective {
        Objective::Auto => label.is_numeric(),
        Objective::Regression => true,
        Objective::Binary | Objective::Multiclass => false,
    }
}

fn tensors(model: &Model) -> Result<Vec<Tensor>> {
    let arrays = model.header.architecture.arrays();
    let tensor = |(array, values): (&network::Array, &Vec<f32>)| {
        let lengths: Vec<u32> = array.shape.iter().map(|length| *length as u32).collect();
        Tensor::from_f32(values)?.reshape(&lengths)
    };
    arrays.iter().zip(&model.values).map(tensor).collect()
}

impl Predictor for Mlp {
    fn load(files: &SavedFiles) -> Result<Self> {
        Model::load(files).map(Self)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        self.0.predict(rows)
    }
}

/// What is known before training of the predictions for a label: how many classes a column has is in its rows.
fn foretold(objective: Objective, label: &Field) -> Vec<Field> {
    let number = || vec![Field::new("prediction", DataType::Float64)];
    match (objective, label.data_type) {
        (Objective::Binary, label) | (Objective::Auto, label @ DataType::Boolean) => Classes::outputs_of_two(label),
        (objective, label) if is_numbers(objective, label) => number(),
        _ => Vec::new(),
    }
}

impl Plugin for Mlp {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let params = match inputs.is_empty() {
            true => Params::default(),
            false => stepwell::params::<Params>()?.checked()?,
        };
        let (features, label) = (inputs.columns("features"), inputs.columns("label").first());
        if !features.is_empty() {
            columns::check(features, &params.categorical, &params.embedding)?;
        }
        if let Some(label) =
            label.filter(|label| params.objective == Objective::Regression && !label.data_type.is_numeric())
        {
            let got = label.data_type.name();
            return Err(Error::invalid(&label.name, format!("expected a number to predict, got `{got}`")));
        }
        let read: Vec<Field> = features.iter().chain(label).cloned().collect();
        let given = label.map(|label| foretold(params.objective, label)).unwrap_or_default();
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

stepwell::export!(Mlp: Trainer + Predictor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_predicted_follows_from_the_labels_type() {
        let names = |objective, data_type| {
            let fields = foretold(objective, &Field::new("y", data_type));
            fields.into_iter().map(|field| field.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Objective::Auto, DataType::Int64), ["prediction"]);
        assert_eq!(names(Objective::Auto, DataType::Boolean), ["prediction", "probability"]);
        assert_eq!(names(Objective::Binary, DataType::Text), ["prediction", "probability"]);
        assert_eq!(names(Objective::Auto, DataType::Text), [""; 0], "how many classes is in the rows");
        assert_eq!(names(Objective::Multiclass, DataType::Int64), [""; 0]);
    }
}
