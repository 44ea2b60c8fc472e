//! Filling a template in.

use serde_json::{Map, Value};

use super::Fault;
use super::functions;
use super::parser::{Command, Node, Operand, Pipeline, Root};
use super::value::{Datum, is_true, kind_of, shown_field};
use crate::ui::printable;

/// As [`OMITTED`], of those that are texts.
const OMITTED_TEXTS: [&str; 1] = ["StopSignal"];

/// Fields that docker's records have and their JSON leaves out when they are empty: nothing, and no fault.
const OMITTED: [&str; 12] = [
    "Annotations",
    "ExposedPorts",
    "Health",
    "Healthcheck",
    "Init",
    "OnBuild",
    "OsVersion",
    "StopTimeout",
    "Sysctls",
    "Tmpfs",
    "Variant",
    "Volumes",
];

/// What a block wants of the loop that it is in.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// One filling of a template.
pub(super) struct Evaluation<'a> {
    data: &'a Value,
    /// The last of a name counts.
    variables: Vec<(String, Datum)>,
    out: String,
    /// The data are headings by the names of fields.
    of_headings: bool,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(data: &'a Value) -> Self {
        Self { data, variables: vec![(String::new(), Some(data.clone()))], out: String::new(), of_headings: false }
    }

    pub(super) fn of_headings(headings: &'a Value) -> Self {
        Self { of_headings: true, ..Self::new(headings) }
    }

    pub(super) fn run(mut self, nodes: &[Node]) -> Result<String, Fault> {
        let dot = Some(self.data.clone());
        self.block(&dot, nodes)?;
        Ok(self.out)
    }

    /// Fills a block; its variables end with it.
    fn block(&mut self, dot: &Datum, nodes: &[Node]) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let mut flow = Flow::Next;
        for node in nodes {
            flow = self.node(dot, node)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.variables.truncate(known);
        Ok(flow)
    }

    fn node(&mut self, dot: &Datum, node: &Node) -> Result<Flow, Fault> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Show(pipeline) => {
                let value = self.pipeline(dot, pipeline)?;
                if pipeline.variables.is_empty() {
                    self.out.push_str(&printable(&shown_field(field_of(pipeline), &value)));
                }
            }
            Node::If { branches, otherwise } => return self.choose(dot, branches, (otherwise, false)),
            Node::With { branches, otherwise } => return self.choose(dot, branches, (otherwise, true)),
            Node::Range { over, body, otherwise } => return self.range(dot, over, (body, otherwise)),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn choose(
        &mut self,
        dot: &Datum,
        branches: &[(Pipeline, Vec<Node>)],
        (otherwise, moves_dot): (&[Node], bool),
    ) -> Result<Flow, Fault> {
        let known = self.variables.len();
        let mut chosen = None;
        for (condition, body) in branches {
            let value = self.pipeline(dot, condition)?;
            if is_true(&value) {
                chosen = Some((if moves_dot { value } else { dot.clone() }, body));
                break;
            }
        }
        let flow = match chosen {
            Some((dot, body)) => self.block(&dot, body),
            None => self.block(dot, otherwise),
        };
        self.variables.truncate(known);
        flow
    }

    fn range(&mut self, dot: &Datum, over: &Pipeline, (body, otherwise): (&[Node], &[Node])) -> Result<Flow, Fault> {
        let known = self.variables.len();
        // Its variables are set for each element, not by what it goes over.
        let value = self.commands(dot, over)?;
        let elements: Vec<(Value, Value)> = match value {
            Some(Value::Array(list)) => list.into_iter().enumerate().map(|(at, one)| (Value::from(at), one)).collect(),
            Some(Value::Object(map)) => map.into_iter().map(|(key, one)| (Value::from(key), one)).collect(),
            Some(heading @ Value::String(_)) if self.of_headings => vec![(Value::from(0), heading)],
            None | Some(Value::Null) => Vec::new(),
            other => {
                return Err(Fault::new(
                    over.at,
                    format!("`range` goes over lists and objects, not {}", kind_of(&other)),
                ));
            }
        };
        if elements.is_empty() {
            return self.block(dot, otherwise);
        }
        for (key, element) in elements {
            match over.variables.as_slice() {
                [one] => self.set(over, one, Some(element.clone())),
                [index, one] => {
                    self.set(over, index, Some(key));
                    self.set(over, one, Some(element.clone()));
                }
                _ => {}
            }
            let flow = self.block(&Some(element), body)?;
            if over.declares {
                self.variables.truncate(known);
            }
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn set(&mut self, pipeline: &Pipeline, name: &str, value: Datum) {
        match self.variables.iter_mut().rev().find(|(known, _)| known == name).filter(|_| !pipeline.declares) {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipeline(&mut self, dot: &Datum, pipeline: &Pipeline) -> Result<Datum, Fault> {
        let value = self.commands(dot, pipeline)?;
        if let [name] = pipeline.variables.as_slice() {
            self.set(pipeline, name, value.clone());
        }
        Ok(value)
    }

    fn commands(&mut self, dot: &Datum, pipeline: &Pipeline) -> Result<Datum, Fault> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(dot, command, value)?);
        }
        Ok(value.expect("the parser lets no pipeline be empty"))
    }

    fn command(&mut self, dot: &Datum, command: &Command, last: Option<Datum>) -> Result<Datum, Fault> {
        let (first, rest) = command.operands.split_first().expect("the parser lets no command be empty");
        match &first.root {
            Root::Function(name) if name == "and" || name == "or" => self.lazily(dot, first, (rest, last)),
            Root::Function(name) => {
                let mut arguments = Vec::with_capacity(rest.len() + 1);
                for operand in rest {
                    arguments.push(self.operand(dot, operand)?);
                }
                arguments.extend(last);
                let value = self.called(name, arguments).map_err(|message| Fault::new(first.at, message))?;
                self.fields(value, first)
            }
            _ if !rest.is_empty() || last.is_some() => {
                let (of, argument) = (self.operand_without_last(dot, first)?, rest.first());
                let argument = match argument {
                    Some(operand) => self.operand(dot, operand)?,
                    None => last.flatten(),
                };
                self.label(&of, &argument).map_err(|message| Fault::new(first.at, message))
            }
            _ => self.operand(dot, first),
        }
    }

    fn called(&self, name: &str, arguments: Vec<Datum>) -> Result<Datum, String> {
        match self.of_headings && functions::spares_headings(name) {
            true => Ok(arguments.into_iter().find(|one| matches!(one, Some(Value::String(_)))).flatten()),
            false => functions::call(name, &arguments),
        }
    }

    /// `and` and `or` look at no more arguments than they need.
    fn lazily(
        &mut self,
        dot: &Datum,
        function: &Operand,
        (operands, last): (&[Operand], Option<Datum>),
    ) -> Result<Datum, Fault> {
        let stops_at = function.root == Root::Function("or".to_owned());
        let mut value = None;
        for operand in operands {
            let one = self.operand(dot, operand)?;
            if is_true(&one) == stops_at {
                return Ok(one);
            }
            value = Some(one);
        }
        let value = last.or(value);
        value.ok_or_else(|| Fault::new(function.at, "`and` and `or` need an argument"))
    }

    /// `.Label "name"`: one of the labels of what a row is about.
    fn label(&self, of: &Datum, name: &Datum) -> Result<Datum, String> {
        let Some(Value::String(name)) = name else { return Err("`.Label` wants the name of a label".to_owned()) };
        if self.of_headings {
            return Ok(Some(Value::from(name.rsplit('.').next().unwrap_or(name).replace(['-', '_'], " "))));
        }
        let labels = of.as_ref().and_then(|of| of.get("Label")).and_then(Value::as_object);
        let labels = labels.ok_or("there is no field `.Label` here")?;
        Ok(Some(labels.get(name).cloned().unwrap_or_else(|| Value::from(""))))
    }

    fn operand(&mut self, dot: &Datum, operand: &Operand) -> Result<Datum, Fault> {
        let root = self.root(dot, operand)?;
        self.fields(root, operand)
    }

    fn operand_without_last(&mut self, dot: &Datum, operand: &Operand) -> Result<Datum, Fault> {
        let fields = operand.fields.split_last().map_or(&[][..], |(_, rest)| rest).to_vec();
        self.operand(dot, &Operand { fields, ..operand.clone() })
    }

    fn root(&mut self, dot: &Datum, operand: &Operand) -> Result<Datum, Fault> {
        Ok(match &operand.root {
            Root::Dot => dot.clone(),
            Root::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.and_then(|(_, value)| value.clone())
            }
            Root::Literal(value) => Some(value.clone()),
            Root::Nil => Some(Value::Null),
            Root::Parentheses(pipeline) => self.pipeline(dot, pipeline)?,
            Root::Function(name) if name == "and" || name == "or" => {
                return Err(Fault::new(operand.at, format!("`{name}` needs an argument")));
            }
            Root::Function(name) => self.called(name, Vec::new()).map_err(|message| Fault::new(operand.at, message))?,
        })
    }

    fn fields(&self, root: Datum, operand: &Operand) -> Result<Datum, Fault> {
        if self.of_headings && !operand.fields.is_empty() {
            let path = operand.fields.join(".");
            let heading = root.as_ref().and_then(|root| root.get(&path)).and_then(Value::as_str);
            return Ok(Some(Value::from(heading.map_or_else(|| heading_of(&path), str::to_owned))));
        }
        operand
            .fields
            .iter()
            .try_fold(root, |value, name| field(&value, name).map_err(|message| Fault::new(operand.at, message)))
    }
}

