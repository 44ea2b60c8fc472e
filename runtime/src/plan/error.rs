//! Why a spec cannot be carried out.

use std::borrow::Cow;
use std::fmt::Display;

use crate::cgroup::CgroupError;
use crate::seccomp::SeccompError;

/// What is wrong with a spec.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A field without which nothing can be done.
    #[error("the spec has no `{0}`")]
    Missing(Cow<'static, str>),
    /// A field this runtime does not carry out; ignoring it could confine less than was asked for.
    #[error("`{0}` in the spec is not supported")]
    Unsupported(String),
    /// A value that makes no sense.
    #[error("`{value}` as `{field}` of the spec: {why}")]
    Invalid {
        /// The field, as the OCI runtime specification names it.
        field: Cow<'static, str>,
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The seccomp profile.
    #[error(transparent)]
    Seccomp(#[from] SeccompError),
    /// The path of the cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

impl PlanError {
    pub(super) fn missing(field: impl Into<Cow<'static, str>>) -> Self {
        Self::Missing(field.into())
    }

    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, value: impl Display, why: &'static str) -> Self {
        Self::Invalid { field: field.into(), value: value.to_string(), why }
    }
}
