//! A table -> a CSV file, a report -> a JSON file, a model -> a file for each of its own and `about.json`.
//!
//! A file appears whole or not at all, and one that holds the very bytes already is left as it is: so a second attempt does
//! no harm, and needs no `overwrite`. A model's files appear one after another, `about.json` last.

mod cells;
mod target;

use crate::cells::Style;
use crate::target::{Existing, Target, write_new};
use serde::Deserialize;
use stepwell::{
    Delivery, Descriptor, Error, Field, Inputs, Plugin, Receipt, Result, SavedFiles, Sink, Table, checkpoint,
};

/// Rows in memory at a time.
const BLOCK_ROWS: u64 = 8_192;
/// What is said of a model, beside its files.
const ABOUT: &str = "about.json";

const PARAMETERS: &str = r#"{
    "type": "object",
    "required": ["path"],
    "additionalProperties": false,
    "properties": {
        "path": {
            "type": "string", "minLength": 1,
            "description": "File, relative to the project's folder, in a folder granted for writing. `{run}` stands for the run's number. Of a model: a folder, or a path with `{file}` for the name of each file."
        },
        "overwrite": {"type": "boolean", "default": false, "description": "Replace a file that holds something else."},
        "delimiter": {"type": "string", "minLength": 1, "maxLength": 1, "default": ","},
        "header": {"type": "boolean", "default": true, "description": "Whether the first line names the columns."}
    }
}"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    path: String,
    #[serde(default)]
    overwrite: bool,
    #[serde(default = "comma")]
    delimiter: String,
    #[serde(default = "yes")]
    header: bool,
}

fn comma() -> String {
    ",".into()
}

fn yes() -> bool {
    true
}

impl Params {
    fn style(&self) -> Result<Style> {
        match self.delimiter.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(Style { delimiter: *byte }),
            _ => Err(Error::invalid("delimiter", format!("expected one ASCII character, got `{}`", self.delimiter))),
        }
    }

    /// Where a file goes. A key is `tenant/pipeline/run/step`.
    fn place(&self, key: &str, file: Option<&str>) -> Result<String> {
        let run = key.split('/').nth(2).ok_or_else(|| Error::invalid("key", format!("expected a run in `{key}`")))?;
        let path = self.path.replace("{run}", run);
        let path = match file {
            Some(file) if path.contains("{file}") => path.replace("{file}", file),
            Some(file) => format!("{}/{file}", path.trim_end_matches('/')),
            None => path,
        };
        match path.find(['{', '}']) {
            None => Ok(path),
            Some(_) => {
                let reason = "expected no braces but `{run}` and, of a model, `{file}`";
                Err(Error::invalid("path", format!("{reason}, got `{}`", self.path)))
            }
        }
    }
}

/// One file to be written.
struct Item<'a> {
    path: String,
    content: Content<'a>,
}

enum Content<'a> {
    Rows { rows: &'a Table, style: Style, header: bool },
    Bytes(&'a [u8]),
}

impl Content<'_> {
    /// The bytes, a piece at a time.
    fn write(&self, target: &mut impl Target) -> Result<()> {
        match self {
            Self::Bytes(bytes) => target.write(bytes),
            Self::Rows { rows, style, header } => {
                let fields = rows.schema();
                if *header {
                    target.write(style.header(&fields).as_bytes())?;
                }
                (0..rows.rows()).step_by(BLOCK_ROWS as usize).try_for_each(|start| {
                    let block = rows.slice(start, BLOCK_ROWS.min(rows.rows() - start));
                    let columns = fields.iter().map(|field| block.column(&field.name)).collect::<Result<Vec<_>>>()?;
                    target.write(style.rows(&fields, &columns)?.as_bytes())
                })
            }
        }
    }
}

impl Item<'_> {
    /// Whether a file holds these bytes already; none if there is no file.
    fn stands(&self) -> Result<Option<bool>> {
        let Some(mut existing) = Existing::open(&self.path)? else { return Ok(None) };
        self.content.write(&mut existing)?;
        Ok(Some(existing.is_equal()))
    }

    /// True if there was nothing to do.
    fn deliver(&self, overwrite: bool) -> Result<bool> {
        match self.stands()? {
            Some(true) => return Ok(true),
            Some(false) if !overwrite => {
                let reason = "it is there already and holds something else; set `overwrite = true`, or write a file a run: \
                              a path such as `out/rows-{run}.csv`";
                return Err(Error::invalid(&self.path, reason));
            }
            _ => {}
        }
        write_new(&self.path, |target| self.content.write(target))?;
        Ok(false)
    }
}