/// Returns the heading of a field that no table has: `LocalVolumes` is `LOCAL VOLUMES`.
fn heading_of(path: &str) -> String {
    let mut heading = String::new();
    let mut before = ' ';
    for letter in path.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            heading.push(' ');
        }
        heading.extend(letter.to_uppercase());
        before = letter;
    }
    heading
}

/// Returns the name of the field that a pipeline shows as it is; empty if it does something.
fn field_of(pipeline: &Pipeline) -> &str {
    let [Command { operands }] = pipeline.commands.as_slice() else { return "" };
    let [operand] = operands.as_slice() else { return "" };
    operand.fields.last().map_or("", String::as_str)
}

fn field(of: &Datum, name: &str) -> Result<Datum, String> {
    let Some(Value::Object(fields)) = of else {
        return Err(format!("there is no field `.{name}`: this is {}", kind_of(of)));
    };
    match fields.get(name) {
        Some(value) => Ok(Some(value.clone())),
        None if OMITTED_TEXTS.contains(&name) && is_record(fields) => Ok(Some(Value::from(""))),
        None if OMITTED.contains(&name) && is_record(fields) => Ok(Some(Value::Null)),
        None if is_capital(name) && is_record(fields) => Err(format!("there is no field `.{name}` here")),
        None => Ok(None),
    }
}

/// Tells a record, whose fields are known, from a map, whose keys may be there or not: Go writes the former with capitals.
fn is_record(fields: &Map<String, Value>) -> bool {
    !fields.is_empty() && fields.keys().all(|key| is_capital(key))
}

fn is_capital(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}
