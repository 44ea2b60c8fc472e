//! `lighter config --support`: what becomes of every attribute of the files.

use lighter_compose::Project;
use lighter_compose::support::{Use, Verdict, of};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::table::table;

pub(super) fn show(ctx: &Context, project: &Project) -> Result<(), Failure> {
    let rows: Vec<_> = of(project).iter().map(|used| row(ctx, used)).collect();
    ctx.ui.line(table(&["ATTRIBUTE", "PLACE", "SUPPORT"], &rows))
}

fn row(ctx: &Context, used: &Use) -> Vec<String> {
    let file = &used.at.file().path;
    let file = file.strip_prefix(&ctx.invocation.working_directory).unwrap_or(file);
    let place = format!("{}:{}", file.display(), used.at.position().line);
    vec![used.path.clone(), place, words(used)]
}

fn words(used: &Use) -> String {
    match &used.verdict {
        Verdict::Honoured if used.outside.is_empty() => "honoured".to_owned(),
        Verdict::Honoured => format!("honoured, outside of the project: {}", used.outside.join(" ")),
        Verdict::NoEffect(why) => format!("no effect here: {why}"),
        Verdict::Refused(why) => format!("refused: {why}"),
    }
}
