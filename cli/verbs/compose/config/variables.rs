//! `lighter config --variables`: what the files mention, whether or not it has a value.

use lighter_compose::variables::{Variable, mentioned};
use lighter_compose::{Environment, Source};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::table::table;

pub(super) fn show(ctx: &Context, source: &Source, format: Option<&str>) -> Result<(), Failure> {
    let environment: &Environment = &ctx.invocation.environment;
    let variables = mentioned(source, environment).map_err(super::failure)?;
    match format {
        Some("json") => {
            let all: Map<String, Value> =
                variables.iter().map(|(name, variable)| (name.clone(), object(name, variable))).collect();
            ctx.ui.line(Value::Object(all).to_string())
        }
        Some(_) => variables.iter().try_for_each(|(name, variable)| ctx.ui.line(yaml(name, variable))),
        None => {
            let rows: Vec<_> = variables.iter().map(|(name, variable)| row(name, variable)).collect();
            ctx.ui.line(table(&["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"], &rows))
        }
    }
}

fn row(name: &str, variable: &Variable) -> Vec<String> {
    vec![name.to_owned(), variable.required.to_string(), variable.default.clone(), variable.alternate.clone()]
}

/// The names are those of Docker Compose.
fn object(name: &str, variable: &Variable) -> Value {
    json!({
        "Name": name,
        "DefaultValue": variable.default,
        "PresenceValue": variable.alternate,
        "Required": variable.required,
    })
}

fn yaml(name: &str, variable: &Variable) -> String {
    // JSON's texts are YAML's.
    let text = |text: &str| Value::from(text).to_string();
    format!(
        "{name}:\n    name: {name}\n    defaultvalue: {}\n    presencevalue: {}\n    required: {}",
        text(&variable.default),
        text(&variable.alternate),
        variable.required
    )
}
