//! A path below the project's folder -> whether it is kept from steps that may write there: what the project is made of, and
//! what people and tools execute because of its name. No list of tools is whole; a folder of its own for outputs is the wall.

use std::path::Path;

/// What a project is made of, in its folder.
const PROJECT: [&str; 5] = ["pipelines", "steps", "plugins", "stepwell.toml", "stepwell.lock"];

/// Endings of what a pipeline can name as a plugin, and of what else is code: a step does not write another one's.
const CODE: [&str; 43] = [
    "wasm", "py", "pyw", "pyc", "pyd", "ipynb", "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "c", "h", "cc",
    "cpp", "hpp", "rs", "go", "java", "class", "jar", "r", "jl", "rb", "pl", "php", "lua", "sql", "sh", "bash", "zsh",
    "bat", "cmd", "ps1", "so", "dylib", "dll", "exe", "desktop", "command",
];

/// Endings of data that runs code when it is read: pickles by all of their names, and what R saves.
const LOADED: [&str; 11] = ["pkl", "pickle", "pck", "joblib", "dill", "pt", "pth", "ckpt", "rds", "rda", "rdata"];

/// What tools look for by name, and obey.
const OBEYED: [&str; 10] = [
    "makefile",
    "gnumakefile",
    "justfile",
    "dockerfile",
    "cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.cfg",
    "cmakelists.txt",
    "procfile",
];

/// Whether no step writes it, whatever is granted.
pub(crate) fn is_kept(below: &Path) -> bool {
    // A file system may not tell capitals from small letters.
    let parts = || below.iter().map(|part| part.to_string_lossy().to_lowercase());
    let last = parts().next_back().unwrap_or_default();
    let ends_as_code = last.rsplit_once('.').is_some_and(|(_, end)| CODE.contains(&end) || LOADED.contains(&end));
    parts().next().is_some_and(|first| PROJECT.contains(&first.as_str()))
        || parts().any(|part| part.starts_with('.'))
        || ends_as_code
        // A native library with its version.
        || last.contains(".so.")
        || OBEYED.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_executed_is_kept_and_what_steps_give_is_not() {
        for kept in [
            "pipelines/a.toml",
            "steps/x.csv",
            "plugins/csv.wasm",
            "stepwell.toml",
            ".git/hooks/pre-commit",
            "sub/.git/hooks/pre-commit",
            "sub/.GIT/config",
            ".cargo/config.toml",
            "deep/.envrc",
            "a/.stepwell/x",
            ".stepwell-1",
            "trusted.c",
            "reach/reach.wasm",
            "mine/total.js",
            "mine/total.JS",
            "out/model.pkl",
            "out/model.PTH",
            "out/model.joblib",
            "out/explore.ipynb",
            "out/libtotal.so",
            "out/libtotal.so.1",
            "queries/rows.sql",
            "Makefile",
            "out/Makefile",
            "package.json",
        ] {
            assert!(is_kept(Path::new(kept)), "{kept}");
        }
        for free in [
            "out/rows.csv",
            "rows.csv",
            "out/steps/rows.csv",
            "out/about.json",
            "out/model.safetensors",
            "out/c",
            "out/a.",
            "out/model.onnx",
            "out/so.csv",
        ] {
            assert!(!is_kept(Path::new(free)), "{free}");
        }
    }
}
