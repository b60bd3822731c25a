//! Labelled rows -> gradient-boosted trees (trainer), and a model with rows -> predictions (predictor).
//!
//! A label of numbers is predicted as numbers, one of classes by their probabilities. Features are numbers or categories, and
//! may be missing. The host bins the rows, sums gradients a bin and deals rows out; the plugin chooses every split. The
//! model's files are `model.json` (columns, classes), `trees.json` and `importance.json`.

mod boost;
mod columns;
mod grow;
mod label;
mod model;
mod objective;
mod params;
mod split;
mod sums;
mod tree;

use crate::boost::{Boosted, Boosting, Side};
use crate::columns::Input;
use crate::grow::Plan;
use crate::label::Label;
use crate::model::{Header, Model};
use crate::objective::Targets;
use crate::params::{PARAMETERS, Params, Wish};
use crate::split::Kind;
use stepwell::{
    DataType, Descriptor, Error, Field, Inputs, Plugin, Predictor, Result, SavedFiles, Table, Trained, Trainer,
    Training, field,
};

struct Gbdt(Model);

impl Trainer for Gbdt {
    fn train(training: &Training) -> Result<Trained> {
        let params = stepwell::params::<Params>()?.checked()?;
        let label = training.required_label()?;
        judgeable(&params, training.validation.is_some())?;
        let train = &training.train;
        let initial = training.initial.clone().map(|files| Model::load(&SavedFiles(files))).transpose()?;
        let Label { objective, classes } = Label::of(&params, train, label)?;
        let targets = targets(train, label, &classes, training.weight.as_deref())?;
        let mut header = Header {
            objective,
            inputs: match &initial {
                Some(model) => model.header.inputs.clone(),
                None => columns::inputs(train, &training.features, &params.categorical)?,
            },
            label: label.into(),
            classes,
            start: Vec::new(),
        };
        header.start = match &initial {
            Some(model) => started(model, &header, &training.features)?,
            None => objective.start(&targets)?,
        };
        let plan = plan(&params, &header.inputs, columns::bin_ends(train, &header.inputs, params.max_bins)?)?;
        let judged = training.validation.as_ref().map(|table| {
            let weight = training.weight.as_deref().filter(|name| field::find(&table.schema(), name).is_some());
            let targets = self::targets(table, label, &header.classes, weight)?;
            Side::new(table, &header, &plan.ends, targets, initial.as_ref())
        });
        let judged = judged.transpose()?;
        let learning = Side::new(train, &header, &plan.ends, targets, initial.as_ref())?;
        let boosting = Boosting { params: &params, plan, header: &header, seed: stepwell::seed(), learning, judged };
        let Boosted { trees, measures } = boosting.run()?;
        let trees = initial.map_or(Vec::new(), |model| model.trees).into_iter().chain(trees).collect();
        let (inputs, outputs) = (read(&train.schema(), &header.inputs)?, model::outputs(&header.classes));
        Ok(Trained { files: Model { header, trees }.save()?, inputs, outputs, measures })
    }
}

/// The columns that the predictor reads; each may lack its value.
fn read(fields: &[Field], inputs: &[Input]) -> Result<Vec<Field>> {
    inputs.iter().map(|input| field::require(fields, &input.name).map(|field| field.clone().nullable())).collect()
}

fn targets(table: &Table, label: &str, classes: &[stepwell::Class], weight: Option<&str>) -> Result<Targets> {
    let numbers = label::numbers(table, label, classes)?;
    if numbers.is_empty() {
        return Err(Error::invalid(label, "expected rows to learn from and to judge by, got none"));
    }
    Targets::new(numbers, weight.map(|name| label::weights(table, name)).transpose()?)
}

/// The scores before any tree of a model to go on from, which must be one of the same columns and classes.
fn started(model: &Model, header: &Header, features: &[String]) -> Result<Vec<f64>> {
    let old: Vec<&String> = model.header.inputs.iter().map(|input| &input.name).collect();
    if old != features.iter().collect::<Vec<_>>() {
        return Err(Error::invalid("initial", format!("expected a model of the features {features:?}, got {old:?}")));
    }
    let what = |header: &Header| format!("{:?} of {:?}", header.objective, header.classes);
    if (model.header.objective, &model.header.classes) != (header.objective, &header.classes) {
        let reason = format!("expected a model that minimises {}, got {}", what(header), what(&model.header));
        return Err(Error::invalid("initial", reason));
    }
    Ok(model.header.start.clone())
}

