//! The order in which steps run, with steps that only note their names.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::apply::{DEFAULT_PARALLEL, Silent, WaitError};
use crate::plan::{Condition, ContainerRef, Why};

/// Makes a plan of steps `name<after,…`; a name that begins with `wait` is a wait, one with `stop` a stop.
fn plan(text: &str) -> Plan {
    let mut names: Vec<&str> = Vec::new();
    let mut plan = Plan::default();
    for part in text.split_whitespace() {
        let (name, after) = part.split_once('<').unwrap_or((part, ""));
        let after = after.split(',').filter(|name| !name.is_empty());
        let after = after.map(|name| names.iter().position(|other| *other == name).unwrap()).collect();
        let container = ContainerRef::made(name);
        let op = match name {
            name if name.starts_with("wait") => Op::Wait { container, condition: Condition::Running, required: true },
            name if name.starts_with("stop") => Op::Stop { container, grace: None },
            _ => Op::Start(container),
        };
        plan.steps.push(Step { op, why: Why::Asked, after });
        names.push(name);
    }
    plan
}

fn name(step: &Step) -> String {
    step.op
        .to_string()
        .split_whitespace()
        .find(|word| !matches!(*word, "start" | "stop" | "wait" | "until"))
        .unwrap()
        .to_owned()
}

fn options(parallel: usize, interrupted: &AtomicBool) -> ApplyOptions<'_> {
    ApplyOptions { parallel, interrupted, turn: None, deadline: None }
}

#[test]
fn one_at_a_time_steps_run_in_the_order_of_the_plan() {
    let ran = Mutex::new(Vec::new());
    let execute = |step: &Step, _: &AtomicBool| {
        ran.lock().unwrap().push(name(step));
        Ok(Ended::Done(Vec::new()))
    };
    let outcome = run(&plan("a b<a c d<b,c"), options(1, &AtomicBool::new(false)), &Silent, &execute).unwrap();
    assert_eq!(outcome.done, 4);
    assert_eq!(*ran.lock().unwrap(), ["a", "b", "c", "d"]);
}

#[test]
fn a_wait_holds_no_place() {
    let released = AtomicBool::new(false);
    let execute = |step: &Step, _: &AtomicBool| {
        match name(step).as_str() {
            // Ends only because another step runs beside it, although the limit is one.
            "waiter" => {
                while !released.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            }
            _ => released.store(true, Ordering::Relaxed),
        }
        Ok(Ended::Done(Vec::new()))
    };
    let outcome = run(&plan("waiter a"), options(1, &AtomicBool::new(false)), &Silent, &execute).unwrap();
    assert_eq!(outcome.done, 2);
}

#[test]
fn stops_run_all_at_once_beside_the_others() {
    let begun = AtomicUsize::new(0);
    let execute = |_: &Step, _: &AtomicBool| {
        // ends only because all six have begun, although the limit is two
        begun.fetch_add(1, Ordering::SeqCst);
        while begun.load(Ordering::SeqCst) < 6 {
            thread::yield_now();
        }
        Ok(Ended::Done(Vec::new()))
    };
    let plan = plan("stop1 stop2 stop3 stop4 a b");
    let outcome = run(&plan, options(2, &AtomicBool::new(false)), &Silent, &execute).unwrap();
    assert_eq!(outcome.done, 6);
}

#[test]
fn no_more_than_the_limit_run_at_once() {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let execute = |_: &Step, _: &AtomicBool| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::yield_now();
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(Ended::Done(Vec::new()))
    };
    let steps: String = (0..40).map(|index| format!("s{index} ")).collect();
    run(&plan(&steps), options(DEFAULT_PARALLEL, &AtomicBool::new(false)), &Silent, &execute).unwrap();
    assert!(most.load(Ordering::SeqCst) <= DEFAULT_PARALLEL);
}

#[test]
fn after_a_failure_nothing_begins_and_waits_are_told() {
    let ran = Mutex::new(Vec::new());
    let execute = |step: &Step, cancelled: &AtomicBool| match name(step).as_str() {
        "bad" => Err(WaitError::Gone("bad".to_owned()).into()),
        "waiter" => {
            while !cancelled.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            Err(StepError::Cancelled)
        }
        other => {
            ran.lock().unwrap().push(other.to_owned());
            Ok(Ended::Done(Vec::new()))
        }
    };
    let error = run(&plan("waiter bad next<bad"), options(4, &AtomicBool::new(false)), &Silent, &execute).unwrap_err();
    assert_eq!(error.to_string(), "start bad");
    assert!(ran.lock().unwrap().is_empty());
}

#[test]
fn an_interruption_ends_the_plan() {
    let interrupted = AtomicBool::new(false);
    let execute = |_: &Step, _: &AtomicBool| {
        interrupted.store(true, Ordering::Relaxed);
        Ok(Ended::Done(Vec::new()))
    };
    let error = run(&plan("a b<a"), options(1, &interrupted), &Silent, &execute).unwrap_err();
    assert_eq!(error.to_string(), "interrupted");
}
