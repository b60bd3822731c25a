//! A problem of a project, drawn under the line where it stands.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::path::Path;
use types::Problem;

/// File, line, caret and hint.
pub(crate) fn problem(problem: &Problem, folder: &Path) -> String {
    drawn(Level::ERROR, problem, folder)
}

/// The same of what is no error yet.
pub(crate) fn warning(problem: &Problem, folder: &Path) -> String {
    drawn(Level::WARNING, problem, folder)
}

fn drawn(level: Level<'_>, problem: &Problem, folder: &Path) -> String {
    let message = super::tame_lines(&problem.message);
    let title = level.primary_title(message.as_str());
    let source = problem.place.as_ref().and_then(|place| std::fs::read_to_string(folder.join(&place.file)).ok());
    let hint = problem.hint.as_deref().map(super::tame_lines);
    let path = problem.place.as_ref().map(|place| super::tame(&place.file)).unwrap_or_default();
    let mut groups = Vec::new();
    match (&problem.place, &source) {
        (Some(place), Some(text)) => {
            let span = place.span.start.min(text.len())..place.span.end.min(text.len());
            let snippet = Snippet::source(text.as_str()).path(path.as_str());
            let group = title.element(snippet.annotation(AnnotationKind::Primary.span(span)));
            groups.push(group.elements(hint.as_deref().map(|hint| Level::HELP.message(hint))));
        }
        _ => {
            groups.push(Group::with_title(title));
            groups.extend(hint.as_deref().map(|hint| Group::with_title(Level::HELP.secondary_title(hint))));
        }
    }
    Renderer::styled().render(&groups)
}
