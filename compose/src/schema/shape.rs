//! The vocabulary of the tables.

use crate::yaml::{Node, Value};

/// The form of a value, and with it how two of them merge and what its canonical form is.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// Text.
    Text,
    /// Text or nothing (`pid`).
    TextOrNull,
    /// Text, one of these words.
    Word(&'static [&'static str]),
    /// Text for which the function is true; the words say which texts these are.
    Matching(fn(&str) -> bool, &'static str),
    /// Text, or a number that becomes text.
    TextOrNumber,
    /// Text, or a boolean that becomes text (`provenance`).
    TextOrBoolean,
    /// A whole number, or text of one.
    Integer(Numbers),
    /// A whole number from zero, or text of one.
    Natural(Numbers),
    /// A whole number within these bounds, both included, or text of one.
    Between(i128, i128),
    /// A whole number, or `all`, which becomes -1.
    Count,
    /// A number of 32 bits, or text of one.
    Number,
    /// A number only; its fraction is cut off.
    StrictNumber,
    /// A whole number only.
    StrictInteger,
    /// A boolean, or text of one.
    Boolean,
    /// A boolean only.
    StrictBoolean,
    /// Bytes; becomes text of a number.
    Size(Numbers),
    /// A duration; becomes Go's text.
    Duration,
    /// Permission bits; text is octal. Becomes octal text.
    OctalText,
    /// Permission bits; text is octal. Becomes a number.
    OctalNumber,
    /// A path of the host; relative ones belong to the folder of the project that names it.
    Path,
    /// Null, a line of shell words, or a list; replaced as a whole. Becomes a list.
    Command,
    /// The test of a health check; as a command, but text is a line for the shell.
    Probe,
    /// A list.
    List(&'static Shape, Repeats),
    /// Text or a list of text; becomes a list.
    TextOrList(Repeats),
    /// A mapping with names of the user, `[a-zA-Z0-9._-]+`.
    Named(&'static Shape),
    /// A list of names, each once, or a mapping from them; becomes a mapping.
    NamesOr(&'static Shape),
    /// A mapping of scalars or a list of `KEY=VALUE`; becomes a mapping of text. `empty` stands for a missing value.
    KeyValues {
        /// Whether a missing value is an empty text, not null.
        empty: bool,
    },
    /// A mapping of these scalars, which become text.
    TextMap(Scalars),
    /// A mapping of scalars or lists of scalars, which become lists of text.
    TextsMap,
    /// The SSH agents and keys of a build: as [`Shape::KeyValues`]; becomes a list.
    Ssh,
    /// `host: address` or a list of `host=address`; becomes a sorted list.
    ExtraHosts,
    /// A mapping from limits to a number or `{soft, hard}`; each is replaced as a whole.
    Ulimits,
    /// `driver` and `options`: the options of another driver are not mixed in.
    Logging,
    /// `all`, or a list of device requests.
    Gpus,
    /// A request for devices: a mapping with these fields, `count` or `device_ids` among them.
    DeviceRequest(&'static Object),
    /// A mapping with these fields.
    Object(&'static Object),
    /// Null or a mapping with these fields.
    NullOr(&'static Object),
    /// Text or a mapping; text is the value of the named field.
    ShortOr(&'static str, &'static Object),
    /// A short notation of one's own or a mapping.
    Port,
    /// A short notation of one's own or a mapping.
    Mount,
    /// A short notation of one's own or a mapping.
    Device,
    /// `env_file`: text, or a list of text and mappings; becomes a list of mappings.
    EnvFiles,
    /// A boolean, text of one, or the older `{name: …}`.
    External,
}

/// Which numbers may stand where text of a number may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// None: it must be text.
    None,
    /// Whole ones from zero.
    Natural,
    /// Whole ones.
    Whole,
    /// All.
    Any,
}

/// Which scalars a mapping to text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalars {
    /// Text.
    Text,
    /// Text and numbers.
    Numbers,
    /// Text, numbers and nothing.
    NumbersOrNull,
    /// All that can be written as text.
    Any,
}

/// What becomes of equal items of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// They stay.
    Keep,
    /// The last one takes the place of the first.
    Replace,
    /// They are an error.
    Refuse,
}

/// Whether lighter does what an attribute asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// It does.
    Yes,
    /// It cannot, and says so before it makes anything.
    No,
    /// It means nothing here, as in Docker Compose on one host; the words say why.
    Meaningless(&'static str),
}

/// One attribute.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its key.
    pub name: &'static str,
    /// Its form.
    pub shape: Shape,
    /// Whether `false`, `0`, an empty text, list or mapping is different from nothing.
    pub keep_zero: bool,
    /// Whether `config` prints it: the reference checks some attributes without keeping them.
    pub printed: bool,
    /// Whether lighter does it.
    pub support: Support,
}

/// A mapping with known keys; `x-…` is allowed wherever the specification allows it.
///
/// The fields stand in the order in which `config` prints them.
#[derive(Debug)]
pub(crate) struct Object {
    /// The known keys.
    pub fields: &'static [Field],
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// Whether `x-…` keys may stand beside them.
    pub extensions: bool,
}

impl Field {
    /// An attribute whose zero value is as good as none.
    pub(crate) const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, keep_zero: false, printed: true, support: Support::Yes }
    }

    /// An attribute whose zero value says something.
    pub(crate) const fn kept(name: &'static str, shape: Shape) -> Self {
        Self { keep_zero: true, ..Self::new(name, shape) }
    }

    /// Marks it as something `config` does not print.
    pub(crate) const fn unprinted(self) -> Self {
        Self { printed: false, ..self }
    }

    /// Marks it as something lighter cannot do.
    pub(crate) const fn refused(self) -> Self {
        Self { support: Support::No, ..self }
    }

    /// Marks it as meaningless, for this reason.
    pub(crate) const fn meaningless(self, why: &'static str) -> Self {
        Self { support: Support::Meaningless(why), ..self }
    }
}

