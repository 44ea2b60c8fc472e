//! A plan on paper: written by one command, looked at by people, applied by another.
//!
//! It is bound to what the plan was made for: applied to anything else, it would do what nobody has decided.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Plan;
use crate::observe::Observed;

/// Version of the form.
const VERSION: u32 = 1;

/// A plan and what it is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    version: u32,
    /// The project.
    pub project: String,
    /// Digest of what was there.
    basis: String,
    /// The steps.
    pub plan: Plan,
}

/// Why a record cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is none.
    #[error("it is no plan of lighter's")]
    Malformed(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("it has format {0}, which this lighter does not know")]
    Version(u32),
    /// A step waits for one that does not come before it.
    #[error("step #{0} waits for a step that does not come before it")]
    Order(usize),
    /// The project is not what it was.
    #[error("project `{0}` has changed since: plan again")]
    Stale(String),
}

impl PlanRecord {
    /// Writes down a plan for what was observed.
    pub fn new(plan: Plan, observed: &Observed) -> Self {
        Self { version: VERSION, project: observed.project.clone(), basis: basis(observed), plan }
    }

    /// Returns the text: JSON. It may hold secrets.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plans have text keys and no failing serialiser")
    }

    /// Reads a record.
    ///
    /// # Errors
    /// It is none, or its steps cannot be put in order.
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_slice(text)?;
        if record.version != VERSION {
            return Err(RecordError::Version(record.version));
        }
        let disordered =
            |(id, step): (usize, &super::Step)| step.after.iter().any(|before| *before >= id).then_some(id + 1);
        match record.plan.steps.iter().enumerate().find_map(disordered) {
            Some(id) => Err(RecordError::Order(id)),
            None => Ok(record),
        }
    }

    /// Returns the plan if what is there is what it was made for.
    ///
    /// # Errors
    /// It is not.
    pub fn plan_for(self, observed: &Observed) -> Result<Plan, RecordError> {
        match self.basis == basis(observed) {
            true => Ok(self.plan),
            false => Err(RecordError::Stale(self.project)),
        }
    }
}

/// Returns a digest of the containers of a project and of its networks and volumes, as far as a plan depends on them.
fn basis(observed: &Observed) -> String {
    let containers = observed.containers.iter().map(|c| format!("{} {} {}", c.id, c.config_hash, c.status.word()));
    let ours = |project: &Option<String>| project.as_deref() == Some(observed.project.as_str());
    let networks = observed.networks.values().filter(|network| ours(&network.project));
    let volumes = observed.volumes.values().filter(|volume| ours(&volume.project));
    let lines = containers.chain(networks.map(|network| network.id.clone())).chain(volumes.map(|v| v.name.clone()));
    let mut hasher = Sha256::new();
    lines.for_each(|line| hasher.update(format!("{line}\n")));
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{ContainerRef, Op, Why};

    fn observed(project: &str) -> Observed {
        Observed { project: project.to_owned(), ..Observed::default() }
    }

    fn record() -> PlanRecord {
        let mut plan = Plan::default();
        let first = plan.push(Op::Start(ContainerRef::made("a")), Why::Missing, Vec::new());
        plan.push(Op::Start(ContainerRef::made("b")), Why::Changed(vec!["x".to_owned()]), vec![first]);
        PlanRecord::new(plan, &observed("p"))
    }

    #[test]
    fn a_plan_reads_back_and_is_for_what_it_was_made_for() {
        let record = record();
        let read = PlanRecord::parse(record.to_json().as_bytes()).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.clone().plan_for(&observed("p")).unwrap(), record.plan);
        let mut other = observed("p");
        other.volumes.insert(
            "v".to_owned(),
            crate::observe::ObservedVolume { name: "v".to_owned(), project: Some("p".to_owned()), config_hash: None },
        );
        assert!(matches!(read.plan_for(&other), Err(RecordError::Stale(_))));
    }

    #[test]
    fn steps_that_wait_for_later_ones_are_refused() {
        let mut record = record();
        record.plan.steps[0].after = vec![1];
        assert!(matches!(PlanRecord::parse(record.to_json().as_bytes()), Err(RecordError::Order(1))));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let _ = PlanRecord::parse(&bytes);
        }
    }
}
