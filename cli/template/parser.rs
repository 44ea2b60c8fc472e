//! The grammar of actions.

use super::Fault;
use super::lexer::{Item, Kind, Token};

/// How deep blocks and parentheses may be nested: what reads and fills them calls itself.
const DEEPEST: usize = 64;

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// The value of a pipeline, unless it only sets a variable.
    Show(Pipeline),
    /// The first branch whose condition is true; else the last.
    If {
        branches: Vec<(Pipeline, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    /// As `If`, with the dot at the condition's value.
    With {
        branches: Vec<(Pipeline, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    Range {
        over: Pipeline,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Break,
    Continue,
}

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    pub(super) at: usize,
    pub(super) variables: Vec<String>,
    /// The variables are new, not changed.
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

/// An operand, or a function with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) root: Root,
    /// Names of fields behind it.
    pub(super) fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Root {
    Dot,
    Variable(String),
    Function(String),
    Literal(serde_json::Value),
    Nil,
    Parentheses(Box<Pipeline>),
}

/// Reads the parts of a template.
pub(super) fn parse(items: Vec<Item>) -> Result<Vec<Node>, Fault> {
    let mut parser = Parser { items: items.into_iter(), scopes: vec![vec![String::new()]], depth: 0, loops: 0 };
    match parser.block()? {
        (nodes, None) => Ok(nodes),
        (_, Some(end)) => Err(Fault::new(end.at, format!("`{}` ends nothing", end.word()))),
    }
}

/// `end` or `else …`, which ends a block.
struct End {
    at: usize,
    /// What is behind `else`; `None` for `end`.
    otherwise: Option<Vec<Token>>,
}

impl End {
    fn word(&self) -> &'static str {
        if self.otherwise.is_some() { "else" } else { "end" }
    }
}

struct Parser {
    items: std::vec::IntoIter<Item>,
    /// Names of the variables that are known, a list for each block.
    scopes: Vec<Vec<String>>,
    depth: usize,
    loops: usize,
}

impl Parser {
    /// Reads up to the end of a block, or of the template.
    fn block(&mut self) -> Result<(Vec<Node>, Option<End>), Fault> {
        let mut nodes = Vec::new();
        while let Some(item) = self.items.next() {
            let (at, tokens) = match item {
                Item::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Item::Action { at, tokens } => (at, tokens),
            };
            let keyword = match tokens.first().map(|token| &token.kind) {
                Some(Kind::Word(word)) => word.clone(),
                _ => String::new(),
            };
            let rest = || tokens[1..].to_vec();
            match keyword.as_str() {
                "if" | "with" => nodes.push(self.choice(at, &keyword, rest())?),
                "range" => nodes.push(self.range(at, rest())?),
                "end" => return alone(at, &keyword, &tokens).map(|()| (nodes, Some(End { at, otherwise: None }))),
                "else" => return Ok((nodes, Some(End { at, otherwise: Some(rest()) }))),
                "break" | "continue" => {
                    alone(at, &keyword, &tokens)?;
                    if self.loops == 0 {
                        return Err(Fault::new(at, format!("`{keyword}` is for `range` alone")));
                    }
                    nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
                }
                "define" | "template" | "block" => {
                    return Err(Fault::new(at, format!("`{keyword}` is not supported")));
                }
                _ => nodes.push(Node::Show(self.pipeline(at, tokens)?)),
            }
        }
        Ok((nodes, None))
    }

    fn choice(&mut self, at: usize, keyword: &str, condition: Vec<Token>) -> Result<Node, Fault> {
        self.enter(at)?;
        let (mut branches, mut otherwise) = (Vec::new(), Vec::new());
        let mut condition = Some(condition);
        let scopes = self.scopes.len();
        while let Some(tokens) = condition.take() {
            // What a condition declares is known in the branches that follow too.
            self.scopes.push(Vec::new());
            let pipeline = self.pipeline(at, tokens)?;
            let (body, end) = self.inner()?;
            branches.push((pipeline, body));
            match end.ok_or_else(|| unclosed(at, keyword))?.otherwise {
                None => {}
                Some(tokens) => match tokens.first() {
                    None => otherwise = self.last(at, keyword)?,
                    Some(Token { kind: Kind::Word(word), .. }) if word == keyword => {
                        condition = Some(tokens[1..].to_vec())
                    }
                    Some(token) => {
                        return Err(Fault::new(token.at, format!("behind `else` comes `{keyword}`, or nothing")));
                    }
                },
            }
        }
        self.scopes.truncate(scopes);
        self.depth -= 1;
        Ok(if keyword == "if" { Node::If { branches, otherwise } } else { Node::With { branches, otherwise } })
    }

    fn range(&mut self, at: usize, tokens: Vec<Token>) -> Result<Node, Fault> {
        self.enter(at)?;
        self.scopes.push(Vec::new());
        let over = self.pipeline_of(at, tokens, 2)?;
        self.loops += 1;
        let (body, end) = self.inner()?;
        self.loops -= 1;
        let otherwise = match end.ok_or_else(|| unclosed(at, "range"))?.otherwise {
            None => Vec::new(),
            Some(tokens) if tokens.is_empty() => self.last(at, "range")?,
            Some(tokens) => return Err(Fault::new(tokens[0].at, "nothing comes behind the `else` of `range`")),
        };
        self.scopes.pop();
        self.depth -= 1;
        Ok(Node::Range { over, body, otherwise })
    }

    /// Reads the block behind `else`, up to its `end`.
    fn last(&mut self, at: usize, keyword: &str) -> Result<Vec<Node>, Fault> {
        match self.inner()? {
            (nodes, Some(End { otherwise: None, .. })) => Ok(nodes),
            (_, Some(End { at, .. })) => Err(Fault::new(at, "`else` after `else`")),
            (_, None) => Err(unclosed(at, keyword)),
        }
    }

    /// Reads a block whose variables are its own.
    fn inner(&mut self) -> Result<(Vec<Node>, Option<End>), Fault> {
        self.scopes.push(Vec::new());
        let block = self.block();
        self.scopes.pop();
        block
    }

    fn enter(&mut self, at: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(Fault::new(at, format!("nested deeper than {DEEPEST}"))) } else { Ok(()) }
    }

    fn pipeline(&mut self, at: usize, tokens: Vec<Token>) -> Result<Pipeline, Fault> {
        self.pipeline_of(at, tokens, 1)
    }

    /// Reads a pipeline that may set so many variables.
    fn pipeline_of(&mut self, at: usize, tokens: Vec<Token>, most: usize) -> Result<Pipeline, Fault> {
        let mut words = Words { tokens: tokens.into_iter().peekable(), end: at };
        let (variables, declares) = self.variables(&mut words, most)?;
        let pipeline = self.commands(&mut words, at)?;
        if let Some(token) = words.tokens.next() {
            return Err(Fault::new(token.at, "`)` closes nothing"));
        }
        let known = self.scopes.last_mut().expect("the template's own scope stays");
        if declares {
            known.extend(variables.iter().cloned());
        }
        Ok(Pipeline { variables, declares, ..pipeline })
    }

    /// Reads `$a :=`, `$a =` or `$a, $b :=`, if that is there.
    fn variables(&self, words: &mut Words, most: usize) -> Result<(Vec<String>, bool), Fault> {
        let ahead: Vec<Token> = words.tokens.clone().take(4).collect();
        let name = |index: usize| match ahead.get(index).map(|token| &token.kind) {
            Some(Kind::Variable(name)) => Some(name.clone()),
            _ => None,
        };
        let is = |index: usize, kind: &Kind| ahead.get(index).is_some_and(|token| token.kind == *kind);
        let names = match (name(0), name(2)) {
            (Some(one), Some(other)) if is(1, &Kind::Comma) => vec![one, other],
            (Some(one), _) => vec![one],
            _ => return Ok((Vec::new(), false)),
        };
        let behind = names.len() * 2 - 1;
        let (declares, assigns) = (is(behind, &Kind::Declare), is(behind, &Kind::Assign));
        if !declares && !assigns {
            return Ok((Vec::new(), false));
        }
        if names.len() > most {
            return Err(Fault::new(ahead[2].at, "two variables are for `range` alone"));
        }
        if assigns {
            names.iter().try_for_each(|name| self.is_known(ahead[0].at, name))?;
        }
        words.tokens.by_ref().take(behind + 1).for_each(drop);
        Ok((names, declares))
    }

    fn is_known(&self, at: usize, name: &str) -> Result<(), Fault> {
        match self.scopes.iter().flatten().any(|known| known == name) {
            true => Ok(()),
            false => Err(Fault::new(at, format!("there is no variable `${name}`"))),
        }
    }

    /// Reads commands up to a closing parenthesis, which stays, or the end.
    fn commands(&mut self, words: &mut Words, at: usize) -> Result<Pipeline, Fault> {
        let mut commands = Vec::new();
        loop {
            let command = self.command(words)?;
            if command.operands.is_empty() {
                return Err(Fault::new(words.end, "a value is missing here"));
            }
            if let Some(first) = command.operands.first().filter(|_| !commands.is_empty())
                && !takes_arguments(first)
            {
                return Err(Fault::new(first.at, "what comes behind `|` must be a function"));
            }
            commands.push(command);
            if words.tokens.next_if(|token| token.kind == Kind::Pipe).is_none() {
                return Ok(Pipeline { at, variables: Vec::new(), declares: false, commands });
            }
        }
    }

    fn command(&mut self, words: &mut Words) -> Result<Command, Fault> {
        let mut operands: Vec<Operand> = Vec::new();
        while let Some(token) = words.tokens.next_if(|token| !matches!(token.kind, Kind::Pipe | Kind::Close)) {
            words.end = token.at;
            match token.kind {
                Kind::Field(name) if token.is_glued && !operands.is_empty() => {
                    let last = operands.last_mut().expect("it is not empty");
                    if matches!(last.root, Root::Literal(_) | Root::Nil) {
                        return Err(Fault::new(token.at, format!("a literal has no field `.{name}`")));
                    }
                    last.fields.push(name);
                }
                _ => operands.push(self.operand(token, words)?),
            }
        }
        if let Some(first) = operands.first().filter(|first| operands.len() > 1 && !takes_arguments(first)) {
            return Err(Fault::new(first.at, "only a function takes arguments"));
        }
        Ok(Command { operands })
    }

    fn operand(&mut self, token: Token, words: &mut Words) -> Result<Operand, Fault> {
        let at = token.at;
        let (root, fields) = match token.kind {
            Kind::Dot => (Root::Dot, Vec::new()),
            Kind::Field(name) => (Root::Dot, vec![name]),
            Kind::Variable(name) => {
                self.is_known(at, &name)?;
                (Root::Variable(name), Vec::new())
            }
            Kind::Integer(number) => (Root::Literal(number.into()), Vec::new()),
            Kind::Float(number) => (Root::Literal(number.into()), Vec::new()),
            Kind::Text(text) => (Root::Literal(text.into()), Vec::new()),
            Kind::Word(word) => match word.as_str() {
                "true" | "false" => (Root::Literal((word == "true").into()), Vec::new()),
                "nil" => (Root::Nil, Vec::new()),
                name if super::functions::exists(name) => (Root::Function(word), Vec::new()),
                _ => return Err(Fault::new(at, format!("function `{word}` is not defined"))),
            },
            Kind::Open => {
                self.enter(at)?;
                let inner = self.commands(words, at)?;
                self.depth -= 1;
                let is_closed = words.tokens.next_if(|token| token.kind == Kind::Close).is_some();
                if !is_closed {
                    return Err(Fault::new(at, "`(` has no `)`"));
                }
                (Root::Parentheses(Box::new(inner)), Vec::new())
            }
            Kind::Pipe | Kind::Comma | Kind::Declare | Kind::Assign | Kind::Close => {
                return Err(Fault::new(at, "a value is missing here"));
            }
        };
        Ok(Operand { at, root, fields })
    }
}

struct Words {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// Where the last word that was read begins.
    end: usize,
}

/// A function, or a field that is one: `.Label "name"`.
fn takes_arguments(operand: &Operand) -> bool {
    match operand.root {
        Root::Function(_) => true,
        Root::Dot | Root::Variable(_) => operand.fields.last().is_some_and(|name| name == "Label"),
        _ => false,
    }
}

fn alone(at: usize, keyword: &str, tokens: &[Token]) -> Result<(), Fault> {
    match tokens {
        [_] => Ok(()),
        _ => Err(Fault::new(at, format!("nothing comes behind `{keyword}`"))),
    }
}

fn unclosed(at: usize, keyword: &str) -> Fault {
    Fault::new(at, format!("`{keyword}` has no `end`"))
}
