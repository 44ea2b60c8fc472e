//! Everything in the order in which it is printed, and without what is not.

use super::natural;
use crate::schema::{Object, Shape};
use crate::yaml::{Entry, Map, Node, Value};

/// How keys are ordered.
#[derive(Clone, Copy)]
pub(super) struct Order {
    /// Whether keys of the user are ordered as people count, else byte by byte.
    pub natural: bool,
    /// Which `x-…` keys are printed.
    pub extensions: Extensions,
}

/// Which `x-…` keys are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extensions {
    /// All.
    All,
    /// Those of the document itself.
    Top,
    /// None.
    None,
}

/// Orders the keys of `node`, which has this shape, and of what is in it.
pub(super) fn arrange(node: Node, shape: &Shape, order: Order) -> Node {
    let Node { value, span, directive } = node;
    let value = match value {
        Value::List(items) => Value::List(items.into_iter().map(|item| list_item(item, shape, order)).collect()),
        Value::Map(map) => match shape.object() {
            Some(object) => Value::Map(Map(fields(map, object, order))),
            None => Value::Map(Map(members(map, shape.item().unwrap_or(&Shape::Any), order))),
        },
        scalar => scalar,
    };
    Node { value, span, directive }
}

fn list_item(item: Node, shape: &Shape, order: Order) -> Node {
    arrange(item, shape.item().unwrap_or(&Shape::Any), order)
}

/// Known keys in the order of the table, then `x-…` keys.
fn fields(map: Map, object: &'static Object, order: Order) -> Vec<Entry> {
    let inner = match order.extensions {
        Extensions::All => order,
        Extensions::Top | Extensions::None => Order { extensions: Extensions::None, ..order },
    };
    let (mut known, mut others) = (Vec::new(), Vec::new());
    for Entry { key, at, value } in map.0 {
        match object.fields.iter().position(|field| field.name == key) {
            Some(place) if object.fields[place].printed => {
                let value = arrange(value, &object.fields[place].shape, inner);
                known.push((place, Entry { key, at, value }));
            }
            Some(_) => {}
            None if order.extensions == Extensions::None => {}
            None => others.push(Entry { key, at, value }),
        }
    }
    known.sort_by_key(|(place, _)| *place);
    // What is within an extension is nobody's but the user's.
    let others = members(Map(others), &Shape::Any, Order { extensions: Extensions::All, ..order });
    known.into_iter().map(|(_, entry)| entry).chain(others).collect()
}

fn members(map: Map, item: &Shape, order: Order) -> Vec<Entry> {
    let inner = match order.extensions {
        Extensions::Top => Order { extensions: Extensions::None, ..order },
        _ => order,
    };
    let entry = |Entry { key, at, value }: Entry| Entry { key, at, value: arrange(value, item, inner) };
    let mut entries: Vec<_> = map.0.into_iter().map(entry).collect();
    entries.sort_by(|a, b| if order.natural { natural::compare(&a.key, &b.key) } else { a.key.cmp(&b.key) });
    entries
}
