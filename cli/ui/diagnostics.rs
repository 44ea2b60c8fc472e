//! Faults of the user's files, drawn with the lines they are in.

use annotate_snippets::{Annotation, AnnotationKind, Level as SnippetLevel, Renderer, Snippet};
use lighter_compose::{Diagnostic, Severity};

/// Returns the diagnostic in one line: `file:line:column: message`.
pub(crate) fn line(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.labels.first().map(|label| {
        let position = label.span.position();
        format!("{}:{}:{}: ", label.span.file().path.display(), position.line, position.column)
    });
    format!("{}{}", place.unwrap_or_default(), diagnostic.message)
}

/// Returns the excerpt: message, `file:line:column`, the line with carets, hints.
pub(crate) fn render(diagnostic: &Diagnostic, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => SnippetLevel::ERROR,
        Severity::Warning => SnippetLevel::WARNING,
    };
    let message = super::printable(&diagnostic.message);
    let mut group = level.primary_title(message.as_str()).elements(Vec::<Snippet<'_, Annotation<'_>>>::new());
    for (index, label) in diagnostic.labels.iter().enumerate() {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(label.span.range());
        let annotation = if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) };
        let file = label.span.file();
        let snippet = Snippet::source(file.text.as_str()).path(file.path.to_string_lossy()).annotation(annotation);
        group = group.element(snippet);
    }
    for hint in &diagnostic.hints {
        group = group.element(SnippetLevel::HELP.message(hint.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]).to_string()
}
