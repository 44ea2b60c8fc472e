//! What a profile says about one system call: conditions on arguments, then an answer without any.
//!
//! *Pure.*

use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator};

use super::bpf::{self, Compare, Instruction};

/// Longest run of values compared in one go; keeps every jump below the 255 that fit.
const VALUES_PER_GROUP: usize = 200;

/// A condition on one argument of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) index: usize,
    pub(super) test: Test,
}

/// A test of a 64-bit argument, unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    Greater(u64),
    GreaterOrEqual(u64),
    MaskedEqual { mask: u64, value: u64 },
}

impl Condition {
    /// Reads one condition of a profile; `None` when it names an argument there is not.
    pub(super) fn from_oci(arg: &LinuxSeccompArg) -> Option<Self> {
        let value = arg.value();
        let test = match arg.op() {
            LinuxSeccompOperator::ScmpCmpEq => Test::Equal(value),
            LinuxSeccompOperator::ScmpCmpNe => Test::NotEqual(value),
            LinuxSeccompOperator::ScmpCmpLt => Test::Less(value),
            LinuxSeccompOperator::ScmpCmpLe => Test::LessOrEqual(value),
            LinuxSeccompOperator::ScmpCmpGt => Test::Greater(value),
            LinuxSeccompOperator::ScmpCmpGe => Test::GreaterOrEqual(value),
            LinuxSeccompOperator::ScmpCmpMaskedEq => {
                Test::MaskedEqual { mask: value, value: arg.value_two().unwrap_or(0) }
            }
        };
        (arg.index() < 6).then_some(Self { index: arg.index(), test })
    }
}

/// An answer that holds when all its conditions do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Condition>,
    pub(super) action: u32,
}

/// All a profile says about one system call. Actions are `SECCOMP_RET_*` values (seccomp(2)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Tried in order; the first that holds answers.
    pub(super) rules: Vec<Rule>,
    /// The answer when no rule holds.
    pub(super) otherwise: u32,
}

impl Verdict {
    /// An answer that looks at no argument.
    pub(super) fn always(action: u32) -> Self {
        Self { rules: Vec::new(), otherwise: action }
    }

    /// Appends the instructions that answer; they need nothing and always return.
    pub(super) fn emit(&self, program: &mut Vec<Instruction>) {
        let mut rest = self.rules.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let group = same_argument_values(rest);
            if group.len() > 1 {
                emit_group(first, &group, program);
                rest = &rest[group.len()..];
            } else {
                emit_rule(first, program);
                rest = after;
            }
        }
        program.push(bpf::ret(self.otherwise));
    }
}

/// Returns the low words of the leading rules that differ only in the value one argument must equal.
fn same_argument_values(rules: &[Rule]) -> Vec<u32> {
    let key = |rule: &Rule| match rule.conditions.as_slice() {
        [Condition { index, test: Test::Equal(value) }] => Some((*index, value >> 32, rule.action, *value as u32)),
        _ => None,
    };
    let mut values = Vec::new();
    let mut shared = None;
    for rule in rules.iter().take(VALUES_PER_GROUP) {
        let Some((index, high, action, low)) = key(rule) else { break };
        if *shared.get_or_insert((index, high, action)) != (index, high, action) {
            break;
        }
        values.push(low);
    }
    values
}

/// Answers when the argument equals one of several values: one load, then one comparison a value.
fn emit_group(first: &Rule, values: &[u32], program: &mut Vec<Instruction>) {
    let Some(Condition { index, test: Test::Equal(value) }) = first.conditions.first() else { return };
    let (high, low) = bpf::argument_offsets(*index);
    let count = values.len() as u8;
    program.push(bpf::load(high));
    program.push(bpf::branch(Compare::Equal, (value >> 32) as u32, 0, count + 3));
    program.push(bpf::load(low));
    for (position, value) in values.iter().enumerate() {
        program.push(bpf::branch(Compare::Equal, *value, count - position as u8, 0));
    }
    program.push(bpf::jump(1));
    program.push(bpf::ret(first.action));
}

/// Where a comparison goes on.
#[derive(Clone, Copy)]
enum To {
    /// To the next instruction.
    Next,
    /// Past this condition: it holds.
    Holds,
    /// Past the whole rule: it does not answer.
    Fails,
}

/// An instruction whose jumps are not yet distances.
enum Draft {
    Plain(Instruction),
    Branch { compare: Compare, k: u32, when_true: To, when_false: To },
}

fn emit_rule(rule: &Rule, program: &mut Vec<Instruction>) {
    let drafts: Vec<Vec<Draft>> = rule.conditions.iter().map(draft).collect();
    let total: usize = drafts.iter().map(Vec::len).sum();
    let mut position = 0;
    for condition in &drafts {
        let condition_end = position + condition.len();
        for step in condition {
            position += 1;
            // At most 6 conditions of 6 instructions: every distance fits into a byte.
            let distance = |to: To| match to {
                To::Next => 0,
                To::Holds => (condition_end - position) as u8,
                To::Fails => (total + 1 - position) as u8,
            };
            program.push(match step {
                Draft::Plain(instruction) => *instruction,
                Draft::Branch { compare, k, when_true, when_false } => {
                    bpf::branch(*compare, *k, distance(*when_true), distance(*when_false))
                }
            });
        }
    }
    program.push(bpf::ret(rule.action));
}

