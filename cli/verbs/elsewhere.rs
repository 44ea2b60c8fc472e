//! Verbs of docker that there are not here: one line each that says what to use instead.

use crate::error::Failure;

/// Not supported
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ElsewhereArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<String>,
}

pub(crate) fn swarm() -> Failure {
    Failure::text(
        "swarms are not supported: use `lighter up` with `scale:` on one host, `secrets:` of a Compose file included",
    )
}

pub(crate) fn plugin() -> Failure {
    Failure::text(
        "plugins are not supported: volumes take `driver_opts` (nfs, bind, tmpfs), networks macvlan and ipvlan",
    )
}

pub(crate) fn trust() -> Failure {
    Failure::text("signatures of Notary are not supported: pin images by digest, NAME@sha256:…")
}

pub(crate) fn manifest() -> Failure {
    Failure::text("manifests cannot be edited: use skopeo, or `skopeo inspect --raw docker://NAME` to see one")
}

pub(crate) fn builders() -> Failure {
    Failure::text("there is one builder, `default`, for all platforms: use `lighter build` as it is")
}

pub(crate) fn bake() -> Failure {
    Failure::text("bake files are not supported: use `build:` in a Compose file, and `lighter compose build`")
}

pub(crate) fn checkpoint() -> Failure {
    Failure::text("checkpoints are not supported here: see `lighter runtime checkpoint`")
}
