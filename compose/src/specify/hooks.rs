//! Commands at the turns of a container's life.

use lighter_engine::{Hook, Hooks};

use crate::model::{self, Service};

pub(super) fn hooks(service: &Service) -> Hooks {
    let all = |hooks: &[model::Hook]| hooks.iter().map(hook).collect();
    Hooks { post_start: all(&service.hooks.post_start), pre_stop: all(&service.hooks.pre_stop) }
}

/// Returns a command of the file as the engine runs it.
pub fn hook(hook: &model::Hook) -> Hook {
    Hook {
        args: hook.command.clone(),
        env: hook.environment.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        user: hook.user.clone(),
        working_dir: hook.working_dir.clone(),
        privileged: hook.privileged,
    }
}