/// A parameter that names a column which is not learnt from, or not there.
fn no_feature(parameter: &str, name: &str) -> Error {
    let hint = "name it in `features`, with the others: by default those of numbers and booleans are";
    Error::invalid(parameter, format!("expected names of features, got `{name}`, which is not among them; {hint}"))
}

fn plan(params: &Params, inputs: &[Input], ends: Vec<Vec<f64>>) -> Result<Plan> {
    let names = params.monotone.keys().map(|name| ("monotone", name));
    let names = names.chain(params.categorical.iter().map(|name| ("categorical", name)));
    for (parameter, name) in names {
        let Some(input) = inputs.iter().find(|input| input.name == *name) else {
            return Err(no_feature(parameter, name));
        };
        if parameter == "monotone" && input.categories.is_some() {
            return Err(Error::invalid(
                parameter,
                format!("expected features of numbers, got the categories `{name}`"),
            ));
        }
    }
    let kind = |input: &Input| match &input.categories {
        Some(_) => Kind::Categories,
        None => Kind::Ordered { monotone: params.monotone.get(&input.name).copied().unwrap_or(0) },
    };
    Ok(Plan {
        rules: params.rules(),
        max_leaves: params.max_leaves,
        max_depth: params.max_depth,
        learning_rate: params.learning_rate,
        kinds: inputs.iter().map(kind).collect(),
        ends,
    })
}

impl Predictor for Gbdt {
    fn load(files: &SavedFiles) -> Result<Self> {
        Model::load(files).map(Self)
    }

    fn predict(&self, rows: &Table) -> Result<Table> {
        self.0.predict(rows)
    }
}

/// Who is to stop early needs rows that say when.
fn judgeable(params: &Params, validation: bool) -> Result<()> {
    match params.early_stopping.is_some() && !validation {
        true => Err(Error::invalid("early_stopping", "expected a table on the port `validation`, got none")),
        false => Ok(()),
    }
}

/// What is known before training of the predictions for a label: those of several classes are named after them.
fn foretold(params: &Params, label: &Field) -> Vec<Field> {
    let boolean = label.data_type == DataType::Boolean && params.objective == Wish::Auto;
    if label::is_numbers(params.objective, label.data_type) {
        model::outputs(&[])
    } else if boolean || params.objective == Wish::Binary {
        vec![Field::new("prediction", label.data_type), Field::new("probability", DataType::Float64)]
    } else {
        Vec::new()
    }
}

impl Plugin for Gbdt {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        let params = match inputs.is_empty() {
            true => Params::default(),
            false => stepwell::params::<Params>()?.checked()?,
        };
        judgeable(&params, inputs.is_empty() || inputs.port("validation").is_some())?;
        for field in inputs.columns("features") {
            columns::check(field, params.categorical.contains(&field.name))?;
        }
        let label = inputs.columns("label").first();
        let read: Vec<Field> = inputs.columns("features").iter().chain(label).cloned().collect();
        let given = label.map(|label| foretold(&params, label)).unwrap_or_default();
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

stepwell::export!(Gbdt: Trainer + Predictor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_name_features() {
        let features = [Input { name: "age".into(), categories: None }];
        let planned = |json: &str| plan(&stepwell::parse::<Params>(json).unwrap(), &features, vec![vec![]]).map(drop);
        assert_eq!(planned(r#"{"monotone": {"age": 1}}"#), Ok(()));
        let reason = "expected names of features, got `city`, which is not among them; name it in `features`, with the others: \
                      by default those of numbers and booleans are";
        assert_eq!(planned(r#"{"categorical": ["city"]}"#), Err(Error::invalid("categorical", reason)));
        assert_eq!(planned(r#"{"monotone": {"city": 1}}"#), Err(Error::invalid("monotone", reason)));
    }
}