/// Drafts a test of a 64-bit argument by its two halves, the high one first.
fn draft(condition: &Condition) -> Vec<Draft> {
    use Compare::{Equal, Greater, GreaterOrEqual};
    use To::{Fails, Holds, Next};
    let (high_at, low_at) = bpf::argument_offsets(condition.index);
    let branch = |compare, k, when_true, when_false| Draft::Branch { compare, k, when_true, when_false };
    let load = |offset| Draft::Plain(bpf::load(offset));
    let halves = |value: u64| ((value >> 32) as u32, value as u32);
    // `above` and `below`: what a high word above or below that of the value decides.
    let ordered = |value: u64, above: To, below: To, last: Draft| {
        let (high, _) = halves(value);
        vec![load(high_at), branch(Greater, high, above, Next), branch(Equal, high, Next, below), load(low_at), last]
    };
    match condition.test {
        Test::Equal(value) => {
            let (high, low) = halves(value);
            vec![load(high_at), branch(Equal, high, Next, Fails), load(low_at), branch(Equal, low, Next, Fails)]
        }
        Test::NotEqual(value) => {
            let (high, low) = halves(value);
            vec![load(high_at), branch(Equal, high, Next, Holds), load(low_at), branch(Equal, low, Fails, Next)]
        }
        Test::Greater(value) => ordered(value, Holds, Fails, branch(Greater, halves(value).1, Next, Fails)),
        Test::GreaterOrEqual(value) => {
            ordered(value, Holds, Fails, branch(GreaterOrEqual, halves(value).1, Next, Fails))
        }
        Test::Less(value) => ordered(value, Fails, Holds, branch(GreaterOrEqual, halves(value).1, Fails, Next)),
        Test::LessOrEqual(value) => ordered(value, Fails, Holds, branch(Greater, halves(value).1, Fails, Next)),
        Test::MaskedEqual { mask, value } => {
            let ((mask_high, mask_low), (high, low)) = (halves(mask), halves(value));
            vec![
                load(high_at),
                Draft::Plain(bpf::and(mask_high)),
                branch(Equal, high, Next, Fails),
                load(low_at),
                Draft::Plain(bpf::and(mask_low)),
                branch(Equal, low, Next, Fails),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bpf::simulate::{Call, run};
    use super::*;

    impl Test {
        fn holds(self, argument: u64) -> bool {
            match self {
                Self::Equal(value) => argument == value,
                Self::NotEqual(value) => argument != value,
                Self::Less(value) => argument < value,
                Self::LessOrEqual(value) => argument <= value,
                Self::Greater(value) => argument > value,
                Self::GreaterOrEqual(value) => argument >= value,
                Self::MaskedEqual { mask, value } => argument & mask == value,
            }
        }
    }

    fn expected(verdict: &Verdict, arguments: &[u64; 6]) -> u32 {
        let answers = |rule: &&Rule| rule.conditions.iter().all(|c| c.test.holds(arguments[c.index]));
        verdict.rules.iter().find(answers).map_or(verdict.otherwise, |rule| rule.action)
    }

    /// Values near each other, and near the border of the two words, so that tests are often close.
    fn word() -> impl Strategy<Value = u64> {
        prop_oneof![0u64..4, Just(0xffff_ffff), 0x1_0000_0000u64..0x1_0000_0003, any::<u64>()]
    }

    fn test() -> impl Strategy<Value = Test> {
        prop_oneof![
            word().prop_map(Test::Equal),
            word().prop_map(Test::NotEqual),
            word().prop_map(Test::Less),
            word().prop_map(Test::LessOrEqual),
            word().prop_map(Test::Greater),
            word().prop_map(Test::GreaterOrEqual),
            (word(), word()).prop_map(|(mask, value)| Test::MaskedEqual { mask, value: mask & value }),
        ]
    }

    fn rule() -> impl Strategy<Value = Rule> {
        let condition = (0usize..6, test()).prop_map(|(index, test)| Condition { index, test });
        (prop::collection::vec(condition, 1..7), 1u32..4).prop_map(|(conditions, action)| Rule { conditions, action })
    }

    fn value_rule() -> impl Strategy<Value = Rule> {
        (0usize..2, word(), 1u32..3).prop_map(|(index, value, action)| Rule {
            conditions: vec![Condition { index, test: Test::Equal(value) }],
            action,
        })
    }

    proptest! {
        #[test]
        fn the_instructions_answer_what_the_rules_say(
            rules in prop::collection::vec(prop_oneof![rule(), value_rule()], 0..12),
            arguments in prop::array::uniform6(word()),
        ) {
            let verdict = Verdict { rules, otherwise: 9 };
            let mut program = Vec::new();
            verdict.emit(&mut program);
            let call = Call { arguments, ..Call::default() };
            prop_assert_eq!(run(&program, &call).0, expected(&verdict, &arguments));
        }
    }
}
