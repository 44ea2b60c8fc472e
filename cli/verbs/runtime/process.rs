//! A process described by options: how it differs from the container's own.

use std::collections::HashSet;
use std::path::PathBuf;

use lighter_engine::runtime::oci::OciError;
use oci_spec::runtime::{Capability, LinuxCapabilities, Process, Spec, User};

/// How the process differs from the container's own
#[derive(Debug, clap::Args)]
pub(super) struct ProcessArgs {
    /// Working directory inside
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Variable, `NAME=value`
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// User, and group, by number
    #[arg(short, long, value_name = "UID[:GID]")]
    user: Option<String>,
    /// Supplementary group, by number
    #[arg(short = 'g', long, value_name = "GID")]
    additional_gids: Vec<u32>,
    /// SELinux label
    #[arg(long, value_name = "LABEL")]
    process_label: Option<String>,
    /// AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    apparmor: Option<String>,
    /// Let it gain no privileges it does not have
    #[arg(long)]
    no_new_privs: bool,
    /// Capability to add
    #[arg(short, long, value_name = "CAPABILITY")]
    cap: Vec<String>,
}

impl ProcessArgs {
    /// Returns the process that runs `command` in a container of this configuration.
    pub(super) fn process(&self, container: &Spec, command: &[String]) -> Result<Process, OciError> {
        if command.is_empty() {
            return Err(OciError::Options("no program to run: give one, or a file with --process".to_owned()));
        }
        let mut process = container.process().clone().unwrap_or_default();
        process.set_args(Some(command.to_vec())).set_terminal(Some(self.tty)).set_console_size(None);
        if let Some(cwd) = &self.cwd {
            process.set_cwd(cwd.clone());
        }
        let env = process.env().iter().flatten().chain(&self.env).cloned().collect();
        process.set_env(Some(env));
        process.set_user(self.user(process.user())?);
        if let Some(label) = &self.process_label {
            process.set_selinux_label(Some(label.clone()));
        }
        if let Some(profile) = &self.apparmor {
            process.set_apparmor_profile(Some(profile.clone()));
        }
        if self.no_new_privs {
            process.set_no_new_privileges(Some(true));
        }
        self.add_capabilities(&mut process)?;
        Ok(process)
    }

    fn user(&self, own: &User) -> Result<User, OciError> {
        let mut user = own.clone();
        if let Some(text) = &self.user {
            let number = |text: &str| {
                text.parse::<u32>()
                    .map_err(|_| OciError::Options(format!("`--user {text}`: only numbers can be users here")))
            };
            let (uid, gid) = text.split_once(':').unwrap_or((text, ""));
            user.set_uid(number(uid)?);
            if !gid.is_empty() {
                user.set_gid(number(gid)?);
            }
        }
        if !self.additional_gids.is_empty() {
            let gids = user.additional_gids().iter().flatten().chain(&self.additional_gids).copied().collect();
            user.set_additional_gids(Some(gids));
        }
        Ok(user)
    }

    fn add_capabilities(&self, process: &mut Process) -> Result<(), OciError> {
        if self.cap.is_empty() {
            return Ok(());
        }
        let read = |name: &String| {
            let unknown = |_| OciError::Options(format!("`--cap {name}`: there is no such capability"));
            serde_json::from_value::<Capability>(serde_json::Value::from(name.to_uppercase())).map_err(unknown)
        };
        let added = self.cap.iter().map(read).collect::<Result<HashSet<Capability>, _>>()?;
        let own = process.capabilities().clone().unwrap_or_else(empty_sets);
        let with = |set: &Option<HashSet<Capability>>| Some(set.iter().flatten().chain(&added).copied().collect());
        let mut sets = own.clone();
        sets.set_bounding(with(own.bounding()))
            .set_effective(with(own.effective()))
            .set_permitted(with(own.permitted()));
        process.set_capabilities(Some(sets));
        Ok(())
    }
}

/// The default of the type is a set of capabilities, not none.
fn empty_sets() -> LinuxCapabilities {
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(None).set_effective(None).set_inheritable(None).set_permitted(None).set_ambient(None);
    sets
}
