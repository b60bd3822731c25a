//! A problem of a project, drawn under the line where it stands.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::path::Path;
use types::Problem;

/// File, line, caret and hint.
pub(crate) fn problem(problem: &Problem, folder: &Path) -> String {
    let message = super::tame(&problem.message);
    let title = Level::ERROR.primary_title(message.as_str());
    let source = problem.place.as_ref().and_then(|place| std::fs::read_to_string(folder.join(&place.file)).ok());
    let mut group = match (&problem.place, &source) {
        (Some(place), Some(text)) => {
            let span = place.span.start.min(text.len())..place.span.end.min(text.len());
            let snippet = Snippet::source(text.as_str()).path(place.file.as_str());
            title.element(snippet.annotation(AnnotationKind::Primary.span(span)))
        }
        _ => Group::with_title(title),
    };
    let hint = problem.hint.as_deref().map(super::tame);
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    Renderer::styled().render(&[group])
}