impl Object {
    /// An object that allows extensions and requires nothing.
    pub(crate) const fn new(fields: &'static [Field]) -> Self {
        Self { fields, required: &[], extensions: true }
    }

    /// Returns the attribute of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Shape {
    /// Returns the fields of the mapping form, if it has one with known keys.
    pub(crate) fn object(&self) -> Option<&'static Object> {
        match self {
            Self::Object(object) | Self::NullOr(object) | Self::ShortOr(_, object) | Self::DeviceRequest(object) => {
                Some(object)
            }
            Self::Port => Some(&super::service::PORT),
            Self::Mount => Some(&super::service::MOUNT),
            Self::Device => Some(&super::service::DEVICE),
            Self::EnvFiles => Some(&super::service::ENV_FILE),
            Self::Logging => Some(&super::service::LOGGING),
            _ => None,
        }
    }

    /// Returns the form of the items, for lists and mappings whose items have one form.
    pub(crate) fn item(&self) -> Option<&'static Shape> {
        match self {
            Self::List(item, _) | Self::Named(item) | Self::NamesOr(item) => Some(item),
            Self::EnvFiles => Some(&super::service::ENV_FILE_ITEM),
            Self::Gpus => Some(&super::deploy::GPU),
            Self::Ulimits => Some(&super::service::ULIMIT),
            _ => None,
        }
    }
}

/// Returns what two items of a list must share to be the same item, by shape; [`None`] is never the same.
///
/// Canonical items only. Targets for mounts and devices, the whole address for ports, the source for files to read
/// (Compose Specification, 13-merge, "unique resources").
pub(crate) fn identity(shape: &Shape, item: &Node) -> Option<String> {
    let text = |key| item.get(key).and_then(Node::scalar_text).unwrap_or_default();
    match shape {
        Shape::Mount | Shape::Device => Some(text("target")),
        Shape::Port => {
            let (address, published) = (text("host_ip"), text("published"));
            Some(format!("{address}:{published}:{}/{}", text("target"), text("protocol")))
        }
        Shape::ShortOr("path", _) => Some(text("path")),
        // A file given to a service: two of them at one place would hide each other.
        Shape::ShortOr("source", _) => Some(if text("target").is_empty() { text("source") } else { text("target") }),
        Shape::Object(object) if object.field("subnet").is_some() => Some(text("subnet")),
        _ => match &item.value {
            Value::List(_) | Value::Map(_) => None,
            _ => item.scalar_text(),
        },
    }
}