/// The files of a delivery, in the order in which they appear.
fn items<'a>(params: &Params, key: &str, delivery: &'a Delivery) -> Result<Vec<Item<'a>>> {
    let single = |content| Ok(vec![Item { path: params.place(key, None)?, content }]);
    match delivery {
        Delivery::Table(rows) => single(Content::Rows { rows, style: params.style()?, header: params.header }),
        Delivery::Report(report) => single(Content::Bytes(report.as_bytes())),
        Delivery::Model { files: SavedFiles(files), about } => {
            if files.iter().any(|file| file.name == ABOUT) {
                return Err(Error::invalid(
                    ABOUT,
                    "the model has a file of this name; what is said of it would replace it",
                ));
            }
            let files = files.iter().map(|file| (file.name.as_str(), file.content.as_slice()));
            let item =
                |(name, bytes)| Ok(Item { path: params.place(key, Some(name))?, content: Content::Bytes(bytes) });
            files.chain([(ABOUT, about.as_bytes())]).map(item).collect()
        }
    }
}

struct Export;

impl Sink for Export {
    fn deliver(key: &str, delivery: Delivery) -> Result<Receipt> {
        let params: Params = stepwell::params()?;
        let items = items(&params, key, &delivery)?;
        let is_second_attempt = checkpoint::load().is_some();
        checkpoint::save(b"writing")?;
        let mut stood = true;
        for item in &items {
            stood &= item.deliver(params.overwrite)?;
        }
        let paths: Vec<&str> = items.iter().map(|item| item.path.as_str()).collect();
        Ok(Receipt { location: paths.join(", "), repeated: stood && is_second_attempt })
    }
}

impl Plugin for Export {
    fn describe(inputs: &Inputs) -> Result<Descriptor> {
        if !inputs.is_empty() {
            let params: Params = stepwell::params()?;
            params.style()?;
            params.place("tenant/pipeline/1/step", inputs.port("model").map(|_| ABOUT))?;
            cells::check(inputs.columns("table"))?;
        }
        let any: [Field; 0] = [];
        let descriptor = stepwell::descriptor!().parameters(PARAMETERS);
        Ok(descriptor.input("table", any.clone()).input("report", any.clone()).input("model", any))
    }
}

stepwell::export!(Export: Sink);

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str, file: Option<&str>) -> Option<String> {
        let params = Params { path: path.into(), overwrite: false, delimiter: comma(), header: true };
        params.place("default/train/17/out", file).ok()
    }

    #[test]
    fn a_path_names_the_run_and_the_file() {
        for (path, file, expected) in [
            ("out/rows.csv", None, Some("out/rows.csv")),
            ("out/rows-{run}.csv", None, Some("out/rows-17.csv")),
            ("out", Some("model.json"), Some("out/model.json")),
            ("out/{run}/", Some("model.json"), Some("out/17/model.json")),
            ("out/{run}-{file}", Some("model.json"), Some("out/17-model.json")),
            ("out/{file}", None, None),
            ("out/{day}.csv", None, None),
            ("out/}", None, None),
        ] {
            assert_eq!(place(path, file).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_delimiter_is_one_character() {
        let style = |delimiter: &str| {
            let params = Params { path: "p".into(), overwrite: false, delimiter: delimiter.into(), header: true };
            params.style().is_ok()
        };
        assert!([",", ";", "\t"].iter().all(|good| style(good)));
        assert!(["", "\"", "\n", "\r", ",,", "é"].iter().all(|bad| !style(bad)));
    }

    #[test]
    fn what_is_said_of_a_model_comes_last_and_replaces_nothing() {
        let params = Params { path: "out".into(), overwrite: false, delimiter: comma(), header: true };
        let model = |name: &str| {
            let files = SavedFiles::new().bytes(name, b"weights".to_vec());
            Delivery::Model { files, about: "{}".into() }
        };
        let (good, bad) = (model("net.bin"), model(ABOUT));
        let paths = |delivery| items(&params, "t/p/1/s", delivery).map(|items| items.into_iter().map(|item| item.path));
        assert_eq!(paths(&good).unwrap().collect::<Vec<_>>(), ["out/net.bin", "out/about.json"]);
        assert!(paths(&bad).is_err());
    }
}
