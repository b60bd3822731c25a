//! `init`: a project on real data that runs at once.

use crate::outcome::Failure;
use std::path::Path;
use types::{Id, ProjectName};

const FILES: [(&str, &str); 4] = [
    ("pipelines/train.toml", include_str!("../../template/pipelines/train.toml")),
    ("data/tumour.csv", include_str!("../../../../examples/tumour/data/tumour.csv")),
    ("README.md", include_str!("../../template/README.md")),
    (".gitignore", ".stepwell/\n"),
];

pub(crate) fn init(folder: &Path, json: bool) -> Result<u8, Failure> {
    let cannot = |error: std::io::Error| Failure::user(format!("cannot make `{}`: {error}", folder.display()));
    // A folder that is there may be named `.`; one that is not is made only once its name is sound.
    let absolute = folder.canonicalize().or_else(|_| std::path::absolute(folder)).map_err(cannot)?;
    let last = absolute.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    let name = ProjectName::parse(&last).map_err(|error| {
        Failure::user(error.to_string()).hinted("give the folder such a name; it names the project")
    })?;
    let manifest = format!(
        "name = \"{name}\"\n\n# Served by `stepwell serve` as POST /v2/models/tumour/infer\n[endpoints.tumour]\nmodel = \"tumour\"\nalias = \"champion\"\n"
    );
    let files = FILES.iter().map(|(path, text)| (*path, *text)).chain([("stepwell.toml", manifest.as_str())]);
    let files: Vec<_> = files.map(|(path, text)| (folder.join(path), text)).collect();
    if let Some((there, _)) = files.iter().find(|(file, _)| file.exists()) {
        return Err(Failure::user(format!("`{}` is there already; nothing was written", there.display())));
    }
    for (file, text) in &files {
        std::fs::create_dir_all(file.parent().unwrap_or(folder))
            .and_then(|()| std::fs::write(file, text))
            .map_err(cannot)?;
    }
    if json {
        return super::print_json(&serde_json::json!({ "project": name, "folder": absolute }));
    }
    let shown = folder.display();
    anstream::println!(
        "made project `{name}` in {shown}\n\nnext:\n  stepwell -C {shown} run\n  stepwell -C {shown} serve"
    );
    Ok(0)
}
